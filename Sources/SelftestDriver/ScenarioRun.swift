public import Correlator
import Glibc
import InputFiles
import KernelEvents
public import Laboratory
import Recorder
public import Selftest

/// One scenario over one IP version: provoked, recorded, reported and compared.
public struct ScenarioRun: Sendable {
    public enum Status: Sendable, Equatable {
        case passed
        case failed
        /// Nothing is wrong, but this kernel's events leave several causes possible, including the provoked one.
        case ambiguous
        /// With the reason.
        case unsupported(String)
    }

    public var scenario: Scenario
    public var ipVersion: IPVersion
    public var status: Status
    public var differences: [String] = []
    public var expected: [ExpectedReset] = []
    /// Nil if the scenario could not be run.
    public var report: Report?
    /// The entries of the expected resets.
    public var resets: [Reset] = []
    /// Of the expected connections that ICMP errors ended.
    public var refusals: [ICMPRefusal] = []
    /// Nanoseconds, for provoking alone and for everything.
    public var duration: Int64 = 0

    /// The causes that the report names, each once.
    public var causes: [String] { Set(resets.map(\.cause.rawValue) + refusals.map { _ in "icmp-refused" }).sorted() }
    /// The causes that the report could not distinguish, each once.
    public var candidates: [String] { Set(resets.flatMap(\.candidates).map(\.rawValue)).sorted() }
    public var certainties: [String] {
        Set((resets.map(\.certainty) + refusals.map(\.certainty)).map(\.rawValue)).sorted()
    }
}

/// Runs scenarios with the product's own recorder.
public struct SelftestDriver: Sendable {
    /// Where recordings that are not kept are made; nil for the system's directory for temporary files.
    public var scratch: String?
    private let tool: String
    private let actor: ActorCommand
    /// Whether scenarios may briefly change host-wide settings.
    public var allowsHostWideSettings = false
    /// Whether every packet is captured, and not only segments with SYN, FIN or RST.
    public var capturesEverything = false
    /// Whether to record with hooks that some kernels lack.
    public var optionalHooks = true

    public init(tool: String, actor: ActorCommand = .thisProgram) {
        self.tool = tool
        self.actor = actor
    }

    /// - Parameter directory: where to keep capture.pcapng and events.jsonl; nil to discard them.
    public func run(_ scenario: Scenario, _ version: IPVersion, keepIn directory: String? = nil) -> ScenarioRun {
        var run = ScenarioRun(scenario: scenario, ipVersion: version, status: .passed)
        let start = clockNanoseconds(CLOCK_MONOTONIC)
        defer { run.duration = clockNanoseconds(CLOCK_MONOTONIC) - start }
        if let obstacle = scenario.obstacle(allowing: allowsHostWideSettings) {
            run.status = .unsupported(obstacle)
            return run
        }
        do {
            try record(scenario, version, directory, into: &run)
        } catch LabError.unsupported(let reason) {
            run.status = .unsupported(reason)
        } catch {
            run.status = .failed
            run.differences.append("\(error)")
        }
        run.duration = clockNanoseconds(CLOCK_MONOTONIC) - start
        return run
    }

    private func record(
        _ scenario: Scenario, _ version: IPVersion, _ kept: String?, into run: inout ScenarioRun
    ) throws {
        let directory = try kept ?? temporaryDirectory()
        defer { if kept == nil { remove(directory) } }
        mkdir(directory, 0o755)
        let lab = try Lab(for: scenario, ipVersion: version, actor: actor)
        defer { lab.close() }
        var options = RecorderOptions(
            interfaces: lab.captures.map {
                RecorderOptions.Interface(name: $0.interface, namespace: NetworkNamespace(path: $0.path))
            },
            capture: .file("\(directory)/capture.pcapng"), events: .file("\(directory)/events.jsonl"))
        options.tool = tool
        if capturesEverything { options.filter = "" }
        options.optionalHooks = optionalHooks
        options.ignoredResets = true
        options.scope.netns = Set(lab.captures.map(\.netns)).sorted()
        try scenario.prepare(in: lab)
        let recorder = try Recorder(options, wantsToStop: {})
        let provoked = Result { try scenario.run(in: lab) }
        let summary = recorder.stop()
        run.expected = try provoked.get()
        if let failure = summary.failure { run.differences.append("recorder: \(failure)") }
        if summary.eventsLost > 0 { run.differences.append("\(summary.eventsLost) events lost") }
        if summary.packetsDropped > 0 { run.differences.append("\(summary.packetsDropped) packets dropped") }
        let loaded = InputLoader().load([directory])
        run.differences += loaded.failures
        let report = correlate(captures: loaded.captures, recordings: loaded.recordings)
        var comparison = Comparison(
            report, netns: Set(options.scope.netns),
            reportsSocketlessResets: loaded.reportsSocketlessResets)
        comparison.run(run.expected)
        run.report = report
        run.resets = comparison.pairs.map(\.got)
        run.refusals = comparison.ended
        run.differences += comparison.differences
        if comparison.isAmbiguous { run.status = .ambiguous }
        if !run.differences.isEmpty { run.status = .failed }
    }

    private func temporaryDirectory() throws -> String {
        guard let directory = makeTemporaryDirectory(in: scratch) else {
            throw LabError.unsupported(
                "cannot create a directory for temporary files: \(String(cString: strerror(errno)))")
        }
        return directory
    }

    private func remove(_ directory: String) {
        for name in ["capture.pcapng", "events.jsonl"] { unlink("\(directory)/\(name)") }
        rmdir(directory)
    }
}

/// Creates a directory in `base`, or else in the environment's (TMPDIR) or the system's directory for temporary files; nil
/// with `errno`.
package func makeTemporaryDirectory(in base: String? = nil) -> String? {
    let base = base ?? getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array("\(base)/rst-analyze-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { return nil }
    return String(decoding: template.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}
