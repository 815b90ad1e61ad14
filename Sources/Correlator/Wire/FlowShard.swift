import NetworkTypes
import PcapReader

/// Some of the connections of one capture, and for each of their RSTs what came before it and after it.
///
/// Keeps a few segments of each end and counts the rest: the memory is that of the connections and of their RSTs, however
/// many segments there are. What two interfaces saw of one connection is kept apart.
struct FlowShard: Sendable {
    /// A hash table with linear probing: indices into `flows`, or -1. At most half of it is taken.
    private var slots = [Int32](repeating: -1, count: 16)
    /// Nobody who writes a capture knows it, and so nobody can make its connections collide.
    private static let seed = UInt64.random(in: .min ... .max)
    /// All flows by the number of their connection, once the shard is complete.
    private var byConnection: [(connection: Int32, flow: Int32)] = []
    private(set) var flows: [Flow] = []
    /// One for each RST, in the order of the capture.
    private var moments: [Moment] = []

    /// A connection as it was just before a RST.
    private struct Moment: Sendable {
        /// The RST.
        let note: SegmentNote
        let flow: Int32
        /// 0 if the end that sent the first segment sent the RST, else 1.
        let sender: Int8
        let generation: Int32
        let ends: Ends
        let recollection: Seldom<Recollection>
        let previous: Flow.Ended?
        var after = Seldom<After>()
    }

    /// What followed a RST in its connection.
    struct After: Sendable, Equatable, StartsEmpty {
        /// Segments of the RST's sender that are no RSTs, and the first of them.
        var fromSender = 0
        var senderFirst: LaterNote?
        var senderFirstData: LaterNote?
        var fromPeer = 0
        var peerFirst: LaterNote?
        /// More RSTs of the same sender, and the first of them.
        var resets = 0
        var nextReset: LaterNote?
        var peerResets = 0
        var peerReset: LaterNote?
    }

    struct Flow: Sendable {
        /// Its number in the filter, and whether the sender of the first segment comes second there.
        let connection: Int32
        let isReversed: Bool
        let interface: Int32
        let ifindex: Int32
        var ends = Ends()
        /// Of both ends, the sender of the first segment first.
        private(set) var firstRecent = RecentSegments()
        private(set) var secondRecent = RecentSegments()
        /// How many connections with these addresses and ports came before this one.
        var generation: Int32 = 0
        var duplicates: Int32 = 0
        /// Each connection at its end, the current one not among them.
        var past: [Ends] = []
        var previous: Ended?
        /// The latest RST, by its place in `moments`, as long as nothing follows it: until then `ends` and `watched` are
        /// without it. Most RSTs are the last of their connection, many all there is of it, and cost no more than this.
        var pending: Int32 = -1
        /// RSTs of this connection that are still watched, by their place in `moments`.
        var watched: [Int32] = []

        /// How an earlier connection with the same addresses and ports ended.
        final class Ended: Sendable {
            let time: Int64
            let number: Int
            let byReset: Bool
            let resetNumber: Int?
            /// The highest sequence number of each end.
            let nextSeq: [UInt32]

            init(time: Int64, number: Int, byReset: Bool, resetNumber: Int?, nextSeq: [UInt32]) {
                self.time = time
                self.number = number
                self.byReset = byReset
                self.resetNumber = resetNumber
                self.nextSeq = nextSeq
            }
        }
    }

    /// RSTs of one connection that are watched at a time: the latest.
    private static let watchedResets = 16
    /// Earlier connections of one flow that are kept.
    private static let keptGenerations = 1024
    /// Two equal segments so near to each other are one that was captured twice (a mirror port, a bridge).
    fileprivate static let duplicateWindow: UInt64 = 1_000_000

    /// Takes in the next segments of the capture.
    ///
    /// Each of them belongs to another connection, whose state is not in the processor's cache: a few of them are looked
    /// for together, so that it waits for all of them at once.
    ///
    /// - Parameter precedingPackets: what has to be added to the numbers of their packets.
    mutating func add(_ segments: [FlowSegment], precedingPackets: Int) {
        var numbers: [Int] = []
        numbers.reserveCapacity(Self.lookedForTogether)
        var start = 0
        while start < segments.count {
            let end = min(start + Self.lookedForTogether, segments.count)
            numbers.removeAll(keepingCapacity: true)
            for index in start..<end { numbers.append(flow(of: segments[index])) }
            for index in start..<end {
                let number = numbers[index - start]
                touched &+= flows[number].touch(segments[index].isReversed == flows[number].isReversed ? 0 : 1)
                if let reset = flows[number].watched.last { touched &+= Int(moments[Int(reset)].sender) }
            }
            for index in start..<end {
                var segment = segments[index]
                segment.note.number += precedingPackets
                add(segment, to: numbers[index - start])
            }
            start = end
        }
    }

    private static let lookedForTogether = 32
    /// Means nothing: what was looked at ahead of its time has to go somewhere, or it would not be looked at.
    private var touched = 0

