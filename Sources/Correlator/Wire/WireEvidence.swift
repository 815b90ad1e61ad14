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
    /// Nil if the capture has nothing of the connection, or was not asked for it.
    let flow: ConnectionContext?
    /// The same, and nothing where that is nil.
    private let context: ConnectionContext
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
    /// Segments of the connection before those that are known were let go.
    let lacksPast: Bool
    /// A capture at the end that the RST names as its sender, where it never appeared.
    let absentAtSender: String?
    /// Where the capture was stamped by a clock that was set meanwhile.
    let clock: PacketClock?
    /// The segment of the other end that the RST answers, if one fits.
    let trigger: SegmentNote?
    let situation: Situation
    /// What speaks for somebody else as its sender.
    let injection: Injection

    /// What the RST ends, as far as its numbers and flags tell.
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
        /// Answers a segment of a connection of which the capture has nothing from the sender.
        case answersUnknown
        /// Answers nothing: the sender ended the connection of its own accord.
        case aborts
        /// The capture has nothing of the connection before the RST.
        case isolated
        /// The capture was read for its RSTs alone: it could not be read a second time.
        case unread
    }

    init(
        _ captured: CapturedSegment, flow: ConnectionContext?, payload: [UInt8] = [], filter: String? = nil,
        translationGap: TranslationGap? = nil, listener: Listeners.Listener? = nil, absentAtSender: String? = nil,
        isRead: Bool = true,
        clock: PacketClock? = nil
    ) {
        self.clock = clock
        self.absentAtSender = absentAtSender
        self.translationGap = translationGap
        self.listener = listener
        let isFiltered = filter?.contains("tcpflags") == true || filter?.contains("tcp[") == true
        self.isFiltered = isFiltered
        hasAllSyns = isFiltered && filter?.contains("tcp-syn") == true
        filterNamesFins = isFiltered && filter?.contains("tcp-fin") == true
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

    /// Whether the numbers of the RST speak of bytes that the capture does not have.
    private static func misses(_ flow: ConnectionContext, _ reset: SegmentNote) -> Bool {
        hasMovedOn(flow, reset) || flow.own.holes > 0 || flow.peer.holes > 0
    }

    /// The same for bytes since the last segment that the capture has.
    private static func hasMovedOn(_ flow: ConnectionContext, _ reset: SegmentNote) -> Bool {
        if flow.own.segments > 0, reset.seq.follows(flow.own.nextSeq), reset.seq != 0, flow.answerHistory.lookBacks == 0
        {
            return true
        }
        return flow.peer.segments > 0 && reset.flags.contains(.ack) && reset.ack.follows(flow.peer.nextSeq)
            && flow.peer.otherSyn?.end != reset.ack
    }

    /// Windows up to 2003 ends a connection with a RST without ACK whose acknowledgment field is that of the connection all
    /// the same; in an answer it is 0, or the sequence number once more.
    private static func endsOpenConnection(_ reset: TCPSegment, _ flow: ConnectionContext) -> Bool {
        !reset.flags.contains(.ack) && reset.ack != 0 && reset.ack != reset.seq && flow.peer.segments > 0
            && reset.ack == flow.peer.nextSeq && flow.own.segments > 0 && reset.seq == flow.own.nextSeq
    }

    private static func situation(
        _ reset: SegmentNote, _ flow: ConnectionContext?, _ trigger: SegmentNote?, _ clock: PacketClock?
    ) -> Situation {
        guard let flow else { return .isolated }
        if let trigger {
            if !trigger.flags.contains(.ack) { return trigger.flags.contains(.syn) ? .answersSyn : .answersStray }
            if trigger.isSynAck {
                // The SYN+ACK was accepted, or the RST has the window of a socket that is open.
                let isOpen = flow.own.syn != nil && flow.own.highestAck == trigger.end
                return isOpen || flow.own.syn != nil && reset.window > 0 ? .aborts : .answersSynAck
            }
            if isLate(trigger, reset, flow, clock) { return answersWhatIsUnseen(reset, flow) ?? .aborts }
            return answersAck(trigger, flow)
        }
        return answersWhatIsUnseen(reset, flow) ?? .aborts
    }

    /// A RST without ACK has the form of an answer to a segment with ACK (RFC 9293, sections 3.5.2 and 3.10.7), whether the
    /// capture has that segment or not: Linux ends no connection of its own accord with it, and stacks that do give the
    /// window of the socket.
    private static func answersWhatIsUnseen(_ reset: SegmentNote, _ flow: ConnectionContext) -> Situation? {
        guard !reset.flags.contains(.ack), reset.window == 0 || reset.window != flow.own.last?.window else {
            return nil
        }
        if flow.own.fin != nil { return .answersAfterFin }
        if flow.own.segments == 0 { return .answersUnknown }
        let onlySyn = flow.own.segments == 1 + flow.own.synRepeats && flow.own.syn?.isPlainSyn == true
        return onlySyn && flow.peer.segments == 0 ? nil : .answersOpen
    }

    /// The sender went on after it had received the segment: a RST that comes much later does not answer it.
    private static func isLate(
        _ trigger: SegmentNote, _ reset: SegmentNote, _ flow: ConnectionContext, _ clock: PacketClock?
    ) -> Bool {
        guard let last = flow.own.last, last.number > trigger.number else { return false }
        return last.flags.contains(.ack) && !trigger.end.follows(last.ack)
            && Self.distance(reset, trigger, clock) > 200_000_000
    }

    private static func answersAck(_ trigger: SegmentNote, _ flow: ConnectionContext) -> Situation {
        if let syn = flow.own.otherSyn, flow.own.last == syn { return .answersHandshakeAck }
        if flow.own.fin != nil { return .answersAfterFin }
        if flow.own.segments == 0 { return .answersUnknown }
        guard let syn = flow.own.syn else { return .answersOpen }
        // In its handshake the sender has sent nothing but SYN or SYN+ACK.
        let onlySyn = flow.own.segments == 1 + flow.own.synRepeats
        if onlySyn, syn.isPlainSyn, flow.peer.syn?.isSynAck != true { return .answersHandshakeAck }
        let earlierAck = flow.answerHistory.synWasAcknowledged(before: trigger.number)
        if onlySyn || flow.own.syn?.isPlainSyn == true && flow.peer.syn?.isPlainSyn == true, !earlierAck {
            return .answersHandshakeAck
        }
        return .answersOpen
    }
}

