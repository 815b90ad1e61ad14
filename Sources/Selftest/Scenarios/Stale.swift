import Glibc
import Laboratory
import NetworkTypes

extension Scenarios {
    /// Segments of connections that the kernel does not know, or no longer knows.
    static let stale: [Scenario] = [
        Scenario(
            "stale-connection",
            "Data arrives for a connection whose other end has silently vanished, as after a reboot; nobody listens any more."
        ) { lab in
            let tap = try lab.server.tap()
            let connection = try lab.connect()
            connection.server.closeSilently()
            try connection.client.send(10)
            try tap.awaitReset(connection.fromServer)
            return [closedBySelf(connection.fromServer, "stale-connection", lab, at: lab.server)]
        },
        Scenario("stale-connection-fin", "The same when the client's next segment is its FIN: a late close.") { lab in
            let tap = try lab.server.tap()
            let connection = try lab.connect()
            connection.server.closeSilently()
            try connection.client.shutdown(SHUT_WR)
            try tap.awaitReset(connection.fromServer)
            return [closedBySelf(connection.fromServer, "stale-connection", lab, at: lab.server)]
        },
        Scenario(
            "stale-connection-at-listener",
            "The same while the server listens on that port again: the listener gets a segment that matches no connection."
        ) { lab in
            let tap = try lab.server.tap()
            let listener = try lab.server.listen(Lab.port)
            let connection = try lab.connect(to: listener)
            connection.server.closeSilently()
            try connection.client.send(10)
            try tap.awaitReset(connection.fromServer)
            var answer = atListener(connection.fromServer, lab)
            answer.closedBy(lab.ownPID, "close")
            return [answer]
        },
        Scenario(
            "stale-connection-signed",
            "The same with TCP MD5 signatures, as BGP uses them: the RST is signed, and so has options."
        ) { lab in
            let tap = try lab.server.tap()
            let listener = try lab.server.listen(Lab.port) { try $0.setSignature(for: lab.client.address) }
            let connection = try lab.connect(
                to: listener, prepareClient: { try $0.setSignature(for: lab.server.address) })
            connection.server.closeSilently()
            try connection.client.send(10)
            let reset = try tap.awaitReset(connection.fromServer)
            guard !reset.options.isEmpty else { throw LabError.unsupported("this kernel does not sign resets") }
            var answer = atListener(connection.fromServer, lab)
            answer.closedBy(lab.ownPID, "close")
            return [answer]
        },
        Scenario(
            "time-wait-answered",
            "An old segment meets a real TIME_WAIT, which acknowledges it; the other end, gone, resets that ACK."
        ) { lab in
            let tap = try lab.client.tap()
            let connection = try lab.connect()
            try connection.server.shutdown(SHUT_WR)
            try connection.client.receive(10)
            connection.server.close()
            // The last ACK of an orderly close: the client is done, the server waits.
            connection.client.close()
            let last = try tap.next("last ACK") { $0.tuple == connection.fromServer && $0.flags == .ack }
            try wait(for: "end of the client's socket") { try isGone(connection.clientEnd, on: lab.client) }
            var old = RawSegment(
                from: connection.clientEnd, to: connection.serverEnd, [.psh, .ack], seq: last.ack &- 11, ack: last.seq)
            old.payload = [UInt8](repeating: 0, count: 10)
            try tap.send(old.packet, to: try lab.server.hardwareAddress())
            try tap.awaitReset(connection.fromClient)
            return [closedBySelf(connection.fromClient, "stale-connection", lab, at: lab.client)]
        },
        Scenario(
            "abandoned-connect", "The server cancels connect(); then the SYN+ACK arrives.", provoke: abandonedConnect),
        Scenario("unexpected-syn-ack", "An unsolicited SYN+ACK arrives: backscatter of a spoofed SYN.") { lab in
            try strayAnswer(lab, [.syn, .ack], "unexpected-syn-ack")
        },
        Scenario("stray-fin", "A scan with only FIN set.") { try strayAnswer($0, .fin, "stray-segment") },
        Scenario("stray-null", "A scan with no flags at all.") { try strayAnswer($0, [], "stray-segment") },
        Scenario("stray-xmas", "A scan with FIN, PSH and URG.") {
            try strayAnswer($0, [.fin, .psh, .urg], "stray-segment")
        },
        Scenario("ack-scan", "A scan with only ACK set looks like a connection that is gone.") {
            try strayAnswer($0, .ack, "stale-connection")
        },
        Scenario("ack-scan-at-listener", "The same on a port where somebody listens.") { lab in
            let tap = try lab.server.tap()
            let listener = try lab.server.listen(Lab.port)
            defer { listener.close() }
            let phantom = try Phantom(in: lab)
            let segment = RawSegment(from: phantom.endpoint(40001), to: lab.serverEnd, .ack, seq: 1, ack: 77)
            try phantom.send(segment)
            try tap.awaitReset(segment.tuple.reversed)
            return [atListener(segment.tuple.reversed, lab)]
        },
        Scenario(
            "data-after-full-close",
            "The server closed and its FIN was acknowledged; only a timewait socket (FIN_WAIT2) is left to meet the data."
        ) { lab in
            let tap = try lab.server.tap()
            let connection = try lab.connect()
            connection.server.close()
            try connection.client.waitFor(.closeWait)
            try wait(for: "timewait socket") { try isGone(connection.serverEnd, on: lab.server) }
            try connection.client.send(10)
            try tap.awaitReset(connection.fromServer)
            return [
                ExpectedReset(connection.fromServer, "data-after-full-close", at: lab.server) {
                    $0.withoutSocket(reason: "TCP_TIMEWAIT_SOCKET")
                    $0.state = .timeWait
                    $0.closedBy(lab.ownPID, "close")
                }
            ]
        },
    ]

