public import NetworkTypes

/// A rule that rejects with a TCP reset, as far as it can be held against a segment by reading it.
public struct FirewallRule: Sendable, Equatable {
    public var tool: Ruleset.Tool
    /// As nft calls them: `inet`, `ip`, `ip6`, `netdev`, `bridge`; of iptables `ip` or `ip6`.
    public var family: String
    public var table: String
    public var chain: String
    /// nft's name for the rule; of iptables its number in the chain, 1 for the first.
    public var handle: Int64
    /// As the tool prints it.
    public var text: String
    /// The hooks from which its chain is called, in capitals, and of the netdev family the devices.
    public var hooks: Set<String> = []
    public var devices: Set<String> = []
    public var matches: [Match] = []

    public init(tool: Ruleset.Tool, family: String, table: String, chain: String, handle: Int64, text: String) {
        self.tool = tool
        self.family = family
        self.table = table
        self.chain = chain
        self.handle = handle
        self.text = text
    }

    /// One condition. What is not known, or not static (state, marks, sets, limits), is none: it may hold.
    public struct Match: Sendable, Equatable {
        public enum Field: Sendable, Equatable {
            case source, destination, sourcePort, destinationPort, ipVersion, transport
            /// Either port.
            case anyPort
            case inputDevice, outputDevice
        }

        public enum Value: Sendable, Equatable {
            case addresses(IPAddress, prefix: Int)
            case addressRange(IPAddress, IPAddress)
            case numbers(ClosedRange<Int64>)
            /// A name; `*` at its end matches anything.
            case name(String)
        }

        public var field: Field
        /// Any of them.
        public var values: [Value]
        public var isNegated: Bool

        public init(_ field: Field, _ values: [Value], isNegated: Bool = false) {
            self.field = field
            self.values = values
            self.isNegated = isNegated
        }
    }
}

/// The rules of one ruleset that reject with a TCP reset.
public struct FirewallRules: Sendable {
    public var rules: [FirewallRule] = []
    /// Addresses may be translated before a rule sees a segment: what it saw need not be what the RST shows.
    public var translates = false

    /// Reads what a tool printed; nil if that cannot be read, or there is none.
    public init?(_ ruleset: Ruleset) {
        guard let content = ruleset.content else { return nil }
        switch ruleset.tool {
        case .nft:
            guard let read = NftablesReader(content, listing: ruleset.listing) else { return nil }
            rules = read.rules
            translates = read.translates
        case .iptables, .ip6tables, .legacyIptables, .legacyIp6tables:
            let read = IptablesReader(content, tool: ruleset.tool)
            rules = read.rules
            translates = read.translates
        }
    }
}
