import Foundation
import Testing

/// `report --format sqlite`, read by the sqlite3 command.
@Suite(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/sqlite3")))
struct DatabaseTests {
    private static func withDatabase(
        of fixtures: [String], _ body: (URL) throws -> Void
    ) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "db-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "report.db")
        let files = fixtures.flatMap { name in
            ["capture.pcapng", "events.jsonl"].map { "fixtures/\(name)/\($0)" }
        }
        let result = try Program.run("report", "--format", "sqlite", "-o", file.path, more: files)
        #expect(result.status == 0 && result.output.isEmpty, "\(result.errors)")
        try body(file)
    }

    private static func query(_ sql: String, _ file: URL, mode: String = "-list") throws -> [String] {
        let result = try Program.run("-batch", "-bail", mode, file.path, sql, executable: "/usr/bin/sqlite3")
        #expect(result.status == 0 && result.errors.isEmpty, "\(sql): \(result.errors)")
        return result.output.split(separator: "\n").map(String.init)
    }

    private static let fixtures = [
        "abort-on-close-v4", "linger-zero-v4", "closed-port-v6", "no-route-v4", "received-with-data-v4",
        "socket-killed-follow-up", "icmp-port-unreachable-v4",
    ]

    /// The queries of docs/sqlite.md run, and each has an answer.
    @Test func theDocumentedQueriesHaveAnswers() throws {
        let page = try String(contentsOf: Program.root.appending(path: "docs/sqlite.md"), encoding: .utf8)
        let queries = page.matches(of: /```sql\n([\s\S]*?)```/).map { String($0.1) }
        #expect(queries.count >= 8)
        try Self.withDatabase(of: Self.fixtures) { file in
            for sql in queries {
                let rows = try Self.query(sql, file)
                #expect(!rows.isEmpty, "\(sql)")
            }
            #expect(
                try Self.query(queries[0], file).filter { $0.hasPrefix("2026-11-21 03:00") } == [
                    "2026-11-21 03:00|rst-analyze|2"
                ])
        }
    }

    /// The same as the JSON report has.
    @Test func theTablesHoldTheReport() throws {
        try Self.withDatabase(of: Self.fixtures) { file in
            let files = Self.fixtures.flatMap { ["fixtures/\($0)/capture.pcapng", "fixtures/\($0)/events.jsonl"] }
            let result = try Program.run("report", "--format", "json", more: files)
            let object = try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any]
            let report = try #require(object)
            let resets = try #require(report["resets"] as? [[String: Any]])
            let expected = resets.map { reset -> String in
                let process = (reset["process"] as? [String: Any])?["comm"] as? String
                return
                    "\(reset["id"] ?? "")|\(reset["src"] ?? "")|\(reset["src_port"] ?? "")|\(reset["cause"] ?? "")|\(process ?? "")"
            }
            #expect(try Self.query("SELECT id, src, sport, cause, process FROM resets ORDER BY id", file) == expected)
            for (table, key) in [("evidence", "evidence"), ("sightings", "sightings")] {
                let count = resets.reduce(0) { $0 + ((($1[key] as? [Any])?.count) ?? 0) }
                #expect(try Self.query("SELECT count(*) FROM \(table)", file) == ["\(count)"])
            }
            let inputs = try #require(report["inputs"] as? [Any])
            #expect(try Self.query("SELECT count(*) FROM inputs", file) == ["\(inputs.count)"])
            let refused = try #require((report["icmp_refused"] as? [String: Any])?["count"] as? Int)
            #expect(try Self.query("SELECT count(*) FROM refusals", file) == ["\(refused)"])
            let broken = try Self.query("PRAGMA foreign_key_check", file)
            #expect(broken.isEmpty)
            #expect(try Self.query("PRAGMA integrity_check", file) == ["ok"])
            let plan = try Self.query("EXPLAIN QUERY PLAN SELECT * FROM resets WHERE cause = 'x' AND ts > 1", file)
            #expect(plan.joined().contains("resets_cause"))
        }
    }

    /// Like the other formats, it replaces what is there, but not an input, nor a database that is in use.
    @Test func whatIsThereIsReplaced() throws {
        try Self.withDatabase(of: ["closed-port-v4"]) { file in
            let input = "fixtures/abort-on-close-v4/events.jsonl"
            let arguments = ["report", "--format", "sqlite", input, "-o"]
            #expect(try Program.run(more: arguments + [file.path]).status == 0)
            #expect(try Self.query("SELECT cause FROM resets", file) == ["abort-on-close"])
            #expect(try Program.run(more: arguments + [input]).status == 1)
            #expect(try Program.run(more: ["report", "--format", "sqlite", input]).status == 64)
            let journal = URL(filePath: file.path + "-journal")
            try Data("hot".utf8).write(to: journal)
            let refused = try Program.run(more: arguments + [file.path])
            #expect(refused.status == 1 && refused.errors.contains("another program"), "\(refused.errors)")
            try FileManager.default.removeItem(at: journal)
            #expect(try Program.run(more: arguments + ["/no/such/folder/x.db"]).status == 1)
            #expect(try Program.run(more: arguments + ["/dev/null"]).status == 1)
        }
    }
}
