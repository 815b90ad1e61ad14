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

    /// Says of it what the recording of the host proves that it seems to come from, or what is missing.
    mutating func note(_ absence: HostWitness.Absence) {
        guard absence.isProven, let rule = Catalogue.rule(for: .injected) else {
            missing.append(absence.sentence)
            return
        }
        self = Verdict(rule, .proven)
        advice = """
            Look at the devices between the two hosts: a firewall or load balancer that forgot an idle connection, an \
            intrusion-prevention system, a traffic shaper, a censor. The TTL shows how far away it is.
            """
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
