import NetworkTypes

/// The latest segments of one end of a connection, RSTs not among them.
struct RecentSegments: Sendable {
    private var ring: [SegmentNote] = []
    /// Where in `ring` the latest one is.
    private var newest = 0

    static let kept = 8

    /// The latest at the end.
    var inOrder: [SegmentNote] { ring.isEmpty ? [] : Array(ring[(newest + 1)...] + ring[...newest]) }

    func contains(where accepts: (SegmentNote) -> Bool) -> Bool { ring.contains(where: accepts) }

    /// The last one before a packet.
    func last(before number: Int) -> SegmentNote? {
        var found: SegmentNote?
        for note in ring where note.number < number && note.number > found?.number ?? 0 { found = note }
        return found
    }

    /// Whether an equal segment came just before: one that was captured twice (a mirror port, a bridge).
    ///
    /// - Parameter window: nanoseconds.
    func hasJustSeen(_ note: SegmentNote, within window: UInt64) -> Bool {
        // Without an identification two equal acknowledgments may well be two.
        guard note.ipID != 0 || note.length > 0 || note.flags.contains(.syn) else { return false }
        // From the latest backwards, at most four, and no further than the window reaches.
        var index = newest
        for _ in 0..<min(4, ring.count) {
            guard ring[index].time.distance(from: note.time) <= window else { return false }
            if ring[index].isEqual(to: note) { return true }
            index = index == 0 ? ring.count - 1 : index - 1
        }
        return false
    }

    /// Looks at what is needed to find the latest one, and at that, and means nothing; see `ConnectionShard.followDue`.
    func touchCount() -> Int { ring.count }
    func touch() -> Int { ring.isEmpty ? 0 : ring[newest].number }

    mutating func add(_ note: SegmentNote) {
        if ring.count < Self.kept {
            newest = ring.count
            ring.append(note)
        } else {
            newest = newest + 1 == ring.count ? 0 : newest + 1
            ring[newest] = note
        }
    }
}

/// What the latest segments before a RST say of it: so little is kept of them for each RST.
struct AnswerHistory: Sendable, Equatable, StartsEmpty {
    /// The latest segment of the other end that the RST may answer.
    private var fitting: SegmentNote?
    /// Where each segment since the sender last spoke got a RST of its own, the one that is this RST's.
    private var ownShare: SegmentNote?
    /// How many RSTs of the sender have to follow this one if that is so.
    private var sharesLeft = -1
    private var known = Seldom<Known>()
    /// The first packet of the other end that acknowledges the sender's SYN; 0 for none.
    private var synAcknowledgment = 0
    /// The first packet of the other end that acknowledges the sender's FIN; 0 for none.
    private var finAcknowledgment = 0
    /// The sender's latest segments that look one byte back from the RST, and have no content: where the capture begins in
    /// the middle, only the RST tells that they were keepalive probes (RFC 9293, section 3.8.4).
    private(set) var lookBacks = 0
    /// Sequence numbers of the sender at which nothing had been sent yet.
    private var emptyAt: [UInt32] = []
    /// The segment of the other end that has the RST's IP identification; 0 for none.
    private(set) var copied = 0
    /// Nanoseconds since the first segment of the other end that the RST can be an answer to: what it answers or
    /// acknowledges it has received, that long before at most. Nil if that does not show.
    private(set) var longestDelay: UInt64?
    /// How long neither end had sent anything when the segment came that the RST may answer, or the last data before a RST that
    /// answers none.
    private(set) var pauseBeforeTrigger: Pause?

    /// Of the latest segments of the other end those that the RST acknowledges, where others came after them.
    private struct Known: Sendable, Equatable, StartsEmpty {
        var last: SegmentNote?
        var lastData: SegmentNote?
    }

    init() {}

    /// The last segment of the other end that the RST acknowledges, and the last one with data, where others crossed the RST: of
    /// those its sender did not know.
    var lastKnown: SegmentNote? { known.value.last }
    var lastKnownData: SegmentNote? { known.value.lastData }

    /// An answer that comes later than this after a segment does not answer it, nanoseconds.
    private static let longestAnswer: UInt64 = 10_000_000_000

