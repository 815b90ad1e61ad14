import Foundation
import Testing

/// Connections that ICMP errors ended, in the options that narrow a report and let a pipeline fail.
@Suite struct RefusalOptionsTests {
    private static let fixtures = ["fixtures/icmp-port-unreachable-v4", "fixtures/closed-port-v4"]

    private static func json(_ arguments: [String]) throws -> (shown: Int, leftOut: Int, resets: Int) {
        let result = try Program.run("report", "--format", "json", more: fixtures + arguments)
        #expect(result.status == 0, "\(result.errors)")
        let object = try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
        let summary = try #require(object["summary"] as? [String: Any])
        let refused = object["icmp_refused"] as? [String: Any]
        return (
            refused?["count"] as? Int ?? 0, summary["icmp_refused_left_out"] as? Int ?? 0,
            summary["resets"] as? Int ?? -1
        )
    }

    /// The two ends and the process of the one that the fixture has.
    private static func refusal() throws -> [String: Any] {
        let result = try Program.run("report", "--format", "json", more: fixtures)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
        let ends = try #require((object["icmp_refused"] as? [String: Any])?["ends"] as? [[String: Any]])
        #expect(ends.count == 1)
        return try #require(ends.first)
    }

    @Test func conditionsApplyToThem() throws {
        let one = try Self.refusal()
        let all = try Self.json([])
        #expect(all.shown == 1 && all.leftOut == 0 && all.resets > 0)
        func keeps(_ arguments: [String], _ isKept: Bool) throws {
            let found = try Self.json(arguments)
            #expect((found.shown, found.leftOut) == (isKept ? (1, 0) : (0, 1)), "\(arguments)")
        }
        let (port, pid) = (try #require(one["dst_port"]), try #require(one["pid"]))
        let (comm, netns) = (try #require(one["comm"]), try #require(one["netns"]))
        let time = try #require(one["time"] as? String)
        for arguments in [
            ["--port", "\(port)"], ["--host", "\(one["dst"] ?? "")"], ["--pid", "\(pid)"], ["--process", "\(comm)"],
            ["--netns", "\(netns)"], ["--certainty", "proven"], ["--since", time],
            // Times of the day and relative ones count from the refusals where there is no RST.
            ["--since", String(time.dropFirst(11).prefix(5))], ["--since=-10m"],
        ] {
            try keeps(arguments, true)
        }
        for arguments in [
            ["--port", "1"], ["--host", "192.0.2.1"], ["--pid", "1"], ["--process", "other"], ["--netns", "1"],
            ["--certainty", "inferred"], ["--until", time], ["--src", "0.0.0.0/0"], ["--direction", "received"],
            ["--container", "db"],
        ] {
            try keeps(arguments, false)
        }
    }

    @Test func theyHaveAWordOfTheirOwn() throws {
        let alone = try Self.json(["--cause", "icmp-refused"])
        #expect(alone.shown == 1 && alone.resets == 0)
        let both = try Self.json(["--cause", "closed-port,icmp-refused"])
        #expect(both.shown == 1 && both.resets > 0)
        let other = try Self.json(["--cause", "closed-port"])
        #expect(other.shown == 0 && other.leftOut == 1 && other.resets > 0)
        let explained = try Program.run("explain", "icmp-refused")
        #expect(explained.status == 0 && explained.output.hasPrefix("icmp-refused (no RST)\n"))
        #expect(try Program.run("explain").output.contains("\n  icmp-refused "))
        let mistyped = try Program.run("explain", "icmp-refusd")
        #expect(mistyped.errors.contains("did you mean icmp-refused?"), "\(mistyped.errors)")
    }

    @Test func aPipelineFailsForThem() throws {
        let one = try Self.refusal()
        func status(_ arguments: [String]) throws -> (Int32, String) {
            let result = try Program.run("report", more: Self.fixtures + arguments)
            return (result.status, result.errors)
        }
        let met = try status(["--fail-on", "icmp-refused@proven"])
        #expect(
            met.0 == 3 && met.1.contains("--fail-on icmp-refused@proven: 1 connection ended by ICMP errors"), "\(met)")
        #expect(met.1.contains("> \(one["dst"] ?? ""):\(one["dst_port"] ?? ""), icmp-refused, proven"), "\(met)")
        #expect(try status(["--fail-on", "icmp-refused>1"]).0 == 0)
        #expect(try status(["--cause", "closed-port", "--fail-on", "icmp-refused"]).0 == 0)
        try Program.withFolder { folder in
            let file = folder.appending(path: "allowed").path
            try "--cause icmp-refused\n".write(toFile: file, atomically: false, encoding: .utf8)
            #expect(try status(["--fail-on", "icmp-refused", "--allow", file]).0 == 0)
            #expect(try status(["--fail-on", "closed-port,icmp-refused", "--allow", file]).0 == 3)
        }
    }

    /// What would never be shown is no condition.
    @Test func liveCommandsRefuseTheWord() throws {
        let watch = try Program.run("watch", "-i", "lo", "--cause", "icmp-refused")
        #expect(watch.status == 64 && watch.errors.contains("--cause icmp-refused"), "\(watch)")
        let record = try Program.run(
            "record", "-i", "lo", "-o", "/nonexistent/rec", "--flight", "1m", "--trigger", "icmp-refused")
        #expect(record.status == 64 && record.errors.contains("--trigger icmp-refused"), "\(record)")
    }
}
