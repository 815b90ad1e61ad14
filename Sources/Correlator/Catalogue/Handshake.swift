import NetworkTypes

extension Catalogue {
    static let handshake: [Rule] = [
        Rule(
            .badSynInHandshake, .handshake,
            meaning: "A second, different SYN arrived in the middle of a handshake.",
            guess: "A second, different SYN may have arrived in the middle of a handshake.",
            advice: """
                Two peers behind one address use the same source port (a NAT that reuses ports too soon), or \
                somebody forges segments of the handshake.
                """,
            recognition: "tcp_v4_send_reset called from tcp_check_req, trigger is a SYN",
            basis: "tcp_check_req(), embryonic_reset; RFC 9293, section 3.10.7.4",
            reasons: ["INVALID_SYN"], fixture: "bad-syn-in-handshake-v4",
            wire: { wire in
                guard wire.situation == .answersSyn, wire.own.syn?.isSynAck == true, let trigger = wire.trigger,
                    trigger.seq != wire.peer.syn?.seq, wire.isInHandshake
                else { return nil }
                return WireScore(.strong, "a SYN with another sequence number arrived in the middle of the handshake")
            }
        ) {
            $0.origin == .passive && $0.calledFrom(.checkRequest) && $0.callersLack(.mptcp)
                && $0.trigger?.flags.contains(.syn) == true
        },
        Rule(
            .badAckInHandshake, .handshake,
            meaning: "The other end acknowledged something this host had not sent in its handshake.",
            guess: "The other end probably acknowledged something that had not been sent in the handshake.",
            advice: """
                It is an old duplicate from an earlier connection with the same ports, the work of a device that \
                rewrites sequence numbers, or forged: compare the acknowledgment number with the initial sequence \
                number in captures at both ends.
                """,
            recognition: """
                tcp_v4_send_reset for a child socket in SYN_RECV, or called from tcp_v4_do_rcv for a socket in SYN_SENT
                """,
            basis: "RFC 9293, sections 3.10.7.3 and 3.10.7.4; tcp_rcv_synsent_state_process()",
            reasons: [
                "TCP_INVALID_ACK_SEQUENCE", "TCP_OLD_ACK", "TCP_TOO_OLD_ACK", "TCP_ACK_UNSENT_DATA", "TCP_RFC7323_PAWS",
            ], fixture: "bad-ack-in-handshake-v4",
            sentence: { evidence, certainty in
                certainty == .proven && evidence.reason == "TCP_RFC7323_PAWS"
                    ? "The other end echoed a timestamp in the handshake that this host had not sent." : nil
            },
            wire: { wire in
                guard let trigger = wire.trigger, let syn = wire.pendingSyn else { return nil }
                switch wire.situation {
                case .answersSynAck:
                    if trigger.ack != syn.end { return WireScore(.strong, "the SYN+ACK does not acknowledge the SYN") }
                    return wire.echoesForeignTimestamp
                        ? WireScore(.clear, "the SYN+ACK echoes a timestamp that was never sent (RFC 7323, PAWS)") : nil
                case .answersHandshakeAck where trigger.ack != syn.end:
                    if syn.isPlainSyn {
                        return WireScore(
                            .strong,
                            wire.isHalfOpen
                                ? "the SYN met a connection that the other end still holds: half-open after a restart"
                                : "the ACK that arrived does not acknowledge the SYN")
                    }
                    let fast = wire.peer.syn.map { $0.length > 0 } == true
                    return WireScore(fast ? .likely : .doubtful, "the ACK does not acknowledge the SYN+ACK")
                default: return nil
                }
            }
        ) {
            guard $0.origin == .passive, $0.callersLack([.checkRequest, .mptcp]) else { return false }
            return $0.calledFrom(.stateProcessing)
                ? $0.state == .synSent || $0.state == .synReceived : $0.calledFrom(.receive) && $0.state == .synReceived
        },
    ]
}