extension WireEvidence {
    /// The end that sent the RST and the other one, as far as the capture has them; an end that it does not have is as
    /// good as one that never spoke.
    var own: ConnectionSide { _read { yield context.own } }
    var peer: ConnectionSide { _read { yield context.peer } }

    /// What the RST says itself, in a format that is known.
    var stated: ResetPayload? { payload.isEmpty ? nil : ResetPayload(payload, length: Int(reset.length)) }

    /// Nanoseconds without any segment before the RST; nil if its time is before that of the last segment: clocks that are
    /// set, and records without a time, say nothing of how long it was.
    var silence: UInt64? {
        guard let last = flow?.last, clock != nil || reset.time >= last.time else { return nil }
        return distance(reset, last)
    }

    /// Nanoseconds since the last segment that the sender of the RST had sent or knew of; nil if that does not show.
    private var pause: UInt64? {
        guard hasCrossed(peer.last) else { return silence }
        let known = [own.last, context.answerHistory.lastKnown].compactMap(\.self).max { $0.number < $1.number }
        guard let known, clock != nil || reset.time >= known.time else { return nil }
        return distance(reset, known)
    }

    /// How much later or earlier one segment is than another, nanoseconds.
    func distance(_ one: SegmentNote, _ other: SegmentNote) -> UInt64 { Self.distance(one, other, clock) }

    private static func distance(_ one: SegmentNote, _ other: SegmentNote, _ clock: PacketClock?) -> UInt64 {
        guard let clock else { return one.time.distance(from: other.time) }
        return clock.steady(one.time, ofPacket: one.number)
            .distance(from: clock.steady(other.time, ofPacket: other.number))
    }

