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
            "A port of the router is translated (DNAT) to a closed one inside: outside, the router refuses.",
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
            "conntrack finds a segment from the server INVALID and does not translate it back: the router itself answers, which kills the connection.",
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
            // Far outside every window, but with an ACK that makes the answering RST fit the server's.
            var stray = RawSegment(
                from: lab.serverEnd, to: translated, [.psh, .ack], seq: last.ack &+ 0x4000_0000, ack: last.seq)
            stray.payload = [1, 2, 3]
            try outside.send(stray.packet, to: lab.router!.hardwareAddress("eth1"))
            let tuple = FourTuple(from: translated, to: lab.serverEnd)
            try watch.awaitReset(tuple)
            try server.waitFor(.close)
            let inside = try client.local()
            return [
                ExpectedReset(tuple, "stale-connection", at: lab.router!) {
                    $0.withoutSocket()
                    $0.fact = "to netfilter it was INVALID"
                    $0.words = "did not pass it on to \(inside)"
                    // Older kernels had removed the entry already (ip6_protocol_deliver_rcu()).
                    $0.factSince = lab.ipVersion == .v6 ? KernelVersion(6, 4) : nil
                }
            ]
        },
        Scenario(
            "conntrack-untracked",
            "A rule exempts what the server sends from conntrack: it is not translated back, and the router itself answers it.",
            on: .masqueraded, needs: [.command("nft")]
        ) { lab in
            let watch = try lab.router!.tap()
            let listener = try masquerade(lab)
            let client = try lab.client.connect(to: lab.serverEnd)
            let server = try listener.accept()
            listener.close()
            let translated = try server.remote()
            let family = lab.ipVersion == .v4 ? "ip" : "ip6"
            try lab.router!.nft(
                """
                table \(family) exempt {
                    chain raw { type filter hook prerouting priority -300; tcp sport \(Lab.port) notrack; }
                }
                """)
            try server.send(3)
            let tuple = FourTuple(from: translated, to: lab.serverEnd)
            try watch.awaitReset(tuple)
            try server.waitFor(.close)
            let inside = try client.local()
            return [
                ExpectedReset(tuple, "stale-connection", at: lab.router!) {
                    $0.withoutSocket()
                    $0.fact = "exempted the segment from conntrack"
                    $0.words = "did not pass it on to \(inside)"
                    $0.factSince = lab.ipVersion == .v6 ? KernelVersion(6, 4) : nil
                }
            ]
        },
        redirected("redirected", "The server", on: .pair),
        redirected("redirected-on-the-way", "A transparent proxy on the router", on: .routed),
    ]

    /// Segments to the server's port are redirected to one of the node's own, where nobody listens.
    private static func redirected(_ id: String, _ who: String, on topology: Topology) -> Scenario {
        Scenario(
            id, "\(who) redirects a port (REDIRECT) to a closed one of its own: the report also names that one.",
            on: topology, needs: [.command("nft")]
        ) { lab in
            let node = lab.router ?? lab.server
            let family = lab.ipVersion == .v4 ? "ip" : "ip6"
            try node.nft(
                """
                table \(family) lab {
                    chain proxy {
                        type nat hook prerouting priority -100; tcp dport \(Lab.port) redirect to :\(Lab.closedPort);
                    }
                }
                """)
            let tap = try lab.client.tap()
            let socket = try lab.client.socket()
            let source = lab.client.endpoint(40001)
            try socket.bind(source)
            try socket.expectRefusal(of: lab.serverEnd)
            let tuple = FourTuple(from: lab.serverEnd, to: source)
            try tap.awaitReset(tuple)
            // REDIRECT uses the address of the interface on which the segment arrived.
            let address = try node.addressFacing(lab.client)
            return [
                ExpectedReset(tuple, "closed-port", at: node) {
                    $0.withoutSocket()
                    $0.untranslated = FourTuple(from: Endpoint(address, Lab.closedPort), to: source)
                }
            ]
        }
    }

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
