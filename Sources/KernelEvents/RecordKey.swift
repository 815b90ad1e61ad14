/// The keys of rst-events/1: the one list of them. A key is in the file what its case is called here, in snake case.
///
/// docs/schema/rst-events-1.schema.json and docs/events.md name the same keys (`RecordKeyTests`).
enum RecordKey: UInt8, CaseIterable {
    /// Any other.
    case unknown

    // Of every event.
    case type, monoNs, hook, cpu, netns, ifindex, ifname, skb
    case src, sport, dst, dport, seq, ack, flags, window, ipId, ttl, stack, task, socket, closed
    // Of a decision.
    case reason, state, previousState, trigger, length, listener, sinceMonoNs, closedMonoNs, fits
    case conntrack, atWork, segment, original, reply, lookedUp
    // Of a RST that was received.
    case fate, at, waiting, ageNs, unread
    // Of tasks, sockets and ends of connections.
    case pid, tid, uid, comm, process, context, cgroup, cgroupPath
    case cookie, inode, owner, holders, dead, userTimeoutMs, linger2, linger, queued, backlog
    case how, thread, idleNs, signal, errno, unacknowledged
    // Of stacks and processes.
    case id, frames, user, exe, args, argsCut, parent
    // Of containers.
    case runtime, image, pod, namespace, slice
    // Of the header.
    case schema, tool, host, kernel, bootId, arch, started, clock, realtimeNs, monotonicNs, uncertaintyNs, stepsMarked
    case since, hooksMonoNs, captureMonoNs, hooks, name, status, detail, interfaces, addresses, captured
    case noCgroups, endings, scope, hosts, ports, series, number, follows
    // Of clock readings, losses, rulesets and the footer.
    case stepNs, suspendedNs, `where`, count, content, listing, untilMonoNs
    case events, lost, kernelDropped, endingsLost, until

    /// As in the file; `?` for an unknown one.
    var name: String { RecordKeyTable.shared.names[Int(rawValue)] }

    /// A comma, the key in quotes, and a colon; zeros behind.
    @inline(__always)
    var text: (bytes: SIMD32<UInt8>, length: Int) { RecordKeyTable.shared.texts[Int(rawValue)] }

    /// The same without the comma.
    @inline(__always)
    var firstText: (bytes: SIMD32<UInt8>, length: Int) { RecordKeyTable.shared.firstTexts[Int(rawValue)] }

    /// Keys of one to seven bytes with their closing quote, packed as a little-endian number: the first byte is lowest.
    @inline(__always)
    init?(packed: UInt64) {
        guard let key = RecordKeyTable.shared.find(packed, 0) else { return nil }
        self = key
    }

    /// Keys of eight to sixteen bytes, packed in two numbers.
    init?(head: UInt64, tail: UInt64, length: Int) {
        guard length >= 8, length <= 16, let key = RecordKeyTable.shared.find(head, tail) else { return nil }
        self = key
    }

    /// The slow way, for a key that was written with escapes.
    init?(name: String) {
        guard let key = Self.allCases.first(where: { $0 != .unknown && $0.name == name }) else { return nil }
        self = key
    }
}

/// The keys as they are looked up: by their bytes, without making a `String`.
private struct RecordKeyTable: Sendable {
    static let shared = RecordKeyTable()

    let names: [String]
    let texts: [(bytes: SIMD32<UInt8>, length: Int)]
    let firstTexts: [(bytes: SIMD32<UInt8>, length: Int)]
    /// At the hash of its bytes, or the next place that was free.
    private var places = [Place](repeating: Place(), count: 512)

    private struct Place {
        var head: UInt64 = 0
        var tail: UInt64 = 0
        var key = RecordKey.unknown
    }

    private init() {
        names = RecordKey.allCases.map { $0 == .unknown ? "?" : Self.snakeCase("\($0)") }
        texts = names.map { Self.padded(",\"\($0)\":") }
        firstTexts = names.map { Self.padded("\"\($0)\":") }
        for (key, name) in zip(RecordKey.allCases, names) where key != .unknown {
            // A short key goes with its closing quote: it is found before anybody knows its length.
            let bytes = Array(name.utf8) + (name.utf8.count <= 7 ? [UInt8(ascii: "\"")] : [])
            let (head, tail) = (Self.packed(bytes.prefix(8)), Self.packed(bytes.dropFirst(8)))
            var index = Self.hash(head, tail)
            while places[index].key != .unknown { index = (index + 1) % 512 }
            places[index] = Place(head: head, tail: tail, key: key)
        }
    }

    /// - Parameter text: of at most 32 bytes.
    private static func padded(_ text: String) -> (bytes: SIMD32<UInt8>, length: Int) {
        var bytes = SIMD32<UInt8>()
        for (place, byte) in text.utf8.enumerated() { bytes[place] = byte }
        return (bytes, text.utf8.count)
    }

    @inline(__always)
    func find(_ head: UInt64, _ tail: UInt64) -> RecordKey? {
        var index = Self.hash(head, tail)
        while places[index].key != .unknown {
            if places[index].head == head, places[index].tail == tail { return places[index].key }
            index = (index &+ 1) & 511
        }
        return nil
    }

    @inline(__always)
    private static func hash(_ head: UInt64, _ tail: UInt64) -> Int {
        Int(truncatingIfNeeded: ((head ^ tail &* 31) &* 0x9e37_79b9_7f4a_7c15) >> 55)
    }

    private static func packed(_ bytes: some Sequence<UInt8>) -> UInt64 {
        var word: UInt64 = 0
        for (index, byte) in bytes.enumerated() { word |= UInt64(byte) << UInt64(8 * index) }
        return word
    }

    private static func snakeCase(_ name: String) -> String {
        name.reduce(into: "") { $0 += $1.isUppercase ? "_\($1.lowercased())" : String($1) }
    }
}
