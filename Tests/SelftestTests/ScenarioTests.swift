import Correlator
import Foundation
import Glibc
import NetworkTypes
import Testing

@testable import Laboratory
@testable import Selftest

struct Case: Sendable, CustomTestStringConvertible {
    let scenario: Scenario
    let version: IPVersion
    var testDescription: String { "\(scenario.id) \(version)" }

    static let all = Scenarios.all.flatMap { scenario in
        scenario.ipVersions.map { Case(scenario: scenario, version: $0) }
    }
}

@Suite(.serialized) struct ScenarioTests {
    @Test(.enabled(if: isRoot, "network namespaces need root"), arguments: Case.all)
    func everyScenarioSendsWhatItSays(_ test: Case) throws {
        let allowed = getenv("RST_ANALYZE_HOST_WIDE") != nil
        if let obstacle = test.scenario.obstacle(allowing: allowed) { try Test.cancel("\(obstacle)") }
        do {
            try check(test)
        } catch LabError.unsupported(let why) {
            try Test.cancel("\(why)")
        }
    }

    private func check(_ test: Case) throws {
        let began = Deadline.now()
        let lab = try Lab(for: test.scenario, ipVersion: test.version, actor: actor)
        defer { lab.close() }
        let sniffer = try Sniffer(lab)
        let built = Deadline.now()
        let expected = try test.scenario.run(in: lab)
        let ended = Deadline.now()
        let seen = try sniffer.resets()
        if getenv("RST_ANALYZE_TIMES") != nil {
            print("time", test.testDescription, (built - began) / 1_000_000, (ended - built) / 1_000_000)
        }

        #expect(!expected.isEmpty)
        let wire = Set(seen.values.joined().map(\.tuple))
        for reset in expected {
            // An ICMP error ends a connection without a RST, and its cause is none of those.
            let isReset = reset.refusal == nil
            #expect(([reset.cause] + reset.alternatives).allSatisfy { (Cause(rawValue: $0) != nil) == isReset })
            #expect(lab.captures.contains { $0.netns == reset.netns }, "the origin is a namespace of the lab")
            #expect(
                wire.contains(reset.tuple) == (isReset && reset.outcome != .kernelOnly), "\(reset.tuple) on the wire")
        }
        let known = Set(expected.flatMap { [$0.tuple] + $0.alsoSeenAs })
        #expect(wire.subtracting(known) == [], "no reset that the scenario does not tell of")
    }

    /// The causes that the scenarios name and those that the document excuses make up the catalogue.
    @Test func everyCauseIsProvokedOrExcused() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..")
        let folder = root.appendingPathComponent("Sources/Selftest/Scenarios")
        let sources = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .map { try String(contentsOf: $0, encoding: .utf8) }.joined()
        let document = try String(
            contentsOf: root.appendingPathComponent("docs/scenarios-not-provoked.md"), encoding: .utf8)
        let excused = document.split(separator: "## Paths")[0]
        for cause in Cause.allCases {
            let isProvoked = sources.contains("\"\(cause.rawValue)\"")
            #expect(isProvoked != excused.contains("\n| `\(cause.rawValue)` |"), "\(cause.rawValue)")
        }
    }

    @Test func idsAreUnique() {
        #expect(Set(Scenarios.all.map(\.id)).count == Scenarios.all.count)
        for scenario in Scenarios.all { #expect(Scenarios.named(scenario.id)?.id == scenario.id) }
    }
}
