import NetworkTypes

extension ConnectionShard {
    /// A connection as it was just before a RST.
    struct ResetSnapshot: Sendable {
        /// The RST.
        let note: SegmentNote
        let flow: Int32
        /// 0 if the end that sent the first segment sent the RST, else 1.
        let sender: Int8
        let generation: Int32
        let ends: EndpointPair
        let answerHistory: Seldom<AnswerHistory>
        let previous: Connection.Ended?
        var followers = Seldom<Followers>()
        /// In each of the lists of `Connection.Waiting` the next one, or -1.
        var next = Connection.Waiting()
        /// What Zeek makes of the connection in the end, and the RST of it that came before this one, or -1.
        var zeek = ZeekState.other
        var previousOfZeek: Int32
    }

    /// The first segments after a RST in its connection that are no RSTs.
    struct Followers: Sendable, Equatable, StartsEmpty {
        var ofSender: LaterNote?
        /// With payload.
        var dataOfSender: LaterNote?
        var ofPeer: LaterNote?
    }

    /// What followed a RST in its connection.
    struct After: Sendable, Equatable {
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
}
