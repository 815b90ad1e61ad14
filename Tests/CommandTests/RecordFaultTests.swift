import Foundation
import Testing

/// What happens to hosts while `record` runs: it says so at once, loses nothing in silence, and waits for nobody.
@Suite(.enabled(if: geteuid() == 0, "recording needs root"))
struct RecordFaultTests {
    private static func text(_ name: String, _ folder: URL) throws -> String {
        try String(contentsOf: folder.appending(path: name), encoding: .utf8)
    }

    private static func mode(_ name: String, _ folder: URL) -> mode_t {
        var status = stat()
        return lstat(folder.appending(path: name).path, &status) == 0 ? status.st_mode & 0o7777 : 0
    }

    // MARK: Files

    @Test func aDeletedFileIsBegunAnew() throws {
        try Program.withFolder { folder in
            let result = try RecorderScript.run(
                """
                begin rec -i lo
                reset 3
                wait_for sh -c '[ $(grep -c .type.:.emit rec/events.jsonl) = 3 ]'
                sleep 0.3
                rm rec/events.jsonl rec/capture.pcapng
                until_said rec "events.jsonl was deleted, with 9 events: recording goes on in a new file"
                until_said rec "capture.pcapng was deleted, with 6 packets: recording goes on in a new file"
                reset 2
                kill -INT $pid; finish
                """, in: folder)
            #expect(result.output == "status 2\n", "\(result.output)\(result.errors)")
            let errors = try Self.text("rec.err", folder)
            #expect(errors.contains("4 packets in rec/capture.pcapng, 0 dropped"), "\(errors)")
            #expect(errors.contains("6 kernel events in rec/events.jsonl, 0 lost"), "\(errors)")
            #expect(errors.contains("6 packets and 9 events were in files that were deleted"), "\(errors)")
            let report = try Program.run("report", "rec", "--format", "json", in: folder)
            #expect(report.status == 2)
            // Complete in itself, and says what is not in it.
            #expect(
                report.output.contains(#""by_cause":{"closed-port":2},"by_outcome":{"matched":2}"#), "\(report.output)")
            #expect(report.output.contains(#""events_lost":9"#) && report.output.contains(#""capture_dropped":6"#))
        }
    }

    @Test(arguments: ["", " --compress zstd"]) func aTruncatedFileIsBegunAnew(options: String) throws {
        try Program.withFolder { folder in
            let events = options.isEmpty ? "rec/events.jsonl" : "rec/events.jsonl.zst"
            let result = try RecorderScript.run(
                """
                begin rec -i lo\(options)
                reset 3
                sleep 1.5
                truncate -s 100 \(events)
                truncate -s 0 rec/capture.pcapng
                reset 2
                until_said rec "\(events) was truncated, with "
                until_said rec "capture.pcapng was truncated, with "
                reset 4
                kill -INT $pid; finish
                """, in: folder)
            #expect(result.output == "status 2\n", "\(result.output)\(result.errors)")
            let errors = try Self.text("rec.err", folder)
            // The two are of before or after, as it happens; each is counted once.
            let counts = errors.matches(of: /([0-9]+) packets and ([0-9]+) events were in files that were deleted or/)
            let gone = try #require(counts.first, "\(errors)")
            let (packets, lost) = (try #require(Int(gone.1)), try #require(Int(gone.2)))
            #expect(6...10 ~= packets && 9...15 ~= lost, "\(errors)")
            #expect(errors.contains("\(18 - packets) packets in rec/capture.pcapng, 0 dropped"), "\(errors)")
            #expect(errors.contains("\(27 - lost) kernel events in \(events), 0 lost"), "\(errors)")
            let report = try Program.run("report", "rec", "--format", "json", in: folder)
            #expect(report.status == 2)
            #expect(
                report.output.contains("\"events_lost\":\(lost)")
                    && report.output.contains("\"capture_dropped\":\(packets)"), "\(report.output)\(report.errors)")
        }
    }

    @Test func aDeletedDirectoryEndsIt() throws {
        try Program.withFolder { folder in
            let result = try RecorderScript.run("begin rec -i lo; rm -r rec; finish", in: folder)
            #expect(result.output == "status 1\n", "\(result.output)\(result.errors)")
            let errors = try Self.text("rec.err", folder)
            #expect(
                errors.contains("error: cannot write rec/") && errors.contains("its directory was deleted"), "\(errors)"
            )
        }
    }

