import PcapReader

extension Catalogue {
    static let admin: [Rule] = [
        Rule(
            .socketDestroyed, .admin, [.mayEndCheck],
            meaning: "An administrator killed the socket (SOCK_DESTROY).",
            guess: "An administrator may have killed the socket (SOCK_DESTROY).",
            advice: """
                The report names the process that did it, which is not the one that owned the socket: "ss -K", or a \
                program that uses the same request (Android's netd, some service meshes).
                """,
            checks: [
                Check(
                    "auditctl -a always,exit -F arch=b64 -S execve -F path=$(command -v ss)",
                    "who calls ss from now on"
                ),
                Check("ausearch -sc execve -x ss", "who did since"),
            ],
            recognition: "tcp_abort < tcp_diag_destroy above tcp_send_active_reset",
            basis: "tcp_diag_destroy(), sock_diag(7)",
            reasons: ["TCP_STATE"], fixture: "socket-destroyed-v4",
            wire: { wire in
                guard wire.abortsItself, wire.silenceIsShort, !wire.usesMultipath, !wire.dataIsUnseen,
                    wire.own.fin == nil
                else { return nil }
                if wire.peerSentData {
                    // Between two exchanges, when neither end waited for the other.
                    guard wire.isUnprovoked, wire.wasAnswered || wire.answeredLastData, wire.peer.fin == nil,
                        wire.hasSocketsHeader, !wire.opensWindow, !wire.peer.windowIsZero
                    else { return nil }
                    return WireScore(
                        52, "everything was answered, and nothing prompted it: somebody may have killed the socket")
                }
                return WireScore(
                    wire.isPrompt ? 35 : 45,
                    "nothing that the other end did prompted it: somebody may have killed the socket")
            }
        ) { $0.origin == .active && $0.calledFrom([.abort, .diagDestroy]) },
        Rule(
            .bpfSockDestroy, .admin,
            meaning: "A BPF program destroyed the socket (bpf_sock_destroy).",
            guess: "A BPF program may have destroyed the socket (bpf_sock_destroy).",
            advice:
                "Find the program with \"bpftool prog\" and \"bpftool link\": a CNI that moves connections off a backend, for one.",
            checks: [
                Check("bpftool prog", "the programs that are loaded"), Check("bpftool link", "and who attached them"),
            ],
            recognition: "tcp_abort < BPF program < bpf_iter_run_prog above tcp_send_active_reset",
            basis: "bpf_sock_destroy()",
            reasons: ["TCP_STATE"], fixture: "bpf-sock-destroy-v4"
        ) {
            $0.origin == .active && $0.calledFrom([.abort, .bpfProgram]) && $0.callersLack([.diagDestroy, .smc])
        },
    ]
}
