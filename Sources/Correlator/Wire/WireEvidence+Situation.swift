import NetworkTypes
import PcapReader

/// What the RST ends or answers.
extension WireEvidence {
    /// Whether the numbers of the RST speak of bytes that the capture does not have.
    static func misses(_ flow: ConnectionContext, _ reset: SegmentNote) -> Bool {
        hasMovedOn(flow, reset) || flow.own.holes > 0 || flow.peer.holes > 0
    }

    /// The same for bytes since the last segment that the capture has.
    static func hasMovedOn(_ flow: ConnectionContext, _ reset: SegmentNote) -> Bool {
        if flow.own.segments > 0, reset.seq.follows(flow.own.nextSeq), reset.seq != 0, flow.answerHistory.lookBacks == 0
        {
            return true
        }
        return flow.peer.segments > 0 && reset.flags.contains(.ack) && reset.ack.follows(flow.peer.nextSeq)
            && flow.peer.otherSyn?.end != reset.ack
    }

    /// Windows up to 2003 ends a connection with a RST without ACK whose acknowledgment field is that of the connection all
    /// the same; in an answer it is 0, or the sequence number once more.
    static func endsOpenConnection(_ reset: TCPSegment, _ flow: ConnectionContext) -> Bool {
        !reset.flags.contains(.ack) && reset.ack != 0 && reset.ack != reset.seq && flow.peer.segments > 0
            && reset.ack == flow.peer.nextSeq && flow.own.segments > 0 && reset.seq == flow.own.nextSeq
    }

    static func situation(
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
    static func answersWhatIsUnseen(_ reset: SegmentNote, _ flow: ConnectionContext) -> Situation? {
        guard !reset.flags.contains(.ack), reset.window == 0 || reset.window != flow.own.last?.window else {
            return nil
        }
        if flow.own.fin != nil { return .answersAfterFin }
        if flow.own.segments == 0 { return .answersUnknown }
        let onlySyn = flow.own.segments == 1 + flow.own.synRepeats && flow.own.syn?.isPlainSyn == true
        return onlySyn && flow.peer.segments == 0 ? nil : .answersOpen
    }

    /// The sender went on after it had received the segment: a RST that comes much later does not answer it.
    static func isLate(
        _ trigger: SegmentNote, _ reset: SegmentNote, _ flow: ConnectionContext, _ clock: PacketClock?
    ) -> Bool {
        guard let last = flow.own.last, last.number > trigger.number else { return false }
        return last.flags.contains(.ack) && !trigger.end.follows(last.ack)
            && Self.distance(reset, trigger, clock) > 200_000_000
    }

    static func answersAck(_ trigger: SegmentNote, _ flow: ConnectionContext) -> Situation {
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
