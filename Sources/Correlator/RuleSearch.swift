public import KernelEvents
import NetworkTypes

/// Which rule rejected a segment, as far as the rulesets of the recording tell.
public struct RuleFinding: Sendable, Equatable {
    /// Rules that can have rejected it, at most `kept`.
    public var rules: [FirewallRule] = []
    /// How many there are.
    public var count = 0
    /// It is the only one that can have, by all that is known.
    public var isCertain = false
    /// Why there is none, or which doubt remains; nil if there is nothing to say.
    public var doubt: String?

    public static let kept = 3
}

/// The rules of the recordings, read once.
struct RuleSearch: Sendable {
    private struct Reading: Sendable {
        let ruleset: Ruleset
        /// Nil if the tool was not there, or printed what cannot be read.
        let rules: FirewallRules?
    }

    /// By recording, in the order of time.
    private let readings: [[Reading]]

    init(_ recordings: [EventInput], isNeeded: Bool) {
        readings = recordings.map { input in
            isNeeded
                ? input.recording.rulesets.map { Reading(ruleset: $0, rules: FirewallRules($0)) }
                    .sorted { $0.ruleset.monotonic < $1.ruleset.monotonic } : []
        }
    }

    /// - Parameter reset: the first segment that left; its path is that of a rejection.
    func find(_ reset: ResetEvent, _ path: KernelPath, recording: Int) -> RuleFinding {
        var finding = RuleFinding()
        let tools = Self.tools(path, reset)
        let everything = readings[recording].filter { $0.ruleset.netns == reset.netns }
        let here = everything.filter { tools.contains($0.ruleset.tool) }
        guard !here.isEmpty else {
            finding.doubt = "the rules of this network namespace (none were recorded)"
            return finding
        }
        guard here.contains(where: { $0.rules != nil }) else {
            finding.doubt =
                "the rules of this network namespace: \(here.compactMap(\.ruleset.problem).first ?? "the recorded ones cannot be read")"
            return finding
        }
        var isCertain = true
        var found: [FirewallRule] = []
        var translated: [FirewallRule] = []
        // Whichever tool made the rules that do, and wherever nobody knows.
        let translates = everything.contains { $0.rules?.translates ?? ($0.ruleset.content == nil) }
        func add(_ reading: Reading) {
            guard let rules = reading.rules else { return }
            for rule in rules.rules where !found.contains(rule) && !translated.contains(rule) {
                switch Self.fit(rule, reset, path, translates: translates) {
                case .no: break
                case .unlikely: isCertain = false
                case .translated: translated.append(rule)
                case .possible: found.append(rule)
                }
            }
        }
        for tool in tools {
            let readings = here.filter { $0.ruleset.tool == tool && $0.rules != nil }
            guard let valid = Self.valid(readings, at: reset.monotonic) else {
                guard let later = readings.first(where: { $0.ruleset.monotonic > reset.monotonic }) else { continue }
                isCertain = false
                finding.doubt = "the rules at that time: the first that were recorded are later"
                let delay = later.ruleset.monotonic.distance(from: reset.monotonic)
                guard delay <= Self.soon, later.ruleset.mayHaveBeen(at: reset.monotonic) else { continue }
                finding.doubt =
                    "whether the rule existed by then: the rules were first read \(TimeSpan(nanoseconds: delay)) later"
                add(later)
                continue
            }
            if valid.count > 1 || Self.mayHaveChanged(valid[0], readings, at: reset.monotonic) {
                finding.doubt =
                    "whether the recorded rules were in force at that moment: they changed at about that time"
                isCertain = false
            }
            for reading in valid { add(reading) }
        }
        // Those that the segment fits as the RST shows it come first.
        found += translated
        finding.count = found.count
        finding.rules = Array(found.prefix(RuleFinding.kept))
        finding.isCertain = isCertain && found.count == 1 && translated.isEmpty
        if found.isEmpty, finding.doubt == nil {
            finding.doubt = "which rule it was: none of the recorded ones can have rejected this segment"
        } else if found.count == 1, !finding.isCertain, finding.doubt == nil {
            finding.doubt =
                translated.isEmpty
                ? "whether it was another rule, whose interface does not fit the RST"
                : "what the addresses and ports were before a translation: those of this rule are not those that the RST shows"
        }
        return finding
    }

