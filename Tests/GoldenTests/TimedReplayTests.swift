import CaptureFile
import Correlator
import Foundation
import InputFiles
import PcapReader
import Testing

/// A recording shown while it grows, at the pace at which it was made: what was shown, with its corrections, is what the report
/// says in the end.
@Suite struct TimedReplayTests {
    /// Those of which something else is shown, and why.
    private static let exceptions = [
        "clock-set-forward": "the packets' times, by which they are replayed, are an hour from the events'"
    ]

    /// A part of a file that was written at one time.
    private struct Piece {
        let time: Int64
        let file: Int
        let end: Int
    }

    private static let settlingTime: Int64 = 500_000_000
    private static let step: Int64 = 50_000_000

    private static func pieces(_ directory: URL) throws -> (files: [Data], pieces: [Piece]) {
        var (files, pieces): ([Data], [Piece]) = ([Data(), Data()], [])
        let capture = directory.appending(path: "capture.pcapng")
        if let bytes = try? Data(contentsOf: capture) {
            files[0] = bytes
            var all = CollectedSegments()
            _ = try InputFile(path: capture.path).scan(selecting: .all, into: &all)
            let segments = all.finish()
            for (place, segment) in segments.enumerated() {
                let end = place + 1 < segments.count ? segments[place + 1].offset : bytes.count
                pieces.append(Piece(time: segment.time, file: 0, end: end))
            }
        }
        guard let bytes = try? Data(contentsOf: directory.appending(path: "events.jsonl")) else {
            return (files, pieces)
        }
        files[1] = bytes
        var (offset, end, last): (Int64?, Int, Int64) = (nil, 0, 0)
        for line in bytes.split(separator: 0x0a, omittingEmptySubsequences: false) {
            end += line.count + 1
            guard let object = try? JSONSerialization.jsonObject(with: line) as? [String: Any] else { continue }
            if let clock = object["clock"] as? [String: Any],
                let realtime = (clock["realtime_ns"] as? NSNumber)?.int64Value,
                let monotonic = (clock["monotonic_ns"] as? NSNumber)?.int64Value
            {
                offset = realtime - monotonic
            }
            if let time = (object["mono_ns"] as? NSNumber)?.int64Value { last = max(last, time + (offset ?? 0)) }
            pieces.append(Piece(time: last, file: 1, end: min(end, bytes.count)))
        }
        return (files, pieces)
    }

    private static func verdict(_ reset: Reset) -> String {
        let process = reset.process.map { "\($0.role) \($0.pid ?? 0) \($0.comm ?? "")" } ?? ""
        return "\(reset.tuple) \(reset.cause) \(reset.candidates) \(reset.certainty) \(reset.direction) \(process)"
    }

    @Test(arguments: FixtureTests.names)
    func whatWasShownIsWhatTheReportSays(_ name: String) throws {
        let directory = FixtureTests.fixtures.appending(path: name)
        let (files, unordered) = try Self.pieces(directory)
        // What is in one file stays in its order.
        var latest: [Int64] = [.min, .min]
        let pieces = unordered.map { piece in
            latest[piece.file] = max(latest[piece.file], piece.time)
            return Piece(time: latest[piece.file], file: piece.file, end: piece.end)
        }.sorted { $0.time < $1.time }
        let copy = FileManager.default.temporaryDirectory.appending(path: "paced-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: copy, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: copy) }
        var handles: [FileHandle?] = [nil, nil]
        for (number, name) in ["capture.pcapng", "events.jsonl"].enumerated() where !files[number].isEmpty {
            let path = copy.appending(path: name)
            try #require(FileManager.default.createFile(atPath: path.path, contents: nil))
            handles[number] = try FileHandle(forWritingTo: path)
        }
        let live = LiveInput([copy.path], settlingTime: Self.settlingTime, memory: 64 << 20)
        var shown: [Int: String] = [:]
        func look(_ time: Int64?) {
            let settled = live.settled(at: time)
            for reset in settled.resets { shown[reset.id] = Self.verdict(reset) }
            for reset in settled.corrections { shown[reset.id] = Self.verdict(reset) }
        }
        var written = [0, 0]
        let start = pieces.first?.time ?? 0
        var now = start
        for (place, piece) in pieces.enumerated() {
            while now + Self.step < piece.time {
                now = min(piece.time, now + Self.step)
                look(now)
                // Nothing happens for long: a RST waits for half a second, and what was given out stays for five.
                if now - (place > 0 ? pieces[place - 1].time : start) > 10_000_000_000 { now = piece.time - 1 }
            }
            now = max(now, piece.time)
            if piece.end > written[piece.file] {
                try handles[piece.file]?.write(contentsOf: files[piece.file][written[piece.file]..<piece.end])
                written[piece.file] = piece.end
            }
            _ = try live.read(at: now)
            look(now)
        }
        look(nil)
        let paths = ["capture.pcapng", "events.jsonl"].map { directory.appending(path: $0).path }
        let loaded = InputLoader().load(paths.filter { FileManager.default.fileExists(atPath: $0) })
        let report = correlate(captures: loaded.captures, recordings: loaded.recordings).resets.map(Self.verdict)
        let agrees = shown.values.sorted() == report.sorted()
        if Self.exceptions[name] == nil {
            #expect(
                agrees,
                """
                shown and not reported: \(Set(shown.values).subtracting(report).sorted()), \
                reported and not shown: \(Set(report).subtracting(shown.values).sorted())
                """)
        } else {
            // An exception that is none any more is to be taken off the list.
            #expect(!agrees)
        }
    }
}
