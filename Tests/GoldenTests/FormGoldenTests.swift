import Correlator
import Foundation
import InputFiles
import Testing

@testable import Reporting

/// The other forms of the reports in `TextGoldenTests`.
@Suite struct FormGoldenTests {
    private static let directory = FixtureTests.root.appending(path: "Tests/GoldenTests/Forms")
    private static let host = RecordLines.Host(name: "vm", id: "", bootID: "", agent: "rst-analyze 0.1.0")

    private static func text(_ render: (([UInt8]) -> Void) throws -> Void) rethrows -> String {
        var bytes: [UInt8] = []
        try render { bytes += $0 }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// RST_REGENERATE=1 writes the current text, and fails, so that nobody does it by accident.
    private static func expect(_ text: String, _ name: String) throws {
        let file = directory.appending(path: name)
        if ProcessInfo.processInfo.environment["RST_REGENERATE"] != nil {
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
            Issue.record("wrote \(file.path) anew: look at the difference before it is committed")
            return
        }
        let expected = try Data(contentsOf: file)
        #expect(Data(text.utf8) == expected, "\(name) has changed; RST_REGENERATE=1 writes it anew if that is meant")
    }

    @Test(arguments: TextGoldenTests.inputs.indices)
    func formsAreAsExpected(_ index: Int) throws {
        let (name, paths) = TextGoldenTests.inputs[index]
        let report = try TextGoldenTests.report(paths)
        try Self.expect(Self.text { RecordTable(.csv, host: Self.host).render(report, to: $0) }, "\(name).csv")
        try Self.expect(Self.text { RecordTable(.ndjson, host: Self.host).render(report, to: $0) }, "\(name).ndjson")
        try Self.expect(
            Self.text { put in MarkdownReport().render(report) { put(Array($0.utf8)) } }, "\(name).md")
        let comments = report.resets.map { "#\($0.id)\n\(packetComment(on: $0))\n" }
        try Self.expect(comments.joined(separator: "\n"), "\(name).comments")
    }

    private static let pages = [
        ("reject-and-close", ["netfilter-reject-nft-input-v4", "abort-on-close-cgroup-v4"]),
        ("received-and-icmp", ["received-with-data-v4", "icmp-port-unreachable-v4"]),
        ("wire-only", ["follow-up-resets"]),
    ]

    /// Without the style sheet and the script, which every page has.
    @Test(arguments: pages.indices)
    func pagesAreAsExpected(_ index: Int) throws {
        let (name, paths) = Self.pages[index]
        let report = try TextGoldenTests.report(paths)
        let page = try Self.text { try HTMLReport(tool: "rst-analyze 0.1.0").render(report, to: $0) }
        #expect(page.contains(HTMLStyle.text) && page.contains(HTMLScript.text))
        try Self.expect(
            page.replacing(HTMLStyle.text, with: "(style)").replacing(HTMLScript.text, with: "(script)").replacing(
                HTMLStyle.hash, with: "(hash)"
            ).replacing(HTMLScript.hash, with: "(hash)"), "\(name).html")
    }
}