    /// What this process had closed.
    private static func closedBySelf(
        _ tuple: FourTuple, _ cause: String, _ lab: Lab, at node: Node
    ) -> ExpectedReset {
        ExpectedReset(tuple, cause, at: node) {
            $0.withoutSocket()
            $0.closedBy(lab.ownPID, "close")
        }
    }

    static func noSocket(_ tuple: FourTuple, _ cause: String, at node: Node) -> ExpectedReset {
        ExpectedReset(tuple, cause, at: node) { $0.withoutSocket() }
    }

    /// No full socket has that local end; a request or a timewait socket may.
    private static func isGone(_ local: Endpoint, on node: Node) throws -> Bool {
        try node.run { TCPCounters.fullSockets(port: local.port) } == 0
    }

    /// A segment without a connection, to a port on which nobody listens.
    private static func strayAnswer(_ lab: Lab, _ flags: TCPFlags, _ cause: String) throws -> [ExpectedReset] {
        let tap = try lab.server.tap()
        let phantom = try Phantom(in: lab)
        let segment = RawSegment(
            from: phantom.endpoint(40001), to: lab.server.endpoint(Lab.closedPort), flags, seq: 1,
            ack: flags.contains(.ack) ? 77 : 0)
        try phantom.send(segment)
        try tap.awaitReset(segment.tuple.reversed)
        return [noSocket(segment.tuple.reversed, cause, at: lab.server)]
    }

    private static func abandonedConnect(_ lab: Lab) throws -> [ExpectedReset] {
        let tap = try lab.server.tap()
        let phantom = try Phantom(in: lab)
        let socket = try lab.server.socket()
        try socket.bind(lab.server.endpoint(40001))
        try socket.startConnecting(to: phantom.endpoint(Lab.port))
        var connection = PhantomConnection(
            phantom: phantom, local: phantom.endpoint(Lab.port), remote: lab.server.endpoint(40001))
        connection.ack = try connection.receive("SYN") { $0.flags.contains(.syn) }.nextSeq
        // In SYN_SENT close() sends nothing.
        socket.close()
        try connection.send([.syn, .ack])
        try tap.awaitReset(connection.fromRemote)
        return [closedBySelf(connection.fromRemote, "unexpected-syn-ack", lab, at: lab.server)]
    }
}

extension ExpectedReset {
    /// Up to 6.9 tcp_send_reset reports only full sockets: for an answer without one, neither socket nor trigger is known.
    mutating func withoutSocket(reason: String = "NO_SOCKET") {
        self.reason = reason
        provenSince = KernelVersion(6, 10)
    }

    /// The process that had ended the connection, and how.
    mutating func closedBy(_ pid: Int32, _ how: String, adjust: (inout ConnectionEnd) -> Void = { _ in }) {
        role = .closer
        self.pid = pid
        end = ConnectionEnd(how) {
            $0.pid = pid
            adjust(&$0)
        }
    }
}
