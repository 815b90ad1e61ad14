import NetworkTypes
import PcapReader

/// How the connection was opened, and which end serves.
extension WireEvidence {
    /// The sender's SYN that is not answered yet: its first, or one that reopens the connection.
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

    /// The other end still has a connection that the sender has forgotten and reopens with the same ports.
    var isHalfOpen: Bool { own.otherSyn != nil && own.otherSyn == own.last && trigger?.isPureAck == true }

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

    /// The handshake was never finished: the other end acknowledged nothing, however often the SYN+ACK was sent, and no
    /// application ever had the connection.
    var handshakeTimedOut: Bool {
        guard !isFiltered, situation == .aborts, let syn = own.syn, syn.isSynAck, own.synRepeats >= 2,
            own.segments == 1 + own.synRepeats, reset.seq == syn.end, reset.flags.contains(.ack), let opening = peer.syn
        else { return false }
        return peer.segments == 1 + peer.synRepeats && reset.ack == opening.end
    }

    /// The sender has sent nothing but a SYN, and the other end nothing at all.
    var isOnlyOpening: Bool {
        peer.segments == 0 && own.syn?.isPlainSyn == true && own.segments == 1 + own.synRepeats
    }

    /// The SYN had come further than the RST that refuses its answer: another host sent it, and this one forwarded it.
    var isForwardedSyn: Bool {
        guard let syn = own.syn, syn.isPlainSyn else { return false }
        return reset.ttl > syn.ttl && SenderSignature.initialTTL(reset.ttl) == SenderSignature.initialTTL(syn.ttl)
    }

    /// The SYN+ACK echoes another timestamp than that of the SYN.
    var echoesForeignTimestamp: Bool {
        guard let trigger, let syn = own.syn, trigger.kinds.contains(.timestamps), syn.kinds.contains(.timestamps)
        else { return false }
        return own.synRepeats == 0
            ? trigger.timestampEcho != syn.timestamp : trigger.timestampEcho &- syn.timestamp > 1 << 20
    }
}
