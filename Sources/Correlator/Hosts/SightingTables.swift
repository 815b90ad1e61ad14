import KernelEvents
import NetworkTypes
import PcapReader

/// When hosts saw which RSTs, by their numbers.
struct SightingTables {
    private let captures: [CaptureInput]
    private let recordings: [EventInput]
    private let clocks: HostClocks
    private let hosts: Int
    /// One in so many RSTs is looked at, the same at all hosts.
    private let share: UInt64
    private var sightings: [[Numbers: Sighting]] = []
    private var receptions: [[Reception]]

    /// What a translation of addresses leaves as it is.
    private struct Numbers: Hashable {
        let seq: UInt32
        let ack: UInt32
        let flags: UInt16

        init(_ key: ResetKey) { (seq, ack, flags) = (key.seq, key.ack, key.flags) }
    }

    private struct Sighting {
        var first: Int64
        var last: Int64
        var isSent: Bool
        let tuple: FourTuple

        /// One that passes several devices, and not one that was sent again.
        var isOne: Bool { last.distance(from: first) <= SightingTables.oneHost }
    }

    /// A RST that was accepted: its number is known, and not its other fields.
    private struct Reception {
        let time: Int64
        let tuple: FourTuple
        let number: UInt32
        let isAcknowledgment: Bool
    }

    private static let oneHost: UInt64 = 50_000_000
    private static let enough = 50_000

    init(_ captures: [CaptureInput], _ recordings: [EventInput], _ clocks: HostClocks) {
        self.captures = captures
        self.recordings = recordings
        self.clocks = clocks
        hosts = (clocks.hosts.compactMap(\.self).max() ?? -1) + 1
        let most = max(
            recordings.map(\.recording.events.count).max() ?? 0, captures.map(\.resets.count).max() ?? 0)
        share = UInt64(most / Self.enough + 1)
        receptions = Array(repeating: [], count: hosts)
        sightings = Array(repeating: [:], count: hosts)
        for (index, input) in recordings.enumerated() {
            guard let host = clocks.hosts[index], let model = clocks.models[index] else { continue }
            let events = input.recording.events
            for place in events.indices {
                let event = events[place]
                let time = model.steady(event.monotonic)
                switch event.kind {
                case .emit:
                    if let key = ResetKey(event) { add(key, time, isSent: true, to: &sightings[host]) }
                case .receive:
                    guard event.reception?.fate == .accepted else {
                        if let key = ResetKey(event) { add(key, time, isSent: false, to: &sightings[host]) }
                        continue
                    }
                    let isAcknowledgment = event.state == .synSent
                    guard let number = isAcknowledgment ? event.ack : event.seq else { continue }
                    receptions[host].append(
                        Reception(
                            time: time, tuple: event.tuple, number: number, isAcknowledgment: isAcknowledgment))
                case .decide, .fail: continue
                }
            }
        }
    }

    private func add(_ key: ResetKey, _ time: Int64, isSent: Bool, to table: inout [Numbers: Sighting]) {
        let numbers = Numbers(key)
        guard share == 1 || mix(UInt64(key.seq) << 32 | UInt64(key.ack), UInt64(key.flags)) % share == 0 else { return }
        guard let known = table[numbers] else {
            table[numbers] = Sighting(first: time, last: time, isSent: isSent, tuple: key.tuple)
            return
        }
        // The first one has the addresses that it had before this host translated them, or after.
        var sighting = Sighting(
            first: known.first, last: known.last, isSent: known.isSent || isSent,
            tuple: time < known.first ? key.tuple : known.tuple)
        sighting.first = min(sighting.first, time)
        sighting.last = max(sighting.last, time)
        table[numbers] = sighting
    }

    // MARK: - Captures

    /// The host of each capture, and its packets beside the host's events.
    mutating func assignCaptures() -> [Int?] {
        let folders = recordings.indices.map { Self.folder(recordings[$0].file) }
        var owners: [Int?] = []
        var tables: [[Numbers: Sighting]] = []
        for (index, capture) in captures.enumerated() {
            var table: [Numbers: Sighting] = [:]
            for (place, packet) in capture.resets.enumerated() {
                let shift = clocks.packets[index]?.shifts[place] ?? 0
                add(
                    ResetKey(packet.segment), packet.time.saturatingSubtract(shift), isSent: false, to: &table)
            }
            tables.append(table)
            let distances = (0..<hosts).map { distance(table, $0) }
            let near = distances.indices.filter { distances[$0].map { $0 <= Self.ownClock } ?? false }
            let folder = Self.folder(capture.file)
            let beside = Set(recordings.indices.filter { folders[$0] == folder }.compactMap { clocks.hosts[$0] })
            // A clock that differs from that of the recording beside it is another host's.
            if beside.count == 1, let host = beside.first, distances[host].map({ $0 <= Window.sightings }) ?? true {
                owners.append(host)
            } else if let best = near.min(by: { (distances[$0] ?? .max) < (distances[$1] ?? .max) }), near.count == 1 {
                owners.append(best)
            } else {
                owners.append(nil)
            }
        }
        for (table, owner) in zip(tables, owners) {
            guard let owner else { continue }
            sightings[owner].merge(table) { known, new in
                Sighting(
                    first: min(known.first, new.first), last: max(known.last, new.last), isSent: known.isSent,
                    tuple: known.tuple)
            }
        }
        return owners
    }

