import Glibc
import Laboratory
import NetworkTypes

extension Scenarios {
    /// Which process did it: sockets in separate processes, while others run at the same time.
    static let byProcesses: [Scenario] = [
        abortOnClose("closed", "calls close()", .close),
        abortOnClose("exited", "exits", .exit),
        abortOnClose("killed", "is killed", .kill),
        Scenario(
            "abort-on-close-thread",
            "A thread with a name of its own closes: the report names the process after its main thread."
        ) {
            lab in
            let tap = try lab.server.tap()
            let (actor, client) = try accepted(lab)
            lab.keep(actor)
            try client.send(10)
            try actor.request("wait-readable")
            try actor.request("close-in-thread")
            let tuple = FourTuple(from: lab.serverEnd, to: try client.local())
            try tap.awaitReset(tuple)
            var reset = owned(tuple, "abort-on-close", lab, actor, "TCP_ABORT_ON_CLOSE", .close)
            reset.comm = "selftest-actor"
            reset.thread = "selftest-thread"
            return [reset]
        },
        Scenario(
            "abort-on-close-exec",
            "A process executes another program, which closes its socket: the report uses the name it had before."
        ) { lab in
            let tap = try lab.server.tap()
            let (actor, client) = try accepted(lab)
            lab.keep(actor)
            try client.send(10)
            try actor.request("wait-readable")
            try actor.send("exec")
            let tuple = FourTuple(from: lab.serverEnd, to: try client.local())
            try tap.awaitReset(tuple)
            var reset = owned(tuple, "abort-on-close", lab, actor, "TCP_ABORT_ON_CLOSE", .close)
            reset.ending = nil
            reset.comm = "selftest-actor"
            return [reset]
        },
        Scenario("linger-zero-exited", "A process that has set SO_LINGER to 0 seconds exits.") { lab in
            let tap = try lab.server.tap()
            let (actor, client) = try accepted(lab)
            try actor.request("linger-zero")
            try actor.send("exit")
            let tuple = FourTuple(from: lab.serverEnd, to: try client.local())
            try tap.awaitReset(tuple)
            return [owned(tuple, "linger-zero", lab, actor, "TCP_STATE", .exit)]
        },
        Scenario(
            "abort-on-close-preforked",
            "A child accepts from its parent's listener, and is killed: the connection was the child's."
        ) { lab in
            let tap = try lab.server.tap()
            let listener = try lab.server.listen(Lab.port)
            let actor = try ActorProcess(in: lab.server, of: lab, listener: listener)
            let client = try lab.client.connect(to: lab.serverEnd)
            try actor.request("accept")
            try client.send(10)
            try actor.request("wait-readable")
            actor.kill()
            let tuple = FourTuple(from: lab.serverEnd, to: try client.local())
            try tap.awaitReset(tuple)
            listener.close()
            return [owned(tuple, "abort-on-close", lab, actor, "TCP_ABORT_ON_CLOSE", .kill)]
        },
        Scenario("listener-killed", "A process is killed with a connection in the queue of its listener.") { lab in
            let tap = try lab.server.tap()
            let actor = try ActorProcess(in: lab.server, of: lab)
            try actor.listen(lab.serverEnd)
            let client = try lab.client.connect(to: lab.serverEnd)
            try actor.request("wait-listener")
            actor.kill()
            let tuple = FourTuple(from: lab.serverEnd, to: try client.local())
            try tap.awaitReset(tuple)
            return [owned(tuple, "listener-closed", lab, actor, "TCP_STATE", .kill)]
        },
        Scenario(
            "closed-port-by-process",
            "A process connects over lo to a closed port: the kernel answers while that process runs, but the process did not reset.",
            on: .loopback
        ) { lab in
            let tap = try lab.server.tap()
            let actor = try ActorProcess(in: lab.client, of: lab)
            let target = lab.server.endpoint(Lab.closedPort)
            try actor.request("refused \(target.address) \(target.port)")
            let reset = try tap.next("RST") { $0.flags.contains(.rst) && $0.source == target }
            return [
                ExpectedReset(reset.tuple, "closed-port", at: lab.server) {
                    $0.withoutSocket()
                    $0.bystanders = [actor.pid]
                }
            ]
        },
        Scenario(
            "data-after-close-by-process",
            "One process closed; the RST is sent while the other one, which sends the data, is running.", on: .loopback
        ) { lab in
            let tap = try lab.server.tap()
            let server = try ActorProcess(in: lab.server, of: lab)
            let client = try ActorProcess(in: lab.client, of: lab)
            try server.listen(lab.serverEnd)
            let clientEnd = try client.connect(to: lab.serverEnd)
            try server.request("accept")
            try server.request("wait-long")
            try server.request("close")
            try client.request("wait-readable")
            try client.request("send")
            let tuple = FourTuple(from: lab.serverEnd, to: clientEnd)
            try tap.awaitReset(tuple)
            return [
                ExpectedReset(tuple, "data-after-close", at: lab.server) {
                    $0.reason = "TCP_ABORT_ON_DATA"
                    $0.state = .finWait2
                    $0.ownedBy(server.pid)
                    $0.processIsOptional = true
                    $0.bystanders = [client.pid]
                }
            ]
        },
        Scenario(
            "keepalive-bystander",
            "A keepalive timer expires on a machine whose processors are busy with other processes.", ipVersions: [.v4]
        ) { lab in
            let tap = try lab.server.tap()
            let connection = try lab.connect(prepareServer: { try $0.startKeepalive(count: 1) })
            let busy = try (0..<2).map { _ in try lab.startBystander() }
            try lab.silence(lab.client.address, for: lab.server)
            try tap.awaitReset(connection.fromServer)
            return [
                ExpectedReset(connection.fromServer, "keepalive-timeout", at: lab.server) {
                    $0.reason = "TCP_KEEPALIVE_TIMEOUT"
                    $0.state = .established
                    $0.ownedBy(lab.ownPID)
                    $0.processIsOptional = true
                    $0.bystanders = busy.map(\.pid)
                }
            ]
        },
    ]

