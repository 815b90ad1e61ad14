/// Every cause this program knows.
public enum Catalogue {
    public static let rules: [Rule] =
        refused + stale + handshake + close + timeout + pressure + admin + multipath + elsewhere

    /// The rules that packets alone can support.
    static let wireRules = rules.filter { $0.wire != nil }

    static let byCause = Dictionary(uniqueKeysWithValues: rules.map { ($0.cause, $0) })

    /// The rules that agree with a reason of the kernel, in the order of the catalogue.
    static let byReason = rules.reduce(into: [String: [Rule]]()) { byReason, rule in
        for reason in rule.reasons { byReason[reason, default: []].append(rule) }
    }

    /// The rule of a verdict that names no cause.
    static let nothing = elsewhere.first { $0.cause == .unknown } ?? elsewhere[0]

    /// The catalogue's entry for a cause.
    public static func rule(for cause: Cause) -> Rule? { byCause[cause] }
}

extension Cause {
    /// Needs a lookup: prefer the traits of a verdict or a row if there is one.
    var traits: CauseTraits { Catalogue.rule(for: self)?.traits ?? [] }
}
