/// What the catalogue says of one RST.
public struct Verdict: Sendable, Equatable {
    public var cause: Cause
    public var category: Category
    /// Those of the cause.
    var traits: CauseTraits
    public var certainty: Certainty
    public var summary: String
    /// What speaks for the cause, a clause, where it is inferred from packets.
    public var because: String?
    /// What would have to be known to be sure.
    public var missing: [String]
    /// Causes that the evidence cannot tell apart, the likeliest first; empty when there is only one.
    public var candidates: [Cause]
    /// What to do, where it is another thing than the catalogue says.
    public var advice: String?

    init(_ rule: Rule, _ certainty: Certainty, summary: String? = nil, missing: [String] = [], candidates: [Cause] = [])
    {
        cause = rule.cause
        category = rule.category
        traits = rule.traits
        self.certainty = certainty
        self.summary = summary ?? rule.meaning
        self.missing = missing
        self.candidates = candidates
    }

    /// Says of it that it came, and from where is not known.
    mutating func becomeReceived() {
        guard let rule = Catalogue.rule(for: .received) else { return }
        cause = rule.cause
        category = rule.category
        traits = rule.traits
        summary = rule.meaning
    }
}
