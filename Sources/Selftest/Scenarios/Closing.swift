import Glibc
import NetworkTypes

extension Scenarios {
    /// Resets that the application asked for by the way it closed.
    static let closing: [Scenario] = [
        Scenario("abort-on-close", "The server closes a connection with data that it has not read.") { lab in
            let tap = try lab.server.tap()
            let connection = try lab.connect()
            try connection.client.send(10)
            try connection.server.waitUntilReadable()
            connection.server.close()
            try tap.awaitReset(connection.fromServer)
            return [
                ExpectedReset(connection.fromServer, "abort-on-close", at: lab.server) {
                    $0.reason = "TCP_ABORT_ON_CLOSE"
                    $0.state = .established
                    $0.ownedBy(lab.ownPID, .close)
                }
            ]
        },
        byProcess("closed", "calls close()", .close),
        byProcess("exited", "exits", .exit),
        byProcess("killed", "is killed", .kill),
        Scenario("linger-zero", "The server sets SO_LINGER to 0 seconds and closes.") { lab in
            let tap = try lab.server.tap()
            let connection = try lab.connect()
            try connection.server.setLinger(seconds: 0)
            connection.server.close()
            try tap.awaitReset(connection.fromServer)
            return [
                ExpectedReset(connection.fromServer, "linger-zero", at: lab.server) {
                    $0.reason = "TCP_STATE"
                    $0.state = .established
                    $0.ownedBy(lab.ownPID, .close)
                }
            ]
        },
        Scenario(
            "listener-closed", "The server closes a listener with a connection in its queue that nobody accepted."
        ) { lab in
            let tap = try lab.server.tap()
            let listener = try lab.server.listen(Lab.port)
            let client = try lab.client.connect(to: lab.serverEnd)
            try listener.waitUntilReadable("connection in the queue")
            let tuple = FourTuple(from: lab.serverEnd, to: try client.local())
            listener.close()
            try tap.awaitReset(tuple)
            return [
                ExpectedReset(tuple, "listener-closed", at: lab.server) {
                    $0.reason = "TCP_STATE"
                    $0.state = .established
                    $0.ownedBy(lab.ownPID, .close)
                }
            ]
        },
        Scenario(
            "data-after-close",
            "Data arrives after the server closed and the client acknowledged it, while the socket waits in FIN_WAIT2."
        ) { lab in
            let tap = try lab.server.tap()
            // A FIN_WAIT2 of up to 60 seconds is left to a timewait socket, which resets for another cause.
            let connection = try lab.connect(prepareServer: { try $0.setTCP(TCP_LINGER2, 100) })
            connection.server.close()
            try connection.client.waitFor(.closeWait)
            try connection.client.send(10)
            try tap.awaitReset(connection.fromServer)
            return [
                ExpectedReset(connection.fromServer, "data-after-close", at: lab.server) {
                    $0.reason = "TCP_ABORT_ON_DATA"
                    $0.state = .finWait2
                    $0.ownedBy(lab.ownPID)
                    $0.processIsOptional = true
                }
            ]
        },
    ]

    /// A process of its own owns the connection, and ends it with data unread.
    private static func byProcess(_ id: String, _ what: String, _ ending: ExpectedReset.Ending) -> Scenario {
        Scenario("abort-on-close-\(id)", "A process \(what) with data on its connection that it has not read.") { lab in
            let tap = try lab.server.tap()
            let actor = try ActorProcess(in: lab.server, of: lab)
            try actor.listen(lab.serverEnd)
            let client = try lab.client.connect(to: lab.serverEnd)
            try actor.request("accept")
            try client.send(10)
            try actor.request("wait-readable")
            try actor.request("close-listener")
            switch ending {
            case .close: try actor.request("close")
            case .exit: try actor.send("exit")
            case .kill: actor.kill()
            }
            let tuple = FourTuple(from: lab.serverEnd, to: try client.local())
            try tap.awaitReset(tuple)
            return [
                ExpectedReset(tuple, "abort-on-close", at: lab.server) {
                    $0.reason = "TCP_ABORT_ON_CLOSE"
                    $0.state = .established
                    $0.ownedBy(actor.pid, ending)
                }
            ]
        }
    }
}

extension ExpectedReset {
    /// The process that owns the socket, and how it let go of it.
    mutating func ownedBy(_ pid: Int32, _ ending: Ending? = nil) {
        role = .owner
        self.pid = pid
        self.ending = ending
    }
}
