import NetworkTypes
import PcapReader

/// What the packets say of one RST: facts only, from the capture that saw most of its connection.
struct WireEvidence: Sendable {
    /// The RST itself; of one that was captured twice, what was captured first.
    let reset: SegmentNote
    /// The packet that shows it again, if this is evidence of that.
    let repetition: Int?
    let tuple: FourTuple
    let flowLabel: UInt32
    let options: TCPOptions
    let dontFragment: Bool
    /// Nil if the capture has nothing of the connection, or was not searched for it.
    let flow: ConnectionContext?
    /// The same, and nothing where that is nil.
    let context: ConnectionContext
    /// The RST's payload as far as it was captured.
    let payload: [UInt8]
    /// The capture was restricted to some segments (SYN, FIN, RST, say), or lost some of this connection.
    let isSparse: Bool
    /// The capture was restricted: most segments of a connection are not in it.
    let isFiltered: Bool
    /// The restriction lets every SYN in.
    let hasAllSyns: Bool
    /// The restriction lets every FIN in.
    let filterNamesFins: Bool
    /// The connection of the same end that the segment belongs to which the RST refuses.
    let translationGap: TranslationGap?
    /// Who listens on the port of the RST's sender, as another connection shows; nil if that is not known.
    let listener: Listeners.Listener?
    /// Whether earlier segments of the connection were evicted.
    let lacksPast: Bool
    /// A capture at the end that the RST names as its sender, where it never appeared.
    let absentAtSender: String?
    /// Where the capture was stamped by a clock that was set meanwhile.
    let clock: PacketClock?
    /// The segment of the other end that the RST answers, if one fits.
    let trigger: SegmentNote?
    let situation: Situation
    /// Signs that a third party sent it.
    let injection: Injection

    /// What the RST ends, as far as its numbers and flags show.
    enum Situation: Sendable, Equatable {
        /// Answers a SYN without ACK.
        case answersSyn
        /// Answers a SYN+ACK.
        case answersSynAck
        /// Answers a segment that has neither SYN nor ACK.
        case answersStray
        /// Answers an ACK that was to end the handshake.
        case answersHandshakeAck
        /// Answers a segment that came after the sender's own FIN.
        case answersAfterFin
        /// Answers a segment of a connection that the sender had not ended.
        case answersOpen
        /// It answers a segment of a connection for which the capture has nothing from the sender.
        case answersUnknown
        /// Answers nothing: the sender ended the connection of its own accord.
        case aborts
        /// The capture has nothing of the connection before the RST.
        case isolated
        /// The capture was read for its RSTs alone: it could not be read a second time.
        case unread
    }

    init(
        _ captured: CapturedSegment, flow: ConnectionContext?, payload: [UInt8] = [], filter: CaptureFilter? = nil,
        translationGap: TranslationGap? = nil, listener: Listeners.Listener? = nil, absentAtSender: String? = nil,
        isRead: Bool = true,
        clock: PacketClock? = nil
    ) {
        self.clock = clock
        self.absentAtSender = absentAtSender
        self.translationGap = translationGap
        self.listener = listener
        let effect = filter?.effect(isIPv4: captured.segment.tuple.source.isIPv4)
        let isFiltered = effect?.leavesOutSegments == true
        self.isFiltered = isFiltered
        hasAllSyns = isFiltered && effect?.takesSyns == true
        filterNamesFins = isFiltered && effect?.takesFins == true
        let note = flow?.reset ?? SegmentNote(captured)
        reset = note
        repetition = note.number == captured.number ? nil : captured.number
        tuple = captured.segment.tuple
        flowLabel = captured.segment.flowLabel
        options = captured.segment.options
        dontFragment = captured.segment.dontFragment
        self.payload = payload
        let known = flow.flatMap { $0.isKnown ? $0 : nil }
        self.flow = flow
        context = flow ?? .nothing
        lacksPast = flow?.lacksPast ?? false
        isSparse = isFiltered || lacksPast || known.map { Self.misses($0, note) } ?? false
        let endsOpen = known.map { Self.endsOpenConnection(captured.segment, $0) } ?? false
        trigger = endsOpen ? nil : known?.trigger
        situation =
            !isRead ? .unread : endsOpen ? .aborts : Self.situation(note, known, trigger, clock)
        injection = Injection(
            note, context, trigger, isIPv4: tuple.source.isIPv4, isFiltered: isFiltered, absentAtSender: absentAtSender,
            hasUnknownPayload: !payload.isEmpty && ResetPayload(payload, length: Int(note.length)) == nil)
    }
}

extension WireEvidence {
    /// The end that sent the RST and the other one, as far as the capture has them; an end that it does not have is as
    /// good as one that never spoke.
    var own: ConnectionSide { _read { yield context.own } }
    var peer: ConnectionSide { _read { yield context.peer } }

    /// What the RST says itself, in a format that is known.
    var stated: ResetPayload? { payload.isEmpty ? nil : ResetPayload(payload, length: Int(reset.length)) }
}
