import Glibc
import Laboratory
import NetworkTypes

extension Scenarios {
    /// Where resets come to: which process had the connection, and what it got from its own system call.
    static let receiving: [Scenario] = [
        Scenario("received-in-call", "A RST comes to a process that waits in recv().") { lab in
            let (client, clientEnd, server, tap) = try connected(lab)
            try client.send("error-of-read")
            usleep(100_000)
            let reset = try lingerZero(server, to: clientEnd, lab, tap)
            let errno = try number(client.answer(to: "error-of-read"))
            return [received(reset, client.pid, .established, errno) { $0.waiting = "call" }]
        },
        Scenario("received-later", "A RST comes to a process that does something else, and reads afterwards.") { lab in
            let (client, clientEnd, server, tap) = try connected(lab)
            let reset = try lingerZero(server, to: clientEnd, lab, tap)
            let errno = try number(client.request("error-of-read"))
            return [received(reset, client.pid, .established, errno) { $0.waiting = "none" }]
        },
        Scenario("received-refused", "A RST comes to a process that waits in connect().") { lab in
            let tap = try lab.server.tap()
            let client = try ActorProcess(in: lab.client, of: lab)
            lab.keep(client)
            let target = lab.server.endpoint(Lab.closedPort)
            let errno = try number(client.request("error-of-connect \(target.address) \(target.port)"))
            let segment = try tap.next("RST") { $0.flags.contains(.rst) && $0.source == target }
            let reset = ExpectedReset(segment.tuple, "closed-port", at: lab.server) { $0.withoutSocket() }
            return [received(reset, client.pid, .synSent, errno) { $0.waiting = "call" }]
        },
        Scenario(
            "received-after-fin",
            "The server has sent its FIN when it resets: the client may still read, and not write."
        ) { lab in
            let (client, clientEnd, server, tap) = try connected(lab)
            try server.shutdown(SHUT_WR)
            try client.request("wait-readable")
            try server.waitFor(.finWait2)
            let reset = try lingerZero(server, to: clientEnd, lab, tap) { $0.state = .finWait2 }
            let errno = try number(client.request("error-of-write"))
            return [received(reset, client.pid, .closeWait, errno)]
        },
        Scenario("received-after-exit", "A RST comes for a process that has exited: no program learns of it.") { lab in
            let (client, clientEnd, server, tap) = try connected(lab)
            // Its FIN is lost, so the connection stays in FIN_WAIT1.
            try lab.silence(lab.server.address, for: lab.client)
            try client.send("exit")
            try wait(for: "its socket in FIN_WAIT1") {
                try lab.client.run { TCPTable.sockets(port: clientEnd.port) }.contains {
                    $0.local == clientEnd && $0.state == .finWait1
                }
            }
            let reset = try lingerZero(server, to: clientEnd, lab, tap)
            return [received(reset, client.pid, .finWait1, nil)]
        },
        Scenario("received-preforked", "A RST comes to a child that accepted from the listener of its parent.") { lab in
            let tap = try lab.client.tap()
            let listener = try lab.server.listen(Lab.port)
            let child = try ActorProcess(in: lab.server, of: lab, listener: listener)
            lab.keep(child)
            let client = try lab.client.connect(to: lab.serverEnd)
            let clientEnd = try client.local()
            try child.request("accept")
            try client.setLinger(seconds: 0)
            client.close()
            let tuple = FourTuple(from: clientEnd, to: lab.serverEnd)
            try tap.awaitReset(tuple)
            let errno = try number(child.request("error-of-read"))
            listener.close()
            let reset = ExpectedReset(tuple, "linger-zero", at: lab.client) {
                $0.reason = "TCP_STATE"
                $0.state = .established
                $0.ownedBy(lab.ownPID, .close)
            }
            return [received(reset, child.pid, .established, errno)]
        },
        Scenario("received-with-data", "A RST comes while bytes of both ends are under way.") { lab in
            let (client, clientEnd, server, tap) = try connected(lab)
            try server.send(7)
            try client.request("wait-readable")
            try lab.silence(lab.server.address, for: lab.client)
            try client.request("send")
            let reset = try lingerZero(server, to: clientEnd, lab, tap)
            // What came before is still to be read.
            let errno = try number(client.request("error-of-write"))
            return [
                received(reset, client.pid, .established, errno) {
                    $0.unacknowledged = 10
                    $0.unread = 7
                }
            ]
        },
        Scenario(
            "received-from-unrecorded", "The RST of a peer whose host is not recorded comes to a process."
        ) { lab in
            let watch = try lab.server.tap()
            let server = try ActorProcess(in: lab.server, of: lab)
            lab.keep(server)
            try server.listen(lab.serverEnd)
            let connection = try Phantom(in: lab).connect(to: lab.serverEnd)
            try server.request("accept")
            try connection.phantom.send(connection.segment(.rst), hidden: true)
            try watch.awaitReset(connection.fromLocal)
            let errno = try number(server.request("error-of-read"))
            let reset = ExpectedReset(connection.fromLocal, "received", at: lab.client) { $0.outcome = .wireOnly }
            return [received(reset, server.pid, .established, errno)]
        },
        Scenario(
            "reset-ignored",
            "Two RSTs have no effect: one is out of window, one is in it and has not the expected number (RFC 5961)."
        ) { lab in
            let watch = try lab.server.tap()
            let listener = try lab.server.listen(Lab.port)
            let connection = try Phantom(in: lab).connect(to: lab.serverEnd)
            let socket = try listener.accept()
            let fates: [(distance: UInt32, reasons: [String])] = [
                // Until 6.18 and since.
                (1 << 30, ["TCP_INVALID_SEQUENCE", "TCP_OVERWINDOW"]), (100, ["TCP_RESET"]),
            ]
            let resets = try fates.map { distance, reasons in
                var segment = connection.segment(.rst)
                segment.seq &+= distance
                try connection.phantom.send(segment, hidden: true)
                try watch.awaitReset(connection.fromLocal)
                return ignored(connection, lab, ExpectedReset.Ignored(reasons, pid: lab.ownPID))
            }
            guard try socket.state() == .established else { throw LabError.timeout("a connection that goes on") }
            return resets
        },
        Scenario("reset-to-listener", "A RST comes to a port that a process listens on, and to one that nobody does.") {
            lab in
            let watch = try lab.server.tap()
            let listener = try lab.server.listen(Lab.port)
            defer { listener.close() }
            let phantom = try Phantom(in: lab)
            let fates = [
                (Lab.port, ExpectedReset.Ignored(["TCP_RESET"], pid: lab.ownPID)),
                (Lab.closedPort, ExpectedReset.Ignored(["NO_SOCKET"])),
            ]
            return try fates.map { port, fate in
                let connection = PhantomConnection(
                    phantom: phantom, local: phantom.endpoint(40001), remote: lab.server.endpoint(port))
                try phantom.send(connection.segment(.rst), hidden: true)
                try watch.awaitReset(connection.fromLocal)
                return ignored(connection, lab, fate)
            }
        },
    ]

