import Correlator
import Foundation
import InputFiles
import Reporting
import Testing

/// The recordings in fixtures/, made on real kernels: their reports must not change.
@Suite struct FixtureTests {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    static let fixtures = root.appending(path: "fixtures")

    static let names: [String] = {
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: fixtures.path)) ?? []
        return entries.filter {
            FileManager.default.fileExists(atPath: fixtures.appending(path: "\($0)/expected.json").path)
        }.sorted()
    }()

    private static func report(_ name: String) throws -> Report {
        let paths = ["capture.pcapng", "events.jsonl"].map { fixtures.appending(path: "\(name)/\($0)").path }
        let loaded = InputLoader().load(paths.filter { FileManager.default.fileExists(atPath: $0) })
        #expect(loaded.failures.isEmpty)
        let directory = fixtures.appending(path: name).path + "/"
        return correlate(
            captures: loaded.captures.map {
                var capture = $0
                capture.file = String(capture.file.dropFirst(directory.count))
                return capture
            },
            recordings: loaded.recordings.map {
                EventInput(file: String($0.file.dropFirst(directory.count)), recording: $0.recording)
            })
    }

    @Test func thereAreFixtures() {
        #expect(Self.names.count >= 12)
    }

    /// RST_REGENERATE=1 writes the current report, and fails, so that nobody does it by accident.
    @Test(arguments: names)
    func reportIsAsExpected(_ name: String) throws {
        let report = try Self.report(name)
        var renderer = JSONReport(tool: "rst-analyze 0.1.0")
        var bytes: [UInt8] = []
        renderer.render(report) { bytes += $0 }
        let file = Self.fixtures.appending(path: "\(name)/expected.json")
        if ProcessInfo.processInfo.environment["RST_REGENERATE"] != nil {
            try Data(bytes).write(to: file)
            Issue.record("wrote \(file.path) anew: look at the difference before it is committed")
            return
        }
        let expected = try Data(contentsOf: file)
        #expect(
            Data(bytes) == expected,
            "the report of \(name) has changed; RST_REGENERATE=1 writes it anew if that is meant")
    }

    /// A fixture is named after its scenario; causes that the kernel shows must be proven.
    @Test(arguments: names)
    func everyVerdictOfTheKernelIsProven(_ name: String) throws {
        let report = try Self.report(name)
        #expect(!report.resets.isEmpty || !report.refusals.isEmpty)
        for reset in report.resets where reset.outcome != .wireOnly {
            // A program that only carries the segments of other hosts writes them just as one that makes them.
            #expect(
                reset.certainty
                    == (["tun-device", "relayed-received"].contains(where: name.hasPrefix) ? .inferred : .proven))
            #expect(reset.cause != .unknown)
        }
    }

    /// Every cause that the kernel can prove has a recording that proves it.
    @Test func theFixturesOfTheCatalogueExistAndProveTheirCause() throws {
        for rule in Catalogue.rules {
            guard let fixture = rule.fixture else { continue }
            #expect(Self.names.contains(fixture), "\(rule.cause.rawValue) names a fixture that is not there")
            guard Self.names.contains(fixture) else { continue }
            let causes = try Self.report(fixture).resets.map(\.cause)
            #expect(causes.contains(rule.cause), "\(fixture) does not show \(rule.cause.rawValue)")
        }
    }

    @Test func everyFixtureSaysWhatItIs() throws {
        for name in Self.names {
            let readme = try String(contentsOf: Self.fixtures.appending(path: "\(name)/README.md"), encoding: .utf8)
            #expect(readme.hasPrefix("# \(name)\n"))
        }
    }
}
