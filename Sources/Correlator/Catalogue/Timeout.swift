import NetworkTypes

extension Catalogue {
    static let timeout: [Rule] = [
        Rule(
            .keepaliveTimeout, .timeout,
            meaning: "Keepalive probes went unanswered until TCP_KEEPCNT was reached.",
            guess: "Keepalive probes probably went unanswered until TCP_KEEPCNT was reached.",
            advice: """
                The peer is gone, or something in between drops the probes: a firewall, NAT or load balancer that forgot \
                the idle connection. Compare its idle limit with TCP_KEEPIDLE (net.ipv4.tcp_keepalive_time).
                """,
            checks: .timers,
            recognition: "tcp_send_active_reset called from tcp_keepalive_timer, connected, TCP_USER_TIMEOUT not set",
            basis: "RFC 9293, section 3.8.4; tcp_keepalive_timer()",
            reasons: ["TCP_KEEPALIVE_TIMEOUT"], fixture: "keepalive-timeout-v4",
            wire: { wire in
                if wire.idlesUnseen {
                    return WireScore(
                        .plausible, "the connection was never used; keepalive probes would not have been captured")
                }
                guard wire.abortsItself, wire.unansweredProbes > 0 else { return nil }
                return WireScore(
                    .strong,
                    wire.unansweredProbes == 1
                        ? "a keepalive probe before the RST was not answered"
                        : "\(wire.probesReachBack ? "at least " : "")\(wire.unansweredProbes) keepalive probes before the RST were not answered"
                )
            }
        ) { $0.resetsFromKeepaliveTimer && $0.userTimeout == 0 },
        Rule(
            .userTimeout, .timeout,
            meaning: "Keepalive probes went unanswered for longer than TCP_USER_TIMEOUT allows.",
            guess: "Probes or data may have gone unacknowledged for longer than TCP_USER_TIMEOUT allows.",
            advice: """
                As for keepalive-timeout: the peer is gone or the path drops the probes. The limit was set by the \
                application with TCP_USER_TIMEOUT.
                """,
            checks: .timers,
            recognition: "tcp_send_active_reset called from tcp_keepalive_timer, connected, TCP_USER_TIMEOUT set",
            basis: "RFC 5482; tcp_keepalive_timer()",
            reasons: ["TCP_KEEPALIVE_TIMEOUT"], fixture: "user-timeout-v4",
            wire: { wire in
                if wire.handshakeTimedOut {
                    return WireScore(
                        .convincing, "the SYN+ACK was never acknowledged",
                        summary: """
                            The handshake probably timed out: its SYN+ACK, sent \(wire.own.synRepeats + 1) times, was never \
                            acknowledged. No application had been given the connection.
                            """)
                }
                guard wire.abortsItself else { return nil }
                if wire.unansweredProbes > 0 {
                    return WireScore(.plausible, "TCP_USER_TIMEOUT ends a connection in the same way")
                }
                let count = wire.own.retransmissionsSinceHeard
                // Linux gives a connection up without a RST when its retransmissions are not answered.
                guard count >= 3, !wire.hasSocketsHeader, wire.own.fin == nil else { return nil }
                return WireScore(
                    .plausible, "\(count) retransmissions before the RST were not answered",
                    summary: """
                        The sender's data was never acknowledged, although it was sent again and again: it probably gave \
                        up the connection (RFC 9293, section 3.8.3).
                        """)
            }
        ) { $0.resetsFromKeepaliveTimer && ($0.userTimeout ?? 0) > 0 },
        Rule(
            .idleTimeout, .timeout,
            meaning: "A RST ended a long silence: an idle limit somewhere on the path or in an application.",
            guess: "The RST ended a long silence: probably an idle limit, on the path or in an application.",
            advice:
                "Find the idle limit that fits the silence, and send keepalives more often than that.",
            checks: [
                Check("ss -tanoi", "lastsnd and lastrcv: how long each connection has been idle"),
                Check("sysctl net.netfilter.nf_conntrack_tcp_timeout_established", "the idle limit of a Linux NAT"),
            ],
            recognition: "no kernel event; a RST after long silence",
            basis: "wire only", limits: IdleLimits.sources,
            wire: { wire in
                guard wire.situation != .answersSyn, wire.situation != .isolated, wire.unansweredProbes == 0 else {
                    return nil
                }
                guard wire.trigger == nil else { return wire.refusedAfterSilence }
                if let pause = wire.pauseBeforeData {
                    // A Linux socket that ends its connection is recognisable: then a program had the data, and may have
                    // considered the connection too old.
                    return WireScore(
                        wire.hasSocketsHeader ? .better : .clear,
                        "it answers data that ended a silence of \(TimeSpan(nanoseconds: pause.length))",
                        summary: WireEvidence.refusedAfterSilenceSummary)
                }
                guard wire.silenceIsCertain, let silence = wire.silence, silence >= WireEvidence.longSilence
                else { return nil }
                return WireScore(.convincing, "it ended a silence of \(TimeSpan(nanoseconds: silence))")
            }
        ) { _ in false },
    ]
}

extension WireEvidence {
    /// The first segment after a long silence is answered as if there were no connection: a device that tracks connections on
    /// the path, or the other end, had dropped it in the meantime.
    fileprivate var refusedAfterSilence: WireScore? {
        guard situation == .answersOpen || situation == .answersUnknown, !isFiltered, let pause = pauseBeforeTrigger,
            pause.length >= Self.longSilence
        else { return nil }
        return WireScore(
            .clear, "the segment it answers ended a silence of \(TimeSpan(nanoseconds: pause.length))",
            summary: Self.refusedAfterSilenceSummary)
    }

    fileprivate static let refusedAfterSilenceSummary = """
        The first segment after a long silence was refused: probably an idle limit, on the path or in an application, had \
        ended the connection.
        """
}

extension Evidence {
    /// The state when the connection is one end of a conversation: the kernel's keepalive runs only then.
    var resetsFromKeepaliveTimer: Bool {
        origin == .active && calledFrom(.keepaliveTimer) && callersLack(.outOfResources)
            && !(state == .finWait2 && dead != false)
    }
}
