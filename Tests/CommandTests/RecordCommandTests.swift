import Foundation
import Testing

/// `record` as users run it, in a network namespace of its own, on its loopback device.
@Suite(.enabled(if: geteuid() == 0, "recording needs root"))
struct RecordCommandTests {
    /// Connects to a port where nobody listens, this many times.
    private static func connecting(_ times: Int) -> [String] {
        let program =
            "import socket\nfor i in range(\(times)):\n  s=socket.socket()\n  s.connect_ex(('127.0.0.1',9))\n  s.close()"
        return ["python3", "-c", program]
    }

    /// - Parameter arguments: of `rst-analyze record`, including COMMAND.
    private static func record(_ arguments: [String], in folder: URL) throws -> Program.Result {
        let script = "ip link set lo up && exec \"$0\" record -i lo \"$@\""
        return try Program.run(
            more: ["-n", "sh", "-c", script, Program.path] + arguments, executable: "/usr/bin/unshare", in: folder)
    }

    @Test func whatACommandProvokesIsRecorded() throws {
        try Program.withFolder { folder in
            let result = try Self.record(["-o", "rec", "--"] + Self.connecting(3), in: folder)
            #expect(result.status == 0, "\(result.errors)")
            let report = try Program.run("report", "rec", "--format", "json", in: folder).output
            #expect(
                report.components(separatedBy: #""cause":"closed-port","category":"refused","certainty":"proven""#)
                    .count > 3)
            // Nothing but what was on this loopback.
            #expect(report.contains(#""summary":{"resets":3,"#), "\(report.prefix(400))")
        }
    }

