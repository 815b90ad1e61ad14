import Correlator
import Foundation
import Glibc
import InputFiles
import Testing

/// What is shown of a recording while it is followed agrees with the report of the whole.
@Suite struct LiveReplayTests {
    private struct Line: Equatable, CustomStringConvertible {
        let id: Int
        let verdict: String
        init(_ reset: Reset) {
            id = reset.id
            let process = reset.process.map { "\($0.role) \($0.pid ?? 0) \($0.comm ?? "")" } ?? ""
            verdict =
                "\(reset.time) \(reset.tuple) \(reset.cause) \(reset.candidates) \(reset.certainty) \(reset.direction) "
                + "\(process) \(reset.follows ?? 0) \(reset.summary)"
        }
        var description: String { "#\(id) \(verdict)" }
    }

    private static func report(_ directory: String) -> [Line] {
        let paths = ["capture.pcapng", "events.jsonl"].map { "\(directory)/\($0)" }
        let loaded = InputLoader().load(paths.filter { FileManager.default.fileExists(atPath: $0) })
        return correlate(captures: loaded.captures, recordings: loaded.recordings).resets.map(Line.init)
    }

    @Test(arguments: FixtureTests.names)
    func whatIsThereAlreadyIsGivenOutAtOnce(_ name: String) throws {
        let directory = FixtureTests.fixtures.appending(path: name).path
        let live = LiveInput([directory], settlingTime: 1000, memory: 64 << 20)
        while try live.read(at: 1) {}
        #expect(live.settled(at: 1000).isEmpty)
        let atOnce = live.settled(at: 1001).resets.map(Line.init)
        // A RST of a recorded host that has no event waits for it, and gets a later id.
        let late = live.settled(at: 1001 + 1_500_000_000).resets.map(Line.init)
        let (lines, expected) = (atOnce + late, Self.report(directory))
        if late.isEmpty { #expect(lines == expected) }
        #expect(lines.map(\.verdict).sorted() == expected.map(\.verdict).sorted())
        #expect(live.settled(at: nil).isEmpty && live.count == lines.count)
    }

    /// A recording as it grows: both files in pieces, and a look after each. The settling time is longer than all of it, and
    /// so nothing is given out before the end.
    @Test(arguments: FixtureTests.names.filter { $0.hasSuffix("v4") })
    func itDoesNotMatterHowItGrew(_ name: String) throws {
        let directory = FixtureTests.fixtures.appending(path: name)
        let copy = FileManager.default.temporaryDirectory.appending(path: "live-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: copy, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: copy) }
        let files = try ["capture.pcapng", "events.jsonl"].compactMap { name -> (FileHandle, Data)? in
            guard let bytes = try? Data(contentsOf: directory.appending(path: name)) else { return nil }
            let path = copy.appending(path: name)
            try #require(FileManager.default.createFile(atPath: path.path, contents: nil))
            return (try FileHandle(forWritingTo: path), bytes)
        }
        let live = LiveInput([copy.path], settlingTime: 1000, memory: 64 << 20)
        for piece in 0..<23 {
            for (handle, bytes) in files {
                let (start, end) = (bytes.count * piece / 23, bytes.count * (piece + 1) / 23)
                try handle.write(contentsOf: bytes[start..<end])
            }
            _ = try live.read(at: Int64(piece))
            #expect(live.settled(at: Int64(piece)).isEmpty)
        }
        #expect(live.settled(at: nil).resets.map(Line.init) == Self.report(directory.path))
    }

    @Test func aFileThatIsNotThereYetIsWaitedFor() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "later-\(UUID().uuidString)").path
        let live = LiveInput([path], settlingTime: 0, memory: 1 << 20)
        #expect(try !live.read(at: 1))
        try Data("<html>no capture, and no events either</html>".utf8).write(to: URL(filePath: path))
        defer { unlink(path) }
        #expect(throws: LiveInput.Failure.self) { try live.read(at: 2) }
    }

    @Test func aFileThatIsBegunAnewIsToldOf() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "anew-\(UUID().uuidString)").path
        let capture = FixtureTests.fixtures.appending(path: "\(FixtureTests.names[0])/capture.pcapng")
        try Data(contentsOf: capture).write(to: URL(filePath: path))
        defer { unlink(path) }
        let live = LiveInput([path], settlingTime: 0, memory: 1 << 20)
        #expect(try live.read(at: 1))
        try #require(truncate(path, 0) == 0)
        #expect(throws: LiveInput.Failure.self) { try live.read(at: 2) }
    }
}