    /// The silence that the segment ended which the RST answers; it was measured by a clock that nobody set.
    var pauseBeforeTrigger: Pause? {
        trigger == nil || clock != nil ? nil : context.answerHistory.pauseBeforeTrigger
    }

    /// The silence that data ended which the RST came right after, and acknowledges: devices that have forgotten a connection
    /// answer so, with the numbers of its segments.
    var pauseBeforeData: Pause? {
        guard situation == .aborts, clock == nil, own.fin == nil, let data = peer.lastData, data.end == reset.ack,
            data.number > own.last?.number ?? 0, distance(reset, data) < 1_000_000_000,
            let pause = context.answerHistory.pauseBeforeTrigger, pause.length >= Self.longSilence
        else { return nil }
        return pause
    }

    /// Bytes of the other end that the sender of the RST had acknowledged when it sent it, as the numbers tell; nil if
    /// the capture has no beginning of the connection.
    var received: UInt32? {
        // The first acknowledgment of the end that opened a connection is that of the SYN+ACK.
        guard reset.flags.contains(.ack),
            let start = peer.syn.map({ $0.seq &+ 1 }) ?? (own.syn?.isPlainSyn == true ? own.firstAck : nil)
        else { return nil }
        let end = peer.fin != nil && reset.ack == peer.nextSeq ? reset.ack &- 1 : reset.ack
        let count = end &- start
        return count < 1 << 31 ? count : nil
    }

    /// Whether the other end sent data does not show: a filter kept it out, and the RST acknowledges nothing.
    var dataIsUnseen: Bool { isFiltered && received == nil && peer.bytes == 0 }

    /// The other end ended its side with its last data or right after it: that asks for no answer (the unbind of LDAP, the
    /// end of a request without a response), and no answer is no sign that it was not read.
    var lastDataWantsNoAnswer: Bool {
        guard let data = lastReceivedData else { return false }
        if lastDataIsLastWord { return true }
        guard let fin = peer.fin else { return false }
        return fin.end == data.end &+ (fin.number == data.number ? 0 : 1)
            && fin.time.distance(from: data.time) < Self.program
    }

    /// A message that nobody answers, by what it says.
    var lastDataIsLastWord: Bool { lastReceivedData?.last == .unanswered }

    /// What it takes a program to follow one thing up with the next, nanoseconds.
    private static let program: UInt64 = 50_000_000

    /// Whether the other end had sent data that may not have been read.
    var peerSentData: Bool {
        // Data that crossed the RST had not come when it was sent.
        received.map { $0 > 0 } ?? (peer.bytes > 0)
    }

    /// The last data of the other end that the sender of the RST had received, as its acknowledgment tells.
    var lastReceivedData: SegmentNote? {
        hasCrossed(peer.lastData) ? context.answerHistory.lastKnownData : peer.lastData
    }

    /// The RST does not acknowledge the segment: its sender did not know of it.
    func hasCrossed(_ note: SegmentNote?) -> Bool {
        reset.flags.contains(.ack) && reset.seq != 0 && note?.end.follows(reset.ack) == true
    }

    /// The sender of the RST sent data after it had received the last data of the other end: it had read it, or part.
    var answeredLastData: Bool {
        guard let theirs = lastReceivedData, let mine = own.lastData else { return false }
        return mine.number > theirs.number && !theirs.end.follows(mine.ack)
    }

    /// Keepalive probes of the sender that nothing answered before the RST.
    var unansweredProbes: Int {
        own.probesSinceHeard > 0 || isFiltered ? own.probesSinceHeard : context.answerHistory.lookBacks
    }

    /// There may have been more of them than are remembered.
    var probesReachBack: Bool { unansweredProbes == RecentSegments.kept && own.probesSinceHeard == 0 }

