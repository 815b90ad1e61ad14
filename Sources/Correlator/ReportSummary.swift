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
        for reset in report.resets.heads {
            causes[reset.cause, default: CauseCount(cause: reset.cause, count: 0, certainties: [])].count += 1
            causes[reset.cause]?.certainties.insert(reset.certainty)
            outcomes[reset.outcome, default: 0] += 1
            certainties[reset.certainty, default: 0] += 1
        }
        byCause = causes.values.sorted { ($1.count, $0.cause.rawValue) < ($0.count, $1.cause.rawValue) }
        byOutcome = Outcome.allCases.compactMap { word in outcomes[word].map { (word, $0) } }
        byCertainty = Certainty.allCases.compactMap { word in certainties[word].map { (word, $0) } }
    }

    public static func == (a: ReportSummary, b: ReportSummary) -> Bool {
        a.byCause == b.byCause && a.byOutcome.elementsEqual(b.byOutcome, by: ==)
            && a.byCertainty.elementsEqual(b.byCertainty, by: ==)
    }
}
