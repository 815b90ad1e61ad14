import NetworkTypes

/// How many RSTs there are of each kind.
public struct ReportSummary: Sendable, Equatable {
    /// One cause and how sure its verdicts are.
    public struct CauseCount: Sendable, Equatable {
        public var cause: Cause
        public var count: Int
        public var certainties: Set<Certainty>
    }

    /// The most frequent first, equals by name; without those that follow from another RST.
    public let byCause: [CauseCount]
    /// In the order of the words' definition; only those that occur.
    public let byOutcome: [(Outcome, Int)]
    public let byCertainty: [(Certainty, Int)]
    /// Different pairs of addresses and ports, whichever end sent the RST.
    public let connections: Int
    /// Of those with a wall clock, when the first and the last were; nanoseconds since 1970-01-01 UTC.
    public let span: (first: Int64, last: Int64)?
    /// RSTs in 1000 seconds, over that time; nil if it is no time at all.
    public let perThousandSeconds: UInt64?

    /// How many follow from another RST of their connection.
    public let followUps: Int

    public init(_ report: Report) {
        let rows = report.resets.rows
        var causes: [Cause: CauseCount] = [:]
        var outcomes: [Outcome: Int] = [:]
        var certainties: [Certainty: Int] = [:]
        var followUps = 0
        let kinds = rows.lazy.map {
            Kind(cause: $0.cause, outcome: $0.outcome, certainty: $0.certainty, follows: $0.followed != 0)
        }
        for (kind, count) in tally(kinds) {
            if kind.follows {
                followUps += count
            } else {
                causes[kind.cause, default: CauseCount(cause: kind.cause, count: 0, certainties: [])].count += count
                causes[kind.cause]?.certainties.insert(kind.certainty)
            }
            outcomes[kind.outcome, default: 0] += count
            certainties[kind.certainty, default: 0] += count
        }
        self.followUps = followUps
        byCause = causes.values.sorted { ($1.count, $0.cause.rawValue) < ($0.count, $1.cause.rawValue) }
        byOutcome = Outcome.allCases.compactMap { word in outcomes[word].map { (word, $0) } }
        byCertainty = Certainty.allCases.compactMap { word in certainties[word].map { (word, $0) } }
        connections = KeyGroups(rows.count) { rows[$0].tuple.either }.count
        span = rows.wallClockSpan
        perThousandSeconds = rows.steadySpan.flatMap { ratePerThousandSeconds(rows.count, $0) }
    }

    private struct Kind: Equatable {
        let cause: Cause
        let outcome: Outcome
        let certainty: Certainty
        let follows: Bool
    }

    public static func == (a: ReportSummary, b: ReportSummary) -> Bool {
        a.byCause == b.byCause && a.followUps == b.followUps && a.byOutcome.elementsEqual(b.byOutcome, by: ==)
            && a.byCertainty.elementsEqual(b.byCertainty, by: ==) && a.connections == b.connections
            && a.span?.first == b.span?.first && a.span?.last == b.span?.last
    }
}

/// How many come in 1000 seconds, over the time from the first to the last; nil if that is no time at all.
func ratePerThousandSeconds(_ count: Int, _ span: (first: Int64, last: Int64)) -> UInt64? {
    let length = span.last.distance(from: span.first)
    return length == 0 ? nil : UInt64(min((Double(max(0, count - 1)) * 1e12 / Double(length)).rounded(), 1e15))
}

extension FourTuple {
    /// The same for both directions.
    fileprivate var either: FourTuple {
        (source.high, source.low, sourcePort) <= (destination.high, destination.low, destinationPort) ? self : reversed
    }
}
