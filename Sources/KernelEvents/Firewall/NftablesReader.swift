import NetworkTypes

/// Reads `nft -j list ruleset` (libnftables-json(5)).
struct NftablesReader {
    private(set) var rules: [FirewallRule] = []
    private(set) var translates = false

    private struct Chain: Hashable {
        let family: String
        let table: String
        let name: String
    }

    /// - Parameter listing: `nft -a list ruleset`, which has the text of each rule.
    init?(_ content: String, listing: String?) {
        guard let root = Self.parse(content), case .array(let objects)? = root["nftables"] else { return nil }
        var hooks: [Chain: (hooks: Set<String>, devices: Set<String>)] = [:]
        var calls: [Chain: Set<Chain>] = [:]
        /// Chains that a map calls; from where is not examined.
        var calledFromAnywhere: Set<Chain> = []
        for object in objects {
            if let chain = object["chain"], let key = Self.key(chain, name: "name"), let hook = chain["hook"]?.string {
                hooks[key, default: ([], [])].hooks.insert(hook.uppercased())
                hooks[key]?.devices.formUnion(Self.names(chain["dev"]))
                if chain["type"]?.string == "nat" { translates = true }
            } else if let rule = object["rule"], let key = Self.key(rule, name: "chain") {
                calls[key, default: []].formUnion(
                    Self.targets(rule["expr"]).map { Chain(family: key.family, table: key.table, name: $0) })
            } else if let map = object["map"], let key = Self.key(map, name: "name") {
                calledFromAnywhere.formUnion(
                    Self.targets(map).map { Chain(family: key.family, table: key.table, name: $0) })
            }
        }
        let all = hooks.values.reduce(into: (Set<String>(), Set<String>())) {
            $0.0.formUnion($1.hooks)
            $0.1.formUnion($1.devices)
        }
        for chain in calledFromAnywhere { hooks[chain] = all }
        Self.spread(&hooks, along: calls)
        let texts = Self.texts(listing ?? "")
        for object in objects {
            guard let body = object["rule"], let key = Self.key(body, name: "chain"), let reach = hooks[key],
                let handle = body["handle"]?.integer(Int64.self), case .array(let statements)? = body["expr"],
                statements.contains(where: Self.rejectsWithReset)
            else { continue }
            let place = "\(key.family) \(key.table) \(key.name) \(handle)"
            var rule = FirewallRule(
                tool: .nft, family: key.family, table: key.table, chain: key.name, handle: handle,
                text: texts[place] ?? "reject with tcp reset")
            rule.hooks = reach.hooks
            rule.devices = reach.devices
            rule.matches = statements.compactMap { $0["match"].flatMap(Self.match) }
            rules.append(rule)
        }
    }

    private static func parse(_ text: String) -> JSONValue? {
        let bytes = Array(text.utf8)
        return unsafe bytes.withUnsafeBytes { buffer in
            guard var scanner = unsafe LineScanner(buffer) else { return nil }
            return try? scanner.value()
        }
    }

    private static func key(_ object: JSONValue, name: String) -> Chain? {
        guard let family = object["family"]?.string, let table = object["table"]?.string,
            let chain = object[name]?.string
        else { return nil }
        return Chain(family: family, table: table, name: chain)
    }

    private static func names(_ value: JSONValue?) -> [String] {
        switch value {
        case .string(let name)?: [name]
        case .array(let names)?: names.compactMap(\.string)
        default: []
        }
    }

    /// The chains that something jumps to, however deep in it.
    private static func targets(_ value: JSONValue?) -> Set<String> {
        switch value {
        case .array(let elements)?: return elements.reduce(into: []) { $0.formUnion(targets($1)) }
        case .object(let members)?:
            var found: Set<String> = []
            for (name, member) in members {
                if name == "jump" || name == "goto", let target = member["target"]?.string { found.insert(target) }
                found.formUnion(targets(member))
            }
            return found
        default: return []
        }
    }

    /// What a chain is called from, the chains that it calls are, too.
    private static func spread(
        _ hooks: inout [Chain: (hooks: Set<String>, devices: Set<String>)], along calls: [Chain: Set<Chain>]
    ) {
        var waiting = Array(hooks.keys)
        while let chain = waiting.popLast() {
            guard let reach = hooks[chain] else { continue }
            for called in calls[chain] ?? [] {
                let known = hooks[called] ?? ([], [])
                let now = (known.hooks.union(reach.hooks), known.devices.union(reach.devices))
                guard now.0 != known.hooks || now.1 != known.devices else { continue }
                hooks[called] = now
                waiting.append(called)
            }
        }
    }

    private static func rejectsWithReset(_ statement: JSONValue) -> Bool {
        statement["reject"]?["type"]?.string == "tcp reset"
    }

    // MARK: Conditions