    /// Bytes that the sender of the RST had sent and the other end had not acknowledged.
    var unacknowledged: UInt32 {
        guard own.segments > 0, let ack = peer.highestAck, own.nextSeq.follows(ack) else { return 0 }
        let count = own.nextSeq &- ack
        // What is further back is of another connection: no window is larger (RFC 7323, section 2.3), nor was more sent.
        guard count <= 1 << 30, own.syn.map({ count <= own.nextSeq &- $0.seq }) ?? true else { return 0 }
        return count
    }

    /// The sender's SYN that is not answered yet: its first, or one that opens the connection anew.
    var pendingSyn: SegmentNote? {
        if let syn = own.otherSyn, own.last == syn { return syn }
        return own.syn
    }

    /// The ACK that the RST answers came while the listener still waited for it: neither end had reset what was to be, and
    /// it is as prompt as the answer to a SYN+ACK is.
    var endsHandshakeInTime: Bool {
        own.resetCount == 0 && peer.resetCount == 0 && triggerIsPrompt
    }

    /// The sender has answered the other end's SYN, and nothing more has come of it.
    var isInHandshake: Bool {
        own.segments == 1 + own.synRepeats && own.bytes == 0 && peer.bytes == 0
            && !context.answerHistory.synWasAcknowledged(before: trigger?.number ?? reset.number)
    }

    /// The other end holds a connection that the sender has forgotten and opens anew with the same ports.
    var isHalfOpen: Bool { own.otherSyn != nil && own.otherSyn == own.last && trigger?.isPureAck == true }

    /// The sender's FIN had been acknowledged when the segment came that the RST answers, or when the sender reset of its
    /// own accord.
    var finWasAcknowledged: Bool {
        let answered = situation == .aborts ? nil : trigger?.number
        return context.answerHistory.finWasAcknowledged(before: answered ?? .max)
    }

    /// The FIN was acknowledged, and the segment that the RST answers came while the end of the connection was still
    /// remembered (net.ipv4.tcp_fin_timeout, 60 s). Linux keeps no more than that of a connection that was closed and whose
    /// FIN was acknowledged (tcp_rcv_state_process(), tcp_time_wait()).
    var meetsTimeWait: Bool {
        guard finWasAcknowledged, let fin = own.fin else { return false }
        return (trigger?.time ?? reset.time).distance(from: fin.time) < Self.rememberedEnd
    }

    /// What the RST answers, and the capture leaves out, acknowledged the FIN, and came so late that an acknowledgment of its
    /// own most likely came before it: none is put off for longer than 40 ms by Linux (TCP_DELACK_MIN).
    var mayMeetTimeWait: Bool {
        guard isFiltered, trigger == nil, let fin = own.fin, !fin.end.follows(reset.seq), reset.time > fin.time else {
            return false
        }
        return (40_000_000..<Self.rememberedEnd).contains(reset.time.distance(from: fin.time))
    }

    /// What the sender kept of the connection after its FIN was gone when the segment came.
    var outlastsFin: Bool { finWasAcknowledged ? !meetsTimeWait : !triggerIsPrompt }

    /// TCP_TIMEWAIT_LEN and the default of net.ipv4.tcp_fin_timeout, and some seconds for the FIN to be acknowledged.
    private static let rememberedEnd: UInt64 = 65_000_000_000

    /// An earlier RST of the same sender had ended what socket there was, whatever that one was for.
    var hasResetBefore: Bool { own.resetCount > 0 }

    /// The segment that the RST answers is data of the burst that an earlier RST of the sender refused: it was sent before
    /// that RST can have come.
    var isOfRefusedBurst: Bool {
        guard let first = own.resets.first, let trigger, trigger.length > 0, trigger.time >= first.time,
            !first.flags.contains(.ack), first.seq == reset.seq
        else { return false }
        return trigger.time.distance(from: first.time) < Self.burst
    }

    /// As long as a round trip may take, nanoseconds.
    private static let burst: UInt64 = 500_000_000

    /// The segment that the RST answers may itself answer the sender's last one. Much later the socket may be gone: the
    /// kernel gives an orphan up whose FIN nobody acknowledges.
    var triggerIsPrompt: Bool {
        guard let trigger, let last = own.last else { return true }
        return distance(trigger, last) < 5_000_000_000
    }

