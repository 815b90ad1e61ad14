import NetworkTypes
import PcapReader

/// Whether the receiver of a RST would have taken it (RFC 5961, section 3.2; RFC 9293, section 3.10.7.3).
enum Acceptance: String, Sendable {
    /// Its sequence number is exactly the next one expected, or it answers a SYN with the right acknowledgment.
    case accepted
    /// In the window, but not exact: the receiver asks back with a challenge ACK.
    case challenged
    /// Outside of the window.
    case ignored
    /// The capture does not show what the receiver expected.
    case unknown

    init(_ evidence: WireEvidence) {
        guard let flow = evidence.flow, flow.isKnown else {
            self = .unknown
            return
        }
        let reset = evidence.reset
        let receiver = flow.peer
        if let syn = receiver.syn, syn.isPlainSyn, flow.own.syn == nil, receiver.segments == 1 + receiver.synRepeats {
            // SYN-SENT: the RST must acknowledge the SYN.
            self = reset.flags.contains(.ack) && reset.ack == syn.end ? .accepted : .ignored
            return
        }
        if evidence.situation == .answersSyn {
            // It answers the SYN that it acknowledges.
            self = .accepted
            return
        }
        // It has received what it has acknowledged; in between it may have received more.
        guard let acknowledged = receiver.highestAck ?? (flow.own.segments > 0 ? flow.own.nextSeq : nil) else {
            self = .unknown
            return
        }
        let sent = flow.own.segments > 0 && flow.own.nextSeq.follows(acknowledged) ? flow.own.nextSeq : acknowledged
        // More than a FIN was on its way (Linux takes a RST that a FIN overtook, tcp_reset_check()): where it had arrived
        // before the RST, that one is old.
        if reset.seq == acknowledged, sent &- acknowledged > 1, flow.own.otherSyn == nil {
            self = .unknown
            return
        }
        if reset.seq == acknowledged || reset.seq == sent {
            self = .accepted
            return
        }
        let window = receiver.scaledWindow(flow.own)
        // Without the SYN the scale is not known: then only what lies far behind is outside for sure.
        let size = receiver.syn == nil ? 1 << 30 : max(window, 1)
        self = reset.seq.isWithin(acknowledged, count: size) ? .challenged : .ignored
    }

    var sentence: String? {
        switch self {
        case .accepted: "its sequence number is the one the receiver expected: the receiver accepts it (RFC 5961)"
        case .challenged:
            "its sequence number is in the window but not the next one: the receiver answers with a challenge ACK (RFC 5961)"
        case .ignored: "its sequence number is outside the receiver's window: the receiver ignores it (RFC 5961)"
        case .unknown: nil
        }
    }
}

extension ConnectionSide {
    /// The latest window it has offered, bytes (RFC 7323, section 2.2); without both SYNs it is not scaled.
    func scaledWindow(_ other: ConnectionSide) -> UInt32 {
        guard let last else { return 0 }
        let isScaled =
            synOptions.kinds.contains(.windowScale) && other.synOptions.kinds.contains(.windowScale)
            && !last.flags.contains(.syn)
        return UInt32(last.window) << (isScaled ? min(UInt32(synOptions.windowScale), 14) : 0)
    }
}
