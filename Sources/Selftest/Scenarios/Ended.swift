import Glibc
import Laboratory
import NetworkTypes

extension Scenarios {
    /// Segments of connections that this host once had, and how those had ended.
    static let ended: [Scenario] = [
        Scenario(
            "close-before-time-wait",
            "A server closes an idle connection; the next request meets TIME_WAIT: which process had closed it?"
        ) { lab in
            let tap = try lab.server.tap()
            let (server, client) = try exchanged(lab)
            try idle()
            try server.request("close")
            try client.waitFor(.closeWait)
            try wait(for: "timewait socket") { try lab.server.run { TCPCounters.fullSockets(port: Lab.port) } == 0 }
            try idle()
            try client.send(10)
            let tuple = FourTuple(from: lab.serverEnd, to: try client.local())
            try tap.awaitReset(tuple)
            return [
                ExpectedReset(tuple, "data-after-full-close", at: lab.server) {
                    $0.withoutSocket(reason: "TCP_TIMEWAIT_SOCKET")
                    $0.state = .timeWait
                    $0.closedBy(server.pid, "close", adjust: afterIdling)
                }
            ]
        },
        Scenario(
            "close-before-fin-wait2", "The same where the whole socket waits in FIN_WAIT2 (TCP_LINGER2 of 100 s)."
        ) { lab in
            let tap = try lab.server.tap()
            let (server, client) = try exchanged(lab)
            try server.request("wait-long")
            try idle()
            try server.request("close")
            try client.waitFor(.closeWait)
            try idle()
            try client.send(10)
            let tuple = FourTuple(from: lab.serverEnd, to: try client.local())
            try tap.awaitReset(tuple)
            return [
                ExpectedReset(tuple, "data-after-close", at: lab.server) {
                    $0.reason = "TCP_ABORT_ON_DATA"
                    $0.state = .finWait2
                    $0.ownedBy(server.pid)
                    $0.end = ExpectedReset.ConnectionEnd("close") {
                        $0.pid = server.pid
                        afterIdling(&$0)
                    }
                }
            ]
        },
        Scenario(
            "killed-before-time-wait", "A process that had read everything is killed; the next request meets TIME_WAIT."
        ) { lab in
            let tap = try lab.server.tap()
            let (server, client) = try exchanged(lab)
            server.kill()
            try client.waitFor(.closeWait)
            try wait(for: "timewait socket") { try lab.server.run { TCPCounters.fullSockets(port: Lab.port) } == 0 }
            try client.send(10)
            let tuple = FourTuple(from: lab.serverEnd, to: try client.local())
            try tap.awaitReset(tuple)
            return [
                ExpectedReset(tuple, "data-after-full-close", at: lab.server) {
                    $0.withoutSocket(reason: "TCP_TIMEWAIT_SOCKET")
                    $0.state = .timeWait
                    $0.closedBy(server.pid, "killed") {
                        $0.comm = actorName
                        $0.signal = UInt8(SIGKILL)
                    }
                }
            ]
        },
        Scenario(
            "stale-after-close",
            "The client closed first, then the server (LAST_ACK); then more data arrives with the old sequence numbers."
        ) { lab in
            let tap = try lab.server.tap()
            let server = try ActorProcess(in: lab.server, of: lab)
            try server.listen(lab.serverEnd)
            var peer = try Phantom(in: lab).connect(to: lab.serverEnd)
            try server.request("accept")
            try server.request("close-listener")
            try peer.send([.fin, .ack])
            try server.request("wait-readable")
            try server.request("close")
            try peer.receiveFIN()
            try peer.send(.ack)
            try wait(for: "end of the socket") { try lab.server.run { TCPCounters.fullSockets(port: Lab.port) } == 0 }
            try peer.send([.psh, .ack], payload: 10)
            try tap.awaitReset(peer.fromRemote)
            return [
                ExpectedReset(peer.fromRemote, "stale-connection", at: lab.server) {
                    $0.withoutSocket()
                    $0.closedBy(server.pid, "close") { $0.comm = actorName }
                }
            ]
        },
        Scenario(
            "stale-after-reset",
            "The client resets the connection; a segment that it had sent earlier arrives after that."
        ) { lab in
            let tap = try lab.server.tap()
            let (server, client) = try exchanged(lab)
            lab.keep(server)
            let clientEnd = try client.local()
            try client.setLinger(seconds: 0)
            client.close()
            let fromServer = FourTuple(from: lab.serverEnd, to: clientEnd)
            let reset = try tap.awaitReset(fromServer.reversed)
            try late(after: reset.seq, acknowledging: reset.ack, from: clientEnd, lab)
            try tap.awaitReset(fromServer)
            return [
                ExpectedReset(fromServer.reversed, "linger-zero", at: lab.client) {
                    $0.reason = "TCP_STATE"
                    $0.state = .established
                    $0.ownedBy(lab.ownPID, .close)
                },
                ExpectedReset(fromServer, "stale-connection", at: lab.server) {
                    $0.withoutSocket()
                    $0.role = .owner
                    $0.pid = server.pid
                    $0.end = ExpectedReset.ConnectionEnd("reset") {
                        $0.owner = server.pid
                        $0.errno = UInt16(ECONNRESET)
                    }
                },
            ]
        },
        Scenario(
            "stale-after-kill", "A process destroys another process's socket (ss -K); then a late segment arrives."
        ) { lab in
            let tap = try lab.server.tap()
            let (owner, client) = try exchanged(lab)
            lab.keep(owner)
            let clientEnd = try client.local()
            let tuple = FourTuple(from: lab.serverEnd, to: clientEnd)
            let killer = try ActorProcess(in: lab.server, of: lab)
            try killer.request(
                "destroy \(tuple.source) \(tuple.sourcePort) \(tuple.destination) \(tuple.destinationPort)")
            let reset: RawSegment
            do {
                reset = try tap.awaitReset(tuple, milliseconds: 2000)
            } catch LabError.timeout {
                throw LabError.unsupported("this kernel does not destroy sockets (CONFIG_INET_DIAG_DESTROY)")
            }
            try late(after: reset.ack, acknowledging: reset.seq, from: clientEnd, lab)
            try tap.awaitReset(tuple)
            return [
                ExpectedReset(tuple, "socket-destroyed", at: lab.server) {
                    $0.reason = "TCP_STATE"
                    $0.state = .established
                    $0.role = .killer
                    $0.pid = killer.pid
                    $0.owner = owner.pid
                },
                ExpectedReset(tuple, "stale-connection", at: lab.server) {
                    $0.withoutSocket()
                    $0.role = .killer
                    $0.pid = killer.pid
                    $0.owner = owner.pid
                    $0.end = ExpectedReset.ConnectionEnd("destroyed") {
                        $0.pid = killer.pid
                        $0.owner = owner.pid
                    }
                },
            ]
        },
    ]

    private static let actorName = "selftest-actor"
    /// How long the connections are idle, milliseconds.
    private static let silence: UInt32 = 300

    private static func idle() throws { usleep(silence * 1000) }

    @Sendable private static func afterIdling(_ end: inout ExpectedReset.ConnectionEnd) {
        end.comm = actorName
        end.leastIdle = Int64(silence)
        end.leastAge = UInt64(silence)
    }

    /// A client's connection to a process, after data was exchanged in both directions and read completely.
    private static func exchanged(_ lab: Lab) throws -> (server: ActorProcess, client: Socket) {
        let (server, client) = try accepted(lab)
        try client.send(10)
        try server.request("receive")
        try server.request("send")
        try client.receive(10)
        return (server, client)
    }

    /// A segment with 10 bytes from the client, delayed in the network.
    private static func late(
        after seq: UInt32, acknowledging ack: UInt32, from clientEnd: Endpoint, _ lab: Lab
    ) throws {
        var segment = RawSegment(from: clientEnd, to: lab.serverEnd, [.psh, .ack], seq: seq, ack: ack)
        segment.payload = [UInt8](repeating: UInt8(ascii: "x"), count: 10)
        try lab.client.tap().send(segment.packet, to: try lab.server.hardwareAddress())
    }
}
