import Correlator
import Foundation
import InputFiles
import KernelEvents
import Reporting
import Testing

/// The recordings in fixtures/hosts/, of several hosts each, one folder per host: one report.
@Suite struct HostGoldenTests {
    private static let fixtures = FixtureTests.fixtures.appending(path: "hosts")
    static let names = ((try? FileManager.default.contentsOfDirectory(atPath: fixtures.path)) ?? []).sorted()

    static func report(_ name: String) throws -> Report {
        let folder = fixtures.appending(path: name)
        let hosts = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted().map {
            folder.appending(path: $0)
        }.filter(\.isFolder)
        let loader = InputLoader().load(hosts.map(\.path))
        #expect(loader.failures.isEmpty)
        let length = folder.path.count + 1
        return correlate(
            captures: loader.captures.map {
                var capture = $0
                capture.file = String(capture.file.dropFirst(length))
                return capture
            },
            recordings: loader.recordings.map {
                EventInput(file: String($0.file.dropFirst(length)), recording: $0.recording)
            })
    }

    @Test func thereAreFixtures() { #expect(!Self.names.isEmpty) }

    @Test(arguments: names)
    func reportIsAsExpected(_ name: String) throws {
        var renderer = JSONReport(tool: "rst-analyze 0.1.0")
        var bytes: [UInt8] = []
        renderer.render(try Self.report(name)) { bytes += $0 }
        let file = Self.fixtures.appending(path: "\(name)/expected.json")
        if ProcessInfo.processInfo.environment["RST_REGENERATE"] != nil {
            try Data(bytes).write(to: file)
            Issue.record("wrote \(file.path) anew: look at the difference before it is committed")
            return
        }
        #expect(Data(bytes) == (try Data(contentsOf: file)), "the report of \(name) has changed")
    }

    /// Each RST has one entry, with its sender and its receiver; what a router forged is proven to be a third party's.
    @Test func twoHostsTellOneStory() throws {
        let report = try Self.report("two-hosts")
        let resets = Array(report.resets)
        #expect(resets.count == 12 + 2 * 4)
        #expect(resets.allSatisfy { $0.certainty == .proven && $0.receiver != nil })
        #expect(resets.filter { $0.cause == .injected }.count == 4)
        #expect(report.clocks.count == 1)
    }

    /// With a recording that lost something, nothing is proven of what it does not have.
    @Test func whatIsLostProvesNothing() throws {
        let loader = InputLoader().load(
            ["client", "server"].map { Self.fixtures.appending(path: "two-hosts/\($0)").path })
        let report = correlate(
            captures: loader.captures,
            recordings: loader.recordings.map {
                var recording = $0.recording
                recording.footer?.lost = 1
                return EventInput(file: $0.file, recording: recording)
            })
        #expect(report.resets.count == 20)
        #expect(report.resets.allSatisfy { $0.cause != .injected || $0.certainty != .proven })
    }
}

extension URL {
    fileprivate var isFolder: Bool { (try? resourceValues(forKeys: [.isDirectoryKey]))?.isDirectory == true }
}
