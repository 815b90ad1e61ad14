import KernelEvents
import NetworkTypes
import Testing

@testable import Correlator

/// Which rule of a firewall rejected a segment of 10.0.0.2:40000 to 10.0.0.1:80, which came in by eth0.
@Suite struct RuleSearchTests {
    private static let tuple = World.tuple

    private static func find(
        _ rulesets: [Ruleset], at time: Int64 = 100, frames: [String] = nftPath, ifname: String = "eth0"
    ) -> RuleFinding {
        var recording = Recording()
        recording.rulesets = rulesets
        var event = ResetEvent(kind: .emit, hook: ResetEvent.emitHook, monotonic: time, tuple: tuple)
        event.netns = 1
        event.ifname = ifname
        return RuleSearch([EventInput(file: "e", recording: recording)], isNeeded: true)
            .find(event, KernelPath(frames: frames), recording: 0)
    }

    private static let nftPath = [
        "nf_send_reset", "nft_reject_inet_eval", "nft_do_chain", "nft_do_chain_inet", "nf_hook_slow",
        "ip_local_deliver",
        "handle_softirqs",
    ]
    private static let legacyPath = [
        "nf_send_reset", "reject_tg", "ipt_do_table", "nf_hook_slow", "ip_local_deliver", "handle_softirqs",
    ]

    private static func ruleset(_ content: String, tool: Ruleset.Tool = .nft, at time: Int64 = 0, netns: UInt32 = 1)
        -> Ruleset
    {
        var ruleset = Ruleset(tool: tool, netns: netns, monotonic: time)
        ruleset.content = content
        return ruleset
    }

    /// A table with a base chain `entrance` at INPUT, which jumps to `sub`.
    private static func nft(_ rules: [(chain: String, expression: String)], type: String = "filter") -> String {
        var objects = [
            #"{"chain":{"family":"inet","table":"t","name":"entrance","handle":1,"type":"\#(type)","hook":"input","prio":0}}"#,
            #"{"chain":{"family":"inet","table":"t","name":"sub","handle":2}}"#,
            #"{"rule":{"family":"inet","table":"t","chain":"entrance","handle":3,"expr":[{"jump":{"target":"sub"}}]}}"#,
        ]
        for (index, rule) in rules.enumerated() {
            objects.append(
                #"{"rule":{"family":"inet","table":"t","chain":"\#(rule.chain)","handle":\#(10 + index),"expr":[\#(rule.expression)\#(rule.expression.isEmpty ? "" : ","){"reject":{"type":"tcp reset"}}]}}"#
            )
        }
        return #"{"nftables":[\#(objects.joined(separator: ","))]}"#
    }

    private static func match(_ left: String, _ right: String, _ operation: String = "==") -> String {
        #"{"match":{"op":"\#(operation)","left":\#(left),"right":\#(right)}}"#
    }

    private static let port = #"{"payload":{"protocol":"tcp","field":"dport"}}"#
    private static let source = #"{"payload":{"protocol":"ip","field":"saddr"}}"#
    private static let device = #"{"meta":{"key":"iifname"}}"#

