import Glibc
import Laboratory
import NetworkTypes

extension Scenarios {
    /// Resets that the application, here this process, caused by the way it closed.
    static let closing: [Scenario] = [
        Scenario("abort-on-close", "The server closes a connection with data that it has not read.") {
            [try abortOnClose($0)]
        },
        Scenario(
            "abort-on-close-loopback",
            "The same over lo, where the call path of the RST continues into its delivery to the client.", on: .loopback
        ) {
            [try abortOnClose($0)]
        },
        Scenario(
            "abort-on-close-mapped", "The same for an AF_INET6 socket that speaks IPv4 (mapped address).",
            ipVersions: [.v4]
        ) { lab in
            let listener = try lab.server.run { try Socket(family: AF_INET6) }
            try listener.set(Int32(IPPROTO_IPV6), IPV6_V6ONLY, 0)
            try listener.bind(Endpoint(IPAddress(high: 0, low: 0), Lab.port))
            try listener.listen()
            return [try abortOnClose(lab, listener)]
        },
        Scenario(
            "abort-on-close-after-fin", "The client has sent data and its FIN; the server closes without reading."
        ) { lab in
            let tap = try lab.server.tap()
            let connection = try lab.connect()
            try connection.client.send(10)
            try connection.client.shutdown(SHUT_WR)
            try connection.server.waitFor(.closeWait)
            connection.server.close()
            try tap.awaitReset(connection.fromServer)
            return [
                closed(connection.fromServer, "abort-on-close", lab, "TCP_ABORT_ON_CLOSE", state: .closeWait)
            ]
        },
        Scenario(
            "abort-on-close-deferred",
            "The last reference to the socket is in a UNIX socket that no process has: a kernel thread collects it."
        ) { lab in
            let tap = try lab.server.tap()
            let connection = try lab.connect()
            try connection.client.send(10)
            try connection.server.waitUntilReadable()
            try connection.server.abandonInFlight()
            try tap.awaitReset(connection.fromServer)
            return [
                ExpectedReset(connection.fromServer, "abort-on-close", at: lab.server) {
                    $0.reason = "TCP_ABORT_ON_CLOSE"
                    $0.state = .established
                    $0.ownedBy(lab.ownPID)
                    $0.processIsOptional = true
                }
            ]
        },
        Scenario(
            "abort-on-close-waiting",
            "The route has a next hop whose link address is not known yet: the RST waits, and leaves when the address is set."
        ) { lab in
            let tap = try lab.client.tap()
            let connection = try lab.connect()
            try connection.client.send(10)
            try connection.server.waitUntilReadable()
            let hop = lab.plan.address(lab.ipVersion, link: 0, host: 9)
            let device = lab.server.interfaces[0]
            try lab.server.command("ip", "route", "add", "\(lab.client.address)", "via", "\(hop)", "dev", device)
            connection.server.close()
            usleep(300_000)
            // ip(8) also accepts bytes of one digit.
            let address = try lab.client.hardwareAddress().map { String($0, radix: 16) }.joined(separator: ":")
            try lab.server.command(
                "ip", "neigh", "replace", "\(hop)", "lladdr", address, "dev", device, "nud", "permanent")
            try tap.awaitReset(connection.fromServer)
            return [
                ExpectedReset(connection.fromServer, "abort-on-close", at: lab.server) {
                    $0.reason = "TCP_ABORT_ON_CLOSE"
                    $0.state = .established
                    $0.ownedBy(lab.ownPID, .close)
                    $0.fact = "the link address of the next hop was known"
                }
            ]
        },
        Scenario("linger-zero", "The server sets SO_LINGER to 0 seconds and closes.") {
            [try lingerZero($0)]
        },
        Scenario("linger-zero-routed", "The same beyond a router: one RST on four interfaces.", on: .routed) {
            [try lingerZero($0)]
        },
        Scenario("disconnect", "The server disconnects its socket with connect(AF_UNSPEC) and keeps it.") {
            lab in
            let tap = try lab.server.tap()
            let connection = try lab.connect()
            try connection.server.disconnect()
            try tap.awaitReset(connection.fromServer)
            return [closed(connection.fromServer, "disconnect", lab, "TCP_STATE", ending: nil)]
        },
        Scenario(
            "listener-closed", "The server closes a listener with a connection in its queue that was not accepted."
        ) {
            try listenerClosed($0, .close) { $0.close() }
        },
        Scenario("listener-shutdown", "The same with shutdown(SHUT_RD): the listener stays open.") {
            try listenerClosed($0, nil) { try $0.shutdown(SHUT_RD) }
        },
        Scenario(
            "linger2-expired",
            "TCP_LINGER2 is negative: close() resets a connection whose FIN is acknowledged instead of leaving it to wait."
        ) { lab in
            let tap = try lab.server.tap()
            let connection = try lab.connect(prepareServer: { try $0.setTCP(TCP_LINGER2, -1) })
            try connection.server.shutdown(SHUT_WR)
            try connection.server.waitFor(.finWait2)
            connection.server.close()
            try tap.awaitReset(connection.fromServer)
            return [closed(connection.fromServer, "linger2-expired", lab, "TCP_ABORT_ON_LINGER", state: .finWait2)]
        },
    ]

    static func closed(
        _ tuple: FourTuple, _ cause: String, _ lab: Lab, _ reason: String, state: TCPState = .established,
        ending: ExpectedReset.Ending? = .close
    ) -> ExpectedReset {
        ExpectedReset(tuple, cause, at: lab.server) {
            $0.reason = reason
            $0.state = state
            $0.ownedBy(lab.ownPID, ending)
        }
    }

    private static func abortOnClose(_ lab: Lab, _ listener: Socket? = nil) throws -> ExpectedReset {
        let tap = try lab.server.tap()
        let connection = try lab.connect(to: listener)
        try connection.client.send(10)
        try connection.server.waitUntilReadable()
        connection.server.close()
        try tap.awaitReset(connection.fromServer)
        return closed(connection.fromServer, "abort-on-close", lab, "TCP_ABORT_ON_CLOSE")
    }

    private static func lingerZero(_ lab: Lab) throws -> ExpectedReset {
        let tap = try lab.server.tap()
        let connection = try lab.connect()
        try connection.server.setLinger(seconds: 0)
        connection.server.close()
        try tap.awaitReset(connection.fromServer)
        return closed(connection.fromServer, "linger-zero", lab, "TCP_STATE")
    }

    private static func listenerClosed(
        _ lab: Lab, _ ending: ExpectedReset.Ending?, _ end: (Socket) throws -> Void
    ) throws -> [ExpectedReset] {
        let tap = try lab.server.tap()
        let listener = try lab.server.listen(Lab.port)
        let client = try lab.client.connect(to: lab.serverEnd)
        try listener.waitUntilReadable("connection in the queue")
        let tuple = FourTuple(from: lab.serverEnd, to: try client.local())
        try end(listener)
        try tap.awaitReset(tuple)
        return [closed(tuple, "listener-closed", lab, "TCP_STATE", ending: ending)]
    }
}

extension ExpectedReset {
    /// The process that owns the socket, and how it released it.
    mutating func ownedBy(_ pid: Int32, _ ending: Ending? = nil) {
        role = .owner
        self.pid = pid
        self.ending = ending
    }
}
