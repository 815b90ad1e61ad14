import Foundation
import Testing

/// The table in docs/provoke.md has a cell for each client and situation, and the clients that are run here behave as it says.
@Suite(.serialized) struct ClientTableTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private func rows() throws -> [[String]] {
        let text = try String(contentsOf: Self.root.appending(path: "docs/provoke.md"), encoding: .utf8)
        let table = try #require(
            text.components(separatedBy: "<!-- table of clients -->\n").last?
                .components(separatedBy: "<!-- end of the table -->").first)
        return table.split(separator: "\n").filter { $0.hasPrefix("| ") }.map { line in
            line.dropFirst(2).dropLast(2).components(separatedBy: " | ")
        }
    }

    @Test func everyClientHasEverySituation() throws {
        let rows = try rows()
        #expect(
            rows.first == [
                "client", "at connect", "in mid-request", "in mid-answer", "pooled, at the second request",
                "pooled, closed while idle",
            ])
        #expect(rows.allSatisfy { $0.count == 6 && !$0.contains("") })
        for client in ["curl", "Python http.client", "Python requests", "Java HttpClient", "Node fetch", "psql"] {
            // With the version that showed it.
            #expect(rows.contains { $0[0].wholeMatch(of: /(.+) [\d.]+/)?.1 ?? "" == client })
        }
        // No client hides a reset in mid-answer.
        #expect(rows.dropFirst(2).allSatisfy { $0[3] == "-" || $0[3].hasPrefix("`") })
    }

    @Test func theClientsThatAreHereShowTheSame() throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["python3", "scripts/client-table", program, "--check"]
        process.currentDirectoryURL = Self.root
        let errors = Pipe()
        process.standardError = errors
        try process.run()
        let said = try errors.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(String(decoding: said, as: UTF8.self))")
    }
}