    private static func ignored(
        _ connection: PhantomConnection, _ lab: Lab, _ fate: ExpectedReset.Ignored
    ) -> ExpectedReset {
        ExpectedReset(connection.fromLocal, "received", at: lab.client) {
            $0.outcome = .wireOnly
            $0.ignored = fate
        }
    }

    /// A process of its own on the client, connected to a socket of this process on the server.
    private static func connected(
        _ lab: Lab
    ) throws -> (client: ActorProcess, clientEnd: Endpoint, server: Socket, tap: PacketTap) {
        let tap = try lab.server.tap()
        let listener = try lab.server.listen(Lab.port)
        let client = try ActorProcess(in: lab.client, of: lab)
        lab.keep(client)
        let clientEnd = try client.connect(to: lab.serverEnd)
        let server = try listener.accept()
        listener.close()
        return (client, clientEnd, server, tap)
    }

    private static func lingerZero(
        _ server: Socket, to client: Endpoint, _ lab: Lab, _ tap: PacketTap,
        adjust: (inout ExpectedReset) -> Void = { _ in }
    ) throws -> ExpectedReset {
        let tuple = FourTuple(from: lab.serverEnd, to: client)
        try server.setLinger(seconds: 0)
        server.close()
        try tap.awaitReset(tuple)
        var reset = ExpectedReset(tuple, "linger-zero", at: lab.server) {
            $0.reason = "TCP_STATE"
            $0.state = .established
            $0.ownedBy(lab.ownPID, .close)
        }
        adjust(&reset)
        return reset
    }

    private static func received(
        _ reset: ExpectedReset, _ pid: Int32, _ state: TCPState, _ errno: Int32?,
        adjust: (inout ExpectedReset.Receiver) -> Void = { _ in }
    ) -> ExpectedReset {
        var reset = reset
        reset.receiver = ExpectedReset.Receiver(pid, state, errno: errno, adjust: adjust)
        return reset
    }

    private static func number(_ words: [Substring]) throws -> Int32 {
        guard words.count == 1, let number = Int32(words[0]) else { throw LabError.actor("no number") }
        return number
    }
}
