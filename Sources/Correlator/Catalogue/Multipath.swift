import PcapReader

/// What is built on TCP, and resets it: Multipath TCP and SMC.
extension Catalogue {
    static let multipath: [Rule] = [
        Rule(
            .mptcpFastclose, .mptcp,
            meaning: "The application aborted a Multipath TCP connection: its subflows are reset.",
            guess: "The application may have aborted a Multipath TCP connection, which resets its subflows.",
            advice:
                "As for abort-on-close and linger-zero: the program closed with unread data or with SO_LINGER zero.",
            checks: .multipath,
            recognition: "tcp_send_active_reset called from mptcp_do_fastclose",
            basis: "RFC 8684, section 3.5; mptcp_do_fastclose()",
            reasons: ["TCP_ABORT_ON_CLOSE", "TCP_STATE", "MPTCP_RST_EMPTCP"], fixture: "mptcp-fastclose-v4",
            wire: { wire in
                guard wire.usesMultipath, wire.flow?.isKnown == true, wire.trigger == nil else { return nil }
                if wire.options.kinds.contains(.multipathFastclose) {
                    return WireScore(.explicit, "it carries MP_FASTCLOSE (RFC 8684, section 3.5)")
                }
                if wire.peer.kinds.contains(.multipathFastclose) { return nil }
                return WireScore(.better, "a Multipath TCP connection was aborted")
            }
        ) { $0.origin == .active && $0.calledFrom(.mptcpFastclose) && $0.callersLack(.listenStop) },
        Rule(
            .mptcpSubflowReset, .mptcp,
            meaning: "One subflow of a Multipath TCP connection was reset by the protocol.",
            guess: "The protocol may have reset one subflow of a Multipath TCP connection.",
            advice: "Look at the MPTCP reset reason (RFC 8684, section 3.6) in the packet's MP_TCPRST option.",
            checks: .multipath,
            recognition: "tcp_send_active_reset called from mptcp_subflow_reset or mptcp_worker",
            basis: "RFC 8684, section 3.6; mptcp_subflow_reset()", fixture: "mptcp-subflow-reset-v4",
            wire: { wire in
                guard wire.usesMultipath else { return nil }
                if wire.peer.kinds.contains(.multipathFastclose) {
                    return WireScore(.strong, "the other end had asked for it with MP_FASTCLOSE")
                }
                if wire.options.kinds.contains(.multipathReset), wire.trigger?.isPlainSyn != true {
                    return WireScore(
                        .convincing,
                        "it carries MP_TCPRST, reason \(wire.options.multipathReason) (RFC 8684, section 3.6)")
                }
                return wire.flow?.isKnown == true
                    ? WireScore(.possible, "the protocol may have ended only this subflow") : nil
            }
        ) { $0.origin == .active && $0.calledFrom(.mptcpReset) && $0.callersLack([.mptcpFastclose, .listenStop]) },
        Rule(
            .mptcpJoinRefused, .mptcp,
            meaning: "The host refused to add a subflow to a Multipath TCP connection.",
            guess: "The host may have refused to add a subflow to a Multipath TCP connection.",
            advice:
                "The token or HMAC of the MP_JOIN was wrong, or the path manager's limits were reached: see \"ip mptcp limits\".",
            checks: .multipath,
            recognition: "subflow_* between tcp_v4_send_reset and tcp_v4_rcv",
            basis: "RFC 8684, section 3.2; subflow_syn_recv_sock()", fixture: "mptcp-join-refused-v4",
            wire: { wire in
                let joins =
                    wire.trigger?.kinds.contains(.multipathJoin) == true
                    || wire.peer.synOptions.kinds.contains(.multipathJoin)
                guard joins else { return nil }
                switch wire.situation {
                case .answersSyn, .answersHandshakeAck, .answersOpen, .answersUnknown:
                    return WireScore(.strong, "the segment asks to join a Multipath TCP connection (MP_JOIN)")
                default: return nil
                }
            }
        ) { $0.origin == .passive && $0.calledFrom(.mptcpSubflow) },
        Rule(
            .smcAbort, .smc,
            meaning: "SMC gave up and reset the TCP connection beneath it.",
            guess: "SMC may have given up and reset the TCP connection beneath it.",
            advice: "Look at \"smcss\" and the SMC statistics (smcr, smcd) for the reason.",
            checks: [Check("smcss -a", "SMC connections"), Check("smcr stats", "why they fell back or ended")],
            recognition: "tcp_send_active_reset < tcp_abort < smc_*",
            basis: "RFC 7609; smc_conn_abort()",
            reasons: ["TCP_STATE"]
        ) { $0.origin == .active && $0.calledFrom([.abort, .smc]) },
    ]
}