    private static func match(_ match: JSONValue) -> FirewallRule.Match? {
        guard let operation = match["op"]?.string, operation == "==" || operation == "!=" || operation == "in",
            let field = match["left"].flatMap(field), let values = match["right"].flatMap({ values($0, of: field) })
        else { return nil }
        return FirewallRule.Match(field, values, isNegated: operation == "!=")
    }

    private static func field(_ left: JSONValue) -> FirewallRule.Match.Field? {
        if let payload = left["payload"] {
            switch (payload["protocol"]?.string, payload["field"]?.string) {
            case ("ip"?, "saddr"?), ("ip6"?, "saddr"?): return .source
            case ("ip"?, "daddr"?), ("ip6"?, "daddr"?): return .destination
            case ("tcp"?, "sport"?), ("th"?, "sport"?): return .sourcePort
            case ("tcp"?, "dport"?), ("th"?, "dport"?): return .destinationPort
            case ("ip"?, "protocol"?), ("ip6"?, "nexthdr"?): return .transport
            default: return nil
            }
        }
        switch left["meta"]?["key"]?.string {
        case "iifname"?, "iif"?: return .inputDevice
        case "oifname"?, "oif"?: return .outputDevice
        case "l4proto"?: return .transport
        case "nfproto"?: return .ipVersion
        default: return nil
        }
    }

    /// Nil if one of them is not understood.
    private static func values(_ right: JSONValue, of field: FirewallRule.Match.Field) -> [FirewallRule.Match.Value]? {
        if case .array(let elements)? = right["set"] {
            var all: [FirewallRule.Match.Value] = []
            for element in elements {
                guard let value = values(element["elem"]?["val"] ?? element, of: field) else { return nil }
                all += value
            }
            return all
        }
        return value(right, of: field).map { [$0] }
    }

    private static func value(_ right: JSONValue, of field: FirewallRule.Match.Field) -> FirewallRule.Match.Value? {
        switch field {
        case .source, .destination:
            if let prefix = right["prefix"] {
                guard let address = prefix["addr"]?.string.flatMap({ IPAddress($0) }),
                    let length = prefix["len"]?.integer(Int.self)
                else { return nil }
                return .addresses(address, prefix: length)
            }
            if case .array(let ends)? = right["range"], ends.count == 2,
                let low = ends[0].string.flatMap({ IPAddress($0) }),
                let high = ends[1].string.flatMap({ IPAddress($0) })
            {
                return .addressRange(low, high)
            }
            return right.string.flatMap({ IPAddress($0) }).map { .addresses($0, prefix: $0.isIPv4 ? 32 : 128) }
        case .sourcePort, .destinationPort, .anyPort:
            if case .array(let ends)? = right["range"], ends.count == 2, let low = ends[0].integer(Int64.self),
                let high = ends[1].integer(Int64.self), low <= high
            {
                return .numbers(low...high)
            }
            return right.integer(Int64.self).map { .numbers($0...$0) }
        case .transport:
            if let number = right.integer(Int64.self) { return .numbers(number...number) }
            return right.string.map { .numbers($0 == "tcp" ? 6...6 : 255...255) }
        case .ipVersion:
            switch right.string {
            case "ipv4"?: return .numbers(4...4)
            case "ipv6"?: return .numbers(6...6)
            default: return nil
            }
        case .inputDevice, .outputDevice:
            // A name that begins with @ is a set.
            return right.string.flatMap { $0.hasPrefix("@") ? nil : .name($0) }
        }
    }

    // MARK: The listing

    /// By family, table, chain and handle.
    private static func texts(_ listing: String) -> [String: String] {
        var texts: [String: String] = [:]
        var table: Substring = ""
        var chain: Substring = ""
        for line in listing.split(separator: "\n") {
            let text = line.drop { $0 == "\t" || $0 == " " }
            if line.hasPrefix("table ") {
                table = text.dropFirst("table ".count).prefix { $0 != "{" }
                chain = ""
            } else if text.hasPrefix("chain ") {
                chain = text.dropFirst("chain ".count).prefix { $0 != " " }
            } else if let mark = lastMark(text) {
                let name = table.split(separator: " ").joined(separator: " ")
                texts["\(name) \(chain) \(text[mark...].dropFirst(" # handle ".count))"] = String(text[..<mark])
            }
        }
        return texts
    }

    /// Where ` # handle N` begins, which ends the line of a rule.
    private static func lastMark(_ text: Substring) -> Substring.Index? {
        var end = text.endIndex
        while end > text.startIndex {
            guard let hash = text[..<end].lastIndex(of: "#") else { return nil }
            if text[hash...].hasPrefix("# handle "), hash > text.startIndex { return text.index(before: hash) }
            end = hash
        }
        return nil
    }
}
