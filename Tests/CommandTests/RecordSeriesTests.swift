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
            #expect(
                result.errors.contains("8 packets recorded and deleted, since COMMAND did not fail") == (count == 0))
            let names = try Self.names(folder.appending(path: "rec"))
            #expect(names.count == count, "\(names)")
            for name in names {
                #expect(try Program.run("report", "rec/\(name)", in: folder).output.contains("4 matched"))
            }
        }
    }

    /// Whoever ends a flight recorder by hand has the latest files, of which no claim is made that they are all.
    @Test(arguments: [[], ["--trigger", "linger-zero"]]) func aFlightRecorderThatIsEndedLeavesWhatItHas(
        _ more: [String]
    ) throws {
        try Program.withFolder { folder in
            let script = """
                ip link set lo up; "$0" record -i lo -o rec --ready-file ready --flight 10m "$@" & pid=$!
                until [ -e ready ]; do sleep 0.05; done; python3 -c "$CONNECT" 4 0; sleep 0.3
                kill -INT $pid; wait $pid; echo "status $?"
                """
            let result = try Program.run(
                more: ["CONNECT=\(Self.connect)", "unshare", "-n", "sh", "-c", script, Program.path] + more,
                executable: "/usr/bin/env", in: folder)
            #expect(result.output == "status 0\n", "\(result.errors)")
            #expect(result.errors.contains("12 kernel events recorded, the latest in rec, 0 lost"), "\(result.errors)")
            let names = try Self.names(folder.appending(path: "rec"))
            #expect(names == ["capture-000001.pcapng", "events-000001.jsonl"])
            #expect(try Program.run("report", "rec", in: folder).output.contains("4 matched"))
        }
    }

    /// A RST of the cause that was asked for has what there is kept, once; those that follow are kept together at the end. A
    /// category means its causes.
    @Test(arguments: [("closed-port", 2), ("refused", 2), ("linger-zero", 0)])
    func aFlightRecorderIsTriggeredByACause(_ cause: String, _ count: Int) throws {
        try Program.withFolder { folder in
            let command = #"python3 -c "$1" 3 0; sleep 5; python3 -c "$1" 4 0; sleep 0.5"#
            let result = try Self.record(
                ["-o", "rec", "--flight", "10m", "--trigger", cause, "--", "sh", "-c", command, "sh", Self.connect],
                in: folder)
            #expect(result.output == "status 0\n", "\(result.errors)")
            let names = try Self.names(folder.appending(path: "rec"))
            #expect(names.count == count, "\(names) \(result.errors)")
            guard count > 0 else { return }
            #expect(result.errors.contains("--trigger: closed-port"), "\(result.errors)")
            for (name, resets) in zip(names, [3, 4]) {
                let report = try Program.run("report", "rec/\(name)", in: folder).output
                #expect(report.contains("\(resets) matched"), "\(report.prefix(600))")
            }
            // Files of an earlier flight are not taken for this one.
            let flight = try #require(names.first)
            for file in try Self.names(folder.appending(path: "rec/\(flight)")) {
                try FileManager.default.moveItem(
                    at: folder.appending(path: "rec/\(flight)/\(file)"), to: folder.appending(path: "rec/\(file)"))
            }
            let again = try Self.record(
                ["-o", "rec", "--flight", "10m", "--trigger", cause, "--", "sleep", "3"], in: folder)
            #expect(again.output == "status 0\n" && !again.errors.contains("--trigger:"), "\(again.errors)")
        }
    }

    @Test func aTriggerNeedsAFlightRecorder() throws {
        let result = try Program.run("record", "--trigger", "closed-port")
        #expect(result.status == 64 && result.errors.contains("--trigger needs --flight"))
        let unknown = try Program.run("record", "--flight", "1m", "--trigger", "no-such-cause")
        #expect(unknown.status == 64)
    }

    // MARK: Compressed events

    @Test func compressedEventsAreReported() throws {
        try Program.withFolder { folder in
            let result = try Self.record(
                ["-o", "rec", "--compress", "zstd", "--", "python3", "-c", Self.connect, "400", "0.002"], in: folder,
                then: "zstd -qt rec/events.jsonl.zst; echo \"zstd $?\"")
            #expect(result.output == "status 0\nzstd 0\n", "\(result.errors)")
            #expect(try Self.names(folder.appending(path: "rec")) == ["capture.pcapng", "events.jsonl.zst"])
            let report = try Program.run("report", "rec", "--format", "json", in: folder)
            #expect(report.status == 0 && report.output.contains(#""by_outcome":{"matched":400}"#), "\(report.errors)")
            let size = try Data(contentsOf: folder.appending(path: "rec/events.jsonl.zst")).count
            let plain = try Program.run(
                "-qdc", "rec/events.jsonl.zst", executable: "/usr/bin/zstd", in: folder
            ).output.utf8.count
            #expect(plain > size * 5, "\(plain) bytes in \(size)")
        }
    }

    /// Each file is a frame of its own.
    @Test func compressedFilesAreCompleteInThemselves() throws {
        try Program.withFolder { folder in
            let result = try Self.record(
                [
                    "-o", "rec", "--compress", "zstd", "--rotate-time", "1s", "--keep", "3", "--", "python3", "-c",
                    Self.connect, "30", "0.2",
                ], in: folder, then: "zstd -qt rec/*.zst; echo \"zstd $?\"")
            #expect(result.output == "status 0\nzstd 0\n", "\(result.errors)")
            let names = try Self.names(folder.appending(path: "rec"))
            #expect(names.count == 6 && names.filter { $0.hasSuffix(".jsonl.zst") }.count == 3, "\(names)")
            let report = try Program.run("report", "rec", in: folder)
            #expect(report.output.contains("matched"), "\(report.output)\(report.errors)")
            #expect(report.output.contains("rec/events-") && !report.output.contains("damaged"), "\(report.output)")
            let follow = try Program.run("report", "--follow", "rec", in: folder)
            #expect(follow.status == 1 && follow.errors.contains("a compressed file cannot be followed"), "\(follow)")
        }
    }

    /// What happened more than a second before a recorder is killed can be read.
    @Test func whatIsCompressedSurvivesTheRecorder() throws {
        try Program.withFolder { folder in
            for round in 1...3 {
                let result = try Program.run(
                    more: [
                        "-n", "sh", "-c",
                        """
                        ip link set lo up
                        "$0" record -i lo -o rec\(round) --compress zstd --ready-file ready\(round) 2>err & pid=$!
                        n=0; until [ -e ready\(round) ] || [ $n = 100 ]; do sleep 0.1; n=$((n + 1)); done
                        python3 -c "$1" 20 0
                        sleep 2.5
                        kill -KILL $pid
                        """, Program.path, Self.connect,
                    ], executable: "/usr/bin/unshare", in: folder)
                let report = try Program.run("report", "rec\(round)", in: folder)
                #expect(report.output.contains("20 matched"), "\(result.errors)\(report.output)\(report.errors)")
                #expect(report.status == 2, "an incomplete recording must be said to be")
            }
        }
    }

    @Test func aCompressedFileIsBegunAnew() throws {
        try Program.withFolder { folder in
            let result = try Program.run(
                more: [
                    "-n", "sh", "-c",
                    """
                    ip link set lo up
                    "$0" record -i lo -o rec --compress zstd --ready-file ready 2>err & pid=$!
                    n=0; until [ -e ready ] || [ $n = 100 ]; do sleep 0.1; n=$((n + 1)); done
                    python3 -c "$1" 5 0
                    sleep 0.5; rm rec/events.jsonl.zst
                    n=0; until [ -e rec/events.jsonl.zst ] || [ $n = 100 ]; do sleep 0.1; n=$((n + 1)); done
                    python3 -c "$1" 3 0
                    kill -INT $pid; wait $pid; echo "status $?"; zstd -qt rec/events.jsonl.zst; echo "zstd $?"
                    """, Program.path, Self.connect,
                ], executable: "/usr/bin/unshare", in: folder)
            #expect(result.output == "status 2\nzstd 0\n", "\(result.errors)")
            let errors = try String(contentsOf: folder.appending(path: "err"), encoding: .utf8)
            #expect(errors.contains("events.jsonl.zst was deleted, with 15 events"), "\(errors)")
            #expect(errors.contains("9 kernel events in rec/events.jsonl.zst, 0 lost"), "\(errors)")
            #expect(errors.contains("15 events were in files that were deleted"), "\(errors)")
        }
    }
}
