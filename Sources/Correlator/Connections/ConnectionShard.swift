import NetworkTypes

/// Some of the connections of one capture, and for each of their RSTs what came before it and after it.
///
/// Segments are first kept as they are, in the log. They are followed, one connection after another, when a connection has
/// many of them or a RST: in a large capture each segment belongs to another connection than the one before it, whose state
/// is not in the processor's cache, and most connections of most captures are short and end without a RST. A few segments of
/// each end are kept and the rest counted: the memory is that of the connections and of their RSTs, however many segments
/// there are. What two interfaces saw of one connection is kept apart.
struct ConnectionShard: Sendable {
    private var index = ConnectionIndex()
    private(set) var entries: [Entry] = []
    /// Places in `entries` that are free.
    private var free: [Int32] = []
    private var log = SegmentLog()
    /// Places in `entries` of those whose segments are to be followed.
    private var due: [Int32] = []
    private var states: [Connection] = []
    /// Places in `states` that are free.
    private var freeStates: [Int32] = []
    /// One for each RST.
    private var snapshots: [ResetSnapshot] = []
    /// RSTs that were captured twice: the packets that show them again, and the place of each in `snapshots`.
    private var repeats: [(number: Int, snapshot: Int32)] = []

    /// Of a capture that is read once: its connections.
    private(set) var numbers: ConnectionNumbers?
    /// The number of this shard.
    private let number: Int
    private var budget: Budget
    /// Segments since connections were evicted the last time.
    private var segmentsOfPiece = 0
    /// Connections that were evicted.
    private(set) var evicted = 0
    /// How many of `snapshots` were looked at for what they ask of other connections.
    private var askedSnapshots = 0
    /// Means nothing: what was looked at ahead of its time has to go somewhere, or it would not be looked at.
    private var touched = 0

    /// What is kept of every connection at an interface, whether its segments are followed or not.
    struct Entry: Sendable {
        /// Its number, and whether the sender of the first segment comes second there.
        let connection: Int32
        let isReversed: Bool
        let interface: Int32
        let ifindex: Int32
        /// Ports of the first segment.
        let sourcePort: UInt16
        let destinationPort: UInt16
        /// Segments that came before the first one are not known any more.
        let lacksPast: Bool
        /// Whether either end has sent a FIN: a bit each.
        var fins: UInt8 = 0
        var hasReset = false
        /// It stands in `due`.
        var isDue = false
        /// Where its state is, or -1 as long as none of its segments are followed.
        var state: Int32 = -1
        /// Those that are not followed yet.
        var waiting = SegmentLog.Chain()
        /// The packet of its latest segment.
        var lastPacket = 0

        /// At a place that is free.
        static let nothing = Entry(
            connection: -1, isReversed: false, interface: 0, ifindex: 0, sourcePort: 0, destinationPort: 0,
            lacksPast: false)

        init(
            connection: Int32, isReversed: Bool, interface: Int32, ifindex: Int32, sourcePort: UInt16,
            destinationPort: UInt16, lacksPast: Bool
        ) {
            self.connection = connection
            self.isReversed = isReversed
            self.interface = interface
            self.ifindex = ifindex
            self.sourcePort = sourcePort
            self.destinationPort = destinationPort
            self.lacksPast = lacksPast
        }

        /// Both ends have sent their FIN.
        var isClosed: Bool { fins == 3 }

        /// 0 if the sender of the connection's first segment sent it, else 1.
        func side(of segment: ConnectionSegment) -> Int { segment.isReversed == isReversed ? 0 : 1 }
    }

    /// Two equal segments so near to each other are one that was captured twice (a mirror port, a bridge).
    static let duplicateWindow: UInt64 = 1_000_000
    /// Segments of a connection that are followed together: two pieces of the log.
    private static let followedAtOnce = 2 * SegmentLog.pieceLength
    /// Connections whose memory is asked for at the same time.
    private static let lookedForTogether = 32

