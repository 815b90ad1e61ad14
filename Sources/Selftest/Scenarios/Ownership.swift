import Glibc
import Laboratory
import NetworkTypes

extension Scenarios {
    /// Who owned the socket, where the process that created or inherited it no longer has it, or is older than the recorder.
    static let ownership: [Scenario] = [
        Scenario(
            "keepalive-preforked",
            "A child accepts from its parent's listener, and the keepalive expires: the connection is the child's.",
            ipVersions: [.v4]
        ) { lab in
            let tap = try lab.server.tap()
            let (child, client, listener) = try acceptedByChild(lab)
            try child.request("keepalive")
            try lab.silence(lab.client.address, for: lab.server)
            let tuple = FourTuple(from: lab.serverEnd, to: try client.local())
            try tap.awaitReset(tuple)
            listener.close()
            return [keepalive(tuple, lab, child)]
        },
        Scenario(
            "data-after-close-preforked",
            "A child accepts from its parent's listener and closes, then data arrives: the connection was the child's."
        ) { lab in
            let tap = try lab.server.tap()
            let (child, client, listener) = try acceptedByChild(lab)
            try child.request("wait-long")
            try child.request("close")
            try client.waitUntilReadable()
            try client.send(10)
            let tuple = FourTuple(from: lab.serverEnd, to: try client.local())
            try tap.awaitReset(tuple)
            listener.close()
            return [
                ExpectedReset(tuple, "data-after-close", at: lab.server) {
                    $0.reason = "TCP_ABORT_ON_DATA"
                    $0.state = .finWait2
                    $0.ownedBy(child.pid)
                }
            ]
        },
        Scenario(
            "socket-destroyed-preforked",
            "A process destroys a socket that a child has accepted from its parent's listener: three processes, one owner."
        ) { lab in
            let tap = try lab.server.tap()
            let (child, client, listener) = try acceptedByChild(lab)
            let killer = try ActorProcess(in: lab.server, of: lab)
            let tuple = FourTuple(from: lab.serverEnd, to: try client.local())
            try killer.request(
                "destroy \(tuple.source) \(tuple.sourcePort) \(tuple.destination) \(tuple.destinationPort)")
            do {
                try tap.awaitReset(tuple, milliseconds: 2000)
            } catch LabError.timeout {
                throw LabError.unsupported("this kernel does not destroy sockets (CONFIG_INET_DIAG_DESTROY)")
            }
            listener.close()
            return [
                ExpectedReset(tuple, "socket-destroyed", at: lab.server) {
                    $0.reason = "TCP_STATE"
                    $0.state = .established
                    $0.role = .killer
                    $0.pid = killer.pid
                    $0.owner = child.pid
                }
            ]
        },
        Scenario(
            "keepalive-older",
            "The keepalive of a connection that is older than the recorder expires.", ipVersions: [.v4],
            before: { lab in
                let (server, client) = try accepted(lab)
                try server.request("keepalive")
                return PreparedSockets(server: server, client: client)
            }
        ) { lab in
            guard let older = lab.prepared, let client = older.client else { return [] }
            let tap = try lab.server.tap()
            try lab.silence(lab.client.address, for: lab.server)
            let tuple = FourTuple(from: lab.serverEnd, to: try client.local())
            try tap.awaitReset(tuple)
            return [keepalive(tuple, lab, older.server)]
        },
        Scenario(
            "listener-killed-older",
            "A listener is older than the recorder, but a connection in its queue is not; the process is killed before it accepts.",
            before: listener
        ) { lab in
            guard let older = lab.prepared else { return [] }
            let tap = try lab.server.tap()
            let client = try lab.client.connect(to: lab.serverEnd)
            try older.server.request("wait-listener")
            older.server.kill()
            let tuple = FourTuple(from: lab.serverEnd, to: try client.local())
            try tap.awaitReset(tuple)
            return [
                ExpectedReset(tuple, "listener-closed", at: lab.server) {
                    $0.reason = "TCP_STATE"
                    $0.state = .established
                    $0.ownedBy(older.server.pid, .kill)
                }
            ]
        },
        Scenario("closed-port-after-listener", "A client connects to a port whose listener has just been closed.") {
            lab in
            let server = try ActorProcess(in: lab.server, of: lab)
            try server.listen(lab.serverEnd)
            return [try refusedAfter(server, lab)]
        },
        Scenario(
            "closed-port-after-older-listener", "The same with a listener that is older than the recorder.",
            before: listener
        ) { lab in
            guard let older = lab.prepared else { return [] }
            return [try refusedAfter(older.server, lab)]
        },
        Scenario(
            "closed-port-other-address", "A client connects to a port on which a process listens, but only on lo."
        ) { lab in
            let server = try ActorProcess(in: lab.server, of: lab)
            let loopback = lab.ipVersion == .v4 ? IPAddress(ipv4: 0x7f00_0001) : IPAddress(high: 0, low: 1)
            try server.listen(Endpoint(loopback, Lab.port))
            var reset = try refused(lab)
            reset.fact =
                "selftest-actor (pid \(server.pid)) called listen() on this port, and its socket is there, but for another"
            return [reset]
        },
        Scenario(
            "abort-on-close-cgroup", "A process in a cgroup of its own closes with unread data.", ipVersions: [.v4]
        ) { lab in
            let cgroup = try ControlGroup(named: "rst-analyze-selftest-\(getpid())")
            let tap = try lab.server.tap()
            let server = try ActorProcess(in: lab.server, of: lab)
            try cgroup.add(server.pid)
            try server.listen(lab.serverEnd)
            let client = try lab.client.connect(to: lab.serverEnd)
            try server.request("accept")
            try client.send(10)
            try server.request("wait-readable")
            try server.request("close")
            let tuple = FourTuple(from: lab.serverEnd, to: try client.local())
            try tap.awaitReset(tuple)
            try cgroup.remove(server.pid)
            return [
                ExpectedReset(tuple, "abort-on-close", at: lab.server) {
                    $0.reason = "TCP_ABORT_ON_CLOSE"
                    $0.state = .established
                    $0.ownedBy(server.pid, .close)
                    $0.cgroup = cgroup.path
                }
            ]
        },
    ]

