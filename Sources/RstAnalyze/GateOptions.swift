import ArgumentParser
import Correlator
import Glibc
import HostFiles
import Logging
import NetworkTypes
import Reporting

/// Options that let a pipeline fail.
struct GateOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            Exit with status 3 if there is a RST with this cause or category, or any RST (any); closed-port@proven counts \
            only those that are at least that certain, "abort-on-close>10" needs more than 10; icmp-refused counts \
            connections that ICMP errors ended. Separate several with commas.
            """, valueName: "what"), transform: FailCondition.list)
    var failOn: [[FailCondition]] = []

    @Option(
        help: ArgumentHelp(
            """
            Do not count the RSTs that this file lists for --fail-on: one kind per line, written as the options that \
            narrow a report, as in "--cause closed-port --port 8080"; # begins a comment.
            """, valueName: "file"))
    var allow: [String] = []

    @Option(
        help: ArgumentHelp(
            """
            Exit with status 3 if the RSTs differ from those of this earlier report (--format json), and say which \
            appeared, vanished or changed; times, client ports and process IDs are ignored.
            """, valueName: "report"))
    var expect: String?

    @Option(
        help: ArgumentHelp("Write the results of --fail-on and --expect to this file as JUnit XML.", valueName: "file"))
    var junit: String?

    /// Whether any condition was given.
    var isAsked: Bool { !failOn.isEmpty || expect != nil }

    /// How many RSTs are named for each condition.
    private static let named = 10
    /// How many are listed in the JUnit file.
    private static let listed = 1000

    /// Files that are read before anything else, so that a mistake shows at once.
    struct Prepared {
        var allowed: [AllowedKind] = []
        var expected: ResetKinds?
    }

    /// Logs what is wrong with a file, and throws the exit status.
    func prepare() throws -> Prepared {
        var prepared = Prepared()
        for path in allow { prepared.allowed += try AllowedKind.read(path) }
        if let expect {
            do {
                prepared.expected = try ResetKinds(json: try contents(of: expect))
            } catch let error as ResetKinds.NotAReport {
                log.error("cannot compare with \(expect): \(error.problem)")
                throw ExitCode(1)
            }
        }
        return prepared
    }

    /// Logs which conditions are met, and what differs from the expected report.
    ///
    /// - Returns: true if a condition is met, or the report is not what was expected.
    func judge(_ report: Report, _ prepared: Prepared, zone: WallClock) throws -> Bool {
        var checks: [JUnitReport.Check] = []
        var counted = report
        let filters = try prepared.allowed.map {
            try $0.options.filter(span: report.span, own: report.inputs.compactMap(\.netns), zone: zone)
        }
        counted.leaveOut(filters)
        for condition in failOn.joined() { checks.append(check(condition, counted)) }
        if let expected = prepared.expected { checks.append(compare(report.resets, with: expected)) }
        let isAlarming = checks.contains { if case .failed = $0.result { true } else { false } }
        checks.append(
            JUnitReport.Check(
                name: "nothing was lost",
                result: report.isComplete ? .passed : .error("the report is incomplete; see its warnings")))
        if let junit { try write(JUnitReport.render(checks), to: junit) }
        return isAlarming
    }

    private func check(_ condition: FailCondition, _ report: Report) -> JUnitReport.Check {
        let name = "--fail-on \(condition.typed)"
        guard let met = condition.met(by: report, most: Self.listed) else {
            return JUnitReport.Check(name: name, result: .passed)
        }
        func ends(_ tuple: FourTuple) -> String {
            "\(tuple.source.text(port: tuple.sourcePort)) > \(tuple.destination.text(port: tuple.destinationPort))"
        }
        let lines =
            met.firstResets.map { "#\($0.id) \(ends($0.tuple)), \($0.cause.rawValue), \($0.certainty.rawValue)" }
            + met.firstRefusals.map { "\(ends($0.tuple)), \(ICMPRefusal.word), \($0.certainty.rawValue)" }
        let counts = [
            met.resets > 0 ? met.resets.counted("RST") : nil,
            met.refusals > 0 ? met.refusals.counted("connection") + " ended by ICMP errors" : nil,
        ]
        let message = "\(name): \(counts.compactMap(\.self).joined(separator: ", "))"
        tell(message, lines, count: met.resets + met.refusals)
        return JUnitReport.Check(name: name, result: .failed(message, lines))
    }

    private func compare(_ resets: ResetList, with expected: ResetKinds) -> JUnitReport.Check {
        let name = "--expect \(expect ?? "")"
        let differences = ReportDifference.between(expected, ResetKinds(resets)).map(\.description)
        guard !differences.isEmpty else { return JUnitReport.Check(name: name, result: .passed) }
        let message = "\(name): \(differences.count.counted("difference"))"
        tell(message, differences, count: differences.count)
        return JUnitReport.Check(name: name, result: .failed(message, Array(differences.prefix(Self.listed))))
    }

    private func tell(_ message: String, _ lines: [String], count: Int) {
        log.warning("\(message)")
        for line in lines.prefix(Self.named) { log.warning("  \(line)") }
        if count > Self.named { log.warning("  and \((count - Self.named).grouped) more") }
    }

    private func write(_ text: String, to path: String) throws {
        try logged { () throws(WriteFailure) in
            let file = try OutputFile(path)
            guard writeAll(text, to: file.descriptor) else { throw WriteFailure("write", path) }
            try file.finish()
        }
    }
}

/// RSTs that are known and tolerated, as described by one line of a file.
struct AllowedKind {
    let options: FilterOptions

    /// Logs what is wrong with a line, and throws the exit status.
    static func read(_ path: String) throws -> [AllowedKind] {
        let text = String(decoding: try contents(of: path), as: UTF8.self)
        var kinds: [AllowedKind] = []
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace).map(String.init)
            guard !words.isEmpty else { continue }
            do {
                kinds.append(AllowedKind(options: try FilterOptions.parse(words)))
            } catch {
                log.error("\(path), line \(number + 1): \(FilterOptions.message(for: error))")
                throw ExitCode(1)
            }
        }
        return kinds
    }
}