    /// For connections that a filter has given numbers.
    ///
    /// - Parameters:
    ///   - connections: about so many are to be followed.
    ///   - resets: about so many of their segments are RSTs.
    init(connections: Int = 0, resets: Int = 0) {
        // Tables that grow step by step are copied each time, and for a moment they are there twice.
        entries.reserveCapacity(connections)
        states.reserveCapacity(connections)
        snapshots.reserveCapacity(resets)
        number = 0
        budget = Budget(bytes: .max)
    }

    /// For all connections of a capture, whether they have a RST or not.
    ///
    /// - Parameters:
    ///   - number: that of the shard.
    ///   - memory: bytes for connections without a RST.
    ///   - lacksAllPast: any connection may have had segments before.
    init(number: Int, memory: Int, lacksAllPast: Bool) {
        self.number = number
        budget = Budget(bytes: memory)
        numbers = ConnectionNumbers(lacksAllPast: lacksAllPast)
    }

    // MARK: - Segments

    /// Takes in the next segments of a capture, whose connections have numbers.
    ///
    /// - Parameter preceding: what is added to the numbers of their packets.
    mutating func take(_ segments: [RoutedSegment], precedingPackets preceding: Int) {
        // As many as `lookedForTogether`.
        var places = InlineArray<32, Int>(repeating: 0)
        for start in stride(from: 0, to: segments.count, by: Self.lookedForTogether) {
            let together = start..<min(start + Self.lookedForTogether, segments.count)
            for place in together { index.prefetch(place: Self.place(of: segments[place].connection)) }
            for place in together {
                places[place - start] = entry(of: segments[place])
                entries.prefetch(places[place - start])
            }
            for place in 0..<together.count { log.prefetchEnd(of: entries[places[place]].waiting) }
            for place in together {
                var segment = segments[place].segment
                segment.note.number += preceding
                append(segment, to: places[place - start])
            }
            if due.count >= Self.lookedForTogether { followDue() }
        }
    }

    /// Takes in the next segments of a capture, where no filter has given their connections numbers.
    ///
    /// - Parameter size: after so many, wherever the capture was cut, connections are evicted if there are too many.
    mutating func take(_ segments: [KeyedSegment], precedingPackets preceding: Int, inPiecesOf size: Int) {
        var at = 0
        var routed: [RoutedSegment] = []
        routed.reserveCapacity(Self.lookedForTogether)
        while at < segments.count {
            let end = min(at + Self.lookedForTogether, segments.count, at + size - segmentsOfPiece)
            routed.removeAll(keepingCapacity: true)
            giveNumbers(segments[at..<end], &routed)
            take(routed, precedingPackets: preceding)
            segmentsOfPiece += end - at
            at = end
            if segmentsOfPiece == size { endPiece() }
        }
    }

    /// Follows what has a RST, and evicts what there is no room for.
    private mutating func endPiece() {
        segmentsOfPiece = 0
        followDue()
        evictOldest()
    }

    private mutating func giveNumbers(_ segments: ArraySlice<KeyedSegment>, _ routed: inout [RoutedSegment]) {
        guard var numbers else { return }
        // The only owner from here on, or the first change would copy it.
        self.numbers = nil
        for segment in segments { numbers.prefetchSlot(segment.key.tag) }
        for segment in segments { numbers.prefetchTuple(segment.key.tag) }
        for segment in segments {
            let found = numbers.number(
                of: segment.key.tuple, tag: segment.key.tag, begins: segment.routed.segment.note.isPlainSyn)
            var segment = segment.routed
            segment.connection = ConnectionNames.connection(found.number, shard: number)
            segment.segment.isReversed = found.isReversed
            routed.append(segment)
        }
        self.numbers = numbers
    }

    private static func place(of connection: Int32) -> Int { Int(connection) / ConnectionTable.shardCount }

