/// How many RSTs there are of each kind.
public struct ReportSummary: Sendable, Equatable {
    /// One cause and how sure its verdicts are.
    public struct CauseCount: Sendable, Equatable {
        public var cause: Cause
        public var count: Int
        public var certainties: Set<Certainty>
    }

    /// The most frequent first, equals by name.
    public let byCause: [CauseCount]
    /// In the order of the words' definition; only those that occur.
    public let byOutcome: [(Outcome, Int)]
    public let byCertainty: [(Certainty, Int)]

    public init(_ report: Report) {
        var causes: [Cause: CauseCount] = [:]
        var outcomes: [Outcome: Int] = [:]
        var certainties: [Certainty: Int] = [:]
        let kinds = report.resets.heads.lazy.map { Kind(cause: $0.cause, outcome: $0.outcome, certainty: $0.certainty) }
        for (kind, count) in tally(kinds) {
            causes[kind.cause, default: CauseCount(cause: kind.cause, count: 0, certainties: [])].count += count
            causes[kind.cause]?.certainties.insert(kind.certainty)
            outcomes[kind.outcome, default: 0] += count
            certainties[kind.certainty, default: 0] += count
        }
        byCause = causes.values.sorted { ($1.count, $0.cause.rawValue) < ($0.count, $1.cause.rawValue) }
        byOutcome = Outcome.allCases.compactMap { word in outcomes[word].map { (word, $0) } }
        byCertainty = Certainty.allCases.compactMap { word in certainties[word].map { (word, $0) } }
    }

    private struct Kind: Equatable {
        let cause: Cause
        let outcome: Outcome
        let certainty: Certainty
    }

    public static func == (a: ReportSummary, b: ReportSummary) -> Bool {
        a.byCause == b.byCause && a.byOutcome.elementsEqual(b.byOutcome, by: ==)
            && a.byCertainty.elementsEqual(b.byCertainty, by: ==)
    }
}
