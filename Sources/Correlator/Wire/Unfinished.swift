public import NetworkTypes
import PcapReader

/// Connections of a capture that ended in the middle of an exchange without a RST.
public struct UnfinishedConnections: Sendable, Equatable {
    public enum Kind: String, Sendable, CaseIterable {
        /// Data was never acknowledged, however often it was sent, and then nothing more came.
        case unacknowledged
        /// The receiver closed its window, and did not open it again.
        case windowClosed = "window-closed"
        /// Keepalive probes were not answered any more.
        case probesUnanswered = "probes-unanswered"
        /// One end closed (FIN) although it had not answered the last data of the other.
        case closedUnanswered = "closed-unanswered"
        /// Its SYN was never answered.
        case neverAnswered = "syn-unanswered"
    }

    public struct Group: Sendable, Equatable {
        public var kind: Kind
        public var count: Int
        /// The first of them: the packet that shows it, sent by the source of the tuple.
        public var packet: Int
        public var tuple: FourTuple
    }

    /// In the order of `Kind`.
    public private(set) var groups: [Group] = []
    /// Connections that were looked at.
    public private(set) var connections = 0

    public var count: Int { groups.reduce(0) { $0 + $1.count } }

    /// More segments are not looked at: this takes several times as long as to find no RST among them.
    public static let mostSegments = 250_000

    init(_ groups: [Group], connections: Int) {
        self.groups = groups
        self.connections = connections
    }

    /// - Parameters:
    ///   - flows: all connections of the capture.
    ///   - end: when the capture ended, nanoseconds since 1970-01-01 UTC.
    public init(_ flows: ConnectionTable, end: Int64) {
        var found: [Kind: Group] = [:]
        for shard in flows.shards {
            for (connection, isReversed, ends) in shard.endsOfAllFlows {
                connections += 1
                guard let (kind, side, note) = Self.kind(of: ends, end) else { continue }
                let tuple = flows.names.tuple(connection)
                let sender = isReversed == (side == 0) ? tuple.reversed : tuple
                let known = found[kind]
                let isFirst = known.map { note.number < $0.packet } ?? true
                found[kind] = Group(
                    kind: kind, count: (known?.count ?? 0) + 1, packet: isFirst ? note.number : known?.packet ?? 0,
                    tuple: isFirst ? sender : known?.tuple ?? sender)
            }
        }
        groups = Kind.allCases.compactMap { found[$0] }
    }

    /// A connection that continues may be silent this long.
    private static let silence: UInt64 = 10_000_000_000

    /// How the connection ended, if not in order: with the end that shows it, and the segment.
    private static func kind(of ends: EndpointPair, _ end: Int64) -> (Kind, side: Int, SegmentNote)? {
        guard let last = latest(ends) else { return nil }
        let isSilent = end > last.time && end.distance(from: last.time) >= silence
        for side in 0..<2 where ends.counts(of: side).segments > 0 {
            let (own, peer) = (ends[side], ends[1 - side])
            if isSilent, let (kind, note) = silenced(own, peer) { return (kind, side, note) }
            if let fin = unanswered(own, peer) { return (.closedUnanswered, side, fin) }
        }
        return nil
    }

    private static func latest(_ ends: EndpointPair) -> SegmentNote? {
        [ends[0].last, ends[1].last].compactMap(\.self).max { $0.number < $1.number }
    }

    /// What one end had begun when both fell silent for good.
    private static func silenced(_ own: ConnectionSide, _ peer: ConnectionSide) -> (Kind, SegmentNote)? {
        if peer.segments == 0 {
            guard let syn = own.syn, syn.isPlainSyn, own.synRepeats > 0, !own.hasMoreThanSyn else { return nil }
            return (.neverAnswered, syn)
        }
        guard peer.holes == 0, own.holes == 0 else { return nil }
        if peer.windowIsZero, own.windowProbes > 0, let probe = own.lastWindowProbe { return (.windowClosed, probe) }
        if own.probesSinceHeard > 1, let probe = own.lastProbe { return (.probesUnanswered, probe) }
        // Without a repetition the sender itself may have gone, or the capture lost what followed.
        guard own.retransmissionsSinceHeard > 0, let data = own.lastData, let ack = peer.highestAck,
            data.end.follows(ack), data.end &- ack <= 1 << 30
        else { return nil }
        return (.unacknowledged, data)
    }

    /// The FIN of an end that had taken data of the other and not answered it, where that one waited for an answer.
    private static func unanswered(_ own: ConnectionSide, _ peer: ConnectionSide) -> SegmentNote? {
        guard let fin = own.fin, let asked = peer.lastData, asked.number < fin.number,
            own.syn != nil || peer.syn != nil,
            own.holes == 0, peer.holes == 0, asked.last == .unknown, !asked.end.follows(fin.ack)
        else { return nil }
        // Who closes together with its last data, or right after it, waits for none; nor does an end that was answered before
        // and sends no more than it had been asked for.
        if let theirs = peer.fin, theirs.number < fin.number { return nil }
        guard let mine = own.lastData else { return own.isOpenedByPeer ? fin : nil }
        return mine.number < asked.number && own.isOpenedByPeer ? fin : nil
    }
}

extension ConnectionSide {
    /// The other end opened the connection: that one asks, and this one answers.
    fileprivate var isOpenedByPeer: Bool { syn?.isSynAck == true }
}
