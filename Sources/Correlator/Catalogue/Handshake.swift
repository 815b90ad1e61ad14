import NetworkTypes

extension Catalogue {
    static let handshake: [Rule] = [
        Rule(
            .badSynInHandshake, .handshake,
            meaning: "A second, different SYN came in the middle of a handshake.",
            advice: """
                Two peers behind one address use the same source port (a NAT that reuses ports too soon), or \
                somebody forges segments of the handshake.
                """,
            recognition: "tcp_check_req below tcp_v4_send_reset, trigger is a SYN",
            basis: "tcp_check_req(), embryonic_reset; RFC 9293, section 3.10.7.4",
            reasons: ["INVALID_SYN"], fixture: "bad-syn-in-handshake-v4"
        ) {
            $0.origin == .passive && $0.calledFrom(.checkRequest) && $0.callersLack(.mptcp)
                && $0.trigger?.flags.contains(.syn) == true
        },
        Rule(
            .badAckInHandshake, .handshake,
            meaning: "The other end acknowledged something this host had not sent in its handshake.",
            advice: """
                An old duplicate from an earlier connection with the same ports, a device that rewrites sequence \
                numbers, or forged segments: compare the acknowledgment with the initial sequence number in a \
                capture on both sides.
                """,
            recognition: """
                tcp_v4_send_reset for a child socket in SYN_RECV, or below tcp_v4_do_rcv for a socket in SYN_SENT
                """,
            basis: "RFC 9293, sections 3.10.7.3 and 3.10.7.4; tcp_rcv_synsent_state_process()",
            reasons: [
                "TCP_INVALID_ACK_SEQUENCE", "TCP_OLD_ACK", "TCP_TOO_OLD_ACK", "TCP_ACK_UNSENT_DATA", "TCP_RFC7323_PAWS",
            ], fixture: "bad-ack-in-handshake-v4"
        ) {
            guard $0.origin == .passive, $0.callersLack([.checkRequest, .mptcp]) else { return false }
            return $0.calledFrom(.stateProcessing)
                ? $0.state == .synSent || $0.state == .synReceived : $0.calledFrom(.receive) && $0.state == .synReceived
        },
    ]
}