    @Test(arguments: [
        ("", true), (match(port, "80"), true), (match(port, "81"), false), (match(port, "80", "!="), false),
        (match(port, #"{"set":[22,{"range":[79,90]}]}"#), true), (match(port, #"{"set":[22,443]}"#), false),
        (match(port, #""@ports""#), true), (match(source, #""10.0.0.2""#), true),
        (match(source, #""10.0.0.3""#), false),
        (match(source, #"{"prefix":{"addr":"10.0.0.0","len":8}}"#), true),
        (match(source, #"{"prefix":{"addr":"10.1.0.0","len":16}}"#), false),
        (match(source, #"{"range":["10.0.0.1","10.0.0.9"]}"#), true), (match(source, #""@bad""#), true),
        (match(source, #""2001:db8::1""#), false), (match(#"{"ct":{"key":"state"}}"#, #""new""#), true),
        (match(#"{"meta":{"key":"l4proto"}}"#, #""udp""#), false),
        (match(#"{"meta":{"key":"nfproto"}}"#, #""ipv6""#), false),
    ])
    func oneRuleIsHeldAgainstTheSegment(expression: String, fits: Bool) {
        for chain in ["entrance", "sub"] {
            let finding = Self.find([Self.ruleset(Self.nft([(chain, expression)]))])
            #expect(finding.rules.map(\.handle) == (fits ? [10] : []))
            #expect(finding.isCertain == fits && (finding.doubt == nil) == fits)
        }
    }

    @Test func aChainThatNobodyCallsRejectsNothing() {
        #expect(Self.find([Self.ruleset(Self.nft([("elsewhere", "")]))]).rules.isEmpty)
        let output = Self.nft([("entrance", "")]).replacing("\"input\"", with: "\"output\"")
        #expect(Self.find([Self.ruleset(output)]).rules.isEmpty)
        #expect(Self.find([Self.ruleset(Self.nft([("entrance", "")]), netns: 2)]).rules.isEmpty)
    }

    @Test func severalAreCandidates() {
        let finding = Self.find([Self.ruleset(Self.nft(Array(repeating: ("entrance", ""), count: 5)))])
        #expect(finding.rules.count == 3 && finding.count == 5 && !finding.isCertain)
    }

    /// Routes may be asymmetric, and addresses may have been translated before the rule saw them.
    @Test func whatTheRSTDoesNotShowIsNoProof() {
        let rules = Self.nft([
            ("entrance", Self.match(Self.device, #""eth0""#)), ("sub", Self.match(Self.device, #""eth1""#)),
        ])
        let finding = Self.find([Self.ruleset(rules)])
        #expect(finding.rules.map(\.handle) == [10] && !finding.isCertain && finding.doubt != nil)
        #expect(Self.find([Self.ruleset(rules)], ifname: "eth1").rules.map(\.handle) == [11])
        let wildcard = Self.nft([("entrance", Self.match(Self.device, #""eth*""#))])
        #expect(Self.find([Self.ruleset(wildcard)]).isCertain)
        let translated = Self.nft(
            [("entrance", Self.match(Self.port, "80")), ("sub", Self.match(Self.port, "8080"))], type: "nat")
        #expect(!Self.find([Self.ruleset(translated)]).isCertain)
    }

    @Test func rulesThatCameLaterNeverCount() {
        let (old, new) = (Self.nft([("entrance", Self.match(Self.port, "80"))]), Self.nft([("sub", "")]))
        // Too late to say anything, and made after the rejection.
        #expect(Self.find([Self.ruleset(old, at: 20_000_000_000)]).rules.isEmpty)
        var made = Self.ruleset(old, at: 200)
        (made.changedSince, made.changedUntil) = (120, 130)
        #expect(Self.find([made]).rules.isEmpty)
        var later = Self.ruleset(new, at: 300)
        later.changedSince = 120
        later.changedUntil = 130
        let rulesets = [Self.ruleset(old), later]
        #expect(Self.find(rulesets, at: 100).rules.map(\.chain) == ["entrance"])
        #expect(Self.find(rulesets, at: 100).isCertain)
        // It may have been either.
        #expect(Self.find(rulesets, at: 125).count == 2 && !Self.find(rulesets, at: 125).isCertain)
        // Read later, and there already.
        #expect(Self.find(rulesets, at: 140).rules.map(\.chain) == ["sub"])
        #expect(Self.find(rulesets, at: 140).isCertain)
    }

    /// The rules of a namespace are read when something is first rejected there.
    @Test func rulesThatWereReadAfterwardsAreCandidates() {
        let text = Self.nft([("entrance", Self.match(Self.port, "80")), ("sub", Self.match(Self.port, "81"))])
        let finding = Self.find([Self.ruleset(text, at: 40_000_100)])
        #expect(finding.rules.map(\.handle) == [10] && !finding.isCertain)
        #expect(finding.doubt == "whether the rule existed by then: the rules were first read 40 ms later")
    }

    /// iptables translates, and nft rejects by what is left of the addresses.
    @Test func whateverTranslatesLeavesADoubt() {
        let rules = Self.nft([
            ("entrance", Self.match(Self.port, "80")), ("sub", Self.match(Self.port, "8080")),
        ])
        #expect(Self.find([Self.ruleset(rules)]).isCertain)
        let nat = "*nat\n-A PREROUTING -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.1.0.1:8080\nCOMMIT"
        let finding = Self.find([Self.ruleset(rules), Self.ruleset(nat, tool: .legacyIptables)])
        #expect(finding.rules.map(\.handle) == [10, 11] && !finding.isCertain)
        let one = Self.nft([("sub", Self.match(Self.port, "8080"))])
        let alone = Self.find([Self.ruleset(one), Self.ruleset(nat, tool: .legacyIptables)])
        #expect(alone.rules.map(\.handle) == [10] && !alone.isCertain)
        #expect(alone.doubt?.contains("before a translation") == true)
        #expect(Self.find([Self.ruleset(rules), Self.ruleset(nat, tool: .legacyIptables, netns: 2)]).isCertain)
        var unread = Ruleset(tool: .legacyIptables, netns: 1, monotonic: 0)
        unread.problem = "iptables-legacy-save is not installed"
        #expect(!Self.find([Self.ruleset(rules), unread]).isCertain)
    }

    /// A rule may have come and gone before the rules were read again.
    @Test func aChangeThatWasUndoneLeavesADoubt() {
        let before = Self.ruleset(Self.nft([("entrance", Self.match(Self.port, "80"))]))
        var after = before
        (after.monotonic, after.changedSince, after.changedUntil) = (300, 90, 150)
        let meanwhile = Self.find([before, after], at: 100)
        #expect(meanwhile.rules.count == 1 && !meanwhile.isCertain && meanwhile.doubt != nil)
        for time: Int64 in [80, 200, 400] { #expect(Self.find([before, after], at: time).isCertain) }
    }

    @Test func legacyTablesThatChangedAreBothLookedAt() {
        let rule = "-A INPUT -p tcp -j REJECT --reject-with tcp-reset"
        let tables = ["*filter\nCOMMIT", "*filter\n\(rule)\nCOMMIT"]
        let finding = Self.find(
            [
                Self.ruleset(tables[0], tool: .legacyIptables),
                Self.ruleset(tables[1], tool: .legacyIptables, at: 200),
            ],
            frames: Self.legacyPath)
        #expect(finding.rules.map(\.text) == [rule] && !finding.isCertain)
    }

    @Test func legacyTablesAreReadAgainToBeSure() {
        let text = """
            *filter
            :INPUT ACCEPT
            :web -
            -A INPUT -p tcp -m tcp --dport 22:79 -j REJECT --reject-with tcp-reset
            -A INPUT -p tcp -j web
            -A web ! -s 10.0.0.2/32 -p tcp -j REJECT --reject-with tcp-reset
            -A web -p tcp -m multiport --dports 80,443 -m comment --comment "no \\"-j ACCEPT\\"" -j REJECT --reject-with tcp-reset
            -A web -p tcp -j REJECT --reject-with icmp-port-unreachable
            -A FORWARD -p tcp -j REJECT --reject-with tcp-reset
            COMMIT
            """
        let once = Self.find([Self.ruleset(text, tool: .legacyIptables)], frames: Self.legacyPath)
        #expect(once.rules.map(\.handle) == [2] && !once.isCertain)
        let twice = Self.find(
            [Self.ruleset(text, tool: .legacyIptables), Self.ruleset(text, tool: .legacyIptables, at: 200)],
            frames: Self.legacyPath)
        #expect(twice.rules.map(\.chain) == ["web"] && twice.isCertain)
        // What nft has is not what iptables-legacy did.
        #expect(Self.find([Self.ruleset(Self.nft([("entrance", "")]))], frames: Self.legacyPath).rules.isEmpty)
    }

    @Test func aToolThatIsMissingIsSaid() {
        var ruleset = Ruleset(tool: .nft, netns: 1, monotonic: 0)
        ruleset.problem = "nft is not installed"
        #expect(Self.find([ruleset]).doubt?.contains("nft is not installed") == true)
        #expect(Self.find([]).doubt != nil)
        for content in [
            "", "{", "[]", #"{"nftables":[{"rule":{}},{"chain":[]},7]}"#, String(repeating: "[", count: 5000),
        ] {
            #expect(Self.find([Self.ruleset(content)]).rules.isEmpty)
            #expect(Self.find([Self.ruleset(content, tool: .legacyIptables)], frames: Self.legacyPath).rules.isEmpty)
        }
    }

    @Test func theListingHasTheText() {
        var ruleset = Self.ruleset(Self.nft([("entrance", "")]))
        ruleset.listing = """
            table inet t { # handle 1
            \tchain entrance { # handle 1
            \t\ttype filter hook input priority filter; policy accept;
            \t\treject with tcp reset comment "see # handle 99" # handle 10
            \t}
            }
            """
        #expect(Self.find([ruleset]).rules.map(\.text) == [#"reject with tcp reset comment "see # handle 99""#])
    }
}
