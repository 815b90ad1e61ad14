import Foundation
import Testing

/// `watch`, and `report --follow`, as people run them: in a network namespace of its own, on its loopback.
@Suite(.serialized, .enabled(if: geteuid() == 0, "recording needs root"))
struct WatchTests {
    /// Waits until a file has a text, and runs what follows; ends with what was watched.
    static let prelude = """
        ip link set lo up
        # Nothing in the background outlives the script: whoever runs it would wait for that, too.
        trap 'pkill -P $$' EXIT
        waitfor() { for i in $(seq 300); do grep -q "$1" "$2" 2>/dev/null && return; sleep 0.1; done; exit 9; }
        refuse() { python3 -c "import socket
        for i in range($1): socket.socket().connect_ex(('127.0.0.1', 9))"; }

        """

    static func run(_ script: String, in folder: URL) throws -> Program.Result {
        try Program.run(
            more: ["-n", "sh", "-c", prelude + script, Program.path], executable: "/usr/bin/unshare", in: folder)
    }

    /// Each RST is on the screen before the end, with its verdict; of a flood a few lines and how many more.
    @Test(arguments: ["", "-i lo"])
    func eachRSTIsShownAsItHappens(_ options: String) throws {
        try Program.withFolder { folder in
            let result = try Self.run(
                """
                "$0" watch \(options) >out 2>err &
                waitfor watching err
                refuse 2
                waitfor '#2 ' out
                refuse 200
                waitfor '^+ ' out
                kill -INT $!
                wait $!
                echo status $?
                cat out err
                """, in: folder)
            #expect(result.output.contains("status 0"), "\(result.output)")
            let lines = result.output.split(separator: "\n").filter { $0.hasPrefix("#") }
            #expect(lines.count >= 10 && lines.allSatisfy { $0.contains("closed-port, proven") }, "\(result.output)")
            let more = result.output.split(separator: "\n").filter { $0.hasPrefix("+ ") }
                .compactMap { $0.split(separator: " ").dropFirst().first.flatMap { Int($0) } }
            #expect(lines.count + more.reduce(0, +) == 202, "\(result.output)")
            #expect(
                result.output.contains("202 resets shown: 202 closed-port; ")
                    && result.output.contains(" kernel events, 0 lost"),
                "\(result.output)")
        }
    }

    @Test func itEndsAfterSoManyAndShowsWhatIsAskedFor() throws {
        try Program.withFolder { folder in
            let result = try Self.run(
                """
                "$0" watch --count 3 --port 9 --cause closed-port >out 2>err &
                waitfor watching err
                python3 -c "import socket; socket.socket().connect_ex(('127.0.0.1', 10))"
                refuse 3
                wait $!
                echo status $?
                cat out
                """, in: folder)
            #expect(result.output.contains("status 0"), "\(result.output)")
            let lines = result.output.split(separator: "\n").filter { $0.hasPrefix("#") }
            #expect(lines.count == 3 && lines.allSatisfy { $0.contains("127.0.0.1:9 >") }, "\(result.output)")
        }
    }

    /// What programs read, judged by an independent validator.
    @Test func recordsFitTheirSchema() throws {
        try Program.withFolder { folder in
            let result = try Self.run(
                """
                "$0" watch -i lo --format ndjson --count 3 >records.jsonl 2>err &
                waitfor watching err
                refuse 3
                wait $!
                cat records.jsonl
                """, in: folder)
            let lines = result.output.split(separator: "\n").map(String.init)
            #expect(lines.count == 4 && lines.last?.contains(#""kind":"health""#) == true, "\(result.output)")
            #expect(
                lines.dropLast().allSatisfy {
                    $0.contains(#""kind":"sent""#) && $0.contains(#""cause":"closed-port""#)
                        && $0.contains(#""ttl":64"#)
                }, "\(result.output)")
            let script = Program.root.appending(path: "scripts/validate-json").path
            let checked = try Program.run(
                folder.appending(path: "records.jsonl").path, executable: script, in: folder)
            #expect(checked.status == 0, "\(checked.output)\(checked.errors)")
        }
    }

    /// Of a flood each second some have records of their own, and the others one for all: the counts add up.
    @Test(arguments: ["", "-i lo"])
    func recordsOfAFloodAddUp(_ options: String) throws {
        try Program.withFolder { folder in
            let result = try Self.run(
                """
                "$0" watch \(options) --format ndjson --count 700 >records.jsonl 2>err &
                waitfor watching err
                refuse 700
                wait $!
                cat records.jsonl
                """, in: folder)
            // A correction is one of a RST that was counted.
            let lines = result.output.split(separator: "\n")
                .filter { !$0.contains(#""kind":"health""#) && !$0.contains(#""revision":"#) }
            let counts = lines.map { line -> Int in
                guard let range = line.range(of: "\"count\":") else { return 1 }
                return Int(line[range.upperBound...].prefix { $0.isNumber }) ?? 0
            }
            #expect(counts.reduce(0, +) == 700 && lines.count < 700, "\(lines.count)")
            let script = Program.root.appending(path: "scripts/validate-json").path
            let checked = try Program.run(
                folder.appending(path: "records.jsonl").path, executable: script, in: folder)
            #expect(checked.status == 0, "\(checked.output)\(checked.errors)")
        }
    }

    /// What leaves out RSTs of a report leaves out lines.
    @Test func filtersNarrowAsTheyDoInAReport() throws {
        try Program.withFolder { folder in
            let result = try Self.run(
                """
                n=$(stat -Lc %i /proc/self/ns/net)
                w=0
                pids=
                for f in "--host 127.0.0.2" "--dst 127.0.0.1 --port 9-10" "--cause refused --process nobody" \
                    "--certainty proven --direction sent" "--netns own --cause closed-port" "--netns $n"; do
                    w=$((w + 1)); "$0" watch --duration 2m $f >out$w 2>err$w &
                    pids="$pids $!"
                done
                for k in $(seq $w); do waitfor watching err$k; done
                refuse 2
                python3 -c "import socket; s = socket.socket(); s.bind(('127.0.0.2', 0)); s.connect_ex(('127.0.0.1', 11))"
                sleep 3
                kill -INT $pids
                wait $pids
                for k in $(seq $w); do printf '%s ' $(grep -c '^#' out$k); done
                "$0" watch --netns nowhere 2>&1
                echo status $?
                """, in: folder)
            #expect(result.output.hasPrefix("1 2 0 3 3 3 "), "\(result.output)")
            #expect(result.output.contains("no such network namespace") && result.output.contains("status 64"))
        }
    }

    /// The same minutes, watched and recorded: each RST with the same cause, certainty and process.
    @Test func whatIsWatchedIsWhatIsReported() throws {
        try Program.withFolder { folder in
            let traffic = """
                import socket, struct, time
                def pair():
                    l = socket.socket(); l.bind(('127.0.0.1', 0)); l.listen(1)
                    c = socket.socket(); c.connect(l.getsockname()); s, _ = l.accept()
                    return l, c, s
                for i in range(5): socket.socket().connect_ex(('127.0.0.1', 9))
                for i in range(3):
                    l, c, s = pair()
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0)); s.close()
                for i in range(3):
                    l, c, s = pair(); c.send(b'x' * 100); time.sleep(0.05); s.close(); time.sleep(0.05); c.close()
                for i in range(3):
                    l, c, s = pair(); s.close(); time.sleep(0.05); c.send(b'x'); time.sleep(0.05); c.close()
                l = socket.socket(); l.bind(('127.0.0.1', 0)); l.listen(5)
                c = socket.socket(); c.connect(l.getsockname()); time.sleep(0.05); l.close(); time.sleep(0.05)
                """
            try Data(traffic.utf8).write(to: folder.appending(path: "traffic.py"))
            let result = try Self.run(
                """
                "$0" watch -i lo --format ndjson --list >live.jsonl 2>err &
                watcher=$!
                waitfor watching err
                "$0" record -i lo -o rec --ready-file ready 2>>err &
                recorder=$!
                for i in $(seq 300); do [ -e ready ] && break; sleep 0.1; done
                python3 traffic.py
                sleep 2
                kill -INT $watcher $recorder
                wait $watcher $recorder
                "$0" report --format json rec >report.json 2>>err
                cat err
                """, in: folder)
            func text(_ value: Any?) -> String { value.map { "\($0)" } ?? "-" }
            // A record with a revision takes the place of the one before.
            var records: [String: String] = [:]
            let lines = try String(contentsOf: folder.appending(path: "live.jsonl"), encoding: .utf8)
            for line in lines.split(separator: "\n") {
                let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
                guard text(object["kind"]) != "health" else { continue }
                records[text(object["record_id"])] =
                    ["src", "sport", "dst", "dport", "seq", "cause", "certainty", "pid", "comm", "role"]
                    .map { text(object[$0]) }.joined(separator: " ")
            }
            let live = Array(records.values)
            let report =
                try JSONSerialization.jsonObject(
                    with: try Data(contentsOf: folder.appending(path: "report.json"))) as? [String: Any] ?? [:]
            let reported = (report["resets"] as? [[String: Any]] ?? []).map { reset -> String in
                let process = reset["process"] as? [String: Any] ?? [:]
                return
                    (["src", "src_port", "dst", "dst_port", "seq", "cause", "certainty"].map { text(reset[$0]) }
                    + ["pid", "comm", "role"].map { text(process[$0]) }).joined(separator: " ")
            }
            #expect(reported.count >= 14, "\(result.output)")
            #expect(live.sorted() == reported.sorted())
            #expect(Set(live.map { $0.split(separator: " ")[5] }).count >= 4, "\(live)")
        }
    }

    @Test func countsAreKeptForPrometheus() throws {
        try Program.withFolder { folder in
            let result = try Self.run(
                """
                "$0" watch --metrics-file rst.prom --count 5 >out 2>err &
                waitfor watching err
                refuse 5
                wait $!
                cat rst.prom
                ls
                """, in: folder)
            #expect(
                result.output.contains(#"rst_resets_total{direction="sent",cause="closed-port",certainty="proven","#)
                    && result.output.contains("rst_events_lost_total{where=\"ring\"} 0\n"), "\(result.output)")
            let counts = result.output.split(separator: "\n").filter { $0.hasPrefix("rst_resets_total{") }
                .compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }
            #expect(counts.reduce(0, +) == 5, "\(result.output)")
            #expect(!result.output.contains(".tmp"))
        }
    }

    /// Files of a spool are complete, of one mode, and no more than there may be; what was left by a killed one is completed.
    @Test func theSpoolIsCompleteAndBounded() throws {
        try Program.withFolder { folder in
            let result = try Self.run(
                """
                mkdir -m 700 spool
                printf '{"whole":1}\n{"ha' >spool/rst-20200101T000000Z-000001.ndjson.tmp
                "$0" watch --spool spool --spool-file-size 4K --spool-size 24K --settle 100ms --count 200 2>err &
                waitfor watching err
                cat spool/rst-20200101T000000Z-000001.ndjson
                for i in $(seq 20); do refuse 10; sleep 0.15; done
                wait $!
                echo status $?
                cat err
                stat -c '%a %s %n' spool/*
                """, in: folder)
            #expect(result.output.hasPrefix("{\"whole\":1}\nstatus 0"), "\(result.output)")
            let files = result.output.split(separator: "\n").filter { $0.contains("spool/rst-") }
            #expect(
                files.count >= 2 && files.allSatisfy { $0.hasPrefix("600 ") && $0.hasSuffix(".ndjson") }, "\(files)")
            let sizes = files.compactMap { Int($0.split(separator: " ")[1]) }
            #expect(sizes.reduce(0, +) <= 24 << 10 || sizes.count == 1, "\(files)")
            #expect(!files.contains { $0.contains("rst-2020") }, "the oldest goes first: \(files)")
            let last = try #require(files.last?.split(separator: " ").last)
            let text = try String(contentsOf: folder.appending(path: String(last)), encoding: .utf8)
            #expect(text.contains(#""kind":"health""#) && text.contains(#""files_dropped":"#), "\(text)")
        }
    }

    /// From before its directory is there, and from file to file.
    @Test(arguments: ["", "--rotate-size 64K"])
    func aRecordingIsFollowed(_ options: String) throws {
        try Program.withFolder { folder in
            let result = try Self.run(
                """
                "$0" report --follow rec >out 2>err &
                follower=$!
                sleep 0.3
                "$0" record -i lo -o rec \(options) --ready-file ready 2>>err &
                recorder=$!
                for i in $(seq 300); do [ -e ready ] && break; sleep 0.1; done
                for i in $(seq 15); do refuse 20; sleep 0.05; done
                waitfor '^+ ' out
                sleep 1.5
                refuse 3
                waitfor '#303 ' out
                kill -INT $recorder
                wait $recorder
                kill -INT $follower
                wait $follower
                echo status $?
                ls rec
                cat out err
                """, in: folder)
            #expect(result.output.contains("status 0"), "\(result.output)")
            #expect(result.output.contains("events-000002.jsonl") == !options.isEmpty, "\(result.output)")
            // On a busy host it takes so long that the kernel gives a port twice.
            #expect(result.output.contains("303 resets of "), "\(result.output)")
            #expect(!result.output.contains("unknown"), "\(result.output)")
        }
    }
}
