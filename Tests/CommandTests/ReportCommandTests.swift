import Foundation
import Testing

@Suite struct ReportCommandTests {
    private let fixture = "fixtures/closed-port-v4"

    @Test func filesAreToldApartByContentInAnyOrder() throws {
        let (capture, events) = try Program.fixture("closed-port-v4")
        try Program.withFolder { folder in
            try capture.write(to: folder.appending(path: "a.txt"))
            try events.write(to: folder.appending(path: "b.pcap"))
            let one = try Program.run("report", "a.txt", "b.pcap", in: folder)
            let other = try Program.run("report", "b.pcap", "a.txt", in: folder)
            #expect(one.status == 0)
            #expect(one.output.contains("1 matched"))
            #expect(one.output == other.output)
        }
    }

    @Test func standardInputIsACaptureToo() throws {
        let (capture, _) = try Program.fixture("closed-port-v4")
        let result = try Program.run("report", "-", "\(fixture)/events.jsonl", input: capture)
        #expect(result.status == 0)
        #expect(result.output.contains("1 matched"))
    }

    @Test func failOnHasItsOwnStatusAndStillReports() throws {
        let result = try Program.run("report", fixture, "--fail-on", "closed-port")
        #expect(result.status == 3)
        #expect(result.output.contains("closed-port"))
        #expect(try Program.run("report", fixture, "--fail-on", "linger-zero").status == 0)
    }

    @Test func causeShowsOnlyThatCause() throws {
        let result = try Program.run(
            "report", "fixtures/closed-port-v4", "fixtures/linger-zero-v4", "--cause", "linger-zero")
        #expect(result.output.contains("linger-zero"))
        #expect(!result.output.contains("closed-port"))
    }

    @Test func theSameInputGivesTheSameBytes() throws {
        let arguments = ["fixtures/closed-port-v4", "fixtures/abort-on-close-v6"]
        let one = try Program.run("report", "--format", "json", arguments[0], arguments[1])
        let other = try Program.run("report", "--format", "json", arguments[0], arguments[1])
        #expect(one.output == other.output)
    }

    @Test func linesFitEightyColumns() throws {
        let folders = try FileManager.default.contentsOfDirectory(
            atPath: Program.root.appending(path: "fixtures").path
        ).filter { $0.hasSuffix("-v4") }
        for folder in folders {
            let result = try Program.run("report", "fixtures/\(folder)")
            for line in result.output.split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
        }
    }

    /// Comments written into the capture with Wireshark's own tool are shown in the report.
    @Test func commentsOfTheCaptureAreShown() throws {
        let (capture, _) = try Program.fixture("closed-port-v4")
        try Program.withFolder { folder in
            try capture.write(to: folder.appending(path: "plain"))
            let editcap = Process()
            editcap.executableURL = URL(filePath: "/usr/bin/editcap")
            editcap.arguments = [
                "-a", "2:ask Bob\nor Eve", "--capture-comment", "at the router", "plain", "noted.pcapng",
            ]
            editcap.currentDirectoryURL = folder
            try editcap.run()
            editcap.waitUntilExit()
            let text = try Program.run("report", "-v", "noted.pcapng", in: folder).output
            #expect(text.contains("noted.pcapng: comment: at the router\n"))
            #expect(text.contains("comment in the capture: ask Bob; or Eve [packet 2]"))
            let json = try Program.run("report", "--format", "json", "noted.pcapng", in: folder).output
            #expect(json.contains(#""comments":["at the router"]"#))
        }
    }

    /// Every block of the README and of docs/reading.md that begins with a command of ours shows what that command prints.
    @Test func theReadmeShowsRealOutput() throws {
        for (page, least) in [("README.md", 1), ("docs/reading.md", 4)] { try Self.expectRealOutput(page, least) }
    }

    private static func expectRealOutput(_ page: String, _ least: Int) throws {
        let readme = try String(contentsOf: Program.root.appending(path: page), encoding: .utf8)
        var checked = 0
        for block in readme.components(separatedBy: "```console\n").dropFirst() {
            let lines = block.components(separatedBy: "```")[0].split(separator: "\n", omittingEmptySubsequences: false)
            guard let command = lines.first, command.hasPrefix("$ rst-analyze ") else { continue }
            let words = command.dropFirst("$ rst-analyze ".count).split(separator: " ").map(String.init)
            guard words.first == "report" || words.first == "explain" else { continue }
            let result = try Program.run(more: words)
            #expect(result.output == lines.dropFirst().joined(separator: "\n"), "\(command)")
            checked += 1
        }
        #expect(checked >= least)
    }

    @Test func theCatalogueInTheDocumentsIsCurrent() throws {
        let document = try String(contentsOf: Program.root.appending(path: "docs/causes.md"), encoding: .utf8)
        #expect(try Program.run("explain", "--format", "markdown").output == document, "run make causes")
    }

    @Test func outputIsValidBySchema() throws {
        for name in ["closed-port-v4", "netfilter-reject-nft-forward-v6", "masqueraded-v4", "socket-destroyed-v4"] {
            try Program.withFolder { folder in
                let report = folder.appending(path: "report.json").path
                #expect(try Program.run("report", "fixtures/\(name)", "--format", "json", "-o", report).status == 0)
                try validate(report)
                try validate("fixtures/\(name)/events.jsonl")
            }
        }
    }

    private func validate(_ path: String) throws {
        let process = Process()
        process.executableURL = Program.root.appending(path: "scripts/validate-json")
        process.arguments = [path]
        process.currentDirectoryURL = Program.root
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "scripts/validate-json \(path)")
    }
}
