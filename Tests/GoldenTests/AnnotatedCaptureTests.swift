import CaptureFile
import Correlator
import Foundation
import InputFiles
import NetworkTypes
import PcapReader
import Reporting
import Testing

/// Copies of captures with comments on their RSTs.
@Suite struct AnnotatedCaptureTests {
    private static let captures: [String] = {
        let shared = FixtureTests.root.appending(path: "../shared/captures")
        let files = FileManager.default.enumerator(atPath: shared.path)?.compactMap { $0 as? String } ?? []
        return FixtureTests.names.map { FixtureTests.fixtures.appending(path: "\($0)/capture.pcapng").path }
            + files.sorted().map { shared.appending(path: $0).path }
    }()

    private static func scan(_ bytes: [UInt8]) -> (CaptureSummary, [CapturedSegment])? {
        var segments: [CapturedSegment] = []
        guard let summary = try? CaptureScanner.scan(bytes, selecting: .all, body: { segments.append($0) }) else {
            return nil
        }
        return (summary, segments)
    }

    private static func copy(
        _ bytes: [UInt8], _ comments: [Int: [String]], keeping kept: Set<Int>? = nil, inPiecesOf size: Int = .max
    ) throws -> ([UInt8], CaptureCopier) {
        var copier = CaptureCopier(comments: comments, keeping: kept, application: "test")
        var copy: [UInt8] = []
        var start = 0
        while start < bytes.count {
            let end = size < bytes.count - start ? start + size : bytes.count
            copy += try copier.feed(bytes.span.bytes.extracting(start..<end), isFinal: end == bytes.count)
            start = end
        }
        return (copy, copier)
    }

