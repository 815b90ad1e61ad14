import Correlator
import Foundation
import Testing

private enum Collection {
    static let isThere = FileManager.default.fileExists(
        atPath: FixtureTests.root.appending(path: "../shared/captures").path)
}

/// Real captures of the shared collection, whose reports are argued in fixtures/wire/*/README.md.
///
/// Skipped, with the reason, if the collection is not beside the repository.
@Suite(.enabled(if: Collection.isThere, "the collection of captures, ../shared/captures, is not there"))
struct WireGoldenTests {
    static let directory = FixtureTests.fixtures.appending(path: "wire")

    static let names: [String] = ((try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []).sorted()

    /// The path of the capture, as the golden report has it: relative to the repository.
    private static func capture(of name: String) throws -> String {
        let path = try String(contentsOf: directory.appending(path: "\(name)/capture"), encoding: .utf8)
        return "../shared/captures/" + path.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private static func report(_ name: String) throws -> Report {
        let path = try capture(of: name)
        return try reportOfCapture(FixtureTests.root.appending(path: path), named: path)
    }

    @Test func thereAreEnough() {
        #expect(Self.names.count >= 15)
    }

    @Test(arguments: names)
    func reportIsAsExpected(_ name: String) throws {
        try expectGolden(try Self.report(name), in: Self.directory.appending(path: name))
    }

    @Test(arguments: names)
    func aWireProvesNothing(_ name: String) throws {
        try expectNothingProven(try Self.report(name), in: Self.directory.appending(path: name))
    }

    /// Real injected segments are named for what they are; their victims' RSTs are not called injected.
    @Test(arguments: ["quantum-insert-http", "inject-with-copied-headers"])
    func injectedSegmentsAreNamed(_ name: String) throws {
        for reset in try Self.report(name).resets {
            #expect(reset.cause != .injected)
            #expect(reset.summary.contains("A third party had injected a segment into this connection (packet 5)."))
            #expect(reset.evidence.contains { $0.fact.hasPrefix("an injected segment") && $0.from == .packet(5) })
        }
    }

    @Test func thePayloadOfARSTIsRead() throws {
        let report = try Self.report("diagnostic-payload")
        #expect(report.resets[0].evidence.contains { $0.fact.contains("reason 1: illegal option") })
    }
}
