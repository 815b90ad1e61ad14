import NetworkTypes

/// Reads what iptables-save and ip6tables-save print (iptables(8), iptables-extensions(8)).
struct IptablesReader {
    private(set) var rules: [FirewallRule] = []
    private(set) var translates = false

    /// REJECT is valid in these chains of the filter table, and in those that they call.
    private static let hooks = ["INPUT", "FORWARD", "OUTPUT"]

    init(_ content: String, tool: Ruleset.Tool) {
        let family = tool == .iptables || tool == .legacyIptables ? "ip" : "ip6"
        var table = ""
        var count: [String: Int64] = [:]
        var calls: [String: Set<String>] = [:]
        for line in content.split(separator: "\n") {
            if line.hasPrefix("*") { table = String(line.dropFirst()) }
            // Later additions to a legacy table are not announced.
            if table == "nat", tool.isLegacy { translates = true }
            let words = Self.words(line)
            guard words.count > 2, words[0] == "-A" else { continue }
            if table == "nat" { translates = true }
            guard table == "filter" else { continue }
            let chain = words[1]
            count[chain, default: 0] += 1
            let options = Options(words.dropFirst(2))
            if let target = options.target { calls[chain, default: []].insert(target) }
            guard options.target == "REJECT", options.rejectsWithReset else { continue }
            var rule = FirewallRule(
                tool: tool, family: family, table: table, chain: chain, handle: count[chain] ?? 0,
                text: String(line))
            rule.matches = options.matches
            rules.append(rule)
        }
        for hook in Self.hooks {
            var reached: Set<String> = [hook]
            var waiting = [hook]
            while let chain = waiting.popLast() {
                for called in calls[chain] ?? [] where reached.insert(called).inserted { waiting.append(called) }
            }
            for index in rules.indices where reached.contains(rules[index].chain) { rules[index].hooks.insert(hook) }
        }
    }

    /// Words as a shell reads them: in double quotes, a backslash before a quote or a backslash.
    static func words(_ line: Substring) -> [String] {
        var words: [String] = []
        var word = ""
        var isQuoted = false
        var isEscaped = false
        var isOpen = false
        for character in line {
            if isEscaped {
                word.append(character)
                isEscaped = false
            } else if character == "\\", isQuoted {
                isEscaped = true
            } else if character == "\"" {
                isQuoted.toggle()
                isOpen = true
            } else if character == " ", !isQuoted {
                if isOpen || !word.isEmpty { words.append(word) }
                word = ""
                isOpen = false
            } else {
                word.append(character)
            }
        }
        if isOpen || !word.isEmpty { words.append(word) }
        return words
    }

    private struct Options {
        var target: String?
        var rejectsWithReset = false
        var matches: [FirewallRule.Match] = []

        init(_ words: ArraySlice<String>) {
            var rest = words
            var isNegated = false
            while let option = rest.popFirst() {
                if option == "!" {
                    isNegated = true
                    continue
                }
                defer { isNegated = false }
                guard option.hasPrefix("-"), let value = rest.first, !value.hasPrefix("-") else { continue }
                rest = rest.dropFirst()
                switch option {
                case "-j", "-g": target = value
                case "--reject-with": rejectsWithReset = value == "tcp-reset"
                case "-s": add(.source, Self.address(value), isNegated)
                case "-d": add(.destination, Self.address(value), isNegated)
                case "-p":
                    add(.transport, value == "tcp" || value == "6" ? .numbers(6...6) : .numbers(255...255), isNegated)
                case "-i": add(.inputDevice, Self.device(value), isNegated)
                case "-o": add(.outputDevice, Self.device(value), isNegated)
                case "--sport": add(.sourcePort, Self.port(value), isNegated)
                case "--dport": add(.destinationPort, Self.port(value), isNegated)
                case "--sports": add(.sourcePort, list: value, isNegated)
                case "--dports": add(.destinationPort, list: value, isNegated)
                case "--ports": add(.anyPort, list: value, isNegated)
                default: break
                }
            }
        }

        private mutating func add(
            _ field: FirewallRule.Match.Field, _ value: FirewallRule.Match.Value?, _ isNegated: Bool
        ) {
            if let value { matches.append(FirewallRule.Match(field, [value], isNegated: isNegated)) }
        }

        private mutating func add(_ field: FirewallRule.Match.Field, list: String, _ isNegated: Bool) {
            let parts = list.split(separator: ",")
            let values = parts.compactMap { Self.port(String($0)) }
            if values.count == parts.count { matches.append(FirewallRule.Match(field, values, isNegated: isNegated)) }
        }

        private static func address(_ text: String) -> FirewallRule.Match.Value? {
            let parts = text.split(separator: "/", maxSplits: 1)
            guard let first = parts.first, let address = IPAddress(String(first)) else { return nil }
            guard parts.count == 2 else { return .addresses(address, prefix: address.isIPv4 ? 32 : 128) }
            // A mask that is no prefix is written as an address, and not understood.
            return Int(parts[1]).map { .addresses(address, prefix: $0) }
        }

        private static func port(_ text: String) -> FirewallRule.Match.Value? {
            let ends = text.split(separator: ":", omittingEmptySubsequences: false).map { Int64($0) }
            guard let low = ends.first ?? nil, let high = ends.last ?? nil, ends.count <= 2, low <= high else {
                return nil
            }
            return .numbers(low...high)
        }

        private static func device(_ text: String) -> FirewallRule.Match.Value {
            .name(text.hasSuffix("+") ? text.dropLast() + "*" : text)
        }
    }
}