    /// What the rule that the path passed through is printed by.
    private static func tools(_ path: KernelPath, _ reset: ResetEvent) -> [Ruleset.Tool] {
        guard path.callers.contains(.xtables) else { return [.nft] }
        let isIPv4 = reset.tuple.source.isIPv4
        let isLegacy = path.names.contains { $0 == "ipt_do_table" || $0 == "ip6t_do_table" }
        let isNew = path.names.contains { $0.hasPrefix("nft_do_chain") }
        let (new, legacy): (Ruleset.Tool, Ruleset.Tool) =
            isIPv4 ? (.iptables, .legacyIptables) : (.ip6tables, .legacyIp6tables)
        return isLegacy == isNew ? [new, legacy] : isLegacy ? [legacy] : [new]
    }

    /// Nanoseconds: what is read so soon after a rejection is likely to have been there, where nothing was read before.
    private static let soon: UInt64 = 10_000_000_000

    /// The readings that may show the rules of that moment; nil if all are later. Rules that were made afterwards never count.
    private static func valid(_ readings: [Reading], at time: Int64) -> [Reading]? {
        let before = readings.last { $0.ruleset.monotonic <= time }
        let after = readings.first { $0.ruleset.monotonic > time }
        guard let before else {
            // What is read is what there was after the last change, where changes are reported.
            guard let after, !after.ruleset.tool.isLegacy, let since = after.ruleset.changedSince,
                let until = after.ruleset.changedUntil, since <= time, until < time
            else { return nil }
            return [after]
        }
        guard let after else { return [before] }
        if before.ruleset.content == after.ruleset.content { return [after] }
        // It may have been the change.
        if after.ruleset.tool.isLegacy { return [before, after] }
        guard let since = after.ruleset.changedSince, let until = after.ruleset.changedUntil, since <= time else {
            return [before]
        }
        return until < time ? [after] : [before, after]
    }

    /// Whether other rules may have been in force for a moment.
    private static func mayHaveChanged(_ before: Reading, _ readings: [Reading], at time: Int64) -> Bool {
        guard before.ruleset.tool.isLegacy else {
            // The kernel told of changes at that time: what was read afterwards may be what was left of them.
            return readings.contains {
                guard let since = $0.ruleset.changedSince, let until = $0.ruleset.changedUntil else { return false }
                return since <= time && time <= until
            }
        }
        // A change of iptables-legacy is not told: only a later reading shows that there was none.
        return !readings.contains {
            $0.ruleset.monotonic > time && $0.ruleset.content == before.ruleset.content
        }
    }

    // MARK: One rule

    private enum Fit { case no, unlikely, translated, possible }

    private static func fit(
        _ rule: FirewallRule, _ reset: ResetEvent, _ path: KernelPath, translates: Bool
    ) -> Fit {
        let hook = path.netfilterHook
        let isIPv4 = reset.tuple.source.isIPv4
        switch rule.family {
        case "ip" where !isIPv4, "ip6" where isIPv4: return .no
        case "bridge" where hook != "BRIDGE": return .no
        case "netdev" where hook != "INGRESS" && hook != "EGRESS": return .no
        case "ip", "ip6", "inet":
            if hook == "BRIDGE" { return .no }
        default: break
        }
        if let hook, hook != "BRIDGE", !rule.hooks.contains(hook) { return .no }
        var fit = Fit.possible
        for match in rule.matches {
            guard holds(match, reset, hook) == false else { continue }
            switch match.field {
            case .inputDevice, .outputDevice:
                // The RST goes out where the segment came in, unless routes are asymmetric.
                fit = .unlikely
            case .source, .destination, .sourcePort, .destinationPort, .anyPort:
                // What the rule saw may have been translated before.
                guard translates else { return .no }
                if fit == .possible { fit = .translated }
            case .ipVersion, .transport: return .no
            }
        }
        return fit
    }

