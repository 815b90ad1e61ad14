import NetworkTypes

extension Catalogue {
    static let pressure: [Rule] = [
        Rule(
            .abortOnMemory, .pressure,
            meaning: "The kernel dropped the connection because TCP ran out of memory or of room for orphans.",
            guess: "The kernel may have dropped the connection because TCP ran out of memory or of orphaned sockets.",
            advice: """
                Look at "cat /proc/net/sockstat" against net.ipv4.tcp_mem and net.ipv4.tcp_max_orphans, and at \
                TcpExtTCPAbortOnMemory in nstat: too many connections wait after close(), or their buffers are large.
                """,
            checks: [
                Check("cat /proc/net/sockstat", "orphans and memory (pages) of TCP"),
                Check("sysctl net.ipv4.tcp_mem net.ipv4.tcp_max_orphans", "their limits"),
                Check("nstat -az TcpExtTCPAbortOnMemory", "how often they were reached"),
            ],
            recognition: """
                tcp_out_of_resources above tcp_send_active_reset; or __tcp_close with an orphaned socket, and not \
                TCP_LINGER2 below zero in FIN_WAIT2
                """,
            basis: "tcp_out_of_resources(), tcp_check_oom()",
            reasons: ["TCP_ABORT_ON_MEMORY"], fixture: "too-many-orphans-v4",
            wire: { wire in
                guard wire.abortsItself, wire.own.fin != nil, !wire.finWasAcknowledged, !wire.bothEnded else {
                    return nil
                }
                return WireScore(40, "its FIN was never acknowledged: it may be one orphan too many")
            }
        ) {
            if $0.origin == .active, $0.calledFrom(.outOfResources) { return true }
            // TCP_LINGER2 is asked in FIN_WAIT2 only, memory in every state.
            guard $0.resetsFromClose, $0.dead == true, let linger2 = $0.linger2 else { return false }
            return linger2 >= 0 || $0.previousState.map { $0 != .finWait2 } == true
        }
    ]
}
