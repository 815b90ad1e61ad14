import NetworkTypes
import PcapReader

/// Some of the connections of one capture, when all of it has been followed: for each of their RSTs what came before it and
/// after it.
///
/// A class, so that it is asked without a copy of it.
final class FollowedConnections: Sendable {
    private let flows: [EndedFlow]
    /// Segments of connections without a RST that were not followed.
    private let log: SegmentLog
    /// The places of those whose connection has a RST.
    private let resetFlows: [Int]
    /// The first of them with the segments that are kept of both ends, to be compared with those of other captures.
    let comparedFlows: [(place: Int, connection: Int32, isReversed: Bool, recent: [[SegmentNote]])]
    /// One for each RST.
    private let snapshots: [ConnectionShard.ResetSnapshot]
    /// The packets of all RSTs, in order, with the places of these. Some show a RST again.
    let packets: [(number: Int, place: Int32)]
    /// For each RST the next ones of both ends in the same connection, or -1.
    private let nextResets: [(ofSender: Int32, ofPeer: Int32)]
    /// All flows by the number of their connection.
    private let byConnection: [(connection: Int32, flow: Int32)]

    /// - Parameters:
    ///   - states: of the entries that were followed.
    ///   - log: what was not followed.
    ///   - resetFlows: the places of entries whose connection has a RST.
    init(
        _ entries: [ConnectionShard.Entry], _ states: [ConnectionShard.Connection], _ log: SegmentLog,
        _ snapshots: [ConnectionShard.ResetSnapshot], _ repeats: [(number: Int, snapshot: Int32)], resetFlows: [Int]
    ) {
        flows = entries.map { entry in
            EndedFlow(entry, entry.state < 0 ? ConnectionShard.Connection() : states[Int(entry.state)])
        }
        self.log = log
        self.snapshots = snapshots
        packets =
            (snapshots.indices.map { (snapshots[$0].note.number, Int32(truncatingIfNeeded: $0)) }
            + repeats.map { ($0.number, $0.snapshot) }).sorted { $0.0 < $1.0 }
        self.resetFlows = resetFlows
        comparedFlows = resetFlows.prefix(ConnectionTable.comparedFlows).compactMap { place in
            let entry = entries[place]
            guard entry.state >= 0 else { return nil }
            let state = states[Int(entry.state)]
            return (place, entry.connection, entry.isReversed, (0..<2).map { state.recent($0).inOrder })
        }
        nextResets = Self.nextResets(snapshots, flowCount: entries.count)
        byConnection = entries.indices.filter { entries[$0].connection >= 0 }.map {
            (entries[$0].connection, Int32($0))
        }
        .sorted { $0 < $1 }
    }

    /// Of a connection at an interface what is asked for afterwards.
    private struct EndedFlow: Sendable {
        let entry: ConnectionShard.Entry
        let generation: Int32
        let duplicates: Int32
        let pending: Int32
        let ends: EndpointPair
        let past: [(generation: Int32, ends: EndpointPair)]

        init(_ entry: ConnectionShard.Entry, _ state: ConnectionShard.Connection) {
            self.entry = entry
            generation = state.generation
            duplicates = state.duplicates
            pending = state.pending
            ends = state.ends
            past = state.past
        }

        var connection: Int32 { entry.connection }
        var isReversed: Bool { entry.isReversed }
    }

    /// Both ends of a flow, but for its latest RST. Of most connections without a RST nobody asks: they are followed when
    /// somebody does.
    private func ends(of flow: Int) -> EndpointPair {
        let entry = flows[flow].entry
        guard entry.state < 0 else { return flows[flow].ends }
        var state = ConnectionShard.Connection()
        var snapshots: [ConnectionShard.ResetSnapshot] = []
        var repeats: [(number: Int, snapshot: Int32)] = []
        log.forEach(in: entry.waiting) { state.take($0, of: entry, flow, &snapshots, &repeats) }
        return state.ends
    }

    /// From the last RST to the first: of each flow the latest RSTs of both ends are known.
    private static func nextResets(
        _ snapshots: [ConnectionShard.ResetSnapshot], flowCount: Int
    ) -> [(ofSender: Int32, ofPeer: Int32)] {
        var latest = [(Int32, Int32)](repeating: (-1, -1), count: flowCount)
        var nextResets = [(ofSender: Int32, ofPeer: Int32)](repeating: (-1, -1), count: snapshots.count)
        for place in snapshots.indices.reversed() {
            let flow = Int(snapshots[place].flow)
            let (first, second) = latest[flow]
            func isSameConnection(_ other: Int32) -> Bool {
                other >= 0 && snapshots[Int(other)].generation == snapshots[place].generation
            }
            let next = (isSameConnection(first) ? first : -1, isSameConnection(second) ? second : -1)
            if snapshots[place].sender == 0 {
                nextResets[place] = (next.0, next.1)
                latest[flow].0 = Int32(truncatingIfNeeded: place)
            } else {
                nextResets[place] = (next.1, next.0)
                latest[flow].1 = Int32(truncatingIfNeeded: place)
            }
        }
        return nextResets
    }

