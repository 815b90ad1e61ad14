import Glibc
import Laboratory
import NetworkTypes

extension Scenarios {
    /// Segments that arrive after this end has closed, or shut down its receiving side.
    static let afterClose: [Scenario] = [
        Scenario(
            "data-after-close",
            "Data arrives after the server closed and the client acknowledged it, while the socket waits in FIN_WAIT2."
        ) { lab in
            let tap = try lab.server.tap()
            let connection = try lab.connect(prepareServer: waitLong)
            connection.server.close()
            try connection.client.waitFor(.closeWait)
            try connection.client.send(10)
            try tap.awaitReset(connection.fromServer)
            return [afterEnd(connection.fromServer, "data-after-close", lab, .finWait2)]
        },
        Scenario(
            "data-after-close-fin-wait1", "Data crosses the server's FIN: the socket is orphaned, in FIN_WAIT1."
        ) { lab in
            let (tap, socket, connection) = try phantomConnection(lab)
            var peer = connection
            socket.close()
            _ = try peer.receive("FIN") { $0.flags.contains(.fin) }
            try peer.send([.psh, .ack], payload: 10)
            try tap.awaitReset(peer.fromRemote)
            return [afterEnd(peer.fromRemote, "data-after-close", lab, .finWait1)]
        },
        Scenario(
            "data-after-shutdown",
            "Data arrives after the server called shutdown(SHUT_RDWR); the process still has the socket."
        ) { lab in
            let tap = try lab.server.tap()
            let connection = try lab.connect()
            try connection.server.shutdown(SHUT_RDWR)
            try connection.client.waitFor(.closeWait)
            try connection.client.send(10)
            try tap.awaitReset(connection.fromServer)
            return [afterEnd(connection.fromServer, "data-after-shutdown", lab, .finWait2)]
        },
        Scenario("data-after-shutdown-rd", "The same for SHUT_WR, and SHUT_RD later.") { lab in
            let tap = try lab.server.tap()
            let connection = try lab.connect()
            try connection.server.shutdown(SHUT_WR)
            try connection.client.waitFor(.closeWait)
            try connection.server.shutdown(SHUT_RD)
            try connection.client.send(10)
            try tap.awaitReset(connection.fromServer)
            return [afterEnd(connection.fromServer, "data-after-shutdown", lab, .finWait2)]
        },
        Scenario(
            "linger2-expired-fin-wait1",
            "TCP_LINGER2 is negative: after close() the bare ACK of the FIN ends the connection with a RST."
        ) { lab in
            let (tap, socket, connection) = try phantomConnection(lab)
            var peer = connection
            try socket.setTCP(TCP_LINGER2, -1)
            socket.close()
            try peer.receiveFIN()
            try peer.send(.ack)
            try tap.awaitReset(peer.fromRemote)
            // The ACK moves the socket on before the kernel looks at TCP_LINGER2.
            return [afterEnd(peer.fromRemote, "linger2-expired", lab, .finWait2)]
        },
        Scenario(
            "fin-wait2-timeout",
            "The peer acknowledges the FIN of a closed connection with a segment that carries an old FIN, and never ends its side."
        ) { lab in
            let (tap, socket, connection) = try phantomConnection(lab)
            var peer = connection
            try peer.send([.psh, .ack], payload: 10)
            try socket.receive(10)
            try socket.setTCP(TCP_LINGER2, 1)
            socket.close()
            try peer.receiveFIN()
            // A FIN within what was already received: tcp_rcv_state_process then keeps the whole socket in FIN_WAIT2, with
            // a timer, instead of replacing it by a timewait socket.
            peer.seq &-= 1
            try peer.send([.fin, .ack])
            try tap.awaitReset(peer.fromRemote)
            return [
                ExpectedReset(peer.fromRemote, "fin-wait2-timeout", at: lab.server) {
                    $0.reason = "TCP_STATE"
                    $0.state = .finWait2
                    $0.ownedBy(lab.ownPID)
                    $0.processIsOptional = true
                }
            ]
        },
    ]

    /// A FIN_WAIT2 of up to 60 seconds is left to a timewait socket, whose resets have another cause.
    private static func waitLong(_ socket: Socket) throws { try socket.setTCP(TCP_LINGER2, 100) }

    private static func afterEnd(_ tuple: FourTuple, _ cause: String, _ lab: Lab, _ state: TCPState) -> ExpectedReset {
        ExpectedReset(tuple, cause, at: lab.server) {
            $0.reason = "TCP_ABORT_ON_DATA"
            $0.state = state
            $0.ownedBy(lab.ownPID)
            $0.processIsOptional = true
        }
    }

    /// A phantom connected to a socket of the server.
    private static func phantomConnection(_ lab: Lab) throws -> (PacketTap, Socket, PhantomConnection) {
        let tap = try lab.server.tap()
        let listener = try lab.server.listen(Lab.port)
        let connection = try Phantom(in: lab).connect(to: lab.serverEnd)
        let socket = try listener.accept()
        listener.close()
        return (tap, socket, connection)
    }
}
