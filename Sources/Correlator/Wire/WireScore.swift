/// How well packets alone fit a cause.
struct WireScore: Sendable {
    /// 0 to 100. From `Level.even` on a verdict may rest on it; what lies within `margin` of the best is a candidate too.
    let points: Int
    /// What speaks for it, a clause.
    let because: String?
    /// Causes for which this one stands when they cannot be distinguished.
    let standsFor: [Cause]
    /// What happened in this case, a sentence, where the rule's own does not say it well.
    let summary: String?

    static let margin = 30
    /// The maximum number of candidates: a list of everything would not help.
    static let maximumCandidates = 2

    /// How much the evidence says for a cause, with the points that rank it among the others. `scripts/accuracy` shows whether
    /// the order is right; docs/decisions/0014 argues it.
    enum Level: Int, Sendable {
        /// Nothing rules it out.
        case remote = 25
        /// It can happen, and something speaks against it.
        case weak = 30
        /// It fits, and so does much else.
        case possible = 40
        /// It fits, but an ordinary capture has signs of it that this one lacks.
        case doubtful = 45
        /// It fits well and is rare: a candidate that never leads.
        case second = 48
        /// As much speaks for it as against it. From here on a cause may lead.
        case even = 50
        /// Slightly more speaks for it than for a cause that sends the same bytes.
        case better = 55
        /// One sign speaks for it, which has other explanations.
        case plausible = 60
        /// One sign speaks for it, and other explanations are less common.
        case likely = 65
        /// The numbers of the segments fit it well.
        case good = 70
        /// The numbers and the times of the segments fit it well.
        case convincing = 75
        /// The segment before the RST shows it, as the kernel's code does it.
        case clear = 80
        /// Several segments show it, and a rival would be a coincidence.
        case strong = 85
        /// The same, and the usual rival is excluded.
        case compelling = 88
        /// An option, a payload or a form says it that nothing else has.
        case explicit = 90
        /// Another capture, or another connection, shows what happened.
        case conclusive = 95
    }

    init(_ level: Level, _ because: String? = nil, standsFor: [Cause] = [], summary: String? = nil) {
        points = level.rawValue
        self.because = because
        self.standsFor = standsFor
        self.summary = summary
    }

    /// With at least so many points.
    func raised(to least: Int) -> WireScore { WireScore(points: max(points, least), because: because) }

    private init(points: Int, because: String?) {
        self.points = points
        self.because = because
        standsFor = []
        summary = nil
    }
}
