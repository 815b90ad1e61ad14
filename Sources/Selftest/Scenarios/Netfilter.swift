import Glibc
import Laboratory
import NetworkTypes

extension Scenarios {
    /// Connections that a firewall rejects with a RST, whose source is the destination of the rejected packet, whoever sends it.
    static let netfilter: [Scenario] = [
        nft("input", "ip6/ip/inet INPUT: the server's own firewall", on: .pair),
        nft("prerouting", "PREROUTING, before routing", on: .pair),
        nft("ingress", "the netdev family's ingress hook, before the IP layer", on: .pair),
        nft("forward", "FORWARD: the router answers with the server's address", on: .routed),
        nft("output", "OUTPUT: the client's own host answers with the server's address, over lo", on: .pair),
        iptables("INPUT", on: .pair),
        iptables("FORWARD", on: .routed),
        iptables("OUTPUT", on: .pair),
        iptables("INPUT", legacy: true, on: .pair),
        Scenario(
            "netfilter-reject-nft-bridge", "nft rejects a connection in the bridge family, between two ports.",
            on: .bridged, needs: [.command("nft")]
        ) { lab in
            try lab.router!.nft(
                """
                table bridge lab {
                    chain refuse {
                        type filter hook prerouting priority 0; tcp dport \(Lab.port) reject with tcp reset;
                    }
                }
                """)
            return [try rejected(lab, by: lab.router!, hook: "BRIDGE")]
        },
        Scenario(
            "netfilter-reject-bridged",
            "A bridged packet passes FORWARD of the IP layer (br_netfilter), as in container networks.",
            on: .bridged, needs: [.command("nft"), .sysctl("net.bridge.bridge-nf-call-iptables")]
        ) { lab in
            let router = lab.router!
            try router.sysctl("net.bridge.bridge-nf-call-ip\(lab.ipVersion == .v4 ? "" : "6")tables", "1")
            try router.nft(
                """
                table inet lab {
                    chain refuse { type filter hook forward priority 0; tcp dport \(Lab.port) reject with tcp reset; }
                }
                """)
            return [try rejected(lab, by: router, hook: "FORWARD")]
        },
    ]

    private static func nft(_ hook: String, _ where: String, on topology: Topology) -> Scenario {
        Scenario(
            "netfilter-reject-nft-\(hook)", "nft rejects a connection with tcp reset in \(`where`).", on: topology,
            needs: [.command("nft")], capturesLoopback: hook == "output"
        ) { lab in
            let node = rejecting(lab, hook)
            let type = hook == "ingress" ? "hook ingress device eth0" : "hook \(hook)"
            let family = hook == "ingress" ? "netdev" : "inet"
            try node.nft(
                """
                table \(family) lab {
                    chain refuse { type filter \(type) priority 0; tcp dport \(Lab.port) reject with tcp reset; }
                }
                """)
            return [try rejected(lab, by: node, hook: hook.uppercased())]
        }
    }

    private static func iptables(_ chain: String, legacy: Bool = false, on topology: Topology) -> Scenario {
        Scenario(
            "netfilter-reject-\(legacy ? "legacy" : "iptables")-\(chain.lowercased())",
            "iptables\(legacy ? "-legacy" : "") rejects a connection with --reject-with tcp-reset in \(chain).",
            on: topology, needs: [.command(legacy ? "iptables-legacy" : "iptables")],
            capturesLoopback: chain == "OUTPUT"
        ) { lab in
            let node = rejecting(lab, chain.lowercased())
            let program = (lab.ipVersion == .v4 ? "iptables" : "ip6tables") + (legacy ? "-legacy" : "")
            try supported {
                try node.command(
                    program, "-w", "-I", chain, "-p", "tcp", "--dport", "\(Lab.port)", "-j", "REJECT", "--reject-with",
                    "tcp-reset")
            }
            return [try rejected(lab, by: node, hook: chain)]
        }
    }

    private static func rejecting(_ lab: Lab, _ hook: String) -> Node {
        switch hook {
        case "forward": lab.router!
        case "output": lab.client
        default: lab.server
        }
    }

    private static func rejected(_ lab: Lab, by node: Node, hook: String) throws -> ExpectedReset {
        let listener = try lab.server.listen(Lab.port)
        // The router's second interface faces the client; the rejection of a locally sent packet comes back over lo.
        let tap = try node.tap(["FORWARD", "BRIDGE"].contains(hook) ? "eth0" : hook == "OUTPUT" ? "lo" : nil)
        let socket = try lab.client.socket()
        let source = lab.client.endpoint(40001)
        try socket.bind(source)
        try socket.expectRefusal(of: lab.serverEnd)
        listener.close()
        let tuple = FourTuple(from: lab.serverEnd, to: source)
        try tap.awaitReset(tuple)
        return ExpectedReset(tuple, "netfilter-reject", at: node) { $0.netfilterHook = hook }
    }
}

extension Node {
    /// Loads an nftables ruleset; `.unsupported` where the kernel lacks a part of it.
    func nft(_ ruleset: String) throws {
        try supported { try command("nft", ruleset) }
    }
}