    /// The place of the connection at the interface of the segment, which may be a new one.
    private mutating func entry(of segment: RoutedSegment) -> Int {
        let new = free.last ?? Int32(truncatingIfNeeded: entries.count)
        let place = Self.place(of: segment.connection)
        if let known = index.flow(of: segment, place: place, orNew: new) { return Int(known) }
        let entry = Entry(
            connection: segment.connection, isReversed: segment.segment.isReversed, interface: segment.interface,
            ifindex: segment.ifindex, sourcePort: segment.sourcePort, destinationPort: segment.destinationPort,
            lacksPast: numbers?.lacksPast(Int32(truncatingIfNeeded: place)) ?? false)
        budget.connections += 1
        if free.popLast() != nil { entries[Int(new)] = entry } else { entries.append(entry) }
        return Int(new)
    }

    private mutating func append(_ segment: ConnectionSegment, to place: Int) {
        entries[place].lastPacket = segment.note.number
        let flags = segment.note.flags
        if flags.contains(.fin) { entries[place].fins |= 1 << UInt8(entries[place].side(of: segment)) }
        if flags.contains(.rst), !entries[place].hasReset {
            entries[place].hasReset = true
            budget.connections -= 1
            if entries[place].state >= 0 { budget.states -= 1 }
        }
        log.append(segment, to: &entries[place].waiting)
        // A RST is mostly the last segment, and what it asks of other connections has to be asked soon.
        if entries[place].waiting.count >= Self.followedAtOnce || flags.contains(.rst) { followSoon(place) }
    }

    private mutating func followSoon(_ place: Int) {
        guard !entries[place].isDue, entries[place].waiting.count > 0 else { return }
        entries[place].isDue = true
        due.append(Int32(truncatingIfNeeded: place))
    }

    // MARK: - Following

    /// Follows the segments that wait of connections that have many of them or a RST.
    ///
    /// Of a few connections the state is looked for at the same time, so that the processor waits for all of them at once.
    private mutating func followDue() {
        for start in stride(from: 0, to: due.count, by: Self.lookedForTogether) {
            let together = due[start..<min(start + Self.lookedForTogether, due.count)].map { Int($0) }
            for place in together { log.prefetchStart(of: entries[place].waiting) }
            let known = together.compactMap { entries[$0].state < 0 ? nil : Int(entries[$0].state) }
            for state in known { touched &+= Int(states[state].touch()) }
            for state in known { touched &+= states[state].touchEnds() }
            for state in known { touched &+= states[state].touchRecent() }
            for place in together { follow(place) }
        }
        due.removeAll(keepingCapacity: true)
    }

    /// Follows the segments of a connection that wait.
    private mutating func follow(_ place: Int) {
        entries[place].isDue = false
        if entries[place].state < 0 { entries[place].state = takeState(hasReset: entries[place].hasReset) }
        Self.follow(
            log, entries[place], place, &states[Int(entries[place].state)], &snapshots, &repeats)
        log.clear(&entries[place].waiting)
    }

    private static func follow(
        _ log: SegmentLog, _ entry: Entry, _ place: Int, _ state: inout Connection,
        _ snapshots: inout [ResetSnapshot], _ repeats: inout [(number: Int, snapshot: Int32)]
    ) {
        log.forEach(in: entry.waiting) { segment in
            state.take(segment, of: entry, place, &snapshots, &repeats)
        }
    }

    private mutating func takeState(hasReset: Bool) -> Int32 {
        if !hasReset { budget.states += 1 }
        if let reused = freeStates.popLast() { return reused }
        states.append(Connection())
        return Int32(truncatingIfNeeded: states.count - 1)
    }

    /// What the RSTs that came since this was asked the last time want to know of other connections.
    mutating func newQuestions() -> [TranslationSearch.Question] {
        guard let numbers, askedSnapshots < snapshots.count else { return [] }
        defer { askedSnapshots = snapshots.count }
        return snapshots[askedSnapshots...].compactMap { snapshot in
            snapshot.refused.map { segment in
                let entry = entries[Int(snapshot.flow)]
                return TranslationSearch.Question(
                    reset: snapshot.note.number, tuple: numbers.tuple(Int32(Self.place(of: entry.connection))),
                    isReversed: entry.isReversed != (snapshot.sender == 1), segment)
            }
        }
    }

