import Foundation
import InputFiles
import KernelEvents
import NetworkTypes
import Testing

@testable import Correlator
@testable import Reporting

/// Pages in a browser: they sort, filter and open, and no name gets out of its place.
@Suite struct HTMLPageTests {
    private static let hasBrowser = FileManager.default.isExecutableFile(atPath: "/usr/bin/chromedriver")

    private static func run(_ program: String, _ arguments: [String]) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/timeout")
        process.arguments = ["300", program] + arguments
        process.currentDirectoryURL = FixtureTests.root
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text)
    }

    private static func page(_ report: Report) throws -> Data {
        var bytes: [UInt8] = []
        try HTMLReport(tool: "test").render(report) { bytes += $0 }
        return Data(bytes)
    }

    /// Names that would end an element, an attribute, a string or the script, or show something else than they are.
    static let hostile = [
        "</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "\" onmouseover=\"alert(1)",
        "'-alert(1)-'",
        "\"\u{301} autofocus onfocus=alert(1) x=\"\u{301}", "<!--<script>", "]]>", "{{tool}}", "{{{style}}}",
        "${alert(1)}",
        "\u{202e}gnp.exe", "\u{2028}alert(1)", "\u{1b}[31mred", "\\u003cb>", "&lt;b&gt;", "javascript:alert(1)",
        "\0nul",
        String(decoding: [0xff, 0xfe, 0x3c, 0x62, 0x3e] as [UInt8], as: UTF8.self),
    ]

    static func hostileReport() -> Report {
        let resets = hostile.enumerated().map { index, name in
            let tuple = FourTuple(
                source: IPAddress(ipv4: 0x0a00_0001), sourcePort: 80,
                destination: IPAddress(ipv4: 0x0a00_0100 + UInt32(index)), destinationPort: 40000)
            let sighting = Reset.Sighting(file: name, packet: 1, interface: name, time: 0, translated: nil)
            let process = Reset.Process(pid: 7, comm: name, role: .owner, thread: name)
            let time: Int64 = 1_700_000_000_000_000_000 + Int64(index) * 1_000_000_000
            var reset = Reset(
                time: time, tuple: tuple, seq: 1, ack: 2, flags: [.rst, .ack], direction: .sent, outcome: .matched,
                sightings: [sighting], cause: .abortOnClose, category: .close, certainty: .proven, summary: name,
                evidence: [Fact(name, from: .eventLine(1))], match: nil, reason: name, state: nil, path: nil,
                process: process, netns: nil)
            reset.id = index + 1
            reset.location = Reset.Location(cgroup: name, identity: CgroupIdentity(path: name))
            return reset
        }
        let inputs = hostile.map { name in
            Report.Input(
                file: name, kind: .events, packets: 0, events: 1, damage: [name], damageCount: 1, undecoded: [],
                notes: [name],
                host: name, kernel: name)
        }
        var report = Report(inputs: inputs, losses: Report.Losses(), resets: ResetList(resets))
        report.selection = Report.Selection(total: 99, words: hostile)
        return report
    }

    /// What a browser takes for an element begins with a less-than sign and a letter, a slash or an exclamation mark.
    @Test func noNameBecomesAnElement() throws {
        let page = String(decoding: try Self.page(Self.hostileReport()), as: UTF8.self)
        let harmless = String(
            decoding: try Self.page(Report(inputs: [], losses: Report.Losses(), resets: ResetList([]))), as: UTF8.self)
        #expect(!page.contains("<img") && !page.contains("<b>") && !page.contains("<!--"))
        // The page's own and the one that ends the data.
        #expect(page.ranges(of: "</script>").count == harmless.ranges(of: "</script>").count + 1)
        #expect(page.ranges(of: "<script").count == harmless.ranges(of: "<script").count + 1)
        #expect(!page.unicodeScalars.contains { "\u{202e}\u{2028}\u{1b}\0".unicodeScalars.contains($0) })
        #expect(page.contains("{{tool}}") && page.contains("{{{style}}}"))
        // Escaped code point by code point: an accent joins with the quotation mark before it. Not in the macro's argument,
        // which is printed and read again.
        let (given, escaped) = ("\"\u{301}<\u{301}&'>", "&quot;\u{301}&lt;\u{301}&amp;&#39;&gt;")
        #expect(Data(HTMLScalars().escapeText(given).utf8) == Data(escaped.utf8))
        let raw = Data("\"\u{301} auto".utf8)
        let elements = page[..<(try #require(page.range(of: "<script type=\"application/json\"")).lowerBound)]
        #expect(Data(elements.utf8).range(of: raw) == nil)
    }

    @Test func theirHashesAreThoseOfTheStyleAndTheScript() throws {
        for (text, hash) in [(HTMLStyle.text, HTMLStyle.hash), (HTMLScript.text, HTMLScript.hash)] {
            let file = FileManager.default.temporaryDirectory.appending(path: "text-\(UUID().uuidString)")
            defer { try? FileManager.default.removeItem(at: file) }
            try Data(text.utf8).write(to: file)
            let python =
                "import base64, hashlib, sys; "
                + "print(base64.b64encode(hashlib.sha256(open(sys.argv[1], 'rb').read()).digest()).decode())"
            let sum = try Self.run("/usr/bin/python3", ["-c", python, file.path])
            #expect(sum.output == hash + "\n", "the hash in the source must be \(sum.output)")
            #expect(!text.contains("</script") && !text.contains("</style"))
        }
    }

    @Test(.enabled(if: hasBrowser)) func pagesWorkInABrowser() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "pages-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let capture = folder.appending(path: "incident.pcap")
        #expect(try Self.run("bench/incident", [capture.path, "--resets", "10000"]).status == 0)
        let incident = InputLoader().load([capture.path])
        let pages = [
            ("hostile", Self.hostileReport()),
            (
                "fixtures",
                try TextGoldenTests.report([
                    "closed-port-v4", "abort-on-close-v4", "netfilter-reject-nft-input-v4", "keepalive-timeout-v6",
                    "icmp-port-unreachable-v4", "received-with-data-v4", "stale-after-reset-v4",
                ])
            ),
            ("10000", correlate(captures: incident.captures, recordings: [])),
        ]
        var files: [String] = []
        for (name, report) in pages {
            let file = folder.appending(path: "\(name).html")
            try Self.page(report).write(to: file)
            files.append(file.path)
        }
        let result = try Self.run("scripts/check-page", files)
        #expect(result.status == 0, "\(result.output)")
        print(result.output)
    }

    @Test func moreThanABrowserCanShowAreOnlyAnswered() throws {
        let one = Self.hostileReport().resets[0]
        let resets = (0...HTMLReport.mostRows).map { index in
            var reset = one
            reset.id = index + 1
            reset.time += Int64(index) * 1_000_000
            return reset
        }
        let page = try Self.page(Report(inputs: [], losses: Report.Losses(), resets: ResetList(resets)))
        let text = String(decoding: page, as: UTF8.self)
        #expect(text.contains("20,001 resets are too many for a table here"))
        #expect(text.contains("<article class=\"answer\">") && text.contains("class=\"chart\""))
        #expect(!text.contains("id=\"data\"") && page.count < 100_000)
    }
}
