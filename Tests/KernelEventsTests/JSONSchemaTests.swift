import Foundation
import KernelEvents
import NetworkTypes
import Testing

/// What the encoder writes, judged by an independent validator: scripts/validate-json and the schemas in docs/schema.
@Suite struct JSONSchemaTests {
    private static let root = URL(filePath: #filePath).appending(path: "../../..").standardizedFileURL

    private func validate(_ bytes: [UInt8], name: String) throws -> (status: Int32, output: String) {
        try validate([(name, bytes)])
    }

    /// Runs the script once on all these files; its output names them without their folder.
    private func validate(_ files: [(name: String, bytes: [UInt8])]) throws -> (status: Int32, output: String) {
        let folder = URL.temporaryDirectory.appending(path: "validate-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for file in files { try Data(file.bytes).write(to: folder.appending(path: file.name)) }
        let process = Process()
        process.executableURL = Self.root.appending(path: "scripts/validate-json")
        process.arguments = files.map { folder.appending(path: $0.name).path }
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        // Not skipped: without the validator nothing is known about the format.
        try #require(process.terminationStatus != 69, "install it: apt-get install python3-jsonschema\n\(output)")
        return (process.terminationStatus, output.replacing(folder.path + "/", with: ""))
    }

    private func recording() -> [UInt8] {
        var samples = Samples(seed: 3)
        var encoder = EventEncoder()
        encoder.append(header: samples.header())
        for id in 0..<3 { encoder.append(stack: id, frames: ["tcp_v4_send_reset+0x3a1", samples.text()]) }
        for number in 0..<400 {
            var event = samples.event()
            if event.stack != nil { event.stack = number % 3 }
            encoder.append(event: event)
        }
        encoder.append(clock: ClockSample(monotonic: samples.time(), realtime: samples.time(), uncertainty: 60))
        encoder.append(loss: Loss(monotonic: samples.time(), place: "ring", count: 3))
        encoder.append(footer: RecordingFooter(monotonic: 1, events: 400, lost: 3, captured: 5, kernelDropped: 0))
        return encoder.copy()
    }

    @Test func everyLineOfARandomRecordingFitsTheSchema() throws {
        let (status, output) = try validate(recording(), name: "events.jsonl")
        #expect(status == 0, "\(output)")
        #expect(output.isEmpty)
    }

    @Test func theValidatorFindsWhatIsWrongAndWhere() throws {
        let lines = [
            #"{"type":"recording","schema":"rst-events/1"}"#,
            #"{"type":"emit","mono_ns":1,"src":"10.0.0.1","sport":70000,"dst":"10.0.0.2","dport":1}"#,
            #"{"type":"decide","mono_ns":1,"src":"10.0.0.1","sport":1,"dst":"10.0.0.2","dport":1,"stack":4}"#,
            #"{"type":"lost","mono_ns":1,"where":"ring","count":NaN}"#,
            #"{"type":"lost","mono_ns":-1,"where":"ring","count":1,"count":2}"#,
            #"{"type":"weather","anything":[]}"#,
            #"{"type":"#,
        ]
        let (status, output) = try validate(lines.joined(separator: "\n").bytes, name: "events.jsonl")
        #expect(status == 1)
        for expected in [
            "events.jsonl:1: the object: 'tool' is a required property", "events.jsonl:2: sport: 70000 is greater",
            "events.jsonl:3: the object: 'hook' is a required", "events.jsonl:3: stack 4 is used before",
            "events.jsonl:4: not JSON", "events.jsonl:5: not JSON: the key 'count' comes twice",
            "events.jsonl:7: not JSON", "events.jsonl:7: the last line has no newline",
        ] {
            #expect(output.contains(expected), "\(output)")
        }
        #expect(!output.contains("events.jsonl:6:"))
    }

    private let report = #"""
        {"schema": "rst-report/1", "tool": "rst-analyze 0.1.0",
         "inputs": [{"file": "a.pcap", "kind": "capture", "packets": 2, "damaged": 0}],
         "losses": {"capture_dropped": 0, "events_lost": 0, "bytes_skipped": 0, "lines_skipped": 0},
         "summary": {"resets": 1, "by_cause": {"closed-port": 1}, "by_outcome": {"matched": 1},
                     "by_certainty": {"proven": 1}},
         "resets": [
          {"id": 1, "time": "2026-11-20T23:22:01.123456789Z", "src": "10.0.0.1", "src_port": 80, "dst": "fd00::1",
           "dst_port": 40000, "seq": 1, "ack": 0, "flags": "RA", "direction": "sent", "outcome": "matched",
           "sightings": [{"file": "a.pcap", "packet": 2, "interface": "eth0", "time": null}],
           "cause": "closed-port", "category": "refused", "certainty": "proven", "summary": "Nobody listens.",
           "evidence": [{"fact": "no socket", "from": "event line 4"}], "match": {"by": "exact", "delta_ns": -5},
           "reason": "NO_SOCKET", "state": null, "stack": [],
           "process": {"pid": 5, "comm": "ss", "role": "killer"}, "owner": {"pid": 6, "comm": "nginx"},
           "where": {"netns": 1, "cgroup": "/a.slice", "container": "c", "unit": "u.service",
                     "pod": "214f3ba8-4b69-4bdb-a7d5-5ecc73f04ae9"}, "netns": 1}]}
        """#

    @Test func aReportThatFitsIsValid() throws {
        let (status, output) = try validate(report.bytes, name: "report.json")
        #expect(status == 0, "\(output)")
    }

    @Test func nobodyHasNoNumber() throws {
        let killer = #"{"pid": 5, "comm": "ss", "role": "killer"}, "owner": {"pid": 6, "comm": "nginx"}"#
        let nobody = report.replacing(killer, with: #"{"role": "none"}"#)
        #expect(nobody != report)
        #expect(try validate(nobody.bytes, name: "report.json").status == 0)
        let numbered = nobody.replacing(#"{"role": "none"}"#, with: #"{"pid": 5, "comm": "ss", "role": "none"}"#)
        #expect(try validate(numbered.bytes, name: "report.json").status == 1)
    }

    @Test func reportsThatDoNotFitAreNot() throws {
        let cases = [
            ("\"cause\": \"closed-port\"", "\"cause\": \"closed-prt\"", "10: resets/0/cause"),
            ("\"direction\": \"sent\"", "\"direction\": \"up\"", "8: resets/0/direction"),
            ("\"certainty\": \"proven\",", "\"certainty\": \"sure\",", "10: resets/0/certainty"),
            ("\"outcome\": \"matched\"", "\"outcome\": \"wire-only\"", "10: resets/0/certainty: 'proven'"),
            ("\"outcome\": \"matched\"", "\"outcome\": \"kernel-only\"", "9: resets/0/sightings"),
            ("\"role\": \"killer\"", "\"role\": \"victim\"", "13: resets/0/process/role"),
            ("\"role\": \"killer\"", "\"role\": \"owner\"", "13: resets/0/process/role"),
            ("\"pid\": 6", "\"pid\": null", "13: resets/0/owner/pid"),
            ("\"/a.slice\"", "\"a.slice\"", "14: resets/0/where/cgroup"),
            ("\"214f", "\"x14f", "15: resets/0/where/pod"),
            ("\"by\": \"exact\"", "\"by\": \"guess\"", "11: resets/0/match/by"),
            ("\"resets\": 1", "\"resets\": 2", "1: summary/resets: 2"),
            ("{\"closed-port\": 1}", "{\"closed-port\": 3}", "1: summary/by_cause: its counts add up to 3"),
            ("\"src_port\": 80", "\"src_port\": \"80\"", "7: resets/0/src_port"),
            ("T23:22:01.123456789Z", "T23:22:01Z", "7: resets/0/time"),
            ("\"rst-report/1\"", "\"rst-report/2\"", "1: schema"),
        ]
        let (status, output) = try validate(
            cases.enumerated().map { number, change in
                ("\(number).json", report.replacing(change.0, with: change.1).bytes)
            })
        #expect(status == 1)
        for (number, change) in cases.enumerated() {
            #expect(output.contains("\(number).json:\(change.2)"), "\(output)")
        }
    }
}
