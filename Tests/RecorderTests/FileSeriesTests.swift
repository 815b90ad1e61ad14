import Foundation
import HostFiles
import Synchronization
import Testing

@testable import Recorder

@Suite struct FileSeriesTests {
    private static func withSeries(
        _ limits: (inout FileSeries.Limits) -> Void, before: [String] = [],
        _ body: (FileSeries, URL) throws -> Void
    ) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "rst-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for name in before { try Data([1]).write(to: folder.appending(path: name)) }
        var value = FileSeries.Limits()
        limits(&value)
        try body(FileSeries(in: folder.path, value), folder)
    }

    /// Completes a pair whose files have this size.
    private static func write(_ series: FileSeries, _ number: Int, size: Int = 10, at time: Int64 = 0) throws {
        for stream in FileSeries.Stream.allCases {
            try Data(count: size).write(to: URL(filePath: series.path(stream, number)))
            series.complete(stream, number, now: time)
        }
    }

    private static func names(_ folder: URL) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    }

    /// Both streams go on together, whichever has reached the limit, and each once.
    @Test func bothFilesGoOnTogether() throws {
        try Self.withSeries({ $0.fileSize = 100 }) { series, _ in
            let first = series.current
            #expect(series.next(after: first, size: 99, now: 0) == nil)
            #expect(series.next(after: first, size: 100, now: 0) == first + 1)
            #expect(series.next(after: first, size: 5, now: 0) == first + 1)
            #expect(series.next(after: first + 1, size: 5, now: 0) == nil)
        }
    }

    @Test func numbersGoOn() throws {
        let before = [
            "capture-000041.pcapng", "events-000042.jsonl", "events-7.jsonl", "events-99.txt", "other-000099.jsonl",
        ]
        try Self.withSeries({ _ in }, before: before) { series, folder in
            #expect(series.current == 43)
            #expect(series.path(.events, 43) == "\(folder.path)/events-000043.jsonl")
            #expect(series.path(.capture, 1_234_567).hasSuffix("/capture-1234567.pcapng"))
        }
    }

    @Test func theOldestPairsGo() throws {
        try Self.withSeries({ ($0.fileSize, $0.keep) = (5, 3) }, before: ["events-000001.jsonl", "capture.pcapng"]) {
            series, folder in
            for number in 2...6 {
                _ = series.next(after: number, size: 5, now: 0)
                try Self.write(series, number)
            }
            // With the one that is being written it is three.
            #expect(
                try Self.names(folder) == [
                    "capture-000005.pcapng", "capture-000006.pcapng", "capture.pcapng", "events-000005.jsonl",
                    "events-000006.jsonl",
                ])
            try Self.write(series, 7)
            #expect(try Self.names(folder).count == 7)
        }
    }

    /// The pair that is being written has room, too.
    @Test func allFilesStayBelowTheirSize() throws {
        try Self.withSeries({ ($0.fileSize, $0.totalSize) = (100, 1000) }) { series, folder in
            for number in 1...30 {
                _ = series.next(after: number, size: 100, now: 0)
                try Self.write(series, number, size: 100)
                let count = try Self.names(folder).count
                #expect(count <= 8 && count >= min(8, 2 * number))
            }
        }
    }

    @Test func aFlightRecorderKeepsWhatIsAskedFor() throws {
        try Self.withSeries({ ($0.flight, $0.fileTime) = (100, 10) }) { series, folder in
            for number in 1...30 {
                #expect(series.next(after: number, size: 0, now: Int64(number) << 56) == number + 1)
                try Self.write(series, number, at: Int64(number * 10))
            }
            // Those that ended in the last 100 ns.
            #expect(try Self.names(folder).count == 22)
            series.save(named: "kept")
            #expect(try Self.names(folder).count == 22)
            try Self.write(series, 31, at: 300)
            #expect(try Self.names(folder) == ["kept"])
            #expect(try Self.names(folder.appending(path: "kept")).count == 24)
            try Self.write(series, 32, at: 320)
            series.finish(saving: "rest")
            #expect(try Self.names(folder) == ["kept", "rest"])
            try Self.write(series, 33, at: 330)
            series.discard()
            #expect(try Self.names(folder) == ["kept", "rest"])
        }
    }

    /// What an earlier recorder left is no part of this flight, and nobody asked to delete it.
    @Test func whatWasThereBeforeAFlightStays() throws {
        try Self.withSeries({ $0.flight = 100 }) { series, folder in
            try Self.write(series, 1, at: 10)
            let next = FileSeries(in: folder.path, series.limits)
            #expect(next.first == 2)
            let before = try Self.names(folder)
            #expect(before.count == 2)
            try Self.write(next, 2, at: 1000)
            next.finish(saving: "kept")
            #expect(try Self.names(folder) == before + ["kept"])
            #expect(try Self.names(folder.appending(path: "kept")).count == 2)
            try Self.write(next, 3, at: 1000)
            next.discard()
            #expect(try Self.names(folder) == before + ["kept"])
        }
    }
}
