import Foundation
import NetworkTypes
import Testing

@testable import Correlator
@testable import Reporting

/// The forms for spreadsheets, tickets and programs that show packets.
@Suite struct FormTests {
    private static func report(_ comm: String, summary: String = "It closed, and \"how\".") -> Report {
        let tuple = FourTuple(
            source: IPAddress(ipv4: 0x0a00_0001), sourcePort: 80, destination: IPAddress(ipv4: 0x0a00_0002),
            destinationPort: 40000)
        var reset = Reset(
            time: 1_700_000_000_000_000_000, tuple: tuple, seq: 1, ack: 2, flags: [.rst, .ack], direction: .sent,
            outcome: .matched, sightings: [], cause: .abortOnClose, category: .close, certainty: .proven,
            summary: summary,
            evidence: [], match: nil, reason: nil, state: nil, path: nil,
            process: Reset.Process(pid: 7, comm: comm, role: .owner), netns: nil)
        reset.id = 1
        return Report(inputs: [], losses: Report.Losses(), resets: ResetList([reset]))
    }

    private static func csv(_ report: Report, _ fields: [String] = ["comm", "pid", "summary"]) -> String {
        var bytes: [UInt8] = []
        let host = RecordLines.Host(name: "h", id: "", bootID: "", agent: "a")
        RecordTable(.csv, host: host, fields: fields).render(report) { bytes += $0 }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// OWASP's list of what begins a formula; a tab or a line break is written as its code.
    @Test(arguments: ["=cmd|' /C calc'!A0", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\u{ff1d}1"])
    func noCellIsAFormula(_ comm: String) {
        let row = Self.csv(Self.report(comm)).split(separator: "\r\n")[1]
        #expect(row.first.map { "'\\\"".contains($0) } == true, "\(row)")
        #expect(!row.contains("\t"))
    }

    /// Where a comma separates decimals, a semicolon separates cells.
    @Test func aSemicolonMakesNoCell() { #expect(Self.csv(Self.report("x;=1")).contains("\r\n\"x;=1\",")) }

    @Test func cellsAreQuotedAsRFC4180Has() {
        #expect(
            Self.csv(Self.report("ng\u{1b}[31minx"))
                == "comm,pid,summary\r\nng\\u{1b}[31minx,7,\"It closed, and \"\"how\"\".\"\r\n")
        #expect(
            Self.csv(Self.report("x"), ["time", "src", "dst", "pod"]).hasSuffix(
                "\r\n2023-11-14T22:13:20.000000000Z,10.0.0.1,10.0.0.2,\r\n"))
    }

    @Test func theFieldsAreThoseOfTheSchema() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let schema =
            try JSONSerialization.jsonObject(
                with: Data(contentsOf: root.appending(path: "docs/schema/rst-record-1.schema.json"))) as? [String: Any]
        let properties = try #require(schema?["properties"] as? [String: Any])
        // Of health records, and of this form only.
        let ofHealth: Set = [
            "covered_ns", "addresses", "events_lost", "resets", "files_dropped", "filtered", "counted", "counted_from",
            "counted_to",
        ]
        #expect(Set(properties.keys).subtracting(ofHealth) == Set(RecordTable.allFields).subtracting(["time"]))
        #expect(RecordTable.allFields.count == Set(RecordTable.allFields).count)
        #expect(Set(RecordTable.usualFields).isSubset(of: RecordTable.allFields))
    }

    @Test func chosenFieldsOfNDJSONAreJSON() throws {
        var bytes: [UInt8] = []
        let host = RecordLines.Host(name: "h", id: "", bootID: "", agent: "a")
        RecordTable(.ndjson, host: host, fields: ["cause", "comm", "pod", "pid"]).render(Self.report("a\"b")) {
            bytes += $0
        }
        #expect(
            String(decoding: bytes, as: UTF8.self) == "{\"cause\":\"abort-on-close\",\"comm\":\"a\\\"b\",\"pid\":7}\n")
    }

    @Test func markdownShowsNamesAsTheyAre() {
        var text = ""
        MarkdownReport().render(Self.report("<b>|`x`*")) { text += $0 }
        #expect(text.contains("\\<b\\>\\|\\`x\\`\\* (pid 7)"))
        #expect(text.contains("| 1 | abort-on-close, proven | "))
    }

    @Test func aCommentBeginsWithItsVerdict() {
        let lines = packetComment(on: Self.report("nginx").resets[0]).split(separator: "\n")
        #expect(lines[0] == "rst-analyze: abort-on-close, proven; sent")
        #expect(lines.contains("process: nginx (pid 7), owner"))
    }
}
