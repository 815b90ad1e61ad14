import Foundation
import Testing

/// Every option that narrows or groups, compared with the entries of the JSON report of the same files.
@Suite struct NarrowingTests {
    typealias Entry = [String: Any]

    static let files = [
        "closed-port-v4", "closed-port-v6", "abort-on-close-cgroup-v4", "abort-on-close-v6", "socket-destroyed-ss-v4",
        "masqueraded-v4", "forwarded-v4", "received-v4", "netfilter-reject-nft-input-v4", "linger-zero-v4",
        "tun-device-v4", "keepalive-timeout-v6", "data-after-close-v4", "ack-scan-v6",
    ].map { "fixtures/\($0)" }

    private static func json(_ arguments: [String]) throws -> [String: Any] {
        let result = try Program.run("report", "--format", "json", more: files + arguments)
        #expect(result.status == 0, "\(arguments): \(result.errors)")
        return try #require(
            try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any], "\(arguments)")
    }

    /// The report of everything, read once.
    private static let whole = Result { try Program.run("report", "--format", "json", more: files).output }

    private static func all() throws -> [Entry] {
        let object = try JSONSerialization.jsonObject(with: Data(whole.get().utf8)) as? [String: Any]
        return try #require(object?["resets"] as? [Entry])
    }

    private static func isIn(_ network: String, _ address: Any?) -> Bool {
        guard let address = address as? String else { return false }
        if let prefix = network.split(separator: "/").first, !network.contains("/") { return address == prefix }
        // Only prefixes at group boundaries are used here.
        let (base, length) = (network.split(separator: "/")[0], Int(network.split(separator: "/")[1]) ?? 0)
        guard base.contains(".") else { return address.hasPrefix(base.prefix { $0 != ":" }) && address.contains(":") }
        return address.split(separator: ".").prefix(length / 8) == base.split(separator: ".").prefix(length / 8)
    }

    private static func names(_ entry: Entry) -> [String] {
        ["process", "owner"].compactMap { (entry[$0] as? Entry)?["comm"] as? String }
    }

    private static func pids(_ entry: Entry) -> [Int] {
        ["process", "owner"].compactMap { (entry[$0] as? Entry)?["pid"] as? Int }
    }

    private static func place(_ entry: Entry, _ key: String) -> String? { (entry["where"] as? Entry)?[key] as? String }

    private struct Case: CustomTestStringConvertible, Sendable {
        let arguments: [String]
        /// How many there must be at least for the case to be meaningful.
        var least = 1
        let wanted: @Sendable (Entry) -> Bool
        var testDescription: String { arguments.joined(separator: " ") }
    }

    private static let cases: [Case] = [
        Case(arguments: ["--host", "10.122.168.1"]) {
            isIn("10.122.168.1", $0["src"]) || isIn("10.122.168.1", $0["dst"])
        },
        Case(arguments: ["--host", "10.122.0.0/16", "--host", "fd00::/16"]) { entry in
            ["src", "dst"].contains { isIn("10.122.0.0/16", entry[$0]) || isIn("fd00::/16", entry[$0]) }
        },
        Case(arguments: ["--src", "10.0.0.0/8"]) { isIn("10.0.0.0/8", $0["src"]) },
        Case(arguments: ["--dst", "10.122.168.2,10.122.173.2"]) {
            isIn("10.122.168.2", $0["dst"]) || isIn("10.122.173.2", $0["dst"])
        },
        Case(arguments: ["--port", "80"]) { [$0["src_port"] as? Int, $0["dst_port"] as? Int].contains(80) },
        Case(arguments: ["--port", "81-1023,40001"]) {
            [$0["src_port"] as? Int, $0["dst_port"] as? Int].contains { (81...1023).contains($0 ?? 0) || $0 == 40001 }
        },
        Case(arguments: ["--cause", "closed-port"]) { $0["cause"] as? String == "closed-port" },
        Case(arguments: ["--cause", "refused,linger-zero"]) {
            $0["category"] as? String == "refused" || $0["cause"] as? String == "linger-zero"
        },
        Case(arguments: ["--cause", "forwarded", "--or-candidate"], least: 2) {
            $0["cause"] as? String == "forwarded" || ($0["candidates"] as? [String] ?? []).contains("forwarded")
        },
        Case(arguments: ["--certainty", "inferred"]) { $0["certainty"] as? String == "inferred" },
        Case(arguments: ["--certainty", "proven,unknown"]) { $0["certainty"] as? String != "inferred" },
        Case(arguments: ["--direction", "received"]) { $0["direction"] as? String == "received" },
        Case(arguments: ["--direction", "sent,forwarded"]) {
            ["sent", "forwarded"].contains($0["direction"] as? String)
        },
        Case(arguments: ["--process", "rst-analyze"]) { names($0).contains("rst-analyze") },
        Case(arguments: ["--process", "s?"]) { names($0).contains { $0.count == 2 && $0.hasPrefix("s") } },
        Case(arguments: ["--process", "*analy*"]) { names($0).contains { $0.contains("analy") } },
        Case(arguments: ["--pid", "815"]) { pids($0).contains(815) },
        Case(arguments: ["--since", "2026-11-21 03:00"]) { ($0["time"] as? String ?? "") >= "2026-11-21T03:00" },
        Case(arguments: ["--until", "2026-11-21T04:00:00+01:00"]) {
            ($0["time"] as? String ?? "~") < "2026-11-21T03:00"
        },
        Case(arguments: ["--since", "03:00:00", "--until", "2026-11-21T03:02:30Z"]) {
            let time = $0["time"] as? String ?? ""
            return time >= "2026-11-21T03:00:00" && time < "2026-11-21T03:02:30"
        },
        Case(arguments: ["--host", "10.0.0.0/8", "--cause", "close", "--direction", "sent"]) { entry in
            ["src", "dst"].contains { isIn("10.0.0.0/8", entry[$0]) } && entry["category"] as? String == "close"
                && entry["direction"] as? String == "sent"
        },
    ]

    @Test(arguments: cases)
    private func anOptionTakesWhatItSays(_ option: Case) throws {
        let all = try Self.all()
        let wanted = all.filter(option.wanted).compactMap { $0["id"] as? Int }
        #expect(wanted.count >= option.least && wanted.count < all.count, "\(wanted.count) of \(all.count)")
        let report = try Self.json(option.arguments)
        let given = try #require(report["resets"] as? [Entry])
        #expect(given.compactMap { $0["id"] as? Int } == wanted)
        let summary = try #require(report["summary"] as? Entry)
        #expect(summary["resets"] as? Int == wanted.count)
        #expect(summary["of_resets"] as? Int == all.count)
        let answers = try #require(report["answers"] as? [Entry])
        #expect(answers.compactMap { $0["count"] as? Int }.reduce(0, +) == wanted.count)
    }

    @Test func aNamespaceIsTakenByItsNumber() throws {
        let all = try Self.all()
        let known = try #require(all.compactMap { $0["netns"] as? Int }.first)
        let wanted = all.filter { $0["netns"] as? Int == known }.compactMap { $0["id"] as? Int }
        #expect(!wanted.isEmpty && wanted.count < all.count)
        let given = try #require(try Self.json(["--netns", "\(known)"])["resets"] as? [Entry])
        #expect(given.compactMap { $0["id"] as? Int } == wanted)
    }

    /// A recording whose process runs where the test says, beside a recording of another process.
    @Test(arguments: [
        ("/system.slice/docker-\(String(repeating: "0123456789abcdef", count: 4)).scope", "container", "0123456789ab"),
        ("/system.slice/docker-\(String(repeating: "0123456789abcdef", count: 4)).scope", "unit", "docker-*"),
        ("/system.slice/app.service", "unit", "app"), ("/system.slice/app.service", "unit", "app.service"),
        ("/lxc.payload.web", "container", "web"),
    ])
    func aPlaceIsTaken(_ cgroup: String, _ key: String, _ typed: String) throws {
        let fixture = try Program.fixture("abort-on-close-cgroup-v4")
        let events = String(decoding: fixture.events, as: UTF8.self).replacing(
            /"cgroup_path":"[^"]*"/, with: "\"cgroup_path\":\"\(cgroup)\"")
        try Program.withFolder { folder in
            try fixture.capture.write(to: folder.appending(path: "capture.pcapng"))
            try Data(events.utf8).write(to: folder.appending(path: "events.jsonl"))
            func resets(_ arguments: [String]) throws -> [Entry] {
                let files = [folder.path, "fixtures/linger-zero-v4"]
                let output = try Program.run("report", "--format", "json", more: files + arguments).output
                let object = try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any]
                return try #require(object?["resets"] as? [Entry])
            }
            let all = try resets([])
            let wanted = all.filter { Self.place($0, key) != nil }.compactMap { $0["id"] as? Int }
            #expect(!wanted.isEmpty && wanted.count < all.count)
            #expect(try resets(["--\(key)", typed]).compactMap { $0["id"] as? Int } == wanted)
            #expect(try resets(["--\(key)", "other"]).isEmpty)
        }
    }

    @Test func ownIsTheNamespaceOfTheRecorders() throws {
        var own: Set<Int> = []
        for file in Self.files {
            let events = try String(contentsOf: Program.root.appending(path: "\(file)/events.jsonl"), encoding: .utf8)
            let header = try JSONSerialization.jsonObject(with: Data((events.split(separator: "\n").first ?? "").utf8))
            if let netns = (header as? Entry)?["netns"] as? Int { own.insert(netns) }
        }
        #expect(!own.isEmpty)
        let wanted = try Self.all().filter { ($0["netns"] as? Int).map(own.contains) ?? false }
        let given = try #require(try Self.json(["--netns", "own"])["resets"] as? [Entry])
        #expect(given.compactMap { $0["id"] as? Int } == wanted.compactMap { $0["id"] as? Int })
    }

    @Test(arguments: [
        "cause", "category", "certainty", "direction", "process", "src", "dst", "container", "unit", "netns", "hour",
    ])
    func groupsCountWhatTheyHaveInCommon(_ field: String) throws {
        let all = try Self.all()
        var expected: [String: Int] = [:]
        for entry in all {
            let value: String? =
                switch field {
                case "process": (entry["process"] as? Entry)?["comm"] as? String
                case "container", "unit": Self.place(entry, field)
                case "netns": (entry["netns"] as? Int).map(String.init)
                case "hour": (entry["time"] as? String).map { "\($0.prefix(13)):00:00.000000000Z" }
                default: entry[field] as? String
                }
            expected[value ?? "-", default: 0] += 1
        }
        let groups = try #require(try Self.json(["--group-by", field, "--top", "0"])["groups"] as? [Entry])
        var given: [String: Int] = [:]
        for group in groups {
            let value = (group["by"] as? Entry)?[field]
            given[value is NSNull ? "-" : "\(value ?? "?")", default: 0] += group["count"] as? Int ?? 0
        }
        #expect(given == expected)
        #expect(groups.count == expected.count)
        let counts = groups.compactMap { $0["count"] as? Int }
        #expect(counts == counts.sorted(by: >))
    }

    /// Markdown and HTML have the table of the text report, cell by cell.
    @Test func allFormsHaveTheGroups() throws {
        let arguments = Self.files + ["--group-by", "cause,certainty", "--top", "5"]
        func cells(_ format: String) throws -> String {
            let output = try Program.run("report", more: arguments + ["--format", format]).output
            let header =
                switch format {
                case "html": ">resets</th>"
                case "markdown": "| resets | proven |"
                default: "resets  proven  "
                }
            let start = try #require(output.firstRange(of: header))
            return String(output[start.lowerBound...]).replacing("\\", with: "")
        }
        let text = try cells("text").split(separator: "\n")
        #expect(text.count == 7 && text[6].hasPrefix("and "), "\(text)")
        let (markdown, html) = try (cells("markdown"), cells("html"))
        for line in text.dropFirst().prefix(5) {
            let row = line.split(separator: " ").prefix(4).map(String.init)
            #expect(markdown.contains("| " + row.joined(separator: " | ") + " | "), "\(row) \(markdown)")
            let expression = try Regex(row.map { #"<td data-label="[a-z]+">\#($0)</td>"# }.joined())
            #expect(html.firstMatch(of: expression) != nil, "\(row)")
        }
        #expect(markdown.contains(text[6]) && html.contains("<p class=\"more\">\(text[6])</p>"))
        #expect(!markdown.contains("| What happened |"))
    }

    /// The service is one end of each RST, and several fields group by all of them.
    @Test func severalFieldsAreGroupedByTogether() throws {
        let all = try Self.all()
        let groups = try #require(
            try Self.json(["--group-by", "service,port,cause", "--top", "0"])["groups"] as? [Entry])
        #expect(groups.compactMap { $0["count"] as? Int }.reduce(0, +) == all.count)
        for group in groups {
            let by = try #require(group["by"] as? Entry)
            let example = try #require(all.first { $0["id"] as? Int == group["example"] as? Int })
            #expect(example["cause"] as? String == by["cause"] as? String)
            #expect([example["src_port"] as? Int, example["dst_port"] as? Int].contains(by["port"] as? Int))
            let service = try #require(by["service"] as? String)
            #expect(service.hasSuffix(":\(try #require(by["port"] as? Int))"))
        }
    }

    @Test func explainTakesCausesAndCategories() throws {
        let all = try Program.run("explain").output
        let close = try Program.run("explain", "close").output
        #expect(close.contains("abort-on-close") && !close.contains("closed-port") && all.contains(close))
        let timeout = try Program.run("explain", "idle-timeout").output
        #expect(timeout.contains("tcp.idle_timeout.seconds") && timeout.contains("https://docs.aws.amazon.com/"))
        #expect(timeout.contains("How to read a kernel path"))
        let wrong = try Program.run("explain", "idle-tmeout")
        #expect(wrong.status == 64 && wrong.errors.contains("did you mean idle-timeout?"))
        #expect(wrong.errors.contains("\"rst-analyze explain\" lists them all"))
    }

    @Test func topAndSortChooseAnswers() throws {
        let whole = try #require(try Self.json(["--top", "0"])["answers"] as? [Entry])
        let two = try Self.json(["--top", "2"])
        #expect((two["answers"] as? [Entry])?.count == 2)
        #expect(two["answers_left_out"] as? Int == whole.count - 2)
        let byTime = try #require(try Self.json(["--top", "0", "--sort", "first"])["answers"] as? [Entry])
        let examples = byTime.compactMap { $0["example"] as? Int }
        #expect(examples == examples.sorted())
        let byName = try #require(try Self.json(["--top", "0", "--sort", "name"])["answers"] as? [Entry])
        let causes = byName.compactMap { $0["cause"] as? String }
        #expect(causes == causes.sorted())
        let byEnd = try #require(try Self.json(["--top", "0", "--sort", "last"])["answers"] as? [Entry])
        let ends = byEnd.compactMap { $0["last"] as? String }
        #expect(ends == ends.sorted(by: >))
    }

    @Test func whatWasLeftOutIsSaid() throws {
        let text = try Program.run("report", more: Self.files + ["--port", "80", "--cause", "close"]).output
        #expect(text.contains("(--port 80 --cause close)"))
        #expect(text.contains("showing "))
    }

    @Test(arguments: [
        (["--cause", "closed-prot"], "did you mean closed-port?"), (["--cause", "refusd"], "did you mean refused?"),
        (["--group-by", "procss"], "did you mean process?"), (["--certainty", "provn"], "did you mean proven?"),
        (["--direction", "recieved"], "did you mean received?"), (["--sort", "cuont"], "did you mean count?"),
        (["--time", "epcoh"], "did you mean epoch?"), (["--fail-on", "linger-zro"], "did you mean linger-zero?"),
        (["--fail-on", "any@prooven"], "did you mean proven?"), (["--caus", "x"], "Did you mean '--cause'?"),
        (["--host", "example.org"], "names are not looked up"), (["--host", "10.0.0.0/33"], "not an IP address"),
        (["--port", "65536"], "not a port"), (["--port", "9-1"], "the lower port comes first"),
        (["--since", "yesterday"], "not a time"), (["--since", "2026-02-30"], "not a time"),
        (["--tz", "Europe/Atlantis"], "not a time zone"), (["--tz", "../etc/passwd"], "not a time zone"),
        (["--or-candidate"], "needs --cause"), (["--cause", "a,,b"], "missing before or after a comma"),
        (["--netns", "nowhere"], "no such network namespace"), (["--group-by", "src,src"], "twice"),
        (["--since", "04:00", "--until", "03:00"], "is not before"),
    ])
    func whatIsMistypedIsExplained(_ arguments: [String], _ message: String) throws {
        let result = try Program.run("report", Self.files[0], more: arguments)
        #expect(result.status == 64)
        #expect(result.errors.contains(message), "\(result.errors)")
        #expect(result.output.isEmpty)
    }

    @Test(arguments: [
        ("closed-port", Int32(3)), ("refused", 3), ("any", 3), ("closed-port@proven", 3), ("any@proven>1", 0),
        ("any>0", 3),
        ("close", 0), ("linger-zero,any", 3), ("closed-port>1", 0),
    ])
    func failOnIsMetOrNot(_ what: String, _ status: Int32) throws {
        let result = try Program.run("report", "fixtures/closed-port-v4", "--fail-on", what)
        #expect(result.status == status)
        #expect(result.errors.contains("--fail-on") == (status == 3))
    }

    @Test(arguments: [
        ("UTC", "2026-11-21 02:57:55.503 UTC"), ("Europe/Berlin", "2026-11-21 03:57:55.503 CET"),
        ("America/New_York", "2026-11-20 21:57:55.503 EST"), ("Asia/Kathmandu", "2026-11-21 08:42:55.503 +0545"),
    ])
    func timesAreShownInTheZoneThatIsAskedFor(_ zone: String, _ time: String) throws {
        let result = try Program.run("report", "fixtures/closed-port-v4", "--tz", zone)
        #expect(result.output.contains(time), "\(result.output)")
    }

    @Test func timesAreShownAsTcpdumpHasThem() throws {
        let epoch = try Program.run("report", "fixtures/closed-port-v4", "--time", "epoch").output
        #expect(epoch.contains("#1 1795229875.503890 "))
        let relative = try Program.run("report", "fixtures/closed-port-v4", "--time", "relative").output
        #expect(relative.contains("#1 +0.000000 "))
    }
}
