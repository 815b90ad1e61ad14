import Glibc
import Laboratory
import NetworkTypes

extension Scenarios {
    /// Resets during a handshake, and those of a listener that could not keep up.
    static let handshake: [Scenario] = [
        Scenario(
            "accept-queue-overflow",
            "The handshake's last ACK meets a full accept queue, and tcp_abort_on_overflow is 1. The kernel's reason is that of a bad SYN."
        ) { lab in
            try lab.server.sysctl("net.ipv4.tcp_abort_on_overflow", "1")
            let tap = try lab.server.tap()
            let overflow = try fillAcceptQueue(lab)
            try overflow.phantom.send(overflow.late.segment(.ack))
            try tap.awaitReset(overflow.late.fromRemote)
            try overflow.finish()
            return [
                ExpectedReset(overflow.late.fromRemote, "accept-queue-overflow", at: lab.server) {
                    $0.reason = "INVALID_SYN"
                    $0.atListener(of: lab.ownPID)
                }
            ]
        },
        Scenario(
            "accept-queue-overflow-late",
            "Without tcp_abort_on_overflow the ACK is dropped; the client considers the connection open, but the server forgets it, and the client's data is reset."
        ) { lab in
            try lab.server.sysctl("net.ipv4.tcp_synack_retries", "0")
            let tap = try lab.server.tap()
            var overflow = try fillAcceptQueue(lab)
            try overflow.late.send(.ack)
            // The request is forgotten when the time for its last SYN+ACK is over, a second here.
            try wait(for: "end of the connection request") {
                try lab.server.run { TCPCounters.openRequests(port: Lab.port) } == 0
            }
            try overflow.late.send([.psh, .ack], payload: 10)
            try tap.awaitReset(overflow.late.fromRemote)
            try overflow.finish()
            return [atListener(overflow.late.fromRemote, lab)]
        },
        Scenario("bad-syn-in-handshake", "A second SYN with another sequence number, inside the window of the first.") {
            lab in
            let tap = try lab.server.tap()
            let listener = try lab.server.listen(Lab.port)
            defer { listener.close() }
            var connection = try Phantom(in: lab).open(to: lab.serverEnd)
            connection.seq &+= 100
            try connection.send(.syn)
            try tap.awaitReset(connection.fromRemote)
            return [
                ExpectedReset(connection.fromRemote, "bad-syn-in-handshake", at: lab.server) {
                    $0.reason = "INVALID_SYN"
                    $0.atListener(of: lab.ownPID)
                }
            ]
        },
        Scenario(
            "bad-ack-in-handshake",
            "TCP Fast Open creates the socket at the SYN; then an ACK of data that was never sent ends it in SYN_RECV."
        ) { lab in
            // 0x2: enabled for servers; 0x200: without a cookie.
            try lab.server.sysctl("net.ipv4.tcp_fastopen", "\(0x202)")
            let tap = try lab.server.tap()
            let listener = try lab.server.listen(Lab.port) { try $0.setTCP(TCP_FASTOPEN, 16) }
            var connection = try openFast(lab)
            let accepted = try listener.accept()
            try accepted.waitFor(.synReceived)
            connection.ack &+= 1000
            try connection.send(.ack)
            try tap.awaitReset(connection.fromRemote)
            return [
                ExpectedReset(connection.fromRemote, "bad-ack-in-handshake", at: lab.server) {
                    $0.reason = "TCP_ACK_UNSENT_DATA"
                    $0.state = .synReceived
                    $0.ownedBy(lab.ownPID)
                    $0.processIsOptional = true
                }
            ]
        },
        Scenario(
            "bad-ack-simultaneous-open",
            "Both ends send a SYN at once; then an ACK of data that was never sent ends the socket in SYN_RECV."
        ) { lab in
            let tap = try lab.server.tap()
            let (connection, socket) = try answerConnect(lab) { connection in try connection.send(.syn) }
            defer { socket.close() }
            var bad = connection
            try socket.waitFor(.synReceived)
            bad.ack &+= 1000
            try bad.send(.ack)
            try tap.awaitReset(bad.fromRemote)
            return [badAck(bad.fromRemote, lab, .synReceived, reason: "TCP_ACK_UNSENT_DATA")]
        },
        Scenario("bad-ack-syn-sent", "A SYN+ACK acknowledges something other than the SYN that this host sent.") {
            lab in
            let tap = try lab.server.tap()
            let (connection, socket) = try answerConnect(lab) { connection in
                connection.ack &+= 1000
                try connection.send([.syn, .ack])
            }
            defer { socket.close() }
            try tap.awaitReset(connection.fromRemote)
            return [badAck(connection.fromRemote, lab, .synSent, reason: "TCP_INVALID_ACK_SEQUENCE")]
        },
        Scenario("bad-timestamp-syn-sent", "A SYN+ACK echoes a timestamp that this host never sent (PAWS).") { lab in
            let tap = try lab.server.tap()
            let (connection, socket) = try answerConnect(lab) { connection in
                try connection.send([.syn, .ack], options: [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 7])
            }
            defer { socket.close() }
            try tap.awaitReset(connection.fromRemote)
            return [badAck(connection.fromRemote, lab, .synSent, reason: "TCP_RFC7323_PAWS")]
        },
        Scenario(
            "half-open-port-reuse",
            "The client restarts and connects from the same port; the server, still connected, answers with an ACK, and the client resets. Its next SYN finds the port closed."
        ) { lab in
            let tap = try lab.client.tap()
            let old = try lab.connect()
            old.client.closeSilently()
            let new = try lab.client.socket()
            try new.bind(old.clientEnd)
            try new.startConnecting(to: old.serverEnd)
            try tap.awaitReset(old.fromClient)
            // The client repeats its SYN within milliseconds (tcp_rcv_synsent_state_process), older kernels in a second.
            try tap.awaitReset(old.fromServer)
            new.close()
            return [
                ExpectedReset(old.fromClient, "bad-ack-in-handshake", at: lab.client) {
                    $0.reason = "TCP_INVALID_ACK_SEQUENCE"
                    $0.state = .synSent
                    $0.ownedBy(lab.ownPID)
                    $0.processIsOptional = true
                },
                noSocket(old.fromServer, "closed-port", at: lab.server),
            ]
        },
        Scenario("syn-cookie-wrong", "With SYN cookies always on, an ACK carries a cookie that this host never issued.")
        {
            lab in
            try lab.server.sysctl("net.ipv4.tcp_syncookies", "2")
            let tap = try lab.server.tap()
            let listener = try lab.server.listen(Lab.port)
            defer { listener.close() }
            var connection = try Phantom(in: lab).open(to: lab.serverEnd)
            connection.ack &+= 123_457
            try connection.send(.ack)
            try tap.awaitReset(connection.fromRemote)
            return [atListener(connection.fromRemote, lab)]
        },
        Scenario(
            "bad-ack-at-request",
            "The handshake's last ACK has a wrong number: the kernel passes it to the listener, where it matches no connection."
        ) { lab in
            let tap = try lab.server.tap()
            let listener = try lab.server.listen(Lab.port)
            defer { listener.close() }
            var connection = try Phantom(in: lab).open(to: lab.serverEnd)
            connection.ack &+= 1000
            try connection.send(.ack)
            try tap.awaitReset(connection.fromRemote)
            return [atListener(connection.fromRemote, lab)]
        },
    ]

