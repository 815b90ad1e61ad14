import Glibc
import Laboratory
import NetworkTypes

extension Scenarios {
    /// Resets and address translation: the same RST has two four-tuples, or one that its peer does not know.
    static let translated: [Scenario] = [
        Scenario(
            "masqueraded", "A client behind a masquerading router aborts: outside, the RST comes from the router.",
            on: .masqueraded, needs: [.command("nft")]
        ) { lab in
            let tap = try lab.client.tap()
            let outside = try lab.server.tap()
            let listener = try masquerade(lab)
            let client = try lab.client.connect(to: lab.serverEnd)
            let server = try listener.accept()
            listener.close()
            try server.send(10)
            try client.waitUntilReadable()
            let tuple = FourTuple(from: try client.local(), to: lab.serverEnd)
            let translated = FourTuple(from: try server.remote(), to: lab.serverEnd)
            client.close()
            try tap.awaitReset(tuple)
            try outside.awaitReset(translated)
            return [
                ExpectedReset(tuple, "abort-on-close", at: lab.client) {
                    $0.reason = "TCP_ABORT_ON_CLOSE"
                    $0.state = .established
                    $0.ownedBy(lab.ownPID, .close)
                    $0.alsoSeenAs = [translated]
                }
            ]
        },
        Scenario(
            "published-port-closed",
            "A port of the router is translated (DNAT) to one inside that is closed: outside, the router refuses.",
            on: .masqueraded, needs: [.command("nft")]
        ) { lab in
            let router = lab.router!
            let family = lab.ipVersion == .v4 ? "ip" : "ip6"
            let inside = lab.client.endpoint(Lab.closedPort)
            try router.nft(
                """
                table \(family) lab {
                    chain publish {
                        type nat hook prerouting priority -100; iifname "eth1" tcp dport 8080 dnat to \(inside);
                    }
                }
                """)
            let tap = try lab.client.tap()
            let outside = try lab.server.tap()
            let socket = try lab.server.socket()
            let source = lab.server.endpoint(40001)
            let published = router.endpoint(8080)
            try socket.bind(source)
            try socket.expectRefusal(of: published)
            let tuple = FourTuple(from: inside, to: source)
            let translated = FourTuple(from: published, to: source)
            try tap.awaitReset(tuple)
            try outside.awaitReset(translated)
            return [
                ExpectedReset(tuple, "closed-port", at: lab.client) {
                    $0.withoutSocket()
                    $0.alsoSeenAs = [translated]
                }
            ]
        },
        Scenario(
            "conntrack-invalid",
            "conntrack calls a segment of the server INVALID and does not translate it back: the router itself answers, and kills the connection.",
            on: .masqueraded, needs: [.command("nft")]
        ) { lab in
            let watch = try lab.router!.tap()
            let outside = try lab.server.tap()
            let listener = try masquerade(lab)
            let client = try lab.client.connect(to: lab.serverEnd)
            let server = try listener.accept()
            listener.close()
            let translated = try server.remote()
            let last = try outside.next("end of the handshake") {
                $0.source == translated && $0.flags == .ack
            }
            // Far outside of every window, but with an ACK that makes the answering RST fit the server's.
            var stray = RawSegment(
                from: lab.serverEnd, to: translated, [.psh, .ack], seq: last.ack &+ 0x4000_0000, ack: last.seq)
            stray.payload = [1, 2, 3]
            try outside.send(stray.packet, to: lab.router!.hardwareAddress("eth1"))
            let tuple = FourTuple(from: translated, to: lab.serverEnd)
            try watch.awaitReset(tuple)
            try server.waitFor(.close)
            _ = client
            return [noSocket(tuple, "stale-connection", at: lab.router!)]
        },
    ]

    /// Masquerades what the router sends to the server, and returns a listener there.
    private static func masquerade(_ lab: Lab) throws -> Socket {
        let family = lab.ipVersion == .v4 ? "ip" : "ip6"
        try lab.router!.nft(
            """
            table \(family) lab {
                chain hide { type nat hook postrouting priority 100; oifname "eth1" masquerade; }
            }
            """)
        return try lab.server.listen(Lab.port)
    }
}