    /// The sender is the end that was connected to, as the handshake tells, or else the ports (RFC 6335, section 6); nil if
    /// neither does.
    var isServer: Bool? {
        switch flow?.opener {
        case .receiver?: return true
        case .sender?: return false
        default:
            guard own.syn == nil, peer.syn == nil else { return nil }
            return listener != nil ? true : tuple.sourceServes
        }
    }

    /// The capture shows that the sender served its port: it answered the SYN of this connection, or of another. A host that is
    /// nearer or further than that one speaks for no listener.
    var showsListener: Bool {
        if let listener { return listener.ttl == reset.ttl && !hasForeignTTL }
        return flow?.opener == .receiver && own.syn?.isSynAck == true && !hasForeignTTL
    }

    /// The TTL is not that of all segments of the end that the RST names.
    var hasForeignTTL: Bool {
        own.segments > 0 && own.lowestTTL == own.highestTTL && own.lowestTTL != reset.ttl
    }

    /// The handshake was never finished: the other end acknowledged nothing, however often the SYN+ACK was sent, and no
    /// application ever had the connection.
    var handshakeTimedOut: Bool {
        guard !isFiltered, situation == .aborts, let syn = own.syn, syn.isSynAck, own.synRepeats >= 2,
            own.segments == 1 + own.synRepeats, reset.seq == syn.end, reset.flags.contains(.ack), let opening = peer.syn
        else { return false }
        return peer.segments == 1 + peer.synRepeats && reset.ack == opening.end
    }

    /// What the RST answers was not captured, and need not have been: the capture has one direction, or not everything.
    var mayAnswerUnseen: Bool { trigger == nil && (isSparse || peer.segments == 0) }

    /// Data may have found a socket whose FIN could not be sent yet: the other end had closed its window.
    var mayHoldBackFin: Bool {
        situation == .answersOpen && own.bytes > 0 && peer.windowIsZero && !hasResetBefore
            && trigger.map { $0.length > 0 } == true
    }

    /// Both ends had finished when the segment came that the RST answers, or else when the RST was sent.
    var bothEnded: Bool {
        guard own.fin != nil, let fin = peer.fin else { return false }
        // Data that comes with the FIN is still data to an end that has closed.
        return trigger.map { fin.number < $0.number || fin.number == $0.number && $0.length == 0 } ?? true
    }

    /// Data of one end has not been acknowledged by the other, and will not be.
    var losesData: Bool {
        // A FIN counts as one, and is no data.
        if unacknowledged > (own.fin?.end == own.nextSeq ? 1 : 0) { return true }
        guard let data = peer.lastData else { return false }
        return own.highestAck.map { data.end.follows($0) } ?? true
    }

    /// The IPv6 flow label is that of the sender's connection: a socket answered, not the kernel for want of one.
    ///
    /// Linux derives the label of an answer from the hash of the socket, or of TIME_WAIT, and makes another one up where
    /// there is none (tcp_v6_send_reset(), from 4.17 on for TIME_WAIT).
    var labelSpeaksOfSocket: Bool? {
        guard !tuple.source.isIPv4, flowLabel != 0, own.segments > 0, own.lastFlowLabel != 0 else { return nil }
        return flowLabel == own.lastFlowLabel
    }

    var usesMultipath: Bool {
        own.synOptions.kinds.contains(.multipath) && peer.synOptions.kinds.contains(.multipath)
            || options.kinds.contains(.multipath)
    }
}

extension WireEvidence {
    /// From here on a silence before a RST speaks of an idle limit: the shortest that is in wide use.
    static let longSilence: UInt64 = 59_500_000_000

    /// So soon after another segment that a program was probably waiting for that: who kills a socket from outside is not.
    var isPrompt: Bool { (pause ?? .max) < 2_000_000 }

    var silenceIsShort: Bool { (silence ?? 0) < Self.longSilence || !silenceIsCertain }

