import NetworkTypes

extension ConnectionShard {
    /// A connection at one interface, as far as the segments of the capture are followed.
    struct Connection: Sendable {
        var ends = EndpointPair()
        /// Of both ends, the sender of the first segment first.
        private(set) var firstRecent = RecentSegments()
        private(set) var secondRecent = RecentSegments()
        /// How many connections with these addresses and ports came before this one.
        var generation: Int32 = 0
        var duplicates: Int32 = 0
        /// Each connection that had a RST, at its end; the current one is not among them.
        private(set) var past: [(generation: Int32, ends: EndpointPair)] = []
        var previous: Ended?
        /// The latest RST, by its place in `snapshots`, as long as nothing follows it: until then `ends` and `waiting` are
        /// without it. Most RSTs are the last of their connection, many all there is of it, and cost no more than this.
        var pending: Int32 = -1
        var zeek = ZeekConnection()
        /// The latest RST of that, by its place in `snapshots`, or -1.
        var latestOfZeek: Int32 = -1
        /// RSTs of this connection that nothing of one kind has followed yet.
        var waiting = Waiting()
        /// The heads of linked lists of RSTs by their place in `snapshots`, or -1: each RST leaves each list once, and so the
        /// cost of a segment does not depend on how many RSTs came before it.
        struct Waiting: Sendable {
            /// For any segment of the first end, and of the second.
            var ofFirst: Int32 = -1
            var ofSecond: Int32 = -1
            /// The first end's RSTs for data of the same end, and the second's.
            var dataOfFirst: Int32 = -1
            var dataOfSecond: Int32 = -1
        }

        /// How an earlier connection with the same addresses and ports ended.
        final class Ended: Sendable {
            /// Of its last segment.
            let time: Int64
            let number: Int
            let how: How

            /// Left open: the next one began without a RST or both FINs before it, as far as the capture shows.
            enum How: Sendable { case byReset, inOrder, open }

            init(time: Int64, number: Int, how: How) {
                self.time = time
                self.number = number
                self.how = how
            }
        }
    }
}

extension ConnectionShard.Connection {
    /// The latest segments of an end.
    func recent(_ side: Int) -> RecentSegments { side == 0 ? firstRecent : secondRecent }

    /// Takes in a segment of one end that is no RST; false if it is one that was captured twice.
    mutating func take(_ segment: ConnectionSegment, side: Int) -> Bool {
        let isNew =
            side == 0
            ? Self.take(segment, side, &ends, &firstRecent) : Self.take(segment, side, &ends, &secondRecent)
        if !isNew { duplicates &+= 1 }
        return isNew
    }

    private static func take(
        _ segment: ConnectionSegment, _ side: Int, _ ends: inout EndpointPair, _ recent: inout RecentSegments
    ) -> Bool {
        let note = segment.note
        guard !recent.hasJustSeen(note, within: ConnectionShard.duplicateWindow) else { return false }
        ends.withEnds(of: side) { own, peer in
            peer.probesSinceHeard = 0
            peer.retransmissionsSinceHeard = 0
            own.add(segment, after: recent, peer: peer)
            // Where the capture begins in the middle, an acknowledgment tells how far the other end had come: its first
            // captured segment may well be a keepalive probe, which looks back.
            if peer.segments > 0, note.flags.contains(.ack), note.ack.follows(peer.nextSeq), peer.syn == nil {
                peer.nextSeq = note.ack
            }
        }
        recent.add(note)
        return true
    }

    /// Looks at what the next segments will need, one step after the other, and means nothing; see `ConnectionShard.followDue`.
    func touch() -> Int32 { pending &+ generation &+ latestOfZeek }
    func touchEnds() -> Int { ends.touch() &+ firstRecent.touchCount() &+ secondRecent.touchCount() }
    func touchRecent() -> Int { firstRecent.touch() &+ secondRecent.touch() }

    func answerHistory(_ reset: SegmentNote, side: Int) -> Seldom<AnswerHistory> {
        var answerHistory = Seldom<AnswerHistory>()
        if ends[0].segments + ends[1].segments > 0 {
            answerHistory.value = AnswerHistory(
                reset, own: ends[side], recent(side), peer: recent(1 - side), peerReset: ends[1 - side].resets.last)
        }
        return answerHistory
    }

    /// Begins another connection with the same addresses and ports if the segment, which is not taken in yet, shows that there
    /// is one: a SYN after the end of the one before, or what follows a SYN that came in the middle of it.
    mutating func beginAnewIfNeeded(_ note: SegmentNote, side: Int) {
        if note.isPlainSyn {
            let isOver = wasReset || ends[0].fin != nil && ends[1].fin != nil
            if isOver, ends[side].syn?.seq != note.seq { beginAnew() }
        } else if note.isSynAck {
            if ends[1 - side].hasOtherSyn, ends[1 - side].otherSyn?.isAcknowledged(by: note.ack) == true {
                // The SYN found no connection: who has one asks back (RFC 5961, section 4).
                beginAnew(with: ends[1 - side].otherSyns, of: 1 - side)
            } else if ends[side].opensAnother(note), ends[1 - side].syn?.isAcknowledged(by: note.ack) != true {
                beginAnew()
            }
        } else if ends[side].hasOtherSyn, note.flags.contains(.ack),
            ends[side].otherSyn?.isAcknowledged(by: note.seq) == true
        {
            // The SYN+ACK was not captured.
            beginAnew(with: ends[side].otherSyns, of: side)
        }
    }

    private var wasReset: Bool { ends.counts(of: 0).resets + ends.counts(of: 1).resets > 0 }

    /// - Parameters:
    ///   - opening: the SYN with which it began, as often as it was sent.
    ///   - opener: the end that sent it.
    private mutating func beginAnew(with opening: [ConnectionSegment] = [], of opener: Int = 0) {
        let first = opening.first?.note.number ?? .max
        let sides = [ends[0], ends[1]]
        let latest = sides.flatMap { [$0.last, $0.lastBeforeOtherSyn, $0.resets.last] }.compactMap(\.self)
            .filter { $0.number < first }.max { $0.number < $1.number }
        let isInOrder = sides[0].fin != nil && sides[1].fin != nil
        previous = latest.map {
            Ended(time: $0.time, number: $0.number, how: wasReset ? .byReset : isInOrder ? .inOrder : .open)
        }
        if wasReset { past.append((generation, ends)) }
        ends = EndpointPair()
        firstRecent = RecentSegments()
        secondRecent = RecentSegments()
        generation &+= 1
        waiting = Waiting()
        for segment in opening { _ = take(segment, side: opener) }
    }
}
