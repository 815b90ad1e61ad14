import NetworkTypes
import PcapReader

/// What the RST's own header says of who made it, and for what.
extension WireEvidence {
    /// The TTL is not that of all segments of the end that the RST names.
    var hasForeignTTL: Bool {
        own.segments > 0 && own.lowestTTL == own.highestTTL && own.lowestTTL != reset.ttl
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

    /// The header is one that Linux makes for a socket that ends its connection of its own (tcp_send_active_reset()): an
    /// answer of the kernel has no ACK here, no window and, over IPv4, no identification.
    var hasSocketsHeader: Bool {
        mayBeOfLinuxSocket
            && (options.kinds.contains(.timestamps)
                || !own.timestampsAgreed && options.kinds == [] && reset.window != 0)
    }

    /// The same, judging only by the IP header and the flags.
    var mayBeOfLinuxSocket: Bool {
        reset.flags.contains(.ack) && SenderSignature.initialTTL(reset.ttl) == 64
            && (dontFragment || !tuple.source.isIPv4)
    }

    /// The form of an answer to a segment without ACK (RFC 9293, section 3.5.2).
    var answersUnseenSyn: Bool { reset.flags.contains(.ack) && reset.seq == 0 && reset.window == 0 }

    /// The form of an answer to a segment with ACK.
    var answersUnseenAck: Bool { !reset.flags.contains(.ack) && reset.window == 0 && options.kinds == [] }

    /// What the RST answers was not captured, and need not have been: the capture has one direction, or not everything.
    var mayAnswerUnseen: Bool { trigger == nil && (isSparse || peer.segments == 0) }

    /// The RST has the header of a kernel's answer, and a TTL that has come less far than all others of its end: a router
    /// answers for the end, or a host that has its address.
    var isMadeNearer: Bool {
        injection.claim == .rejected && own.segments > 0 && own.lowestTTL == own.highestTTL && reset.ttl > own.lowestTTL
    }
}