    /// The connection was silent, and not only its SYNs and FINs, in a capture that says that it was restricted or whose
    /// numbers have moved on.
    var silenceIsCertain: Bool { !isFiltered && flow.map { !Self.hasMovedOn($0, reset) } ?? true }

    /// A long silence that is as long as no idle limit that is well known.
    var silenceFitsNoLimit: Bool { silence.map { IdleLimits.fitting(nanoseconds: $0).isEmpty } ?? true }

    /// Neither end ever sent data, as the numbers of the RST tell.
    var isWithoutData: Bool {
        guard let syn = own.syn, reset.flags.contains(.ack) else { return false }
        return reset.seq == syn.end && received == 0
    }

    /// A restricted capture has a connection that was opened, never used, and reset at least a second later.
    var idlesUnseen: Bool {
        isFiltered && abortsItself && own.fin == nil && isWithoutData && (silence ?? 0) >= 1_000_000_000
    }

    /// The sender ended a connection that it had, and nothing provoked it.
    var abortsItself: Bool { situation == .aborts && own.segments > 0 && !isOnlyOpening && !handshakeTimedOut }

    /// The sender had an answer to all that it had sent, or had answered all that it had received, and stayed silent
    /// longer than a program needs that waits for nothing: what ended the connection then was not a segment.
    var isUnprovoked: Bool { (pause ?? 0) >= Self.program }

    /// The sender is the end that asks, and the last data is an answer to all that it had sent. What an end that serves gets
    /// after its last answer is the next question.
    var wasAnswered: Bool {
        guard isServer == false, let mine = own.lastData, let theirs = lastReceivedData else { return false }
        return theirs.number > mine.number && !mine.end.follows(theirs.ack)
    }

    /// The window of the RST is wider than that of the sender's last segment: closing a socket throws its unread data away,
    /// and with that makes room, before the RST is sent (__tcp_close(), tcp_select_window()).
    var opensWindow: Bool {
        guard let last = own.last, !last.flags.contains(.syn), reset.flags.contains(.ack), hasSocketsHeader else {
            return false
        }
        return reset.window > last.window && Int(reset.window - last.window) * 8 >= Int(reset.window)
    }

    /// The sender has sent nothing but a SYN, and the other end nothing at all.
    var isOnlyOpening: Bool {
        peer.segments == 0 && own.syn?.isPlainSyn == true && own.segments == 1 + own.synRepeats
    }

    /// Data of the other end came after the sender's FIN, and the RST acknowledges it, as BSD stacks answer it.
    var acknowledgesLateData: Bool {
        guard situation == .aborts, let fin = own.fin, reset.flags.contains(.ack), own.last?.number == fin.number else {
            return false
        }
        guard let data = peer.lastData else {
            // Of the other end nothing was captured: the acknowledgment has moved on since the FIN.
            return peer.segments == 0 && own.highestAck.map(reset.ack.follows) == true
        }
        return data.number > fin.number && reset.ack == data.end
    }

    /// The sender sends more after the RST, and not only what was on its way.
    var senderGoesOn: Bool {
        // A file that repeats its packets goes back in time.
        guard let next = flow?.after.senderFirst, !next.flags.contains(.syn), next.time > reset.time else {
            return false
        }
        return next.time.distance(from: reset.time) > 1_000_000
    }

    /// The first segment with which the other end goes on, so long after the RST that it was not on its way: the RST had no
    /// effect. Who takes a RST says no more (RFC 9293, section 3.10.7.4).
    var ignoredBy: LaterNote? {
        guard let next = flow?.after.peerFirst, next.flags.isDisjoint(with: [.syn, .rst]),
            next.time > reset.time, next.time.distance(from: reset.time) > 1_000_000_000
        else { return nil }
        return next
    }

    /// Data of the other end came after the sender's FIN, and the sender took it: it had ended its side, and no more.
    var tookLateData: Bool {
        guard situation == .aborts, let fin = own.fin, let data = peer.lastData, let ack = own.highestAck else {
            return false
        }
        return data.number > fin.number && !data.end.follows(ack)
    }