    /// A full accept queue, and one more handshake that lacks its last ACK.
    private struct Overflow {
        let listener: Socket
        let phantom: Phantom
        let queued: Int
        var late: PhantomConnection

        /// Accepts the queued connections, which would otherwise be reset with their listener.
        func finish() throws {
            for _ in 0..<queued { _ = try listener.accept() }
            listener.close()
        }
    }

    private static func fillAcceptQueue(_ lab: Lab) throws -> Overflow {
        // The queue takes one connection more than the backlog. A SYN is dropped when the queue is full or when that many
        // requests are waiting: so each handshake begins before the previous one is completed, but no earlier.
        let backlog = 3
        let listener = try lab.server.listen(Lab.port, backlog: Int32(backlog))
        let phantom = try Phantom(in: lab)
        var pending = try phantom.open(40000, to: lab.serverEnd)
        for index in 0...backlog {
            let next = try phantom.open(40001 + UInt16(index), to: lab.serverEnd)
            try pending.send(.ack)
            try wait(for: "connection in the queue") { try listener.queueLength() == index + 1 }
            pending = next
        }
        return Overflow(listener: listener, phantom: phantom, queued: backlog + 1, late: pending)
    }

    private static func openFast(_ lab: Lab) throws -> PhantomConnection {
        let phantom = try Phantom(in: lab)
        var connection = PhantomConnection(phantom: phantom, local: phantom.endpoint(40001), remote: lab.serverEnd)
        // An empty cookie (RFC 7413, section 4.1.1), and data.
        try connection.send(.syn, payload: 10, options: [34, 2])
        let answer = try connection.receive("SYN+ACK") { $0.flags.isSuperset(of: [.syn, .ack]) }
        connection.ack = answer.nextSeq
        connection.seq = answer.ack
        return connection
    }

    /// The server connects to the phantom, which answers its SYN as the closure says.
    private static func answerConnect(_ lab: Lab, _ answer: (inout PhantomConnection) throws -> Void) throws -> (
        PhantomConnection, Socket
    ) {
        let phantom = try Phantom(in: lab)
        let socket = try lab.server.socket()
        try socket.bind(lab.server.endpoint(40001))
        try socket.startConnecting(to: phantom.endpoint(Lab.port))
        var connection = PhantomConnection(
            phantom: phantom, local: phantom.endpoint(Lab.port), remote: lab.server.endpoint(40001))
        connection.ack = try connection.receive("SYN") { $0.flags == .syn || $0.flags.contains(.syn) }.nextSeq
        try answer(&connection)
        return (connection, socket)
    }

    private static func badAck(_ tuple: FourTuple, _ lab: Lab, _ state: TCPState, reason: String) -> ExpectedReset {
        ExpectedReset(tuple, "bad-ack-in-handshake", at: lab.server) {
            $0.reason = reason
            $0.state = state
            $0.ownedBy(lab.ownPID)
            $0.processIsOptional = true
        }
    }

    /// A segment with ACK that the listener gets because no other socket matches it.
    static func atListener(_ tuple: FourTuple, _ lab: Lab) -> ExpectedReset {
        ExpectedReset(tuple, "stale-connection-at-listener", at: lab.server) {
            $0.reason = "TCP_FLAGS"
            $0.atListener(of: lab.ownPID)
        }
    }
}

extension ExpectedReset {
    /// The socket is a listener; its owner may be named, but did not reset anything.
    mutating func atListener(of pid: Int32) {
        state = .listen
        ownedBy(pid)
        processIsOptional = true
    }
}
