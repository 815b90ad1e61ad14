/// What one observer saw of a connection before and after a RST.
///
/// A class, so that a hundred rules can ask it without a copy.
final class ConnectionContext: Sendable {
    /// The RST; nil if nothing was seen. Of one that was captured twice, what was captured first.
    let reset: SegmentNote?
    /// The end that sent the RST, and the other one, before the RST.
    let own: ConnectionSide
    let peer: ConnectionSide
    /// What the latest segments before the RST say of it.
    let answerHistory: AnswerHistory
    /// An earlier connection with the same addresses and ports.
    let previous: ConnectionShard.Connection.Ended?
    let after: ConnectionShard.After
    /// When the capture ended or the next connection began.
    let final: FinalEnds
    private let sender: Int
    let duplicates: Int
    /// What Zeek makes of the connection.
    let zeek: ZeekState
    /// What is known of a third party: packets of the capture.
    let strangers: Strangers
    /// There were earlier segments, of which nothing is known any more: the memory was needed for others.
    let lacksPast: Bool

    /// RSTs that show by themselves that a third party sent them.
    struct Strangers: Sendable {
        /// One of this connection, which this RST is like.
        var sibling: Int?
        /// One of another connection, which this RST is like.
        var likeElsewhere: Int?
        /// One that came before in this connection.
        var earlier: Int?
        /// How the host that the RST names accepts SYNs in other connections.
        var host: HostProfiles.Profile?
    }

    /// Nothing was seen.
    static let nothing = ConnectionContext(
        reset: nil, ends: EndpointPair(), sender: 0, answerHistory: AnswerHistory(), previous: nil,
        after: ConnectionShard.After(),
        final: FinalEnds(EndpointPair()),
        duplicates: 0, zeek: .other, strangers: Strangers(), lacksPast: false)

    init(
        reset: SegmentNote?, ends: EndpointPair, sender: Int, answerHistory: AnswerHistory,
        previous: ConnectionShard.Connection.Ended?,
        after: ConnectionShard.After,
        final: FinalEnds, duplicates: Int, zeek: ZeekState, strangers: Strangers,
        lacksPast: Bool
    ) {
        self.reset = reset
        own = ends[sender]
        peer = ends[1 - sender]
        self.answerHistory = answerHistory
        self.previous = previous
        self.after = after
        self.final = final
        self.sender = sender
        self.duplicates = duplicates
        self.zeek = zeek
        self.strangers = strangers
        self.lacksPast = lacksPast
    }

    /// The RSTs of the sender before and after this one, and this one, as far as they are kept.
    var resetsOfSender: [SegmentNote] { final.resets(of: sender) }

    /// The end that sent the RST, with what it sent afterwards.
    var finalOwn: ConnectionSide { final.sides[sender] }

    /// The last data is an answer of the other end to all that the sender had sent.
    var ownIsAnswered: Bool {
        guard let mine = own.lastData, let theirs = peer.lastData else { return false }
        return theirs.number > mine.number && !mine.end.follows(theirs.ack)
    }

    /// The segment of the other end that the RST answers, if one fits.
    var trigger: SegmentNote? {
        guard let reset, hasOtherResetsOfSender else { return answerHistory.trigger(laterResets: 0) }
        return answerHistory.trigger(
            laterResets: resetsOfSender.count { $0.number > reset.number && $0.answersLike(reset) })
    }

    var hasOtherResetsOfSender: Bool { final.counts(of: sender).resets > 1 }

    /// The capture has segments of the connection before the RST.
    var isKnown: Bool { own.segments + peer.segments > 0 }

    /// Who opened the connection.
    var opener: ConnectionSummary.Opener {
        if own.syn?.isPlainSyn == true { return peer.syn?.isPlainSyn == true ? .unknown : .sender }
        if peer.syn?.isPlainSyn == true { return .receiver }
        if own.syn?.isSynAck == true { return .receiver }
        if peer.syn?.isSynAck == true { return .sender }
        return .unknown
    }

    /// The last segment before the RST, of either end.
    var last: SegmentNote? {
        guard let mine = own.last, let theirs = peer.last else { return own.last ?? peer.last }
        return mine.number > theirs.number ? mine : theirs
    }
}
