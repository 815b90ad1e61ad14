import NetworkTypes

extension FlowShard {
    /// A connection at one interface, as far as the segments of the capture are followed.
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
        /// Each connection that had a RST, at its end; the current one is not among them.
        private(set) var past: [(generation: Int32, ends: Ends)] = []
        var previous: Ended?
        /// The latest RST, by its place in `moments`, as long as nothing follows it: until then `ends` and `waiting` are
        /// without it. Most RSTs are the last of their connection, many all there is of it, and cost no more than this.
        var pending: Int32 = -1
        var zeek = ZeekConnection()
        /// The latest RST of that, by its place in `moments`, or -1.
        var latestOfZeek: Int32 = -1
        /// RSTs of this connection that nothing of one kind has followed yet.
        var waiting = Waiting()

        /// The heads of linked lists of RSTs by their place in `moments`, or -1: each RST leaves each list once, and so the
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
}

extension FlowShard.Flow {
    /// The latest segments of an end.
    func recent(_ side: Int) -> RecentSegments { side == 0 ? firstRecent : secondRecent }

    /// Takes in a segment of one end that is no RST; false if it is one that was captured twice.
    mutating func take(_ segment: FlowSegment, side: Int) -> Bool {
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

    /// Looks at what the next segments will need, one step after the other, and means nothing; see `FlowShard.add`.
    func touch() -> Int32 { pending &+ generation &+ connection &+ latestOfZeek }
    func touchEnds() -> Int { ends.touch() &+ firstRecent.touchCount() &+ secondRecent.touchCount() }
    func touchRecent() -> Int { firstRecent.touch() &+ secondRecent.touch() }

    func recollection(_ reset: SegmentNote, side: Int) -> Seldom<Recollection> {
        var recollection = Seldom<Recollection>()
        if ends[0].segments + ends[1].segments > 0 {
            recollection.value = Recollection(
                reset, own: ends[side], recent(side), peer: recent(1 - side), peerReset: ends[1 - side].resets.last)
        }
        return recollection
    }

    /// A SYN after the end of a connection begins another one with the same addresses and ports.
    mutating func beginAnew(_ note: SegmentNote, side: Int) {
        let sides = [ends[0], ends[1]]
        let wasReset = sides[0].resetCount + sides[1].resetCount > 0
        let isOver = wasReset || sides[0].fin != nil && sides[1].fin != nil
        guard isOver, sides[side].syn?.seq != note.seq else { return }
        let lastTime = sides.flatMap { [$0.last?.time, $0.resets.last?.time] }.compactMap { $0 }.max() ?? note.time
        let lastNumber = sides.flatMap { [$0.last?.number, $0.resets.last?.number] }.compactMap { $0 }.max() ?? 0
        previous = Ended(
            time: lastTime, number: lastNumber, byReset: wasReset,
            resetNumber: sides.compactMap { $0.resets.last?.number }.max(), nextSeq: sides.map(\.nextSeq))
        if wasReset { past.append((generation, ends)) }
        ends = Ends()
        firstRecent = RecentSegments()
        secondRecent = RecentSegments()
        generation &+= 1
        waiting = Waiting()
    }
}
