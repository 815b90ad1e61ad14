import Correlator
import Foundation
import InputFiles
import Testing

@testable import Reporting

/// The text reports, at the widths of a narrow, an ordinary and a wide terminal.
@Suite struct TextGoldenTests {
    static let directory = FixtureTests.root.appending(path: "Tests/GoldenTests/Text")

    /// Names of golden texts, and what they are of: directories of fixtures/.
    static let inputs: [(name: String, paths: [String])] = [
        ("refused", ["closed-port-v4", "closed-port-v6"]),
        ("unread", ["abort-on-close-v4", "abort-on-close-killed-v4", "abort-on-close-exited-v6"]),
        ("container", ["abort-on-close-cgroup-v4"]),
        ("firewall", ["netfilter-reject-nft-input-v4", "netfilter-reject-iptables-forward-v6"]),
        ("killed-by-administrator", ["socket-destroyed-v4"]),
        ("translated", ["masqueraded-v4"]),
        ("forwarded", ["forwarded-v4", "received-v6"]),
        ("timers", ["keepalive-timeout-v6", "user-timeout-v4", "fin-wait2-timeout-v4"]),
        ("multipath", ["mptcp-fastclose-v6", "mptcp-join-refused-v4"]),
        ("raw", ["raw-socket-v4", "packet-socket-v6", "tun-device-v4"]),
        ("kernel-only", ["no-route-v4", "dropped-by-qdisc-v6"]),
        ("late", ["data-after-full-close-v4", "stale-connection-v6", "unexpected-syn-ack-v4"]),
    ]

    static let cases = inputs.indices.flatMap { index in [40, 80, 200].map { (index, $0) } }

    static func report(_ paths: [String]) throws -> Report {
        let files = paths.flatMap { path in
            ["capture.pcapng", "events.jsonl"].map { FixtureTests.fixtures.appending(path: "\(path)/\($0)").path }
        }
        let loaded = InputLoader().load(files.filter { FileManager.default.fileExists(atPath: $0) })
        #expect(loaded.failures.isEmpty)
        let prefix = FixtureTests.fixtures.path + "/"
        return correlate(
            captures: loaded.captures.map {
                var capture = $0
                capture.file = String(capture.file.dropFirst(prefix.count))
                return capture
            },
            recordings: loaded.recordings.map {
                EventInput(file: String($0.file.dropFirst(prefix.count)), recording: $0.recording)
            })
    }

    static func text(_ report: Report, _ change: (inout TextReport.Options) -> Void) -> String {
        var options = TextReport.Options()
        change(&options)
        var renderer = TextReport(options: options)
        var text = ""
        renderer.render(report) { text += $0 }
        return text
    }

    /// RST_REGENERATE=1 writes the current text, and fails, so that nobody does it by accident.
    @Test(arguments: cases)
    func textIsAsExpected(_ index: Int, _ width: Int) throws {
        let (name, paths) = Self.inputs[index]
        let text = Self.text(try Self.report(paths)) {
            $0.width = width
            $0.height = 60
            $0.verbose = name == "container" || name == "translated"
        }
        for line in text.split(separator: "\n") where line.columns > width {
            // An address, a path or a kernel function is not broken.
            #expect(line.trimmingPrefix(while: { $0 == " " }).split(separator: " ").count <= 3, "\(line)")
        }
        let file = Self.directory.appending(path: "\(name)-\(width).txt")
        if ProcessInfo.processInfo.environment["RST_REGENERATE"] != nil {
            try Data(text.utf8).write(to: file)
            Issue.record("wrote \(file.path) anew: look at the difference before it is committed")
            return
        }
        let expected = try String(contentsOf: file, encoding: .utf8)
        #expect(text == expected, "the text of \(name) has changed; RST_REGENERATE=1 writes it anew if that is meant")
    }

    /// Colour only adds to the text.
    @Test(arguments: [40, 80, 200])
    func colourIsAllThatColourAdds(_ width: Int) throws {
        for (_, paths) in Self.inputs {
            let report = try Self.report(paths)
            let plain = Self.text(report) { $0.width = width }
            let colored = Self.text(report) {
                $0.width = width
                $0.color = true
            }
            #expect(colored != plain)
            #expect(colored.replacing(/\u{1b}\[[0-9]+m/, with: "") == plain)
        }
    }
}

/// The capture of bench/incident: a scan, a crash loop and a dead backend among single RSTs.
@Suite struct IncidentTests {
    private static func report(_ arguments: [String]) throws -> Report {
        let file = FileManager.default.temporaryDirectory.appending(path: "rst-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        let generator = Process()
        generator.executableURL = FixtureTests.root.appending(path: "bench/incident")
        generator.arguments = [file.path] + arguments
        try generator.run()
        generator.waitUntilExit()
        let loaded = InputLoader().load([file.path])
        #expect(loaded.failures.isEmpty)
        return correlate(captures: loaded.captures, recordings: [])
    }

    @Test func theFirstScreenNamesWhatMatters() throws {
        let report = try Self.report(["--resets", "5000"])
        #expect(report.resets.count == 5000)
        let text = TextGoldenTests.text(report) { _ in }
        #expect(text.split(separator: "\n", omittingEmptySubsequences: false).count <= 24)
        for word in ["scan: ", "crash loop: ", "dead backend: ", "and 200 more with 200 resets"] {
            #expect(text.contains(word), "\(word)\n\(text)")
        }
        #expect(text.contains("10.0.0.20:8080"))
        #expect(text.contains("10.0.0.30:9000"))
        #expect(text.contains("203.0.113.66"))
        let patterns = report.findings.compactMap { $0.pattern?.word }
        #expect(patterns.sorted() == ["crash-loop", "dead-backend", "scan"])
    }

    /// Each RST is in one answer, and those in an answer have its certainty.
    @Test func nothingIsCountedTwiceOrMerged() throws {
        let report = try Self.report(["--resets", "2000"])
        let groups = AnswerGroups(report.resets)
        var seen: Set<Int32> = []
        for number in 0..<groups.count {
            let answer = groups.answer(number, slices: 12)
            let places = groups.places(of: number)
            #expect(answer.count == places.count)
            #expect(answer.timeline.reduce(0, +) == answer.count)
            for place in places {
                #expect(seen.insert(place).inserted)
                let row = report.resets.rows[Int(place)]
                #expect((row.cause, row.certainty) == (answer.cause, answer.certainty))
                #expect(report.resets.attribution(of: row).candidates == answer.candidates)
            }
        }
        #expect(seen.count == report.resets.count)
    }
}
