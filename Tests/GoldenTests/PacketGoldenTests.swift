import Correlator
import Foundation
import Testing

/// Captures without kernel events, cut from public ones, rebuilt from reports or recorded, whose verdicts are argued in
/// fixtures/packets/*/README.md.
@Suite struct PacketGoldenTests {
    static let directory = FixtureTests.fixtures.appending(path: "packets")

    static let names: [String] = ((try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []).sorted()

    private static func report(_ name: String) throws -> Report {
        let folder = directory.appending(path: name)
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        let capture = try #require(files.first { $0.hasPrefix("capture.") })
        return try reportOfCapture(folder.appending(path: capture), named: capture)
    }

    @Test func thereAreEnough() {
        #expect(Self.names.count >= 10)
    }

    @Test(arguments: names)
    func reportIsAsExpected(_ name: String) throws {
        try expectGolden(try Self.report(name), in: Self.directory.appending(path: name))
    }

    @Test(arguments: names)
    func aWireProvesNothing(_ name: String) throws {
        try expectNothingProven(try Self.report(name), in: Self.directory.appending(path: name))
    }

    /// Exactly the RSTs that a third party sent, by packet number.
    @Test(arguments: [
        ("injected-pair-in-a-row", [5, 6, 9, 10]), ("injected-with-copied-ids", [55, 56, 57, 60, 61, 62, 63]),
        ("injected-too-soon", [5]), ("device-resets-after-the-end", [4]), ("syn-refused-and-accepted", [2]),
        ("firewall-forgot-after-2h", [5]), ("router-injects", [10]), ("router-rejects", []), ("director-answers", []),
        ("data-not-translated", []), ("synack-not-translated", []), ("header-that-is-damaged", []),
    ])
    func theThirdPartyIsTold(_ name: String, _ packets: [Int]) throws {
        let injected = try Self.report(name).resets.filter { $0.cause == .injected }
        #expect(injected.flatMap { $0.sightings.map(\.packet) }.sorted() == packets)
    }
}
