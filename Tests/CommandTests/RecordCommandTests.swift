import Foundation
import Testing

/// `record` as people run it: in a network namespace of its own, on its loopback.
@Suite(.enabled(if: geteuid() == 0, "recording needs root"))
struct RecordCommandTests {
    /// Connects to a port where nobody listens, so many times.
    private static func connecting(_ times: Int) -> [String] {
        let program =
            "import socket\nfor i in range(\(times)):\n  s=socket.socket()\n  s.connect_ex(('127.0.0.1',9))\n  s.close()"
        return ["python3", "-c", program]
    }

    /// - Parameter arguments: of `rst-analyze record`, COMMAND among them.
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
            // The whole host is heard; on this loopback there were three.
            #expect(report.components(separatedBy: #""file":"rec/capture.pcapng""#).count >= 4)
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

    /// Without `-o` each recording has a directory of its own, also of two that begin in one second.
    @Test func aTimeEndsItInADirectoryOfItsOwn() throws {
        try Program.withFolder { folder in
            for _ in 0..<2 { #expect(try Self.record(["--duration", "50ms"], in: folder).status == 0) }
            let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            #expect(names.count == 2 && names.allSatisfy { $0.hasPrefix("rst-2") }, "\(names)")
        }
    }

    /// A disk that is full from the beginning, and one that becomes full.
    @Test func aFullDiskIsAFailure() throws {
        try Program.withFolder { folder in
            let early = try Self.record(["--capture", "/dev/full", "--events", "events.jsonl"], in: folder)
            #expect(early.status == 1)
            #expect(early.errors.contains("cannot write /dev/full: No space left on device"))

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

    /// Whatever keeps a recorder from beginning, it leaves an earlier recording alone.
    @Test(arguments: [
        (["--filter", "no such word"], "not valid"), (["-i", "nosuchdevice"], "no such interface"),
        (["--events", "rec/capture.pcapng"], "a recorder is writing it"),
    ])
    func anEarlierRecordingIsLeftAlone(_ arguments: [String], _ message: String) throws {
        try Program.withFolder { folder in
            #expect(try Self.record(["-o", "rec", "--"] + Self.connecting(1), in: folder).status == 0)
            let files = ["capture.pcapng", "events.jsonl"].map { folder.appending(path: "rec/\($0)") }
            let before = try files.map { try Data(contentsOf: $0) }
            let result = try Self.record(["-o", "rec"] + arguments, in: folder)
            #expect(result.status == 1)
            #expect(result.errors.contains(message), "\(result.errors)")
            #expect(try files.map { try Data(contentsOf: $0) } == before)
        }
    }
}
