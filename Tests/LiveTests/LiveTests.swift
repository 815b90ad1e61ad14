import Correlator
import Foundation
import Glibc
import Laboratory
import Recorder
import Selftest
import SelftestDriver
import Testing

/// Provokes real resets on the running kernel, records and reports them, and compares.
///
/// Skipped, with the reason, without root or on a kernel that does not allow it.
@Suite(.serialized, .enabled(if: Live.obstacle == nil, "\(Live.obstacle ?? "")"))
struct LiveTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let scenario: Scenario
        let version: IPVersion
        var testDescription: String { "\(scenario.id) IPv\(version.rawValue)" }
        static let all = Scenarios.all.flatMap { scenario in
            scenario.ipVersions.map { Case(scenario: scenario, version: $0) }
        }
    }

    private static let driver: SelftestDriver = {
        var driver = SelftestDriver(tool: "rst-analyze test", actor: Live.actor)
        driver.allowsHostWideSettings = Live.allowsHostWideSettings
        return driver
    }()

    @Test(arguments: Case.all)
    func reportNamesTheCause(_ test: Case) throws {
        let run = Self.driver.run(test.scenario, test.version)
        switch run.status {
        case .passed, .ambiguous: break
        case .failed: Issue.record("\(run.differences.joined(separator: "\n"))")
        case .unsupported(let reason): try Test.cancel("\(reason)")
        }
    }

    @Test(arguments: [IPVersion.v4, .v6])
    func aThousandTranslatedResetsHaveBothSightings(_ version: IPVersion) throws {
        let run = Self.driver.run(Scenarios.translatedBurst(count: 1000), version)
        #expect(run.status == .passed, "\(run.differences.prefix(5))")
        let report = try #require(run.report)
        #expect(report.resets.count == 1000)
        #expect(report.resets.allSatisfy { $0.outcome == .matched && $0.sightings.count >= 4 })
    }

    @Test(arguments: [IPVersion.v4, .v6])
    func tenThousandResetsAreMatchedOnce(_ version: IPVersion) throws {
        let run = Self.driver.run(Scenarios.burst(count: 10_000), version)
        #expect(run.status == .passed, "\(run.differences.prefix(5))")
        let report = try #require(run.report)
        #expect(report.resets.count == 10_000)
        #expect(report.resets.allSatisfy { $0.outcome == .matched && $0.sightings.count == 1 })
        #expect(Set(report.resets.map(\.tuple)).count == 10_000)
        #expect(report.losses.isEmpty)
    }
}

enum Live {
    /// The program that plays the processes of a scenario: the product, beside the test bundle.
    static let actor: ActorCommand = {
        let bundle = Bundle.allBundles.map(\.bundleURL).first { $0.pathExtension == "xctest" }
        let folder =
            bundle?.deletingLastPathComponent()
            ?? URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        return ActorCommand(
            path: folder.appendingPathComponent("rst-analyze").path, arguments: ["selftest-actor"])
    }()

    /// Why nothing can be recorded here; nil if it can.
    static let obstacle: String? = geteuid() == 0 ? Recorder.obstacle : "it needs root"

    /// Whether scenarios may briefly change host-wide settings.
    static let allowsHostWideSettings = getenv("RST_ANALYZE_HOST_WIDE") != nil
}
