import JSONText

/// The rules of a network namespace as a tool printed them at one moment.
public struct Ruleset: Sendable, Equatable {
    public enum Tool: String, Sendable, CaseIterable {
        /// `nft -j list ruleset`.
        case nft
        case iptables = "iptables-nft"
        case ip6tables = "ip6tables-nft"
        case legacyIptables = "iptables-legacy"
        case legacyIp6tables = "ip6tables-legacy"

        /// Whether changes of its tables are not announced.
        public var isLegacy: Bool { self == .legacyIptables || self == .legacyIp6tables }
    }

    public var tool: Tool
    /// Inode number of the network namespace.
    public var netns: UInt32
    /// When the tool had ended, CLOCK_MONOTONIC in nanoseconds: what it printed had been there by then.
    public var monotonic: Int64
    /// From when to when the rules changed from those of the ruleset before to these, as far as the kernel told. Nil for the
    /// first one.
    public var changedSince: Int64?
    public var changedUntil: Int64?
    /// What it printed; nil if there was no such tool, or it failed.
    public var content: String?
    /// For nft, the same as a person reads it (`nft -a list ruleset`).
    public var listing: String?
    /// Why there is no content.
    public var problem: String?

    public init(tool: Tool, netns: UInt32, monotonic: Int64) {
        self.tool = tool
        self.netns = netns
        self.monotonic = monotonic
    }
}

extension EventEncoder {
    /// The rules of a network namespace.
    public mutating func append(ruleset: Ruleset) {
        begin("ruleset")
        json.member(.monoNs, ruleset.monotonic)
        json.member(.netns, ruleset.netns)
        json.member(.tool, ruleset.tool.rawValue)
        json.member(.sinceMonoNs, ruleset.changedSince)
        json.member(.untilMonoNs, ruleset.changedUntil)
        json.member(.content, ruleset.content)
        json.member(.listing, ruleset.listing)
        json.member(.detail, ruleset.problem)
        endLine()
    }
}

extension LineScanner {
    /// A `ruleset` line; nil for one of a tool that this version does not know.
    mutating func ruleset() throws(LineProblem) -> Ruleset? {
        var tool: String?
        var ruleset = Ruleset(tool: .nft, netns: 0, monotonic: 0)
        var netns: UInt32?
        var monotonic: Int64?
        try beginObject()
        var isFirst = true
        while let key = try nextKey(&isFirst) {
            switch key {
            case .tool: tool = try string()
            case .netns: netns = try integer()
            case .monoNs: monotonic = try nanoseconds()
            case .sinceMonoNs: ruleset.changedSince = try nanoseconds()
            case .untilMonoNs: ruleset.changedUntil = try nanoseconds()
            case .content: ruleset.content = try string()
            case .listing: ruleset.listing = try string()
            case .detail: ruleset.problem = try string()
            default: try skipValue()
            }
        }
        ruleset.netns = try require(netns, "netns is missing")
        ruleset.monotonic = try require(monotonic, "mono_ns is missing")
        guard let known = tool.flatMap(Ruleset.Tool.init) else { return nil }
        ruleset.tool = known
        return ruleset
    }
}