    /// The events go to standard output, which a COMMAND would share.
    @Test func eventsGoToStandardOutput() throws {
        try Program.withFolder { folder in
            let result = try Self.record(["-o", "rec", "--events", "-", "--duration", "200ms"], in: folder)
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.output.hasPrefix(#"{"type":"recording""#) && result.output.contains(#"{"type":"end""#))
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path + "/rec") == ["capture.pcapng"])
            #expect(try Self.record(["--events", "-", "--", "true"], in: folder).status == 64)
        }
    }

    /// There is a flood of RSTs in another network namespace, and the ring buffer has room for little more than this one's
    /// events: all of these are recorded, and nothing is lost. A recording of the whole host has the flood.
    @Test func aFloodInAnotherNamespaceCostsNothing() throws {
        try Program.withFolder { folder in
            let flood = Process()
            flood.executableURL = URL(filePath: "/usr/bin/unshare")
            let program =
                "import socket\nwhile True:\n  s=socket.socket()\n  s.connect_ex(('127.0.0.1',9))\n  s.close()"
            flood.arguments = ["-n", "sh", "-c", "ip link set lo up && exec timeout 60 python3 -c \"$0\"", program]
            try flood.run()
            defer {
                flood.terminate()
                flood.waitUntilExit()
            }
            func record(_ name: String, _ netns: [String]) throws -> (resets: Int, errors: String) {
                let arguments = ["-o", name, "--ring-size", "128"] + netns + ["--"] + Self.connecting(40)
                let result = try Self.record(arguments, in: folder)
                #expect(result.status == 0 || !netns.isEmpty, "\(result.errors)")
                let lines = try String(contentsOf: folder.appending(path: "\(name)/events.jsonl"), encoding: .utf8)
                    .split(separator: "\n")
                return (lines.count { $0.hasPrefix(#"{"type":"emit""#) }, result.errors)
            }
            // Until it floods.
            var all = try record("all-0", ["--netns", "all"])
            for number in 1..<20 where all.resets <= 40 {
                all = try record("all-\(number)", ["--netns", "all"])
            }
            #expect(all.resets > 40)
            let own = try record("own", [])
            #expect(own.resets == 40)
            #expect(own.errors.contains("120 kernel events in own/events.jsonl, 0 lost"), "\(own.errors)")
            let header = try #require(
                try String(contentsOf: folder.appending(path: "own/events.jsonl"), encoding: .utf8)
                    .split(separator: "\n").first)
            #expect(header.contains(#""scope":{"netns":["#))
            let report = try Program.run("report", "own", in: folder).output
            let words = report.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            #expect(words.contains("kernel events only of network namespace"))
            #expect(!report.contains("warning"))
        }
    }

    /// The recorder is stopped until its buffer is full. On a loopback device each packet is seen twice, when it is sent and when
    /// it is received: each counts once, whether captured or dropped.
    @Test func whatTheLoopbackDropsIsCountedOnce() throws {
        try Program.withFolder { folder in
            let flood = """
                import os, signal, socket
                sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                sink.bind(("127.0.0.1", 0))
                os.kill(os.getppid(), signal.SIGSTOP)
                for number in range(20000):
                    sink.sendto(b"x" * 1000, sink.getsockname())
                os.kill(os.getppid(), signal.SIGCONT)
                for line in open("/proc/self/net/dev"):
                    if line.strip().startswith("lo:"):
                        print(line.split()[2], file=open("received", "w"))
                """
            let result = try Self.record(
                ["-o", "rec", "--full", "--buffer-size", "1024", "--", "python3", "-c", flood], in: folder)
            #expect(result.status == 2, "\(result.errors)")
            let received = try #require(
                Int(
                    try String(contentsOf: folder.appending(path: "received"), encoding: .utf8)
                        .trimmingCharacters(in: .whitespacesAndNewlines)))
            // What the device itself accepted: a queue before it may have been full.
            #expect(received > 10000)
            let words = result.errors.components(separatedBy: " packets in rec/capture.pcapng, ")
            let captured = try #require(words[0].split(whereSeparator: \.isWhitespace).last.flatMap { Int($0) })
            let dropped = try #require(words.last?.split(separator: " ").first.flatMap { Int($0) })
            #expect(captured > 0 && dropped > 0 && captured + dropped == received, "\(result.errors)")
            let report = try Program.run("report", "rec", "--format", "json", in: folder).output
            #expect(report.contains(#""capture_dropped":\#(dropped)"#), "\(report.suffix(400))")
        }
    }

    /// Hosts and ports narrow the capture and the events alike.
    @Test(arguments: [
        (["--port", "10"], 0), (["--host", "127.0.0.0/8", "--full"], 3), (["--host", "127.0.0.2"], 0),
        (["--host", "10.0.0.1", "--host", "127.0.0.1", "--port", "10", "--port", "9"], 3),
        // All of IPv6, and nothing else.
        (["--host", "::/0"], 0), (["--host", "0.0.0.0/0"], 3),
    ])
    func hostsAndPortsAreFiltered(_ filter: [String], _ resets: Int) throws {
        try Program.withFolder { folder in
            let result = try Self.record(["-o", "rec"] + filter + ["--"] + Self.connecting(3), in: folder)
            #expect(result.status == 0, "\(result.errors)")
            // Decided, sent and received.
            #expect(result.errors.contains("\(resets * 3) kernel events in"), "\(result.errors)")
            #expect(result.errors.contains("\(resets * 2) packets in"), "\(result.errors)")
        }
    }

    @Test(arguments: [
        (["sh", "-c", "exit 7"], 7), (["sh", "-c", "kill -9 $$"], 137), (["no-such-command"], 127),
        (["/etc/passwd"], 126), (["true"], 0),
    ])
    func theStatusIsThatOfTheCommand(_ command: [String], _ status: Int) throws {
        try Program.withFolder { folder in
            let result = try Self.record(["-o", "rec", "--"] + command, in: folder)
            #expect(Int(result.status) == status, "\(result.errors)")
        }
    }

    /// When recording ends, so do the command and the processes that it started.
    @Test func aRecorderThatEndsEndsItsCommand() throws {
        try Program.withFolder { folder in
            let children = "sleep 1000 & echo $! >pids; echo $$ >>pids; trap 'exit 5' TERM INT; wait"
            let result = try Self.record(["-o", "rec", "--duration", "0.5s", "--", "sh", "-c", children], in: folder)
            #expect(result.status == 5, "\(result.errors)")
            let pids = try String(contentsOf: folder.appending(path: "pids"), encoding: .utf8).split(separator: "\n")
            #expect(pids.count == 2)
            for pid in pids { #expect(kill(try #require(Int32(pid)), 0) != 0) }

            let script = "ip link set lo up && exec timeout -s INT 1 \"$0\" record -i lo -o two -- sh -c \"$1\""
            let interrupted = try Program.run(
                more: ["-n", "sh", "-c", script, Program.path, children], executable: "/usr/bin/unshare", in: folder)
            // timeout(1) reports the timeout; the recording is complete.
            #expect(interrupted.status == 124, "\(interrupted.errors)")
            #expect(interrupted.errors.contains("kernel events in two/events.jsonl, 0 lost"), "\(interrupted.errors)")
        }
    }

    @Test func anEarlierRecordingIsReplacedOnlyByForce() throws {
        try Program.withFolder { folder in
            #expect(try Self.record(["-o", "rec", "--"] + Self.connecting(1), in: folder).status == 0)
            let capture = folder.appending(path: "rec/capture.pcapng")
            let before = try Data(contentsOf: capture)
            let refused = try Self.record(["-o", "rec", "--"] + Self.connecting(2), in: folder)
            #expect(refused.status == 1)
            #expect(refused.errors.contains("rec/capture.pcapng exists"))
            #expect(try Data(contentsOf: capture) == before)
            #expect(try Self.record(["-o", "rec", "--force", "--"] + Self.connecting(2), in: folder).status == 0)
            #expect(try Data(contentsOf: capture) != before)
        }
    }

    /// What programs write to each other is recorded only if it is asked for.
    @Test func payloadsAreLeftOut() throws {
        let program = """
            import socket
            server = socket.create_server(("127.0.0.1", 0))
            client = socket.create_connection(server.getsockname())
            other, _ = server.accept()
            client.sendall(b"the secret " * 30)
            while len(other.recv(4096)) == 4096: pass
            other.sendall(b"password=hunter2")
            client.close()
            """
        try Program.withFolder { folder in
            for (name, options, isThere) in [
                ("default", [], false), ("filtered", ["--filter", "tcp"], false),
                ("some", ["--filter", "tcp", "--payload", "64"], true), ("full", ["--full"], true),
            ] {
                let result = try Self.record(["-o", name] + options + ["--", "python3", "-c", program], in: folder)
                #expect(result.status == 0, "\(result.errors)")
                let capture = try Data(contentsOf: folder.appending(path: "\(name)/capture.pcapng"))
                #expect((capture.range(of: Data("the secret".utf8)) != nil) == isThere, "\(name)")
                #expect((capture.range(of: Data("hunter2".utf8)) != nil) == isThere, "\(name)")
                let report = try Program.run("report", name, in: folder).output
                #expect(report.contains("abort-on-close, proven"), "\(report)")
            }
            #expect(try Self.record(["--payload", "-1"], in: folder).status == 64)
        }
    }

    @Test func aCountEndsIt() throws {
        try Program.withFolder { folder in
            // A SYN and its RST are two packets.
            let result = try Self.record(["-o", "rec", "--count", "4", "--"] + Self.connecting(50), in: folder)
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.errors.contains("4 packets in rec/capture.pcapng"))
        }
    }

    /// Without `-o` each recording gets a directory of its own, even if two start in the same second.
    @Test func aTimeEndsItInADirectoryOfItsOwn() throws {
        try Program.withFolder { folder in
            for _ in 0..<2 { #expect(try Self.record(["--duration", "50ms"], in: folder).status == 0) }
            let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            #expect(names.count == 2 && names.allSatisfy { $0.hasPrefix("rst-2") }, "\(names)")
        }
    }

    /// One that is full from the beginning: `RecordFaultTests`.
    @Test func aDiskThatBecomesFullIsAFailure() throws {
        try Program.withFolder { folder in
            try FileManager.default.createDirectory(
                at: folder.appending(path: "small"), withIntermediateDirectories: false)
            let script =
                "mount -t tmpfs -o size=64k none small && ip link set lo up && exec \"$0\" record -i lo \"$@\""
            let files = ["--capture", "small/capture.pcapng", "--events", "events.jsonl", "--"]
            let late = try Program.run(
                more: ["-n", "-m", "sh", "-c", script, Program.path] + files + Self.connecting(5000),
                executable: "/usr/bin/unshare", in: folder)
            #expect(late.status == 1)
            #expect(late.errors.contains("cannot write small/capture.pcapng: No space left on device"))
            let events = try String(contentsOf: folder.appending(path: "events.jsonl"), encoding: .utf8)
            #expect(events.contains(#""detail":"cannot write small/capture.pcapng"#))
        }
    }

    /// Whatever keeps a recorder from starting, it leaves an earlier recording alone.
    @Test(arguments: [
        (["--filter", "no such word"], "not valid"), (["-i", "nosuchdevice"], "no such interface"),
        (["--events", "rec/capture.pcapng"], "another recorder is writing it"),
    ])
    func anEarlierRecordingIsLeftAlone(_ arguments: [String], _ message: String) throws {
        try Program.withFolder { folder in
            #expect(try Self.record(["-o", "rec", "--"] + Self.connecting(1), in: folder).status == 0)
            let files = ["capture.pcapng", "events.jsonl"].map { folder.appending(path: "rec/\($0)") }
            let before = try files.map { try Data(contentsOf: $0) }
            let result = try Self.record(["-o", "rec", "--force"] + arguments, in: folder)
            #expect(result.status == 1)
            #expect(result.errors.contains(message), "\(result.errors)")
            #expect(try files.map { try Data(contentsOf: $0) } == before)
        }
    }
}
