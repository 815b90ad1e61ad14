import KernelEvents

/// The latest rules of each network namespace, as each tool printed them.
struct LatestRulesets {
    private var rulesets: [Origin: Ruleset] = [:]

    private struct Origin: Hashable {
        let netns: UInt32
        let tool: Ruleset.Tool
    }

    /// Namespaces come and go for weeks.
    private static let most = 256

    mutating func note(_ ruleset: Ruleset) {
        rulesets[Origin(netns: ruleset.netns, tool: ruleset.tool)] = ruleset
        if rulesets.count > Self.most,
            let oldest = rulesets.min(by: { $0.value.monotonic < $1.value.monotonic })
        {
            rulesets[oldest.key] = nil
        }
    }

    /// The earliest first.
    var all: [Ruleset] { rulesets.values.sorted { $0.monotonic < $1.monotonic } }
}
