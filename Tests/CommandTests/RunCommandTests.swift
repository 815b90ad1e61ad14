import Foundation
import Testing

/// `run` as in a CI job: in a network namespace of its own, on its loopback device.
@Suite(.enabled(if: geteuid() == 0, "recording needs root"))
struct RunCommandTests {
    /// Connects to a port where nobody listens, this many times, and exits with that status.
    private static func connecting(_ times: Int, status: Int = 0) -> [String] {
        let program =
            "import socket,sys\nfor i in range(\(times)):\n  s=socket.socket()\n  s.connect_ex(('127.0.0.1',9))\n  s.close()"
            + "\nprint('the output of the command')\nsys.exit(\(status))"
        return ["--", "python3", "-c", program]
    }

    private static func run(_ arguments: [String], in folder: URL) throws -> Program.Result {
        let script = "ip link set lo up && exec \"$0\" run -i lo \"$@\""
        return try Program.run(
            more: ["-n", "sh", "-c", script, Program.path] + arguments, executable: "/usr/bin/unshare", in: folder)
    }

    @Test func theCommandKeepsItsOutputAndItsStatus() throws {
        try Program.withFolder { folder in
            let result = try Self.run(Self.connecting(1, status: 7), in: folder)
            #expect(result.status == 7)
            #expect(result.output == "the output of the command\n")
            #expect(result.errors.contains("closed-port, proven"), "\(result.errors)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [])
        }
    }

    @Test(arguments: [
        (["any"], 3), (["refused"], 3), (["closed-port@proven"], 3), (["closed-port>1"], 3), (["closed-port>2"], 0),
        (["linger-zero,timeout"], 0), (["linger-zero", "--fail-on", "closed-port"], 3),
    ])
    func aConditionThatIsMetFails(_ conditions: [String], _ status: Int) throws {
        try Program.withFolder { folder in
            let result = try Self.run(["--fail-on"] + conditions + Self.connecting(2), in: folder)
            #expect(Int(result.status) == status, "\(result.errors)")
            #expect(result.errors.contains("#1 127.0.0.1:9 > 127.0.0.1:") == (status == 3), "\(result.errors)")
        }
    }

    @Test func whatIsAllowedDoesNotFail() throws {
        try Program.withFolder { folder in
            let file = folder.appending(path: "allow")
            for (line, status) in [("--cause closed-port --port 9 # health check", 0), ("--port 10", 3), ("", 3)] {
                try Data("# known\n\n\(line)\n".utf8).write(to: file)
                let result = try Self.run(["--fail-on", "any", "--allow", "allow"] + Self.connecting(1), in: folder)
                #expect(Int(result.status) == status, "\(line): \(result.errors)")
            }
            try Data("--port 10\n--cause closed-prot\n".utf8).write(to: file)
            let result = try Self.run(["--fail-on", "any", "--allow", "allow"] + Self.connecting(1), in: folder)
            #expect(result.status == 1)
            #expect(result.errors.contains("allow, line 2: "), "\(result.errors)")
            #expect(result.errors.contains("did you mean closed-port?"), "\(result.errors)")
            // Before the command is run.
            #expect(result.output == "")
        }
    }

    /// Another run has other times and client ports, but counts as the same; one RST less is a difference.
    @Test func anEarlierReportIsComparedWith() throws {
        try Program.withFolder { folder in
            let first = try Self.run(["--format", "json", "-o", "before.json"] + Self.connecting(2), in: folder)
            #expect(first.status == 0, "\(first.errors)")
            let same = try Self.run(["--expect", "before.json"] + Self.connecting(2), in: folder)
            #expect(same.status == 0, "\(same.errors)")
            let less = try Self.run(["--expect", "before.json", "--junit", "j.xml"] + Self.connecting(1), in: folder)
            #expect(less.status == 3)
            let change =
                "changed: 127.0.0.1:9 > 127.0.0.1: 1 closed-port, proven, previously 2 closed-port, proven"
            #expect(less.errors.contains(change), "\(less.errors)")
            let checks = try String(contentsOf: folder.appending(path: "j.xml"), encoding: .utf8)
            #expect(checks.contains(#"<testsuite name="rst-analyze" tests="2" failures="1" errors="0">"#), "\(checks)")
            #expect(checks.contains(change.replacing(">", with: "&gt;")), "\(checks)")
        }
    }

    @Test(arguments: [("no-such-command", 127), ("/etc/passwd", 126)])
    func whatCannotBeRunIsSaidBeforeAnythingIsRecorded(_ command: String, _ status: Int) throws {
        try Program.withFolder { folder in
            let result = try Self.run(["--keep", "rec", "--", command], in: folder)
            #expect(Int(result.status) == status)
            #expect(result.errors.contains("cannot run \(command): "))
            #expect(!FileManager.default.fileExists(atPath: folder.appending(path: "rec").path))
        }
    }
}
