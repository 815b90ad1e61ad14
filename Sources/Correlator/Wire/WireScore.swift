/// How well packets alone fit a cause.
struct WireScore: Sendable {
    /// 0 to 100. From `likely` on a verdict may rest on it; what lies within `margin` of the best is a candidate too.
    let points: Int
    /// What speaks for it, a clause.
    let because: String?
    /// Causes for which this one stands when they cannot be distinguished.
    let standsFor: [Cause]
    /// What happened in this case, a sentence, where the rule's own does not say it well.
    let summary: String?

    static let likely = 50
    static let margin = 30
    /// The maximum number of candidates: a list of everything would not help.
    static let maximumCandidates = 2

    init(_ points: Int, _ because: String? = nil, standsFor: [Cause] = [], summary: String? = nil) {
        self.points = points
        self.because = because
        self.standsFor = standsFor
        self.summary = summary
    }
}
