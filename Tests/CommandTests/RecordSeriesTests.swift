import Foundation
import Testing

/// Recordings that are divided into files.
@Suite(.enabled(if: geteuid() == 0, "recording needs root"))
struct RecordSeriesTests {
    private static let connect = """
        import socket, sys, time
        for i in range(int(sys.argv[1])):
          s=socket.socket(); s.connect_ex(('127.0.0.1',9)); s.close(); time.sleep(float(sys.argv[2]))
        """

    private static func record(_ arguments: [String], in folder: URL, then script: String = "") throws -> Program.Result
    {
        let begin = "ip link set lo up; \"$0\" record -i lo \"$@\"; echo \"status $?\"; \(script)"
        return try Program.run(
            more: ["-n", "sh", "-c", begin, Program.path] + arguments, executable: "/usr/bin/unshare", in: folder)
    }

    private static func names(_ folder: URL) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    }

    /// Whatever is in two files, the decision, the segment and its packet, is one RST of the report; each pair is complete in
    /// itself.
    @Test func aDividedRecordingIsOne() throws {
        try Program.withFolder { folder in
            let result = try Self.record(
                ["-o", "rec", "--rotate-size", "64K", "--", "python3", "-c", Self.connect, "400", "0.002"], in: folder)
            #expect(result.output == "status 0\n", "\(result.errors)")
            #expect(
                result.errors.contains("800 packets in rec, 0 dropped")
                    && result.errors.contains("1200 kernel events in rec, 0 lost"))
            let names = try Self.names(folder.appending(path: "rec"))
            #expect(names.count >= 6 && names.first == "capture-000001.pcapng", "\(names)")
            let report = try Program.run("report", "rec", "--format", "json", in: folder)
            #expect(report.status == 0, "\(report.errors)")
            // Beside other tests that connect to the same address and port, the kernel may give a port twice.
            let expected = [
                #""resets":400,"connections":"#, #","by_cause":{"closed-port":400},"by_outcome":{"matched":400}"#,
            ]
            #expect(expected.allSatisfy(report.output.contains), "\(report.output.prefix(3000))")
            #expect(report.output.contains("rec/events-000001.jsonl to rec/events-"))
            let text = try Program.run("report", "rec", in: folder).output
            #expect(!text.contains("warning"), "\(text.prefix(600))")
            let overwriting = try Program.run("report", "rec", "-o", "rec/\(names[names.count - 1])", in: folder)
            #expect(overwriting.status == 1 && overwriting.errors.contains("it is one of the files that were read"))
            let one = try Program.run(
                more: ["report", "rec/capture-000002.pcapng", "rec/events-000002.jsonl"], in: folder)
            #expect(
                one.output.contains("closed-port") && one.output.contains("files that are not among the"),
                "\(one.output)")
        }
    }

    @Test func onlyTheLastFilesAreKept() throws {
        try Program.withFolder { folder in
            let options = ["-o", "rec", "--rotate-size", "64K", "--keep", "2", "--"]
            let command = ["python3", "-c", Self.connect, "300", "0.002"]
            for _ in 0..<2 {
                let result = try Self.record(options + command, in: folder)
                #expect(result.output == "status 0\n", "\(result.errors)")
                let names = try Self.names(folder.appending(path: "rec"))
                #expect(names.count == 4 && !names.contains("events-000001.jsonl"), "\(names)")
            }
            let report = try Program.run("report", "rec", in: folder)
            let words = report.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            #expect(words.contains("files that are not among the"), "\(report.output)")
        }
    }

    @Test func aFlightRecorderIsAskedBySignal() throws {
        try Program.withFolder { folder in
            let command = "\(#"python3 -c "$1" 5 0; kill -USR1 $PPID; sleep 1; "#)exit 0"
            let result = try Self.record(
                ["-o", "rec", "--flight", "10m", "--", "sh", "-c", command, "sh", Self.connect], in: folder)
            #expect(result.output == "status 0\n", "\(result.errors)")
            let kept = try #require(try Self.names(folder.appending(path: "rec")).first)
            #expect(kept.hasPrefix("flight-"))
            #expect(try Self.names(folder.appending(path: "rec")).count == 1)
            #expect(try Program.run("report", "rec/\(kept)", in: folder).output.contains("5 matched"))
        }
    }

    @Test(arguments: [(3, 1), (0, 0)])
    func aFlightRecorderKeepsWhatACommandFailedWith(_ status: Int, _ count: Int) throws {
        try Program.withFolder { folder in
            let command = "\(#"python3 -c "$1" 4 0; "#)exit \(status)"
            let result = try Self.record(
                ["-o", "rec", "--flight", "10m", "--", "sh", "-c", command, "sh", Self.connect], in: folder)
            #expect(result.output == "status \(status)\n", "\(result.errors)")
            let names = try Self.names(folder.appending(path: "rec"))
            #expect(names.count == count, "\(names)")
            for name in names {
                #expect(try Program.run("report", "rec/\(name)", in: folder).output.contains("4 matched"))
            }
        }
    }
}