    /// - Parameters:
    ///   - own: the end that sends the RST, and its latest segments.
    ///   - peer: the latest segments of the other end, and its latest RST.
    init(
        _ reset: SegmentNote, own: ConnectionSide, _ ownRecent: RecentSegments, peer: RecentSegments,
        peerReset: SegmentNote? = nil
    ) {
        let theirs = peer.inOrder
        rememberTriggers(reset, own, theirs)
        rememberCopy(reset, own, theirs)
        rememberDelay(reset, own, theirs)
        if reset.flags.contains(.ack), theirs.last?.end.follows(reset.ack) == true {
            let received = theirs.filter { !$0.end.follows(reset.ack) }
            known.value = Known(last: received.last, lastData: received.last { $0.length > 0 })
        }
        // Who ends a connection when data comes acknowledges it.
        let last = reset.flags.contains(.ack) && reset.seq != 0 ? theirs.last { $0.length > 0 } : nil
        if let trigger = ownShare ?? fitting ?? last {
            // Of a segment that was repeated, what came before the first of them.
            let first = theirs.first { $0.seq == trigger.seq && $0.end == trigger.end && $0.end != $0.seq } ?? trigger
            var before = ownRecent.last(before: first.number)
            func consider(_ note: SegmentNote?) {
                guard let note, note.number < first.number, note.number > before?.number ?? 0 else { return }
                before = note
            }
            consider(peer.last(before: first.number))
            consider(own.resets.last)
            consider(peerReset)
            pauseBeforeTrigger = before.flatMap { Pause(from: $0, to: first) }
        }
        if let syn = own.syn {
            synAcknowledgment =
                theirs.first { $0.number > syn.number && $0.flags.contains(.ack) && $0.ack == syn.end }?.number ?? 0
        }
        if let fin = own.fin {
            finAcknowledgment =
                theirs.first { $0.number > fin.number && $0.flags.contains(.ack) && !fin.end.follows($0.ack) }?.number
                ?? 0
        }
        if own.syn == nil, own.nextSeq == reset.seq &- 1 {
            let heard = theirs.last?.number ?? 0
            lookBacks =
                ownRecent.inOrder.reversed().prefix {
                    $0.number > heard && $0.isPureAck && $0.seq == own.nextSeq
                }.count
        }
        if ownRecent.contains(where: { !own.nextSeq.follows($0.seq) }) {
            for note in ownRecent.inOrder where !own.nextSeq.follows(note.seq) && !emptyAt.contains(note.seq) {
                emptyAt.append(note.seq)
            }
        }
    }

    /// The answer to a segment with ACK takes its sequence number from there; the answer to any other has sequence
    /// number 0 and acknowledges the segment (RFC 9293, section 3.5.2).
    private mutating func rememberTriggers(_ reset: SegmentNote, _ own: ConnectionSide, _ theirs: [SegmentNote]) {
        let answersAck = !reset.flags.contains(.ack)
        // The segment need not be the last one: others may have been on their way when the RST was sent.
        let all = theirs.filter { note in
            guard reset.time.distance(from: note.time) <= Self.longestAnswer else { return false }
            if answersAck { return note.flags.contains(.ack) && note.ack == reset.seq }
            return reset.seq == 0 && !note.flags.contains(.ack) && note.end == reset.ack
        }
        fitting = all.last
        // As many RSTs with these numbers as segments since the sender last spoke: each segment got its own.
        let since = own.last?.number ?? 0
        var unanswered = all.filter { $0.number > since }
        let earlier = own.resets.filter { $0.number > since && $0.answersLike(reset) }.count
        if own.fin != nil, earlier == 0 {
            // Until its first RST a socket that has closed is there: it takes acknowledgments and the other end's FIN, and
            // refuses data.
            let data = unanswered.filter { $0.length > 0 }
            if let first = data.first {
                unanswered = data
                fitting = first
            }
        }
        guard earlier < unanswered.count else { return }
        ownShare = unanswered[earlier]
        sharesLeft = unanswered.count - earlier - 1
    }

    /// An identification that is the same by chance proves nothing: not where all of one end are equal, nor where the
    /// sender's own have just come there.
    private mutating func rememberCopy(_ reset: SegmentNote, _ own: ConnectionSide, _ theirs: [SegmentNote]) {
        guard reset.ipID != 0, let copy = theirs.last(where: { $0.ipID == reset.ipID }) else { return }
        if theirs.count > 1, theirs.allSatisfy({ $0.ipID == reset.ipID }) { return }
        if let last = own.lastID, last != 0, reset.ipID &- last <= ConnectionSide.usualIDStep { return }
        copied = copy.number
    }

    private mutating func rememberDelay(_ reset: SegmentNote, _ own: ConnectionSide, _ theirs: [SegmentNote]) {
        let first: SegmentNote?
        if reset.flags.contains(.ack) {
            // What the end had already acknowledged says nothing about when it was received.
            if let known = own.highestAck, !reset.ack.follows(known) { return }
            first = theirs.first { $0.end != $0.seq && $0.end == reset.ack }
        } else {
            func fits(_ note: SegmentNote) -> Bool { note.flags.contains(.ack) && note.ack == reset.seq }
            // The first that fits may have been forgotten.
            guard theirs.count < RecentSegments.kept || theirs.first.map(fits) == false else { return }
            first = theirs.first(where: fits)
        }
        if let first, first.time <= reset.time { longestDelay = reset.time.distance(from: first.time) }
    }

    /// The segment of the other end that the RST answers, if one fits.
    ///
    /// - Parameter later: how many RSTs with the same numbers its sender sent after it.
    func trigger(laterResets later: Int) -> SegmentNote? { later == sharesLeft ? ownShare : fitting }

    /// Whether the sender's SYN had been acknowledged before that packet.
    func synWasAcknowledged(before number: Int) -> Bool { synAcknowledgment != 0 && synAcknowledgment < number }

    /// Whether the sender's FIN had been acknowledged before that packet.
    func finWasAcknowledged(before number: Int) -> Bool { finAcknowledgment != 0 && finAcknowledgment < number }

    /// Whether the sender had sent a segment that begins there, at or after the end of all its data.
    func hadBegun(at seq: UInt32) -> Bool { emptyAt.contains(seq) }
}