    /// Nil if that is not known.
    private static func holds(_ match: FirewallRule.Match, _ reset: ResetEvent, _ hook: String?) -> Bool? {
        // The rejected segment: the RST answers it.
        let segment = reset.tuple.reversed
        let holds: Bool?
        switch match.field {
        case .source: holds = match.values.contains { $0.contains(segment.source) }
        case .destination: holds = match.values.contains { $0.contains(segment.destination) }
        case .sourcePort: holds = match.values.contains { $0.contains(Int64(segment.sourcePort)) }
        case .destinationPort: holds = match.values.contains { $0.contains(Int64(segment.destinationPort)) }
        case .anyPort:
            holds = match.values.contains {
                $0.contains(Int64(segment.sourcePort)) || $0.contains(Int64(segment.destinationPort))
            }
        case .ipVersion: holds = match.values.contains { $0.contains(segment.source.isIPv4 ? 4 : 6) }
        case .transport: holds = match.values.contains { $0.contains(6) }
        case .inputDevice:
            guard hook != "OUTPUT", let device = reset.ifname else { return nil }
            holds = match.values.contains { $0.contains(device) }
        case .outputDevice: return nil
        }
        return holds.map { $0 != match.isNegated }
    }
}

extension FirewallRule.Match.Value {
    fileprivate func contains(_ address: IPAddress) -> Bool {
        switch self {
        case .addresses(let network, let length):
            guard network.isIPv4 == address.isIPv4 else { return false }
            let bits = max(0, min(128, length + (network.isIPv4 ? 96 : 0)))
            let high = bits >= 64 ? UInt64.max : bits == 0 ? 0 : ~(UInt64.max >> UInt64(bits))
            let low = bits >= 128 ? UInt64.max : bits <= 64 ? 0 : ~(UInt64.max >> UInt64(bits - 64))
            return (network.high ^ address.high) & high == 0 && (network.low ^ address.low) & low == 0
        case .addressRange(let first, let last):
            return (first.high, first.low) <= (address.high, address.low)
                && (address.high, address.low) <= (last.high, last.low)
        case .numbers, .name: return false
        }
    }

    fileprivate func contains(_ number: Int64) -> Bool {
        if case .numbers(let range) = self { range.contains(number) } else { false }
    }

    fileprivate func contains(_ device: String) -> Bool {
        guard case .name(let name) = self else { return false }
        return name.hasSuffix("*") ? device.hasPrefix(name.dropLast()) : device == name
    }
}

extension FirewallRule {
    /// Where it stands, for a person: `rule 4 of chain refuse, table inet lab`.
    public var place: String {
        tool == .nft
            ? "chain \(chain) of table \(family) \(table), handle \(handle)"
            : "rule \(handle) of chain \(chain), table \(table) of \(tool.rawValue)"
    }
}

extension FirewallRule {
    /// What to do about it.
    var advice: String {
        let command =
            tool == .nft
            ? "nft -a list chain \(family) \(table) \(chain)"
            : "\(tool.rawValue) -L \(chain) -n -v --line-numbers"
        return
            "If the connection should be allowed, change that rule or accept the connection before it; \"\(command)\", run in the network namespace that the report names, shows the rule in its place."
    }
}

extension EntryBuilder {
    /// Which rules can have made a RST.
    func ruleFacts(_ firewall: RuleFinding, from place: Fact.Place) -> [Fact] {
        var facts = firewall.rules.map { rule in
            Fact(
                "\(firewall.isCertain ? "the rule" : "a rule that may have rejected it"): \(rule.place): \(rule.text)",
                from: place)
        }
        if firewall.count > firewall.rules.count {
            facts.append(Fact("\(firewall.count - firewall.rules.count) more rules may have rejected it", from: place))
        }
        if !firewall.isCertain {
            let doubt = firewall.doubt ?? "which of these rules it was"
            facts.append(Fact("not known: \(doubt)", from: .report))
        }
        return facts
    }
}

extension Ruleset {
    /// Whether these may have been the rules before they were read: nobody tells that they became so later.
    fileprivate func mayHaveBeen(at time: Int64) -> Bool {
        tool.isLegacy || changedSince.map { $0 <= time } ?? true
    }
}