    @Test func aMovedFileIsNamedByItsPlace() throws {
        try Program.withFolder { folder in
            let result = try RecorderScript.run(
                """
                begin rec -i lo; mv rec other; mv other/events.jsonl other/before.jsonl
                until_said rec "other/before.jsonl by now"
                until_said rec "other/capture.pcapng by now"
                reset 1; kill -INT $pid; finish
                """, in: folder)
            #expect(result.output == "status 0\n", "\(result.output)\(result.errors)")
            #expect(try Self.text("rec.err", folder).contains("3 kernel events in \(folder.path)/other/before.jsonl"))
            #expect(try Program.run("report", "other", in: folder).output.contains("1 matched"))
        }
    }

    @Test(arguments: [
        ("mkfifo rec/capture.pcapng", "rec/capture.pcapng: it is a pipe"),
        ("mkfifo rec/events.jsonl", "rec/events.jsonl: it is a pipe"),
        ("ln -s ../victim rec/events.jsonl", "rec/events.jsonl: it is a symbolic link"),
        ("ln -s nowhere rec/capture.pcapng", "rec/capture.pcapng: it is a symbolic link"),
        ("ln -s /dev/null rec/capture.pcapng", "rec/capture.pcapng: it is a symbolic link"),
        ("mkdir rec/events.jsonl", "rec/events.jsonl: it is a directory"),
        ("python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"rec/events.jsonl\")'", "it is a socket"),
    ])
    func whatIsNoRegularFileIsRefused(_ planting: String, _ message: String) throws {
        try Program.withFolder { folder in
            let result = try RecorderScript.run(
                """
                echo precious >victim; mkdir rec; \(planting)
                for force in "" --force; do timeout 20 "$RST" record -i lo -o rec $force -- true; echo "status $?"; done
                cat victim; ls -A rec
                """, in: folder)
            let planted = planting.contains("capture") ? "capture.pcapng" : "events.jsonl"
            #expect(result.output == "status 1\nstatus 1\nprecious\n\(planted)\n", "\(result.errors)")
            #expect(result.errors.components(separatedBy: message).count == 3, "\(result.errors)")
        }
    }

