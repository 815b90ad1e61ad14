import NetworkTypes

extension Catalogue {
    static let pressure: [Rule] = [
        Rule(
            .abortOnMemory, .pressure,
            meaning:
                "The kernel dropped the connection because TCP was out of memory or had too many orphaned sockets.",
            guess: """
                The kernel may have dropped the connection because TCP was out of memory or had too many orphaned sockets.
                """,
            advice: """
                Compare "cat /proc/net/sockstat" with net.ipv4.tcp_mem and net.ipv4.tcp_max_orphans, and look at \
                TcpExtTCPAbortOnMemory in nstat: too many connections remain after close(), or their buffers are large.
                """,
            checks: [
                Check("cat /proc/net/sockstat", "TCP orphans, and TCP memory in pages"),
                Check("sysctl net.ipv4.tcp_mem net.ipv4.tcp_max_orphans", "the limits of both"),
                Check("nstat -az TcpExtTCPAbortOnMemory", "how often a limit was reached"),
            ],
            recognition: """
                tcp_send_active_reset called from tcp_out_of_resources; or from __tcp_close with an orphaned socket that \
                is not in FIN_WAIT2 with TCP_LINGER2 below zero
                """,
            basis: "tcp_out_of_resources(), tcp_check_oom()",
            reasons: ["TCP_ABORT_ON_MEMORY"], fixture: "too-many-orphans-v4",
            wire: { wire in
                guard wire.abortsItself, wire.own.fin != nil, !wire.finWasAcknowledged, !wire.bothEnded else {
                    return nil
                }
                return WireScore(.possible, "its FIN was never acknowledged: it may be one orphan too many")
            }
        ) {
            if $0.origin == .active, $0.calledFrom(.outOfResources) { return true }
            // TCP_LINGER2 is asked in FIN_WAIT2 only, memory in every state.
            guard $0.resetsFromClose, $0.dead == true, let linger2 = $0.linger2 else { return false }
            return linger2 >= 0 || $0.previousState.map { $0 != .finWait2 } == true
        }
    ]
}