    /// Takes in all that waits of connections that have a RST.
    mutating func settle() { endPiece() }

    /// What became of the connections, when all segments are added.
    mutating func finish() -> FollowedConnections {
        // Where a filter chose the connections, all have a RST. One that was reset is one, whatever interface showed the RST.
        let reset = numbers == nil ? nil : Set(entries.lazy.filter(\.hasReset).map(\.connection))
        let resetEntries = entries.indices.filter { reset?.contains(entries[$0].connection) ?? true }
        for place in resetEntries { followSoon(place) }
        // What was followed in part is followed to its end; of the others hardly anybody asks.
        for place in entries.indices where entries[place].state >= 0 { followSoon(place) }
        followDue()
        for place in states.indices { states[place].finishZeek(&snapshots) }
        return FollowedConnections(entries, states, log, snapshots, repeats, resetFlows: resetEntries)
    }

    // MARK: - Memory

    /// What connections without a RST take.
    private struct Budget: Sendable {
        let bytes: Int
        var connections = 0
        /// Those of them whose segments are followed.
        var states = 0

        func excess(pieces: Int) -> Int {
            connections * Budget.ofConnection + pieces * SegmentLog.pieceBytes + states * Budget.ofState - bytes
        }

        /// Bytes of an entry, its number and its place in the tables, as measured.
        static let ofConnection = 160
        /// Bytes of a state with the latest segments of both ends, as measured.
        static let ofState = 2100
    }

    /// Bytes that a connection of up to four segments takes.
    static let bytesOfShortConnection = Budget.ofConnection + SegmentLog.pieceBytes

    /// Evicts connections without a RST when they take too much: first those that are over, then those that have been silent
    /// for longest.
    private mutating func evictOldest() {
        guard let numbers, budget.excess(pieces: log.pieces) > 0 else { return }
        // What a connection has at several interfaces stays together.
        var ages = [Age](repeating: Age(), count: numbers.limit)
        for entry in entries where entry.connection >= 0 {
            let place = Self.place(of: entry.connection)
            ages[place].bytes +=
                Budget.ofConnection + entry.waiting.pieces * SegmentLog.pieceBytes
                + (entry.state < 0 ? 0 : Budget.ofState)
            ages[place].hasReset = ages[place].hasReset || entry.hasReset
            ages[place].isOpen = ages[place].isOpen || !entry.isClosed
            ages[place].last = max(ages[place].last, entry.lastPacket)
        }
        var candidates = ages.indices.filter { ages[$0].bytes > 0 && !ages[$0].hasReset }
        candidates.sort { a, b in
            ages[a].isOpen != ages[b].isOpen ? !ages[a].isOpen : ages[a].last < ages[b].last
        }
        // A quarter at a time: to look for them takes as long as to take in as many segments.
        var excess = budget.excess(pieces: log.pieces) + budget.bytes / 4
        var count = 0
        while count < candidates.count, excess > 0 {
            excess -= ages[candidates[count]].bytes
            ages[candidates[count]].isEvicted = true
            count += 1
        }
        for place in entries.indices where entries[place].connection >= 0 {
            if ages[Self.place(of: entries[place].connection)].isEvicted { evict(place) }
        }
        index.remove { ages[$0].isEvicted }
        for place in candidates[..<count] { self.numbers?.remove(Int32(truncatingIfNeeded: place)) }
        evicted += count
    }

    private mutating func evict(_ place: Int) {
        log.clear(&entries[place].waiting)
        if entries[place].state >= 0 {
            states[Int(entries[place].state)] = Connection()
            freeStates.append(entries[place].state)
            budget.states -= 1
        }
        budget.connections -= 1
        entries[place] = .nothing
        free.append(Int32(truncatingIfNeeded: place))
    }

    private struct Age {
        var bytes = 0
        var hasReset = false
        var isOpen = false
        var isEvicted = false
        var last = 0
    }
}
