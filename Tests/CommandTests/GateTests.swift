import Foundation
import Testing

/// The options of `report` for pipelines, on existing recordings.
@Suite struct GateTests {
    private static func report(_ arguments: [String], in folder: URL = Program.root) throws -> Program.Result {
        try Program.run("report", more: arguments, in: folder)
    }

    @Test func theSameRecordingIsAsExpected() throws {
        try Program.withFolder { folder in
            let before = folder.appending(path: "before.json").path
            let other = "fixtures/closed-port-v4"
            let case1 = "fixtures/abort-on-close-v4"
            #expect(try Self.report([case1, "--format", "json", "-o", before]).status == 0)
            #expect(try Self.report([case1, "--expect", before]).status == 0)
            let both = try Self.report([case1, other, "--expect", before])
            #expect(both.status == 3)
            #expect(both.errors.contains("  appeared: "), "\(both.errors)")
            #expect(!both.errors.contains("vanished") && !both.errors.contains("changed"))
            let neither = try Self.report([other, "--expect", before])
            #expect(neither.errors.contains("  vanished: "), "\(neither.errors)")
        }
    }

    @Test(arguments: [
        ("", "it is not JSON"), ("{}", "not a report of rst-analyze"), ("[1", "it is not JSON"),
        (#"{"schema":"rst-report/2","resets":[]}"#, "its schema is not rst-report/1"),
        (#"{"schema":"rst-report/1","resets":[{"src":"10.0.0.1"}]}"#, "its reset number 1 lacks"),
    ])
    func whatCannotBeComparedWithIsSaid(_ text: String, _ message: String) throws {
        try Program.withFolder { folder in
            let file = folder.appending(path: "before.json")
            try Data(text.utf8).write(to: file)
            let result = try Self.report(["fixtures/closed-port-v4", "--expect", file.path])
            #expect(result.status == 1)
            #expect(result.errors.contains(message), "\(result.errors)")
        }
    }

    @Test func whatIsLostIsAnErrorInTheXML() throws {
        try Program.withFolder { folder in
            let events = String(decoding: try Program.fixture("closed-port-v4").events, as: UTF8.self)
            // Without its last line, which shows that it is complete.
            let cut = events.split(separator: "\n").dropLast().joined(separator: "\n") + "\n"
            try Data(cut.utf8).write(to: folder.appending(path: "events.jsonl"))
            let result = try Self.report(["events.jsonl", "--junit", "j.xml", "--fail-on", "linger-zero"], in: folder)
            #expect(result.status == 2)
            let text = try String(contentsOf: folder.appending(path: "j.xml"), encoding: .utf8)
            #expect(text.contains(#"tests="2" failures="0" errors="1""#), "\(text)")
            #expect(text.contains("<error message="))
        }
    }

    @Test func directoriesInDirectoriesAreReadWhenAskedFor() throws {
        try Program.withFolder { folder in
            let inner = folder.appending(path: "a/b")
            try FileManager.default.createDirectory(at: inner, withIntermediateDirectories: true)
            let files = try Program.fixture("closed-port-v4")
            try files.capture.write(to: inner.appending(path: "capture.pcapng"))
            try files.events.write(to: inner.appending(path: "events.jsonl"))
            // A link back to its own directory.
            try FileManager.default.createSymbolicLink(at: inner.appending(path: "loop"), withDestinationURL: folder)
            let flat = try Self.report(["."], in: folder)
            #expect(flat.status == 1)
            #expect(flat.errors.contains("-R also reads the directories in it"), "\(flat.errors)")
            let deep = try Self.report(["-R", "."], in: folder)
            #expect(deep.status == 0, "\(deep.errors)")
            #expect(deep.output.contains("closed-port, proven"))
        }
    }

    @Test(arguments: [
        ("<!DOCTYPE html>\n<html><body>404</body></html>", "it is an HTML page"),
        ("{\"a\": 1}", "it is JSON, but not a recording"),
        ("PK\u{3}\u{4}\u{0}\u{0}", "it is a zip archive; unpack it first: unzip FILE"),
        (String(repeating: "x\u{0}", count: 128) + "\u{0}ustar  \u{0}", "it is a tar archive"),
        ("Dear colleague,\nhere is the capture.\n", "it is a text file"),
        (#"{"schema":"rst-report/1","tool":"x"}"#, "it is a report of rst-analyze"),
    ])
    func aWrongFileSaysWhatItIs(_ content: String, _ message: String) throws {
        try Program.withFolder { folder in
            try Data(content.utf8).write(to: folder.appending(path: "file.pcap"))
            let result = try Self.report(["file.pcap"], in: folder)
            #expect(result.status == 1)
            #expect(result.errors.contains(message), "\(result.errors)")
        }
    }
}