    // MARK: - RSTs

    /// What is known of the connection of a RST.
    ///
    /// - Parameters:
    ///   - shard: the number of this one.
    ///   - injectors: who is known to send RSTs in the name of others.
    ///   - host: how the host accepts SYNs that the RST names.
    func context(
        at place: Int32, shard: Int = 0, knowing injectors: KnownInjectors? = nil, host: HostProfiles.Profile? = nil
    ) -> ConnectionContext {
        let snapshot = Int(place)
        let final = final(snapshot)
        var strangers = ConnectionContext.Strangers()
        strangers.host = host
        if let injectors, !injectors.isEmpty {
            let flow = KnownInjectors.Connection(shard: shard, number: Int(snapshots[snapshot].flow))
            let (reset, sender) = (snapshots[snapshot].note, Int(snapshots[snapshot].sender))
            strangers.sibling = injectors.sibling(
                of: reset, in: flow, sender: sender, own: snapshots[snapshot].ends[sender])
            strangers.likeElsewhere = injectors.like(reset, in: flow)
            strangers.earlier = injectors.claim(before: reset.number, in: flow)
        }
        return ConnectionContext(
            reset: snapshots[snapshot].note, ends: snapshots[snapshot].ends, sender: Int(snapshots[snapshot].sender),
            answerHistory: snapshots[snapshot].answerHistory.value, previous: snapshots[snapshot].previous,
            after: after(snapshot, final), final: final,
            duplicates: Int(flows[Int(snapshots[snapshot].flow)].duplicates),
            zeek: snapshots[snapshot].zeek, strangers: strangers,
            lacksPast: flows[Int(snapshots[snapshot].flow)].entry.lacksPast && snapshots[snapshot].generation == 0)
    }

    /// The RSTs that show by themselves that a third party sent them.
    ///
    /// - Parameters:
    ///   - shard: the number of this one.
    ///   - names: of the connections.
    func injected(shard: Int, _ names: ConnectionNames) -> [KnownInjectors.Claim] {
        var claims: [KnownInjectors.Claim] = []
        for place in snapshots.indices where hasForeignHeader(place) {
            let context = context(at: Int32(truncatingIfNeeded: place))
            let (reset, flow) = (snapshots[place].note, Int(snapshots[place].flow))
            let injection = Injection(
                reset, context, context.trigger, isIPv4: names.tuple(flows[flow].connection).source.isIPv4,
                isFiltered: false)
            guard injection.claim == .claimed else { continue }
            claims.append(
                KnownInjectors.Claim(
                    reset: reset, flow: KnownInjectors.Connection(shard: shard, number: flow),
                    sender: Int(snapshots[place].sender)))
            if claims.count == KnownInjectors.kept { break }
        }
        return claims
    }

    /// Something in its header is not that of its end: few RSTs are looked at more closely.
    private func hasForeignHeader(_ place: Int) -> Bool {
        let note = snapshots[place].note
        guard !note.isMalformed else { return false }
        let (segments, lowest, highest) = snapshots[place].ends.ttls(of: Int(snapshots[place].sender))
        return segments > 0 && lowest == highest && lowest != note.ttl
            || note.window != 0 && !note.flags.contains(.ack) || snapshots[place].answerHistory.value.copied != 0
    }

    /// Both ends when the capture ended or the next connection began.
    private func final(_ snapshot: Int) -> FinalEnds {
        let flow = Int(snapshots[snapshot].flow)
        let generation = snapshots[snapshot].generation
        if generation == flows[flow].generation { return currentEnds(flow) }
        let past = flows[flow].past
        let place = past.firstPlace { $0.generation < generation }
        return FinalEnds(place < past.count ? past[place].ends : snapshots[snapshot].ends)
    }

    /// Both ends of a flow with all its RSTs.
    private func currentEnds(_ flow: Int) -> FinalEnds {
        let pending = Int(flows[flow].pending)
        guard pending >= 0 else { return FinalEnds(ends(of: flow)) }
        return FinalEnds(flows[flow].ends, last: (Int(snapshots[pending].sender), snapshots[pending].note))
    }

    private func after(_ snapshot: Int, _ final: FinalEnds) -> ConnectionShard.After {
        let (own, peer) = (Int(snapshots[snapshot].sender), 1 - Int(snapshots[snapshot].sender))
        let followers = snapshots[snapshot].followers.value
        let next = nextResets[snapshot]
        let before = (own: snapshots[snapshot].ends.counts(of: own), peer: snapshots[snapshot].ends.counts(of: peer))
        let all = (own: final.counts(of: own), peer: final.counts(of: peer))
        return ConnectionShard.After(
            fromSender: all.own.segments - before.own.segments, senderFirst: followers.ofSender,
            senderFirstData: followers.dataOfSender,
            fromPeer: all.peer.segments - before.peer.segments, peerFirst: followers.ofPeer,
            // The RST itself is not among those before it.
            resets: all.own.resets - before.own.resets - 1,
            nextReset: next.ofSender < 0 ? nil : LaterNote(snapshots[Int(next.ofSender)].note),
            peerResets: all.peer.resets - before.peer.resets,
            peerReset: next.ofPeer < 0 ? nil : LaterNote(snapshots[Int(next.ofPeer)].note))
    }

