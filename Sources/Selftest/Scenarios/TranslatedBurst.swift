import Glibc
import Laboratory
import NetworkTypes

extension Scenarios {
    /// Provokes this many resets of mixed causes, from both ends, across a bridge and a masquerading router.
    ///
    /// - Parameter count: at most 20,000. Each reset has two four-tuples, before and after the translation.
    public static func translatedBurst(count: Int) -> Scenario {
        Scenario(
            "masqueraded-burst", "\(count) resets of mixed causes across a bridge and a masquerading router.",
            on: .masqueraded, needs: [.command("nft")]
        ) { lab in
            let router = lab.router!
            let family = lab.ipVersion == .v4 ? "ip" : "ip6"
            let inside = lab.client.endpoint(Lab.closedPort)
            try router.nft(
                """
                table \(family) lab {
                    chain hide { type nat hook postrouting priority 100; oifname "eth1" masquerade; }
                    chain publish {
                        type nat hook prerouting priority -100; iifname "eth1" tcp dport 8080 dnat to \(inside);
                    }
                }
                """)
            let listener = try lab.server.listen(Lab.port, backlog: 64)
            defer { listener.close() }
            return try (0..<min(count, 20_000)).map { index in
                let port = UInt16(20_000 + index)
                return switch index % 6 {
                case 0, 1: try closedBehind(lab, listener, port, lingering: index % 6 == 1)
                case 2, 3: try closedOutside(lab, listener, port, lingering: index % 6 == 3)
                case 4: try refusedOutside(lab, port)
                default: try refusedBehind(lab, inside, port)
                }
            }
        }
    }

    /// The client behind the router closes with unread data, or with SO_LINGER zero.
    private static func closedBehind(
        _ lab: Lab, _ listener: Socket, _ port: UInt16, lingering: Bool
    ) throws -> ExpectedReset {
        let (client, server) = try connect(lab, listener, port)
        let tuple = FourTuple(from: try client.local(), to: lab.serverEnd)
        let translated = FourTuple(from: try server.remote(), to: lab.serverEnd)
        try end(client, peer: server, lingering: lingering)
        return closed(tuple, translated, at: lab.client, lingering, lab)
    }

    /// The server outside closes in the same way.
    private static func closedOutside(
        _ lab: Lab, _ listener: Socket, _ port: UInt16, lingering: Bool
    ) throws -> ExpectedReset {
        let (client, server) = try connect(lab, listener, port)
        let tuple = FourTuple(from: lab.serverEnd, to: try server.remote())
        let translated = FourTuple(from: lab.serverEnd, to: try client.local())
        try end(server, peer: client, lingering: lingering)
        return closed(tuple, translated, at: lab.server, lingering, lab)
    }

    private static func connect(
        _ lab: Lab, _ listener: Socket, _ port: UInt16
    ) throws -> (client: Socket, server: Socket) {
        let client = try lab.client.connect(to: lab.serverEnd) { try $0.bind(lab.client.endpoint(port)) }
        return (client, try listener.accept())
    }

    private static func end(_ socket: Socket, peer: Socket, lingering: Bool) throws {
        if lingering {
            try socket.setLinger(seconds: 0)
        } else {
            try peer.send(10)
            try socket.waitUntilReadable()
        }
        socket.close()
        // Whoever looks at all open files (the recorder) may be the last to let go of it, and send the RST later. The other end
        // goes silently with its last use: a RST that finds nobody has no receiver.
        try wait(for: "the other end") { try peer.state() == .close }
    }

    private static func closed(
        _ tuple: FourTuple, _ translated: FourTuple, at node: Node, _ lingering: Bool, _ lab: Lab
    ) -> ExpectedReset {
        ExpectedReset(tuple, lingering ? "linger-zero" : "abort-on-close", at: node) {
            $0.reason = lingering ? "TCP_STATE" : "TCP_ABORT_ON_CLOSE"
            $0.state = .established
            $0.ownedBy(lab.ownPID, .close)
            $0.alsoSeenAs = [translated]
        }
    }

    /// The client behind the router connects to a closed port outside.
    private static func refusedOutside(_ lab: Lab, _ port: UInt16) throws -> ExpectedReset {
        let socket = try lab.client.socket()
        let source = lab.client.endpoint(port)
        let target = lab.server.endpoint(Lab.closedPort)
        try socket.bind(source)
        try socket.expectRefusal(of: target)
        // Masquerading keeps the port if no other connection uses it.
        let tuple = FourTuple(from: target, to: lab.router!.endpoint(port))
        return ExpectedReset(tuple, "closed-port", at: lab.server) {
            $0.withoutSocket()
            $0.alsoSeenAs = [FourTuple(from: target, to: source)]
        }
    }

    /// A client outside connects to a port of the router that leads to a closed one inside.
    private static func refusedBehind(_ lab: Lab, _ inside: Endpoint, _ port: UInt16) throws -> ExpectedReset {
        let socket = try lab.server.socket()
        let source = lab.server.endpoint(port)
        let published = lab.router!.endpoint(8080)
        try socket.bind(source)
        try socket.expectRefusal(of: published)
        return ExpectedReset(FourTuple(from: inside, to: source), "closed-port", at: lab.client) {
            $0.withoutSocket()
            $0.alsoSeenAs = [FourTuple(from: published, to: source)]
        }
    }
}