    /// An actor that has accepted a connection from the client and closed its listener.
    static func accepted(_ lab: Lab) throws -> (ActorProcess, Socket) {
        let actor = try ActorProcess(in: lab.server, of: lab)
        try actor.listen(lab.serverEnd)
        let client = try lab.client.connect(to: lab.serverEnd)
        try actor.request("accept")
        try actor.request("close-listener")
        return (actor, client)
    }

    private static func owned(
        _ tuple: FourTuple, _ cause: String, _ lab: Lab, _ actor: ActorProcess, _ reason: String,
        _ ending: ExpectedReset.Ending
    ) -> ExpectedReset {
        ExpectedReset(tuple, cause, at: lab.server) {
            $0.reason = reason
            $0.state = .established
            $0.ownedBy(actor.pid, ending)
        }
    }

    /// A separate process owns the connection, and ends it with data unread.
    private static func abortOnClose(_ id: String, _ what: String, _ ending: ExpectedReset.Ending) -> Scenario {
        Scenario("abort-on-close-\(id)", "A process \(what) with unread data on its connection.") { lab in
            let tap = try lab.server.tap()
            let (actor, client) = try accepted(lab)
            try client.send(10)
            try actor.request("wait-readable")
            switch ending {
            case .close: try actor.request("close")
            case .exit: try actor.send("exit")
            case .kill: actor.kill()
            }
            let tuple = FourTuple(from: lab.serverEnd, to: try client.local())
            try tap.awaitReset(tuple)
            var reset = owned(tuple, "abort-on-close", lab, actor, "TCP_ABORT_ON_CLOSE", ending)
            switch ending {
            case .close: reset.sentence = "closed the socket"
            case .exit: reset.sentence = "The process exited while its socket held received data"
            case .kill: reset.sentence = "The process was killed by SIGKILL while its socket held received data"
            }
            return [reset]
        }
    }
}
