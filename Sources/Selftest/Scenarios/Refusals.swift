import Glibc
import Laboratory
import NetworkTypes

extension Scenarios {
    /// Attempts to connect that an ICMP error ends, and not a RST.
    static let refusals: [Scenario] = [
        Scenario(
            "icmp-port-unreachable", "A firewall on the server rejects with ICMP port unreachable, its default.",
            needs: [.command("nft")]
        ) { lab in
            try lab.server.nft(
                """
                table inet lab {
                    chain c {
                        type filter hook input priority 0
                        tcp dport \(Lab.port) reject with icmpx type port-unreachable
                    }
                }
                """)
            return [try refused(lab, lab.server, code: (3, 4))]
        },
        Scenario(
            "icmp-admin-prohibited", "A firewall on the router rejects with ICMP administratively prohibited.",
            on: .routed, needs: [.command("nft")]
        ) { lab in
            let router = lab.router!
            try router.nft(
                """
                table inet lab {
                    chain c {
                        type filter hook forward priority 0
                        tcp dport \(Lab.port) reject with icmpx type admin-prohibited
                    }
                }
                """)
            return [try refused(lab, router, code: (13, 1))]
        },
        Scenario("icmp-no-route", "The router has no route to the destination.", on: .routed) { lab in
            let router = lab.router!
            let (family, length) = lab.ipVersion == .v4 ? ("-4", 32) : ("-6", 128)
            try router.command(
                "ip", family, "route", "add", "unreachable", "\(lab.server.address)/\(length)")
            return [try refused(lab, router, code: (1, 0))]
        },
    ]

    /// - Parameter code: of ICMP and of ICMPv6, whose types are 3 and 1.
    private static func refused(_ lab: Lab, _ node: Node, code: (UInt8, UInt8)) throws -> ExpectedReset {
        let client = try ActorProcess(in: lab.client, of: lab)
        lab.keep(client)
        let target = lab.serverEnd
        let own = lab.client.endpoint(40_123)
        let words = try client.request(
            "error-of-connect-from \(own.address) \(own.port) \(target.address) \(target.port)")
        guard words.count == 1, let errno = Int32(words[0]) else { throw LabError.actor("no number") }
        let sender = try node === lab.server ? node.address : node.addressFacing(lab.client)
        let isIPv4 = lab.ipVersion == .v4
        return ExpectedReset(FourTuple(from: own, to: target), "icmp-refused", at: lab.client) {
            $0.outcome = .wireOnly
            $0.refusal = ExpectedReset.Refusal(
                pid: client.pid, errno: errno, type: isIPv4 ? 3 : 1, code: isIPv4 ? code.0 : code.1, sender: sender)
        }
    }
}
