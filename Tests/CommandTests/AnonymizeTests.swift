import Foundation
import Testing

/// `anonymize`, as a user runs it.
@Suite struct AnonymizeTests {
    private static let fixture = Program.root.appending(path: "fixtures/reject-rule-nft-v4").path

    private func mode(_ url: URL) throws -> Int {
        try #require(try FileManager.default.attributesOfItem(atPath: url.path)[.posixPermissions] as? Int)
    }

    @Test func theCopyIsPrivateAndReportsTheSameCauses() throws {
        try Program.withFolder { folder in
            let copy = folder.appending(path: "copy")
            let result = try Program.run("anonymize", Self.fixture, "-o", copy.path)
            #expect(result.status == 0, "\(result.errors)")
            #expect(
                result.output.contains("left out: 3 firewall rulesets\n"), "\(result.output)")
            #expect(try mode(copy) == 0o700)
            for name in ["capture-000001.pcapng", "events-000001.jsonl"] {
                #expect(try mode(copy.appending(path: name)) == 0o600)
            }
            let reports = try [Self.fixture, copy.path].map {
                try Program.run("report", $0, "--format", "csv", "--fields", "cause,certainty,comm")
            }
            #expect(reports[0].output == reports[1].output)
            #expect(reports[0].output.contains("proven"))
        }
    }

    @Test func nothingIsReplacedAndNothingIsLeftOfAFailure() throws {
        try Program.withFolder { folder in
            let copy = folder.appending(path: "copy")
            try FileManager.default.createDirectory(at: copy, withIntermediateDirectories: true)
            let events = copy.appending(path: "events-000001.jsonl")
            try Data("mine".utf8).write(to: events)
            let refused = try Program.run("anonymize", Self.fixture, "-o", copy.path)
            #expect(refused.status == 1)
            #expect(refused.errors.contains("events-000001.jsonl: File exists"))
            #expect(try Data(contentsOf: events) == Data("mine".utf8))
            #expect(try FileManager.default.contentsOfDirectory(atPath: copy.path) == ["events-000001.jsonl"])

            let fresh = folder.appending(path: "fresh")
            let missing = try Program.run("anonymize", Self.fixture, "/nonexistent", "-o", fresh.path)
            #expect(missing.status == 1)
            #expect(!FileManager.default.fileExists(atPath: fresh.path))
        }
    }

    /// Whoever sends the directory away would send the originals, too.
    @Test func theCopyIsNotMixedWithItsOriginals() throws {
        try Program.withFolder { folder in
            let copy = "mkdir rec && cp \"$1\"/* rec && ls rec >before"
            let script = "\(copy) && \"$0\" anonymize rec -o rec/../rec || \"$0\" anonymize rec/capture.pcapng -o rec"
            let result = try Program.run(
                more: ["-c", script, Program.path, Self.fixture], executable: "/bin/sh", in: folder)
            #expect(result.status == 1, "\(result)")
            #expect(result.errors.contains("rec: the copy would be among the originals"), "\(result)")
            #expect(result.errors.contains("rec/capture.pcapng: the copy would be among"), "\(result)")
            let before = try String(contentsOf: folder.appending(path: "before"), encoding: .utf8)
            let after = try FileManager.default.contentsOfDirectory(atPath: folder.appending(path: "rec").path)
            #expect(before.split(separator: "\n").map(String.init) == after.sorted())
        }
    }

    @Test func aLinkIsNotFollowed() throws {
        try Program.withFolder { folder in
            let victim = folder.appending(path: "victim")
            let copy = folder.appending(path: "copy")
            try FileManager.default.createDirectory(at: copy, withIntermediateDirectories: true)
            try FileManager.default.createSymbolicLink(
                at: copy.appending(path: "capture-000001.pcapng"), withDestinationURL: victim)
            #expect(try Program.run("anonymize", Self.fixture, "-o", copy.path).status == 1)
            #expect(!FileManager.default.fileExists(atPath: victim.path))
        }
    }

    @Test func aKeyIsKeptOutsideAndUsedAgain() throws {
        try Program.withFolder { folder in
            let key = folder.appending(path: "key")
            let copies = ["one", "two", "three"].map { folder.appending(path: $0) }
            for (copy, arguments) in zip(copies, [["--key", key.path], ["--key", key.path], []]) {
                #expect(try Program.run("anonymize", Self.fixture, "-o", copy.path, more: arguments).status == 0)
            }
            #expect(try mode(key) == 0o600)
            let secret = try Data(contentsOf: key)
            #expect(secret.count == 32)
            for name in ["capture-000001.pcapng", "events-000001.jsonl"] {
                let contents = try copies.map { try Data(contentsOf: $0.appending(path: name)) }
                #expect(contents[0] == contents[1])
                #expect(contents[0] != contents[2])
                #expect(contents[0].range(of: secret.prefix(16)) == nil)
            }
        }
    }

    @Test func badKeysAreRefused() throws {
        try Program.withFolder { folder in
            let copy = folder.appending(path: "copy")
            let short = folder.appending(path: "short")
            try Data(repeating: 1, count: 31).write(to: short)
            let refused = try Program.run("anonymize", Self.fixture, "-o", copy.path, "--key", short.path)
            #expect(refused.status == 1 && refused.errors.contains("32 bytes"))
            let inside = copy.appending(path: "key").path
            let exposed = try Program.run("anonymize", Self.fixture, "-o", copy.path, "--key", inside)
            #expect(exposed.status == 1 && exposed.errors.contains("without the key"))
            #expect(!FileManager.default.fileExists(atPath: copy.path))
        }
    }

    @Test func recordingsOfOtherProgramsAndPipesAreRefused() throws {
        try Program.withFolder { folder in
            let trace = folder.appending(path: "trace.txt")
            try Data(
                """
                # tracer: nop
                curl-1234 [001] ..s1. 100.000001: tcp_send_reset: skbaddr=0 skaddr=1 src=10.0.0.1:80 dest=10.0.0.2:4000 \
                state=TCP_ESTABLISHED reason=TCP_ABORT_ON_CLOSE

                """.utf8
            ).write(to: trace)
            let copy = folder.appending(path: "copy").path
            let other = try Program.run("anonymize", trace.path, "-o", copy)
            #expect(other.status == 1 && other.errors.contains("other programs"), "\(other.errors)")
            let pipe = try Program.run("anonymize", "-", "-o", copy, input: Data())
            #expect(pipe.status == 1 && !FileManager.default.fileExists(atPath: copy))
        }
    }

    @Test func aDamagedOriginalIsSaid() throws {
        try Program.withFolder { folder in
            let file = folder.appending(path: "cut.pcapng")
            let whole = try Data(contentsOf: URL(filePath: "\(Self.fixture)/capture.pcapng"))
            try whole.dropLast(9).write(to: file)
            let copy = folder.appending(path: "copy")
            let result = try Program.run("anonymize", file.path, "-o", copy.path)
            #expect(result.status == 2 && result.errors.contains("could not be read"))
            let report = try Program.run("report", copy.path)
            #expect(report.status == 2, "a copy must not look more complete than what it is of: \(report.output)")
        }
    }
}