    private mutating func add(_ segment: FlowSegment, to number: Int) {
        let side = segment.isReversed == flows[number].isReversed ? 0 : 1
        settle(number)
        if segment.note.flags.contains(.rst) {
            addReset(segment.note, flow: number, side: side)
        } else {
            if segment.note.isPlainSyn { beginAnew(segment.note, flow: number, side: side) }
            addSegment(segment, flow: number, side: side)
        }
    }

    /// The connection at the interface of the segment, which may be a new one.
    private mutating func flow(of segment: FlowSegment) -> Int {
        var slot = slot(segment.connection, segment.interface, segment.ifindex)
        while slots[slot] >= 0 {
            let number = Int(slots[slot])
            if flows[number].connection == segment.connection, flows[number].interface == segment.interface,
                flows[number].ifindex == segment.ifindex
            {
                return number
            }
            slot = (slot + 1) & (slots.count - 1)
        }
        let number = flows.count
        flows.append(
            Flow(
                connection: segment.connection, isReversed: segment.isReversed, interface: segment.interface,
                ifindex: segment.ifindex))
        slots[slot] = Int32(number)
        if flows.count * 2 > slots.count { grow() }
        return number
    }

    /// Where to look first for a flow. The interfaces count too: one connection may be seen at any number of them.
    private func slot(_ connection: Int32, _ interface: Int32, _ ifindex: Int32) -> Int {
        let place = UInt64(UInt32(bitPattern: interface)) << 32 | UInt64(UInt32(bitPattern: ifindex))
        let hash = mix(UInt64(UInt32(bitPattern: connection)) ^ Self.seed, place)
        return Int(truncatingIfNeeded: hash) & (slots.count - 1)
    }

    private mutating func grow() {
        slots = [Int32](repeating: -1, count: slots.count * 2)
        for number in flows.indices {
            var slot = slot(flows[number].connection, flows[number].interface, flows[number].ifindex)
            while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
            slots[slot] = Int32(number)
        }
    }

    private mutating func addSegment(_ segment: FlowSegment, flow: Int, side: Int) {
        guard flows[flow].take(segment, side: side) else { return }
        for reset in flows[flow].watched {
            moments[Int(reset)].after.value.add(segment.note, isOfSender: moments[Int(reset)].sender == side)
        }
    }

    private mutating func addReset(_ note: SegmentNote, flow: Int, side: Int) {
        for reset in flows[flow].watched {
            moments[Int(reset)].after.value.addReset(note, isOfSender: moments[Int(reset)].sender == side)
        }
        let place = Int32(truncatingIfNeeded: moments.count)
        moments.append(
            Moment(
                note: note, flow: Int32(truncatingIfNeeded: flow), sender: Int8(truncatingIfNeeded: side),
                generation: flows[flow].generation, ends: flows[flow].ends,
                recollection: flows[flow].recollection(note, side: side), previous: flows[flow].previous))
        flows[flow].pending = place
    }

    /// Takes in the RST that was the latest until now.
    private mutating func settle(_ flow: Int) {
        let place = flows[flow].pending
        guard place >= 0 else { return }
        flows[flow].pending = -1
        flows[flow].ends[Int(moments[Int(place)].sender)].rememberReset(moments[Int(place)].note)
        if flows[flow].watched.count == Self.watchedResets { flows[flow].watched.removeFirst() }
        flows[flow].watched.append(place)
    }

    /// Both ends of a flow with all its RSTs.
    private func currentEnds(_ flow: Int) -> Ends {
        var ends = flows[flow].ends
        let pending = Int(flows[flow].pending)
        if pending >= 0 { ends[Int(moments[pending].sender)].rememberReset(moments[pending].note) }
        return ends
    }

    /// The same as values, the sender of the first segment first.
    func sides(_ flow: Int) -> [FlowSide] {
        let ends = currentEnds(flow)
        return [ends[0], ends[1]]
    }

    /// A SYN after the end of a connection begins another one with the same addresses and ports.
    private mutating func beginAnew(_ note: SegmentNote, flow: Int, side: Int) {
        let sides = sides(flow)
        let wasReset = sides[0].resetCount + sides[1].resetCount > 0
        let isOver = wasReset || sides[0].fin != nil && sides[1].fin != nil
        guard isOver, sides[side].syn?.seq != note.seq else { return }
        let lastTime = sides.flatMap { [$0.last?.time, $0.resets.last?.time] }.compactMap { $0 }.max() ?? note.time
        let lastNumber = sides.flatMap { [$0.last?.number, $0.resets.last?.number] }.compactMap { $0 }.max() ?? 0
        flows[flow].previous = Flow.Ended(
            time: lastTime, number: lastNumber, byReset: wasReset,
            resetNumber: sides.compactMap { $0.resets.last?.number }.max(), nextSeq: sides.map(\.nextSeq))
        flows[flow].beginAnew(keeping: Self.keptGenerations)
    }
}

extension FlowShard.Flow {
    /// The latest segments of an end.
    func recent(_ side: Int) -> RecentSegments { side == 0 ? firstRecent : secondRecent }