    /// The segment that a RST refuses, where its sender had sent nothing but a SYN to that address and port.
    func refusedByStranger(
        _ place: Int
    ) -> (reset: Int, connection: Int32, isReversed: Bool, segment: SegmentNote)? {
        let snapshot = snapshots[place]
        guard let segment = snapshot.refused else { return nil }
        let flow = flows[Int(snapshot.flow)]
        return (snapshot.note.number, flow.connection, flow.isReversed != (snapshot.sender == 1), segment)
    }

    /// It refuses a SYN, and the capture has nothing else of its end in this connection.
    func refusesSyn(_ place: Int) -> Bool {
        snapshots[place].note.flags.contains(.ack) && snapshots[place].note.isBareAnswer
            && snapshots[place].ends.counts(of: Int(snapshots[place].sender)).segments == 0
    }

    /// It answers a segment with ACK as no connection does, and neither end's SYN was captured.
    func answersWithoutHandshake(_ place: Int) -> Bool {
        let (note, ends) = (snapshots[place].note, snapshots[place].ends)
        guard note.isBareAnswer, !note.flags.contains(.ack) else { return false }
        return (0..<2).allSatisfy { ends.counts(of: $0).segments == 0 || ends[$0].syn == nil }
    }

    /// The connection and direction of a RST.
    func connection(ofReset place: Int) -> (connection: Int32, isReversed: Bool) {
        let flow = flows[Int(snapshots[place].flow)]
        return (flow.connection, flow.isReversed != (snapshots[place].sender == 1))
    }

    /// Each flow with its connection, and whether the sender of its first segment comes second there.
    var endsOfAllFlows: some Sequence<(Int32, Bool, EndpointPair)> {
        flows.indices.lazy.filter { self.flows[$0].connection >= 0 }.map {
            (self.flows[$0].connection, self.flows[$0].isReversed, self.ends(of: $0))
        }
    }

    /// Each flow whose connection has a RST with its connection, and whether the sender of its first segment comes second there.
    var endsOfFlows: some Sequence<(Int32, Bool, EndpointPair)> {
        resetFlows.lazy.map { [flows] in (flows[$0].connection, flows[$0].isReversed, flows[$0].ends) }
    }

    // MARK: - Connections

    /// Both ends of a flow at the end of the capture, the sender of the first segment first.
    func sides(_ flow: Int) -> [ConnectionSide] { currentEnds(flow).sides }

    /// Of a connection that more interfaces saw, no more of them are looked at.
    private static let comparedInterfaces = 64

    /// What the shard has of a connection: its ends, in the direction of the filter; nil for nothing.
    func ends(ofConnection connection: Int32) -> (source: ConnectionSide, destination: ConnectionSide)? {
        let low = byConnection.firstPlace { $0.connection < connection }
        var found: (source: ConnectionSide, destination: ConnectionSide)?
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

extension ConnectionShard.ResetSnapshot {
    /// The segment that the RST refuses, where its sender had sent nothing but a SYN to that address and port.
    var refused: SegmentNote? {
        guard note.isBareAnswer, !note.flags.contains(.ack) else { return nil }
        let side = Int(sender)
        guard ends.counts(of: side).segments == 0 || !ends[side].hasMoreThanSyn else { return nil }
        return answerHistory.value.trigger(laterResets: 0)
    }
}

/// Both ends of a connection with all their RSTs, the last of which may not stand in `ends` yet: hardly anybody asks for
/// the copy that this would cost.
struct FinalEnds: Sendable {
    private let ends: EndpointPair
    private let last: (sender: Int, note: SegmentNote)?

    init(_ ends: EndpointPair, last: (sender: Int, note: SegmentNote)? = nil) {
        self.ends = ends
        self.last = last
    }

    /// How many segments and how many RSTs an end has sent.
    func counts(of side: Int) -> (segments: Int, resets: Int) {
        var counts = ends.counts(of: side)
        if last?.sender == side { counts.resets += 1 }
        return counts
    }

    /// The latest RSTs of an end.
    func resets(of side: Int) -> [SegmentNote] { self.side(side).resets }

    /// The sender of the first segment first.
    var sides: [ConnectionSide] { [side(0), side(1)] }

    private func side(_ number: Int) -> ConnectionSide {
        var side = ends[number]
        if let last, last.sender == number { side.rememberReset(last.note) }
        return side
    }
}