    /// Data came when both ends had finished and the sender waited for its FIN to be acknowledged: it had a socket
    /// (LAST_ACK, CLOSING), which no RST had ended.
    var refusesDataBeforeLastAck: Bool {
        guard bothEnded, own.resetCount + peer.resetCount == 0, triggerIsPrompt, !finWasAcknowledged, let fin = own.fin,
            let trigger
        else { return false }
        return trigger.length > 0 && trigger.flags.contains(.ack) && fin.end.follows(trigger.ack)
    }

    /// The header is one that Linux makes for a socket that ends its connection of its own (tcp_send_active_reset()): an
    /// answer of the kernel has no ACK here, no window and, over IPv4, no identification.
    var hasSocketsHeader: Bool {
        mayBeOfLinuxSocket
            && (options.kinds.contains(.timestamps)
                || !own.timestampsAgreed && options.kinds == [] && reset.window != 0)
    }

    /// The same as far as the IP header and the flags tell.
    var mayBeOfLinuxSocket: Bool {
        reset.flags.contains(.ack) && SenderSignature.initialTTL(reset.ttl) == 64
            && (dontFragment || !tuple.source.isIPv4)
    }

    /// The form of an answer to a segment without ACK (RFC 9293, section 3.5.2).
    var answersUnseenSyn: Bool { reset.flags.contains(.ack) && reset.seq == 0 && reset.window == 0 }

    /// The form of an answer to a segment with ACK.
    var answersUnseenAck: Bool { !reset.flags.contains(.ack) && reset.window == 0 && options.kinds == [] }

    /// Whether the segment that the RST answers carries data or a FIN; nil if it was not captured.
    var answersData: Bool? { trigger.map { $0.length > 0 || $0.flags.contains(.fin) } }

    /// The RST has the header of a kernel's answer, and a TTL that has come less far than all others of its end: a router
    /// answers for the end, or a host that has its address.
    var isMadeNearer: Bool {
        injection.claim == .rejected && own.segments > 0 && own.lowestTTL == own.highestTTL && reset.ttl > own.lowestTTL
    }

    /// The SYN had come further than the RST that refuses its answer: another host sent it, and this one forwarded it.
    var isForwardedSyn: Bool {
        guard let syn = own.syn, syn.isPlainSyn else { return false }
        return reset.ttl > syn.ttl && SenderSignature.initialTTL(reset.ttl) == SenderSignature.initialTTL(syn.ttl)
    }

    /// So many bytes before what the sender of the RST expects next the segment begins that it answers: the sender had
    /// acknowledged them. Nil where it is not before.
    var bytesBelowWindow: UInt32? {
        guard let trigger, let expected = own.highestAck, trigger.flags.isDisjoint(with: [.syn]), peer.otherSyn == nil,
            expected.follows(trigger.seq), !trigger.end.follows(expected), own.otherSyn == nil
        else { return nil }
        return expected &- trigger.seq
    }

    /// Conntrack takes what begins at most a window before what was acknowledged (tcp_in_window()): further down it is
    /// INVALID, and no address of it is translated.
    var isBelowWindowOfTracking: Bool {
        guard let below = bytesBelowWindow, trigger?.length ?? 0 > 0 else { return false }
        // Without the SYN the scale is not known.
        guard own.syn != nil else { return below > 1 << 20 }
        return below > max(own.scaledWindow(peer), 1 << 12)
    }

    /// What it answers had been sent before, and got no answer.
    var answersRepetition: Bool { peer.retransmissionsSinceHeard > 0 }

    /// The SYN+ACK echoes another timestamp than that of the SYN.
    var echoesForeignTimestamp: Bool {
        guard let trigger, let syn = own.syn, trigger.kinds.contains(.timestamps), syn.kinds.contains(.timestamps)
        else { return false }
        return own.synRepeats == 0
            ? trigger.timestampEcho != syn.timestamp : trigger.timestampEcho &- syn.timestamp > 1 << 20
    }
}
