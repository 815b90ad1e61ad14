import Glibc
import Laboratory
import NetworkTypes

extension Scenarios {
    /// Which of several firewall rules rejected a connection.
    static let rejectRules: [Scenario] = [
        named(
            "nft",
            "nft: of four rules, addresses and ports allow only one, which is in a chain that is jumped to."
        ) {
            lab, server in
            let source = lab.client.address
            let family = lab.ipVersion == .v4 ? "ip" : "ip6"
            try server.nft(
                """
                table inet lab {
                    chain refuse {
                        tcp dport 22-79 reject with tcp reset
                        \(family) saddr \(source) tcp dport { \(Lab.port), 443 } ct state new reject with tcp reset comment "no web # handle 7"
                    }
                    chain entrance {
                        type filter hook input priority 0
                        \(family) saddr != \(source) tcp dport \(Lab.port) reject with tcp reset
                        jump refuse
                    }
                    chain exit { type filter hook output priority 0; tcp dport \(Lab.port) reject with tcp reset; }
                }
                """)
            return ["tcp dport { \(Lab.port), 443 }"]
        },
        named("two", "nft: two rules may have matched, and only the connection's state distinguishes them.") {
            lab, server in
            try server.nft(
                """
                table inet lab {
                    chain refuse {
                        type filter hook input priority 0
                        ct state established tcp dport \(Lab.port) reject with tcp reset
                        tcp dport \(Lab.port) counter reject with tcp reset
                    }
                }
                """)
            return ["ct state established", "counter"]
        },
        named("iptables", "iptables: of three rules, only one can have matched.", needs: "iptables") { lab, server in
            try iptablesRules(lab, server, "")
        },
        named(
            "legacy",
            "The same with iptables-legacy, which announces no changes: its rules are certain only from the second RST on.",
            needs: "iptables-legacy", isLegacy: true
        ) { lab, server in
            try iptablesRules(lab, server, "-legacy")
        },
    ]

    /// - Returns: words from the rule that rejects.
    private static func iptablesRules(_ lab: Lab, _ server: Node, _ variant: String) throws -> [String] {
        let program = (lab.ipVersion == .v4 ? "iptables" : "ip6tables") + variant
        func append(_ words: String...) throws {
            try supported {
                _ = try server.run {
                    try Command.run(
                        [program, "-w", "-A", "INPUT", "-p", "tcp"] + words
                            + ["-j", "REJECT", "--reject-with", "tcp-reset"])
                }
            }
        }
        try append("--dport", "22:79")
        try append("!", "-s", "\(lab.client.address)", "--dport", "\(Lab.port)")
        try append("-m", "multiport", "--dports", "\(Lab.port),443", "-m", "comment", "--comment", "no \"web\"")
        return ["--dports \(Lab.port),443"]
    }

    /// - Parameter make: creates the rules on the server and returns words from those that may have matched.
    private static func named(
        _ id: String, _ summary: String, needs program: String = "nft", isLegacy: Bool = false,
        make: @escaping @Sendable (Lab, Node) throws -> [String]
    ) -> Scenario {
        Scenario("reject-rule-\(id)", summary, needs: [.command("nft"), .command(program)]) { lab in
            let listener = try lab.server.listen(Lab.port)
            let rules = try make(lab, lab.server)
            // The rule must be older than the RST, and read by then even on an emulated machine.
            usleep(2_000_000)
            var expected: [ExpectedReset] = []
            for port: UInt16 in isLegacy ? [40001, 40002] : [40001] {
                let tap = try lab.server.tap()
                let socket = try lab.client.socket()
                let source = lab.client.endpoint(port)
                try socket.bind(source)
                try socket.expectRefusal(of: lab.serverEnd)
                let tuple = FourTuple(from: lab.serverEnd, to: source)
                try tap.awaitReset(tuple)
                expected.append(
                    ExpectedReset(tuple, "netfilter-reject", at: lab.server) {
                        $0.netfilterHook = "INPUT"
                        $0.rules = rules
                        $0.rulesAreRead = !isLegacy || !expected.isEmpty
                    })
                // The recorder reads legacy tables after a rejection.
                if isLegacy { usleep(1_500_000) }
            }
            listener.close()
            return expected
        }
    }
}
