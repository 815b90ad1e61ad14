import Glibc
import Laboratory
import NetworkTypes

extension Scenarios {
    /// Sockets that another process destroyed: the running task is the killer, not the owner.
    static let admin: [Scenario] = [
        Scenario("socket-destroyed", "A process destroys another process's socket through sock_diag(7).") { lab in
            try destroyed(lab) { lab, tuple in
                let killer = try ActorProcess(in: lab.server, of: lab)
                try killer.request(
                    "destroy \(tuple.source) \(tuple.sourcePort) \(tuple.destination) \(tuple.destinationPort)")
                return killer.pid
            }
        },
        Scenario("socket-destroyed-ss", "The same with ss -K.", needs: [.command("ss")]) { lab in
            try destroyed(lab) { lab, tuple in
                try lab.server.command(
                    "ss", "-K", "-n", "-t", "src", "\(lab.serverEnd)", "dst",
                    "\(Endpoint(tuple.destination, tuple.destinationPort))")
                return nil
            }
        },
        Scenario(
            "bpf-sock-destroy", "A BPF program that iterates over the TCP sockets destroys them (bpf_sock_destroy).",
            needs: [.kernel(KernelVersion(6, 5)), .file("/sys/kernel/btf/vmlinux")]
        ) { lab in
            try destroyed(lab, "bpf-sock-destroy") { lab, _ in
                try lab.server.run { try SocketIterator.destroyAllTCP() }
                return lab.ownPID
            }
        },
    ]

    /// A process owns the connection; the closure has it destroyed and returns the killer, nil if its PID is not known.
    private static func destroyed(
        _ lab: Lab, _ cause: String = "socket-destroyed", _ kill: (Lab, FourTuple) throws -> Int32?
    ) throws -> [ExpectedReset] {
        let tap = try lab.server.tap()
        let (owner, client) = try accepted(lab)
        lab.keep(owner)
        let tuple = FourTuple(from: lab.serverEnd, to: try client.local())
        let killer = try kill(lab, tuple)
        do {
            try tap.awaitReset(tuple, milliseconds: 2000)
        } catch LabError.timeout {
            throw LabError.unsupported("this kernel does not destroy sockets (CONFIG_INET_DIAG_DESTROY)")
        }
        return [
            ExpectedReset(tuple, cause, at: lab.server) {
                $0.reason = "TCP_STATE"
                $0.state = .established
                $0.role = .killer
                $0.pid = killer
                $0.owner = owner.pid
            }
        ]
    }
}