    @Sendable private static func listener(_ lab: Lab) throws -> PreparedSockets {
        let server = try ActorProcess(in: lab.server, of: lab)
        try server.listen(lab.serverEnd)
        return PreparedSockets(server: server)
    }

    private static func acceptedByChild(
        _ lab: Lab
    ) throws -> (child: ActorProcess, client: Socket, listener: Socket) {
        let listener = try lab.server.listen(Lab.port)
        let child = try ActorProcess(in: lab.server, of: lab, listener: listener)
        lab.keep(child)
        let client = try lab.client.connect(to: lab.serverEnd)
        try child.request("accept")
        return (child, client, listener)
    }

    private static func keepalive(_ tuple: FourTuple, _ lab: Lab, _ owner: ActorProcess) -> ExpectedReset {
        ExpectedReset(tuple, "keepalive-timeout", at: lab.server) {
            $0.reason = "TCP_KEEPALIVE_TIMEOUT"
            $0.state = .established
            $0.ownedBy(owner.pid)
        }
    }

    private static func refused(_ lab: Lab) throws -> ExpectedReset {
        let tap = try lab.server.tap()
        let socket = try lab.client.socket()
        let source = lab.client.endpoint(40001)
        try socket.bind(source)
        try socket.expectRefusal(of: lab.serverEnd)
        let tuple = FourTuple(from: lab.serverEnd, to: source)
        try tap.awaitReset(tuple)
        return ExpectedReset(tuple, "closed-port", at: lab.server) { $0.withoutSocket() }
    }

    private static func refusedAfter(_ server: ActorProcess, _ lab: Lab) throws -> ExpectedReset {
        try server.request("close-listener")
        var reset = try refused(lab)
        reset.fact = "selftest-actor (pid \(server.pid)) listened on this port until "
        return reset
    }
}
