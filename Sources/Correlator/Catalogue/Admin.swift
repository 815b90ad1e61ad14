import PcapReader

extension Catalogue {
    static let admin: [Rule] = [
        Rule(
            .socketDestroyed, .admin, [.mayEndCheck],
            meaning: "An administrator killed the socket (SOCK_DESTROY).",
            guess: "An administrator may have killed the socket (SOCK_DESTROY).",
            advice: """
                The report names the process that destroyed the socket, not the one that owned it: "ss -K", or a \
                program that makes the same request (Android's netd, some service meshes).
                """,
            checks: [
                Check(
                    "auditctl -a always,exit -F arch=b64 -S execve -F path=$(command -v ss)",
                    "who calls ss from now on"
                ),
                Check("ausearch -sc execve -x ss", "who has called it since"),
            ],
            recognition: "tcp_send_active_reset < tcp_abort < tcp_diag_destroy",
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
                        .better,
                        "everything was answered, and nothing prompted the RST: somebody may have killed the socket"
                    )
                }
                return WireScore(
                    wire.isPrompt ? .possible : .doubtful,
                    "nothing that the other end did prompted the RST: somebody may have killed the socket")
            }
        ) { $0.origin == .active && $0.calledFrom([.abort, .diagDestroy]) },
        Rule(
            .bpfSockDestroy, .admin,
            meaning: "A BPF program destroyed the socket (bpf_sock_destroy).",
            guess: "A BPF program may have destroyed the socket (bpf_sock_destroy).",
            advice: """
                Find the program with "bpftool prog" and "bpftool link"; it may be, for example, a CNI plugin that moves \
                connections off a backend.
                """,
            checks: [
                Check("bpftool prog", "the loaded programs"),
                Check("bpftool link", "what they are attached to, and by which process"),
            ],
            recognition: "tcp_send_active_reset < tcp_abort < BPF program < bpf_iter_run_prog",
            basis: "bpf_sock_destroy()",
            reasons: ["TCP_STATE"], fixture: "bpf-sock-destroy-v4"
        ) {
            $0.origin == .active && $0.calledFrom([.abort, .bpfProgram]) && $0.callersLack([.diagDestroy, .smc])
        },
    ]
}