    @Test func devicesAreRefusedAndStandardOutputIsNot() throws {
        try Program.withFolder { folder in
            let result = try RecorderScript.run(
                """
                "$RST" record -i lo --capture /dev/null --events e.jsonl -- true; echo "status $?"
                "$RST" record -i lo --capture c.pcapng --events /dev/stdout -- true; echo "status $?"
                ls -A
                """, in: folder)
            #expect(
                result.output == "status 1\nstatus 1\nerrors\noutput\n" || !result.output.contains("pcapng"),
                "\(result.output)")
            #expect(result.errors.contains("cannot write /dev/null: it is a device"), "\(result.errors)")
        }
    }

    /// What is recorded is nobody else's to read, whatever the umask.
    @Test func othersCannotReadIt() throws {
        try Program.withFolder { folder in
            let result = try RecorderScript.run(
                """
                umask 0; "$RST" record -i lo -o rec --ready-file ready -- true; echo "status $?"
                chmod 644 rec/*; "$RST" record -i lo -o rec --force -- true; echo "status $?"
                """, in: folder)
            #expect(result.output == "status 0\nstatus 0\n", "\(result.errors)")
            #expect(Self.mode("rec", folder) == 0o700)
            for name in ["rec/capture.pcapng", "rec/events.jsonl", "ready"] {
                #expect(Self.mode(name, folder) == 0o600)
            }
        }
    }

    @Test(arguments: [
        "-i nosuchdevice", "--filter 'no such word'", "--netns nosuchname", "-- no-such-command",
        "--events dir/that/is/not/there",
    ])
    func whoCannotBeginLeavesNothing(_ arguments: String) throws {
        try Program.withFolder { folder in
            let result = try RecorderScript.run(
                #"""
                mkdir here; cd here
                "$RST" record -o rec \#(arguments); [ $? -ne 0 ] || echo "it began"
                "$RST" record \#(arguments); [ $? -ne 0 ] || echo "it began"
                ls -A
                """#, in: folder)
            #expect(result.output == "", "\(result.output)\(result.errors)")
        }
    }

    @Test func aDiskThatIsFullOrReadOnlyIsAFailure() throws {
        try Program.withFolder { folder in
            let result = try RecorderScript.run(
                """
                mkdir disk; mount -t tmpfs -o size=64k none disk
                dd if=/dev/zero of=disk/fill bs=1k count=1000 2>/dev/null
                "$RST" record -i lo -o disk/rec -- true; echo "status $?"; ls -A disk
                mount -o remount,ro disk
                "$RST" record -i lo -o disk/rec -- true; echo "status $?"
                """, in: folder)
            #expect(result.output == "status 1\nfill\nstatus 1\n", "\(result.output)\(result.errors)")
            #expect(result.errors.contains("No space left on device"), "\(result.errors)")
            #expect(result.errors.contains("cannot create disk/rec: Read-only file system"), "\(result.errors)")
        }
    }

    /// What the recorder says it has written can be read, compressed or not. The disk holds more than a second brings: only then
    /// is what is compressed on it.
    @Test(arguments: ["", "--compress zstd"])
    func aDiskThatFillsUpEndsIt(_ options: String) throws {
        try Program.withFolder { folder in
            let result = try RecorderScript.run(
                """
                mkdir disk; mount -t tmpfs -o size=\(options.isEmpty ? 1000 : 500)k none disk
                begin rec -i lo --capture capture.pcapng --events disk/events \(options)
                n=0; while [ -d /proc/$pid/fd ] && [ $n -lt 100 ] && kill -0 $pid 2>/dev/null; do reset 400; n=$((n + 1)); done
                finish
                "$RST" report disk/events --format json >report.json 2>/dev/null; echo "report $?"
                """, in: folder)
            #expect(result.output == "status 1\nreport 2\n", "\(result.output)\(result.errors)")
            let errors = try Self.text("rec.err", folder)
            #expect(errors.contains("cannot write disk/events: No space left on device"), "\(errors)")
            let said = errors.split(separator: "\n").first { $0.contains(" kernel events in disk/events") }
            let events = try #require(said?.split { !$0.isNumber }.first.flatMap { Int($0) }, "\(errors)")
            struct Report: Decodable {
                struct Summary: Decodable { var resets: Int }
                var summary: Summary
            }
            let report = try JSONDecoder().decode(Report.self, from: Data(try Self.text("report.json", folder).utf8))
            // Decided, sent and received.
            #expect(events > 0 && report.summary.resets >= events / 3, "\(errors) \(report)")
        }
    }

    /// Of many lines that are written at once, the disk may take some: they are not lost, and all others are.
    @Test func aDiskThatTakesAPartOfTheLinesIsCountedExactly() throws {
        try Program.withFolder { folder in
            let result = try RecorderScript.run(
                """
                mkdir disk; mount -t tmpfs -o size=100k none disk
                begin rec -i lo --capture capture.pcapng --events disk/events
                kill -STOP $pid; reset 1000; kill -CONT $pid
                finish
                grep -c '^{"type":"\\(decide\\|emit\\|receive\\)".*}$' disk/events
                """, in: folder)
            let errors = try Self.text("rec.err", folder)
            let lines = result.output.split(separator: "\n").map(String.init)
            #expect(lines.first == "status 1", "\(result.output)\(result.errors)")
            let inFile = try #require(lines.last.flatMap { Int($0) }, "\(result.output)")
            #expect(inFile > 0)
            #expect(
                errors.contains("\(inFile) kernel events in disk/events, \(3000 - inFile) lost"), "\(errors)\(inFile)")
        }
    }

    /// A reader that stands still does not keep a recorder from ending.
    @Test func aReaderThatStandsStillIsGivenUp() throws {
        try Program.withFolder { folder in
            let result = try RecorderScript.run(
                """
                mkfifo pipe; sleep 20 <pipe & reader=$!
                "$RST" record -i lo --capture c.pcapng --events - --ready-file ready >pipe 2>rec.err & pid=$!
                wait_for [ -e ready ]
                reset 300; sleep 0.5; kill -TERM $pid; finish; kill $reader
                """, in: folder)
            #expect(result.output == "status 1\n", "\(result.output)\(result.errors)")
            #expect(try Self.text("rec.err", folder).contains("cannot write standard output: nobody reads it"))
        }
    }

    @Test func standardOutputMayBeClosed() throws {
        try Program.withFolder { folder in
            let result = try RecorderScript.run(
                "\"$RST\" record -i lo -o rec -- python3 -c \"import socket; socket.socket().connect_ex(('127.0.0.1', 9))\" >&- <&-; echo \"status $?\"",
                in: folder)
            #expect(result.output == "status 0\n", "\(result.errors)")
            #expect(try Program.run("report", "rec", in: folder).output.contains("1 matched"))
        }
    }

    @Test func twoRecordersAreApart() throws {
        try Program.withFolder { folder in
            let result = try RecorderScript.run(
                """
                begin one -i lo; first=$pid; begin two -i lo; second=$pid
                "$RST" record -i lo -o one --force -- true; echo "refused $?"
                reset 4
                kill -INT $first $second; pid=$first; finish; pid=$second; finish
                """, in: folder)
            #expect(result.output == "refused 1\nstatus 0\nstatus 0\n", "\(result.errors)")
            #expect(result.errors.contains("another recorder is writing it"), "\(result.errors)")
            for name in ["one", "two"] {
                #expect(
                    try Self.text("\(name).err", folder).contains("12 kernel events in \(name)/events.jsonl, 0 lost"))
                #expect(try Program.run("report", name, in: folder).output.contains("4 matched"))
            }
        }
    }

    // MARK: Interfaces

    @Test func anInterfaceThatIsDeletedIsSaidAtOnce() throws {
        try Program.withFolder { folder in
            let result = try RecorderScript.run(
                """
                ip link add v1 type veth peer name v2; ip link set v1 up; ip link set v2 up
                begin rec -i lo -i v1
                ip link del v1
                until_said rec "v1: The interface disappeared: recording goes on without it"
                reset 2; kill -INT $pid; finish
                """, in: folder)
            #expect(result.output == "status 1\n", "\(result.output)\(result.errors)")
            let events = try Self.text("rec/events.jsonl", folder).split(separator: "\n")
            let change = try #require(events.firstIndex { $0.hasPrefix(#"{"type":"interface""#) })
            #expect(events[change].contains(#""status":"lost","name":"v1""#))
            // What comes afterwards is recorded all the same.
            #expect(try #require(events.lastIndex { $0.hasPrefix(#"{"type":"emit""#) }) > change)
            #expect(try Program.run("report", "rec", in: folder).output.contains("2 matched"))
        }
    }

    @Test func anInterfaceIsWaitedFor() throws {
        try Program.withFolder { folder in
            let result = try RecorderScript.run(
                """
                make() { ip link add v1 type veth peer name v2 netns far; ip addr add 10.9.0.1/24 dev v1; ip link set v1 up
                    ip -n far addr add 10.9.0.2/24 dev v2; ip -n far link set v2 up; }
                refuse() { ip netns exec far python3 -c "import socket
                for i in range($1):
                  s=socket.socket(); s.connect_ex(('10.9.0.1',9)); s.close()"; }
                ip netns add far
                begin rec -i v1 --wait
                make; until_said rec "v1 is captured"; refuse 2; sleep 0.3
                ip link del v1; until_said rec "v1: The interface disappeared: waiting for it to come back"
                make; wait_for sh -c '[ $(grep -c "v1 is captured; it was missing for" rec.err) = 2 ]'; refuse 3; sleep 0.3
                kill -INT $pid; finish
                """, in: folder)
            #expect(result.output == "status 0\n", "\(result.output)\(result.errors)")
            let changes = try Self.text("rec/events.jsonl", folder).split(separator: "\n")
                .filter { $0.hasPrefix(#"{"type":"interface""#) }
            #expect(changes.map { $0.contains(#""status":"attached""#) } == [true, false, true], "\(changes)")
            let report = try Program.run("report", "rec", in: folder)
            #expect(report.output.contains("5 matched"), "\(report.output)")
            #expect(report.status == 0, "\(report.output)")
        }
    }

    @Test func anInterfaceThatNeverCameIsSaid() throws {
        try Program.withFolder { folder in
            let result = try RecorderScript.run("begin rec -i v1 --wait --duration 1s; finish", in: folder)
            #expect(result.output == "status 2\n", "\(result.output)\(result.errors)")
            let errors = try Self.text("rec.err", folder)
            #expect(
                errors.contains("v1 is not there: waiting for it") && errors.contains("not captured at the end: v1"))
        }
    }

    @Test func aNamespaceMayBeDeleted() throws {
        try Program.withFolder { folder in
            let result = try RecorderScript.run(
                """
                ip netns add there; ip -n there link set lo up
                begin rec --netns there -i lo
                ip netns exec there python3 -c "import socket; socket.socket().connect_ex(('127.0.0.1', 9))"
                ip netns del there; sleep 0.5; kill -INT $pid; finish
                """, in: folder)
            #expect(result.output == "status 0\n", "\(result.output)\(result.errors)")
            #expect(try Program.run("report", "rec", in: folder).output.contains("1 matched"))
        }
    }

    // MARK: Signals

    @Test(arguments: ["HUP", "TERM"])
    func aSignalEndsItOrderly(_ signal: String) throws {
        try Program.withFolder { folder in
            let result = try RecorderScript.run("begin rec -i lo; reset 2; kill -\(signal) $pid; finish", in: folder)
            #expect(result.output == "status 0\n", "\(result.errors)")
            #expect(try Self.text("rec/events.jsonl", folder).contains(#"{"type":"end""#))
        }
    }

    /// What was written can be read, and the report says that the end is missing.
    @Test(arguments: ["QUIT", "KILL"])
    func aKilledRecorderLeavesWhatItWrote(_ signal: String) throws {
        try Program.withFolder { folder in
            let result = try RecorderScript.run(
                """
                ulimit -c 0; begin rec -i lo; reset 4
                wait_for sh -c '[ $(grep -c .type.:.receive rec/events.jsonl) = 4 ]'; sleep 0.3
                kill -\(signal) $pid; finish
                """, in: folder)
            #expect(result.output == "status \(signal == "QUIT" ? 131 : 137)\n", "\(result.errors)")
            let report = try Program.run("report", "rec", in: folder)
            #expect(report.status == 2 && report.output.contains("4 matched"), "\(report.output)")
            #expect(report.output.contains("the recording has no end"), "\(report.output)")
        }
    }

    /// Whatever ends the recorder, COMMAND does not stay behind.
    @Test(arguments: [("KILL", 137), ("QUIT", 131), ("TERM", 143), ("HUP", 129)])
    func aCommandEndsWithItsRecorder(_ signal: String, _ status: Int) throws {
        try Program.withFolder { folder in
            let result = try RecorderScript.run(
                """
                ulimit -c 0
                begin rec -i lo -- sh -c 'sleep 1000 & echo $! >child; echo $$ >command; wait'
                wait_for [ -s command ]
                kill -\(signal) $pid; finish
                gone() { [ ! -d /proc/$(cat command) ] && [ ! -d /proc/$(cat child) ]; }
                wait_for gone; echo gone
                """, in: folder)
            #expect(result.output == "status \(status)\ngone\n", "\(result.output)\(result.errors)")
        }
    }

    /// What it has to say itself when it is ended is passed on.
    @Test func theStatusOfACommandThatIsEndedIsPassedOn() throws {
        try Program.withFolder { folder in
            let result = try RecorderScript.run(
                """
                for way in "exit 7" "exit 0"; do
                    begin rec --force -i lo --duration 1s -- sh -c "trap '$way' TERM; sleep 1000 & wait"; finish
                done
                begin two -i lo --duration 1s -- sleep 1000; finish
                """, in: folder)
            #expect(result.output == "status 7\nstatus 0\nstatus 0\n", "\(result.output)\(result.errors)")
        }
    }

    /// Nothing is invented or lost in silence: what was sent was recorded, or is counted.
    @Test func aRecorderThatIsStoppedAccountsForEverything() throws {
        try Program.withFolder { folder in
            let result = try RecorderScript.run(
                """
                begin rec -i lo --ring-size 64 --buffer-size 64
                kill -STOP $pid; reset 600; sleep 3; kill -CONT $pid; sleep 0.5; reset 5
                kill -INT $pid; finish
                """, in: folder)
            #expect(result.output == "status 2\n", "\(result.output)\(result.errors)")
            let errors = try Self.text("rec.err", folder)
            func number(before words: String) throws -> Int {
                let head = try #require(errors.components(separatedBy: words).first)
                return try #require(head.split { !$0.isNumber }.last.flatMap { Int($0) })
            }
            let events = try number(before: " kernel events in")
            let lost = try #require(
                errors.components(separatedBy: "events.jsonl, ").last.flatMap { Int($0.prefix { $0.isNumber }) })
            // Decided, sent and received.
            #expect(lost > 0 && events + lost == 605 * 3, "\(errors)")
            let report = try Program.run("report", "rec", "--format", "json", in: folder).output
            #expect(report.contains(#""events_lost":\#(lost)"#))
        }
    }

    // MARK: Capabilities

    @Test(arguments: [
        (["net_raw", "bpf", "perfmon", "sys_admin"], ["CAP_NET_RAW", "CAP_PERFMON", "CAP_BPF"]),
        (["net_raw"], ["CAP_NET_RAW"]), (["perfmon", "sys_admin", "syslog"], ["CAP_SYSLOG", "CAP_PERFMON"]),
    ])
    func allMissingCapabilitiesAreNamed(_ dropped: [String], _ missing: [String]) throws {
        try Program.withFolder { folder in
            let set = dropped.map { "-\($0)" }.joined(separator: ",")
            let result = try RecorderScript.run(
                """
                setpriv --bounding-set \(set) "$RST" record -i lo -o rec -- true; echo "status $?"; ls -A
                """, in: folder)
            #expect(result.output.hasPrefix("status 1\n") && !result.output.contains("rec"), "\(result.output)")
            #expect(result.errors.contains("lacks \(missing.joined(separator: ", "))."), "\(result.errors)")
            let words = missing.map { $0.lowercased() }.joined(separator: ",")
            #expect(result.errors.contains("setcap \(words)+ep"), "\(result.errors)")
        }
    }
}
