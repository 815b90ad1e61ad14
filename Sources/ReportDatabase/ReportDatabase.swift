public import Correlator
import GRDB
import KernelEvents
import NetworkTypes
import Reporting

/// Writes a report into a new SQLite database (docs/sqlite.md).
public struct ReportDatabase {
    private let tool: String

    /// - Parameter tool: name and version of the program.
    public init(tool: String) { self.tool = tool }

    /// - Parameter path: of a file that is not there yet.
    /// - Throws: what SQLite reports; the file may then be there in part.
    public func write(_ report: Report, to path: String) throws {
        var configuration = Configuration()
        configuration.journalMode = .default
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        // Whoever deletes what was written in part needs no journal.
        try queue.inDatabase { try $0.execute(sql: "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF") }
        try queue.write { database in
            try database.execute(sql: Schema.tables)
            try database.execute(sql: "PRAGMA user_version = \(Schema.version)")
            try Insertion(database, report).run(report, tool: tool)
            try database.execute(sql: Schema.indexes)
        }
        try queue.close()
    }
}

/// The statements of one database.
private struct Insertion {
    private let meta: Statement
    private let input: Statement
    private let reset: Statement
    private let evidence: Statement
    private let sighting: Statement
    private let finding: Statement
    private let refusal: Statement
    /// The ids of inputs by their names.
    private let inputs: [String: Int]

    init(_ database: Database, _ report: Report) throws {
        func insert(_ table: String, _ columns: Int) throws -> Statement {
            let places = [String](repeating: "?", count: columns).joined(separator: ", ")
            return try database.makeStatement(sql: "INSERT INTO \(table) VALUES (\(places))")
        }
        meta = try insert("meta", 2)
        input = try insert("inputs", 8)
        reset = try insert("resets", 42)
        evidence = try insert("evidence", 4)
        sighting = try insert("sightings", 10)
        finding = try insert("findings", 9)
        refusal = try insert("refusals", 15)
        inputs = Dictionary(
            report.inputs.enumerated().map { ($1.file, $0 + 1) }, uniquingKeysWith: { first, _ in first })
    }

    func run(_ report: Report, tool: String) throws {
        let losses = report.losses
        let facts: [(String, (any DatabaseValueConvertible)?)] = [
            ("tool", tool), ("resets", report.resets.count), ("complete", report.isComplete),
            ("of_resets", report.selection?.total),
            ("icmp_refused_left_out", report.selection?.refusals),
            ("filter", report.selection?.words.joined(separator: " ").printable),
            ("capture_dropped", losses.captureDropped), ("events_lost", losses.eventsLost),
            ("bytes_skipped", losses.bytesSkipped), ("lines_skipped", losses.linesSkipped),
            ("unfinished_recordings", losses.unfinished),
        ]
        for (name, value) in facts { try meta.run([name, value]) }
        for (number, file) in report.inputs.enumerated() {
            try input.run([
                number + 1, file.file.printable, file.kind.rawValue, file.packets, file.events, file.damageCount,
                file.host?.printable, file.kernel?.printable,
            ])
        }
        let resets = report.resets
        try inPieces(
            resets.count, { range in range.map { resets[$0] } }, to: { piece in for reset in piece { try add(reset) } })
        for (number, found) in report.findings.enumerated() {
            try finding.run([
                number + 1, found.kind.rawValue, found.pattern?.word, found.cause.rawValue, found.count, found.first,
                found.last, found.example, found.summary.printable,
            ])
        }
        for (number, one) in report.refusals.enumerated() { try add(one, number + 1) }
    }

    private func add(_ one: Reset) throws {
        let receiver = one.receiver
        let (identity, container) = (one.location?.identity, one.location?.container)
        // In two parts: the compiler takes long to type a list of this length.
        let first: [(any DatabaseValueConvertible)?] = [
            one.id, one.hasWallClock ? UTCTime(nanoseconds: one.time).description : nil,
            one.hasWallClock ? one.time : nil, one.tuple.source.description, one.tuple.sourcePort,
            one.tuple.destination.description, one.tuple.destinationPort, one.seq,
            one.ack, one.flags?.description, one.direction.rawValue, one.outcome.rawValue,
            one.cause.rawValue, one.category.rawValue, one.certainty.rawValue,
            one.candidates.isEmpty ? nil : one.candidates.map(\.rawValue).joined(separator: " "), one.summary.printable,
            (one.advice ?? Catalogue.rule(for: one.cause)?.advice)?.printable,
        ]
        let second: [(any DatabaseValueConvertible)?] = [
            one.process?.comm?.printable, one.process?.pid, one.process?.role.rawValue,
            one.process?.details?.exe?.printable, one.process?.details?.user?.printable, one.owner?.comm?.printable,
            one.owner?.pid, identity?.unit?.printable, identity?.container?.printable,
            container?.name?.printable, identity?.pod?.printable, container?.pod?.printable,
            container?.namespace?.printable, one.location?.cgroup?.printable, one.netns,
        ]
        let third: [(any DatabaseValueConvertible)?] = [
            receiver?.process?.comm?.printable, receiver?.process?.pid, receiver?.state?.name,
            receiver?.error, receiver.flatMap { $0.isIgnored ? $0.reason ?? "unknown" : nil }, one.state?.name,
            one.reason?.printable, one.follows, one.path.map { $0.essential.joined(separator: " < ").printable },
        ]
        try reset.run(StatementArguments(first + second + third))
        for (number, fact) in one.evidence.enumerated() {
            try evidence.run([one.id, number + 1, fact.fact.printable, fact.from.description])
        }
        for (number, seen) in one.sightings.enumerated() {
            let tuple = seen.translated
            try sighting.run([
                one.id, number + 1, inputs[seen.file], seen.packet, seen.interface?.printable, seen.time,
                tuple?.source.description, tuple?.sourcePort, tuple?.destination.description,
                tuple?.destinationPort,
            ])
        }
    }

    private func add(_ one: ICMPRefusal, _ number: Int) throws {
        let message = one.message
        let values: [(any DatabaseValueConvertible)?] = [
            number, UTCTime(nanoseconds: one.time).description, one.time, one.tuple.source.description,
            one.tuple.sourcePort, one.tuple.destination.description, one.tuple.destinationPort,
            one.certainty.rawValue, one.error, one.process?.comm?.printable, one.process?.pid,
            message?.sender.description, message?.type, message?.code,
            one.sentence.printable,
        ]
        try refusal.run(StatementArguments(values))
    }
}

extension Statement {
    /// Inserts a row. The number of arguments is fixed in the source: to count them each time is a part of what it takes.
    fileprivate func run(_ arguments: StatementArguments) throws {
        setUncheckedArguments(arguments)
        try execute()
    }
}