    /// A packet and the event of it, on one clock.
    private static let ownClock: UInt64 = 100_000_000

    private static func folder(_ file: String) -> Substring {
        file.prefix(upTo: file.lastIndex(of: "/") ?? file.startIndex)
    }

    /// How far a capture is from the events of a host; nil if they have nothing in common.
    private func distance(_ table: [Numbers: Sighting], _ host: Int) -> UInt64? {
        var samples = ClockSamples()
        for (numbers, sighting) in table {
            guard let other = sightings[host][numbers], other.tuple == sighting.tuple, other.isOne, sighting.isOne
            else { continue }
            samples.add(\.others, sighting.first.saturatingSubtract(other.first), at: sighting.first)
        }
        let bySeq = Self.index(table) { $0.seq }
        let byAck = Self.index(table) { $0.ack }
        for reception in receptions[host] {
            let all = (reception.isAcknowledgment ? byAck : bySeq)[reception.number] ?? []
            let same = all.filter { $0.tuple == reception.tuple }
            if same.count == 1, same[0].isOne {
                samples.add(\.others, same[0].first.saturatingSubtract(reception.time), at: reception.time)
            }
        }
        return samples.count == 0 ? nil : samples.offset.0.magnitude
    }

    private static func index(
        _ table: [Numbers: Sighting], _ number: (Numbers) -> UInt32
    ) -> [UInt32: [Sighting]] {
        var index: [UInt32: [Sighting]] = [:]
        for (numbers, sighting) in table { index[number(numbers), default: []].append(sighting) }
        return index
    }

    // MARK: - Hosts

    /// Whether a host saw a RST of a connection with one of these addresses.
    func speaks(_ host: Int, to addresses: Set<IPAddress>) -> Bool {
        func isTheirs(_ tuple: FourTuple) -> Bool {
            addresses.contains(tuple.source) || addresses.contains(tuple.destination)
        }
        return receptions[host].contains { isTheirs($0.tuple) }
            || sightings[host].values.contains { isTheirs($0.tuple) }
    }

    /// By how much later the second host saw each RST.
    func samples(_ one: Int, _ other: Int) -> ClockSamples {
        var samples = ClockSamples()
        var used: Set<Numbers> = []
        for (numbers, here) in sightings[one] {
            guard let there = sightings[other][numbers] else { continue }
            guard here.isOne, there.isOne, here.tuple.hasSameEnd(as: there.tuple) else { continue }
            used.insert(numbers)
            let difference = there.first.saturatingSubtract(here.first)
            switch (here.isSent, there.isSent) {
            case (true, false): samples.add(\.there, difference, at: there.first)
            case (false, true): samples.add(\.back, difference, at: there.first)
            default: samples.add(\.others, difference, at: there.first)
            }
        }
        for (sent, got) in received(by: other, from: one, besides: used) {
            samples.add(\.there, got.saturatingSubtract(sent), at: got)
        }
        for (sent, got) in received(by: one, from: other, besides: used) {
            samples.add(\.back, sent.saturatingSubtract(got), at: sent)
        }
        return samples
    }

    /// When the one host sent RSTs, and the other one received them, by their clocks.
    private func received(
        by host: Int, from sender: Int, besides used: Set<Numbers>
    ) -> [(sent: Int64, got: Int64)] {
        guard !receptions[host].isEmpty else { return [] }
        let sent = sightings[sender].filter { $0.value.isSent && !used.contains($0.key) }
        guard !sent.isEmpty else { return [] }
        let bySeq = Self.index(sent) { $0.seq }
        let byAck = Self.index(sent) { $0.ack }
        return receptions[host].compactMap { reception in
            let all = (reception.isAcknowledgment ? byAck : bySeq)[reception.number] ?? []
            let possible = all.filter { $0.tuple.hasSameEnd(as: reception.tuple) }
            guard possible.count == 1, possible[0].isOne else { return nil }
            return (possible[0].first, reception.time)
        }
    }
}

extension FourTuple {
    /// Whether a translation of one end may have made the one of the other.
    func hasSameEnd(as other: FourTuple) -> Bool {
        source == other.source && sourcePort == other.sourcePort
            || destination == other.destination && destinationPort == other.destinationPort
    }
}

extension ClockSamples {
    fileprivate mutating func add(
        _ direction: WritableKeyPath<ClockSamples, [Sample]>, _ difference: Int64, at time: Int64
    ) {
        self[keyPath: direction].append(Sample(time: time, difference: difference))
    }
}