    /// Takes in a segment of one end that is no RST; false if it is one that was captured twice.
    fileprivate mutating func take(_ segment: FlowSegment, side: Int) -> Bool {
        let isNew =
            side == 0
            ? Self.take(segment, side, &ends, &firstRecent) : Self.take(segment, side, &ends, &secondRecent)
        if !isNew { duplicates &+= 1 }
        return isNew
    }

    private static func take(
        _ segment: FlowSegment, _ side: Int, _ ends: inout Ends, _ recent: inout RecentSegments
    ) -> Bool {
        let note = segment.note
        guard !recent.hasJustSeen(note, within: FlowShard.duplicateWindow) else { return false }
        ends.withEnds(of: side) { own, peer in
            peer.probesSinceHeard = 0
            peer.retransmissionsSinceHeard = 0
            own.add(segment, after: recent, peerKinds: peer.synKinds, peerID: peer.lastID)
            // Where the capture begins in the middle, an acknowledgment tells how far the other end had come: its first
            // captured segment may well be a keepalive probe, which looks back.
            if peer.segments > 0, note.flags.contains(.ack), note.ack.follows(peer.nextSeq), peer.syn == nil {
                peer.nextSeq = note.ack
            }
        }
        recent.add(note)
        return true
    }

    /// Looks at what the next segment of an end will need.
    fileprivate mutating func touch(_ side: Int) -> Int {
        guard !ends.isEmpty else { return 0 }
        let latest = side == 0 ? firstRecent.touch() : secondRecent.touch()
        return ends.withEnds(of: side) { own, _ in own.segments &+ latest }
    }

    fileprivate func recollection(_ reset: SegmentNote, side: Int) -> Seldom<Recollection> {
        var recollection = Seldom<Recollection>()
        if ends[0].segments + ends[1].segments > 0 {
            recollection.value = Recollection(reset, own: ends[side], recent(side), peer: recent(1 - side))
        }
        return recollection
    }

    /// What only the next segments would have asked for.
    fileprivate mutating func forgetRecent() {
        firstRecent = RecentSegments()
        secondRecent = RecentSegments()
        watched = []
    }

    /// - Parameter limit: so many ended connections are kept.
    fileprivate mutating func beginAnew(keeping limit: Int) {
        if past.count < limit { past.append(ends) }
        ends = Ends()
        firstRecent = RecentSegments()
        secondRecent = RecentSegments()
        generation &+= 1
        watched = []
    }
}

extension FlowShard.After {
    fileprivate mutating func add(_ note: SegmentNote, isOfSender: Bool) {
        if isOfSender {
            fromSender += 1
            if senderFirst == nil { senderFirst = LaterNote(note) }
            if note.length > 0, senderFirstData == nil { senderFirstData = LaterNote(note) }
        } else {
            fromPeer += 1
            if peerFirst == nil { peerFirst = LaterNote(note) }
        }
    }

    fileprivate mutating func addReset(_ note: SegmentNote, isOfSender: Bool) {
        if isOfSender {
            resets += 1
            if nextReset == nil { nextReset = LaterNote(note) }
        } else {
            peerResets += 1
            if peerReset == nil { peerReset = LaterNote(note) }
        }
    }
}

extension FlowShard {
    /// What is known of the connection of a RST; nil if the shard did not see that packet.
    func context(ofPacket number: Int) -> FlowContext? {
        // By place: no moment is copied on the way.
        let low = moments.indices.firstPlace { moments[$0].note.number < number }
        guard low < moments.count, moments[low].note.number == number else { return nil }
        let flow = Int(moments[low].flow)
        let generation = Int(moments[low].generation)
        let final =
            moments[low].generation == flows[flow].generation
            ? currentEnds(flow)
            : flows[flow].past.indices.contains(generation) ? flows[flow].past[generation] : moments[low].ends
        return FlowContext(
            ends: moments[low].ends, sender: Int(moments[low].sender), recollection: moments[low].recollection.value,
            previous: moments[low].previous, after: moments[low].after.value, final: final,
            duplicates: Int(flows[flow].duplicates))
    }

    /// Of a connection that more interfaces saw, no more of them are looked at.
    private static let comparedInterfaces = 64

    /// To be called when all segments are added, before `ends(ofConnection:)`.
    mutating func finish() {
        for index in flows.indices.dropFirst(FlowTable.comparedFlows) { flows[index].forgetRecent() }
        byConnection = flows.indices.map { (flows[$0].connection, Int32($0)) }.sorted { $0 < $1 }
    }

    /// What the shard has of a connection: its ends, in the direction of the filter; nil for nothing.
    func ends(ofConnection connection: Int32) -> (source: FlowSide, destination: FlowSide)? {
        let low = byConnection.firstPlace { $0.connection < connection }
        var found: (source: FlowSide, destination: FlowSide)?
        var most = 0
        for entry in byConnection[low...].prefix(Self.comparedInterfaces) where entry.connection == connection {
            let flow = Int(entry.flow)
            let sides = sides(flow)
            guard sides[0].segments + sides[1].segments > most else { continue }
            most = sides[0].segments + sides[1].segments
            found = flows[flow].isReversed ? (sides[1], sides[0]) : (sides[0], sides[1])
        }
        return found
    }
}
