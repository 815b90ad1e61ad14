import Correlator
import Foundation
import InputFiles
import Reporting
import Testing

/// Compares a report with the `expected.json` of a fixture's directory, or rewrites that and fails.
func expectGolden(_ report: Report, in directory: URL) throws {
    var renderer = JSONReport(tool: "rst-analyze 0.1.0")
    var bytes: [UInt8] = []
    renderer.render(report) { bytes += $0 }
    let file = directory.appending(path: "expected.json")
    if ProcessInfo.processInfo.environment["RST_REGENERATE"] != nil {
        try Data(bytes).write(to: file)
        Issue.record("wrote \(file.path) anew: look at the difference before it is committed")
        return
    }
    #expect(
        Data(bytes) == (try Data(contentsOf: file)),
        "the report of \(directory.lastPathComponent) has changed; RST_REGENERATE=1 writes it anew if that is meant")
}

/// Packets alone prove nothing, and the README of the directory justifies each verdict.
func expectNothingProven(_ report: Report, in directory: URL) throws {
    let readme = try String(contentsOf: directory.appending(path: "README.md"), encoding: .utf8)
    for reset in report.resets {
        #expect(reset.certainty != .proven)
        // The README argues from the packet of each RST.
        #expect(reset.sightings.contains { readme.contains("\($0.packet)") })
    }
}

/// The report of a capture without kernel events.
///
/// - Parameter name: what the report calls the file.
func reportOfCapture(_ file: URL, named name: String) throws -> Report {
    let loaded = InputLoader().load([file.path])
    #expect(loaded.failures.isEmpty)
    return correlate(
        captures: loaded.captures.map {
            var capture = $0
            capture.file = name
            return capture
        }, recordings: [])
}