    @Test func aCopyHasTheSamePacketsAndTheComments() throws {
        var (copied, commented) = (0, 0)
        for path in Self.captures {
            guard let data = FileManager.default.contents(atPath: path), data.count < 8 << 20 else { continue }
            let bytes = Array(data)
            guard let (summary, segments) = Self.scan(bytes), summary.damageCount == 0 else { continue }
            let resets = segments.filter { $0.segment.flags.contains(.rst) }
            let comments = Dictionary(
                resets.map { ($0.offset, ["why \($0.number)", "second"]) }, uniquingKeysWith: { first, _ in first })
            let (copy, copier) = try Self.copy(bytes, comments, inPiecesOf: 777)
            let (summaryOfCopy, again) = try #require(Self.scan(copy), "\(path)")
            #expect(summaryOfCopy.damageCount == 0 && summaryOfCopy.packets == summary.packets, "\(path)")
            #expect(again.map(\.segment) == segments.map(\.segment), "\(path)")
            #expect(again.map(\.time) == segments.map(\.time), "\(path)")
            #expect(again.map(\.number) == segments.map(\.number), "\(path)")
            #expect(again.map(\.capturedLength) == segments.map(\.capturedLength), "\(path)")
            if copier.uncommented == 0 {
                let expected = resets.flatMap { ["why \($0.number)", "second"] }
                let found = summaryOfCopy.resetComments.map(\.text).filter { $0.hasPrefix("why") || $0 == "second" }
                #expect(found.sorted() == expected.sorted(), "\(path)")
                // What was written before is still there.
                #expect(summaryOfCopy.resetComments.count == summary.resetComments.count + expected.count, "\(path)")
                #expect(
                    summaryOfCopy.comments.filter { if case .packet = $0.subject { false } else { true } }.map(\.text)
                        == summary.comments.filter { if case .packet = $0.subject { false } else { true } }.map(\.text),
                    "\(path)")
            }
            copied += 1
            commented += copier.commented
        }
        #expect(copied > 200 && commented > 200, "\(copied) \(commented)")
    }

    /// All but the comments is the same to the byte.
    @Test func withoutCommentsAPcapngFileIsTheSame() throws {
        for name in FixtureTests.names {
            guard
                let data = FileManager.default.contents(
                    atPath: FixtureTests.fixtures.appending(path: "\(name)/capture.pcapng").path)
            else { continue }
            let (copy, _) = try Self.copy(Array(data), [:], inPiecesOf: 1000)
            #expect(copy == Array(data), "\(name)")
        }
    }

    @Test func onlyTheChosenPacketsAreKept() throws {
        let data = try Data(contentsOf: FixtureTests.fixtures.appending(path: "abort-on-close-v4/capture.pcapng"))
        let (_, segments) = try #require(Self.scan(Array(data)))
        let kept = Set(segments.filter { $0.segment.flags.contains(.rst) }.map(\.offset))
        let (copy, _) = try Self.copy(Array(data), [:], keeping: kept)
        let (summary, again) = try #require(Self.scan(copy))
        #expect(summary.packets == kept.count && again.allSatisfy { $0.segment.flags.contains(.rst) })
        #expect(summary.interfaces.count > 0)
    }

    @Test func damageIsCopiedAsItIsAndCounted() throws {
        let data = try Data(contentsOf: FixtureTests.fixtures.appending(path: "abort-on-close-v4/capture.pcapng"))
        var bytes = Array(data)
        let (_, segments) = try #require(Self.scan(bytes))
        let middle = segments[segments.count / 2].offset
        bytes[middle + 4] = 3
        let (copy, copier) = try Self.copy(bytes, [segments[segments.count - 1].offset: ["lost"]], inPiecesOf: 100)
        #expect(copy == bytes)
        #expect(copier.bytesLeft == bytes.count - middle && copier.uncommented == 1)
        let (cut, rest) = try Self.copy(Array(bytes[..<(middle - 2)]), [:])
        #expect(cut == Array(bytes[..<(middle - 2)]) && rest.bytesLeft > 0)
        #expect(throws: CaptureError.self) { try Self.copy(Array("<html>no capture at all, really</html>".utf8), [:]) }
        #expect(throws: CaptureError.self) { try Self.copy([1], [:]) }
    }

    /// Wireshark's own reader and the Lua plugin see the comment on the right frame.
    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/tshark")))
    func tsharkFiltersByTheCause() throws {
        for name in ["abort-on-close-v4", "reject-rule-nft-v6", "accept-queue-overflow-v4", "masqueraded-v4"] {
            let directory = FixtureTests.fixtures.appending(path: name)
            guard let data = FileManager.default.contents(atPath: directory.appending(path: "capture.pcapng").path)
            else { continue }
            let loaded = InputLoader().load(
                ["capture.pcapng", "events.jsonl"].map { directory.appending(path: $0).path })
            let report = correlate(captures: loaded.captures, recordings: loaded.recordings)
            let offsets = Dictionary(
                loaded.captures[0].resets.map { ($0.number, $0.offset) }, uniquingKeysWith: { first, _ in first })
            var comments: [Int: [String]] = [:]
            var expected: Set<String> = []
            for reset in report.resets {
                for sighting in reset.sightings {
                    comments[try #require(offsets[sighting.packet]), default: []].append(packetComment(on: reset))
                    expected.insert("\(sighting.packet) \(reset.cause.rawValue) \(reset.certainty.rawValue)")
                }
            }
            let (copy, _) = try Self.copy(Array(data), comments)
            let file = FileManager.default.temporaryDirectory.appending(path: "annotated-\(UUID().uuidString).pcapng")
            try Data(copy).write(to: file)
            defer { try? FileManager.default.removeItem(at: file) }
            let tshark = Process()
            tshark.executableURL = URL(filePath: "/usr/bin/tshark")
            tshark.arguments = [
                "-X", "lua_script:\(FixtureTests.root.appending(path: "share/wireshark/rst-analyze.lua").path)", "-r",
                file.path,
                "-Y", "rst.cause", "-T", "fields", "-e", "frame.number", "-e", "rst.cause", "-e", "rst.certainty",
            ]
            let output = Pipe()
            tshark.standardOutput = output
            tshark.standardError = FileHandle.nullDevice
            try tshark.run()
            let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            tshark.waitUntilExit()
            let found = Set(text.split(separator: "\n").map { String($0).replacing("\t", with: " ") })
            #expect(found == expected, "\(name)")
        }
    }
}
