import Foundation
import PcapReader
import Testing

@testable import CaptureFile

/// Deterministic random numbers (splitmix64), so that a failure can be repeated.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }
}

/// What a scan yields: all of it has to be the same however the file was cut up.
struct ScanResult: Equatable {
    var segments: [CapturedSegment] = []
    var summary: CaptureSummary?
    var error: CaptureError?

    init(whole bytes: [UInt8]) {
        do {
            summary = try CaptureScanner.scan(bytes, selecting: .all) { segments.append($0) }
        } catch {
            self.error = error
        }
    }

    /// In windows of random sizes up to `largest`, as a stream brings them.
    init(windows bytes: [UInt8], largest: Int, generator: inout SeededGenerator) throws {
        var scanner = CaptureScanner(selecting: .all)
        var done = 0
        var available = 0
        do {
            while true {
                let isFinal = available == bytes.count
                let window = Array(bytes[done..<available])
                done += try window.withUnsafeBytes { buffer throws(CaptureError) in
                    try scanner.scan(RawSpan(_unsafeBytes: buffer), offset: done, isFinal: isFinal) {
                        segments.append($0)
                    }
                }
                if isFinal { break }
                available = min(bytes.count, available + Int.random(in: 1...largest, using: &generator))
            }
            #expect(done == bytes.count || !scanner.hasEnded)
            summary = scanner.summary
        } catch let failure as CaptureError {
            error = failure
        }
    }

    /// With several threads and parts of so many bytes.
    init(parts bytes: [UInt8], of size: Int, threads: Int) throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "parts-\(UUID().uuidString)").path
        try Data(bytes).write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        let descriptor = open(path, O_RDONLY)
        defer { close(descriptor) }
        var scan = ParallelScan(
            descriptor: descriptor, size: bytes.count, threads: threads, currentSize: { bytes.count })
        scan.partSize = size
        var scanner = CaptureScanner(selecting: .all)
        do {
            var found: [CapturedSegment] = []
            try withoutActuallyEscaping({ found.append($0) }) { body in
                var sink = EachSegment(body)
                let end = try scan.run(&scanner, into: &sink)
                try scan.finish(&scanner, from: end, into: &sink)
            }
            segments = found
            summary = scanner.summary
        } catch let failure as CaptureError {
            error = failure
        }
    }
}

@Suite struct PartsTests {
    static let plain = SharedCapture.all.filter { !$0.format.hasPrefix("gz+") }

    static func bytes(_ capture: SharedCapture) throws -> [UInt8] {
        try [UInt8](Data(contentsOf: URL(filePath: capture.path)))
    }

    /// A few bytes changed, cut off, or put in.
    static func damaged(_ bytes: [UInt8], generator: inout SeededGenerator) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...4, using: &generator) where !bytes.isEmpty {
            let at = Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0..<5, using: &generator) {
            case 0: bytes[at] = UInt8.random(in: .min ... .max, using: &generator)
            case 1: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 2: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...40, using: &generator)))
            case 3: bytes.insert(contentsOf: hex("ff ff ff ff"), at: at)
            default: bytes.removeLast(bytes.count - at)
            }
        }
        return bytes
    }

    @Test(arguments: plain)
    func windowsMakeNoDifference(_ capture: SharedCapture) throws {
        let bytes = try Self.bytes(capture)
        var generator = SeededGenerator(seed: UInt64(bytes.count))
        let whole = ScanResult(whole: bytes)
        for largest in [1, 100, 5000] where bytes.count / largest < 2000 {
            #expect(try ScanResult(windows: bytes, largest: largest, generator: &generator) == whole)
        }
    }

    @Test(arguments: plain)
    func partsMakeNoDifference(_ capture: SharedCapture) throws {
        let bytes = try Self.bytes(capture)
        let whole = ScanResult(whole: bytes)
        for size in [256, 4096] where bytes.count > size && bytes.count / size < 1000 {
            #expect(try ScanResult(parts: bytes, of: size, threads: 2) == whole)
        }
    }

    @Test(arguments: plain)
    func damageMakesNoDifference(_ capture: SharedCapture) throws {
        let bytes = try Self.bytes(capture)
        guard bytes.count < 50_000 else { return }
        var generator = SeededGenerator(seed: UInt64(bytes.count) << 8)
        for _ in 0..<20 {
            let damaged = Self.damaged(bytes, generator: &generator)
            let whole = ScanResult(whole: damaged)
            let windows = try ScanResult(windows: damaged, largest: 500, generator: &generator)
            #expect(windows == whole)
            if damaged.count > 1024 {
                #expect(try ScanResult(parts: damaged, of: 512, threads: 3) == whole)
            }
        }
    }

    /// Packets that contain whole captures: every guess of a record boundary within them is wrong.
    @Test func capturesWithinCapturesMakeNoDifference() throws {
        var inner = PcapBuilder()
        for _ in 0..<20 { inner.add(Packets.ipv4Reset) }
        var outer = PcapBuilder()
        for index in 0..<200 {
            outer.add(index % 3 == 0 ? Packets.ipv6Reset + inner.records : Packets.ipv4Data)
        }
        let whole = ScanResult(whole: outer.file)
        #expect(whole.summary?.packets == 200)
        for size in [100, 300, 1000, 5000] {
            #expect(try ScanResult(parts: outer.file, of: size, threads: 2) == whole)
        }
    }

    /// Interfaces, sections, comments, names and statistics that come between the packets of later parts.
    @Test func blocksBetweenPacketsMakeNoDifference() throws {
        var builder = BlockBuilder()
        for section in 0..<6 {
            builder.big = section % 2 == 1
            builder.section(options: builder.option(1, Array("section \(section)".utf8)))
            for interface in 0..<8 {
                builder.interface(options: builder.option(2, Array("if\(interface)".utf8)))
                for packet in 0..<20 {
                    builder.packet(
                        packet % 2 == 0 ? Packets.ipv4Reset : Packets.ipv4Data,
                        interface: UInt32(packet % (interface + 1)),
                        options: packet % 7 == 0 ? builder.option(1, Array("comment".utf8)) : [])
                }
                builder.block(
                    5,
                    UInt32(interface).bytes(builder.big) + [UInt8](repeating: 0, count: 8)
                        + builder.option(4, UInt64(interface * 10).bytes(builder.big)))
                builder.block(4, builder.option(1, [10, 0, UInt8(section), UInt8(interface)] + Array("n\0".utf8)))
            }
        }
        let whole = ScanResult(whole: builder.file)
        #expect(whole.segments.count == 6 * 8 * 20)
        #expect(whole.summary?.damage == [])
        for size in [200, 1000, 4000, 20_000] {
            #expect(try ScanResult(parts: builder.file, of: size, threads: 2) == whole)
        }
        var generator = SeededGenerator(seed: 5)
        #expect(try ScanResult(windows: builder.file, largest: 300, generator: &generator) == whole)
    }

    /// A block that no window holds is passed over and named.
    @Test func largeBlocksMakeNoDifference() throws {
        var builder = BlockBuilder()
        builder.section()
        builder.interface()
        builder.packet(Packets.ipv4Reset)
        builder.block(0x0000_0bad, [UInt8](repeating: 7, count: 17 << 20))
        builder.packet(Packets.ipv4Reset)
        let large = builder.file.count
        builder.packet([UInt8](repeating: 0, count: 17 << 20))
        let whole = ScanResult(whole: builder.file)
        #expect(whole.segments.map(\.number) == [1, 3])
        #expect(
            whole.summary?.damage == [
                CaptureDamage(offset: large, problem: "the block of 17825824 bytes is too large to be looked into")
            ])
        var generator = SeededGenerator(seed: 6)
        #expect(try ScanResult(windows: builder.file, largest: 8 << 20, generator: &generator) == whole)
        let cut = Array(builder.file.dropLast(1000))
        #expect(try ScanResult(windows: cut, largest: 8 << 20, generator: &generator) == ScanResult(whole: cut))
    }

    /// Files that were put together, and clocks that were set wrong: a boundary is found whatever the times are.
    @Test(arguments: [
        PcapBuilder(), PcapBuilder(big: true), PcapBuilder(nanoseconds: true), PcapBuilder(modified: true),
        PcapBuilder(version: (2, 2)),
    ])
    func boundariesAreFoundWhateverTheTimes(_ empty: PcapBuilder) throws {
        var builder = empty
        var generator = SeededGenerator(seed: 7)
        var boundaries: [Int] = []
        for _ in 0..<100 {
            boundaries.append(24 + builder.records.count)
            builder.add(
                Packets.ipv4Data
                    + (0..<Int.random(in: 0...1000, using: &generator)).map { _ in
                        UInt8.random(in: 1...255, using: &generator)
                    },
                seconds: UInt32.random(in: .min ... .max, using: &generator),
                fraction: UInt32.random(in: 0..<1_000_000, using: &generator))
        }
        let bytes = builder.file
        var guide = CaptureScanner(selecting: .resets)
        try bytes.withUnsafeBytes { buffer in
            let bytes = RawSpan(_unsafeBytes: buffer)
            _ = try guide.scan(bytes, limit: boundaries[1], isFinal: false) { _ in }
            // Close to the end a guess rests on fewer records.
            for (previous, boundary) in zip(boundaries, boundaries.dropFirst().dropLast(8)) {
                #expect(guide.guessRecord(bytes, from: previous + 1, limit: bytes.byteCount) == boundary)
            }
        }
    }

    /// A row of zeros could be records without a byte of their packets.
    @Test func zerosAreNotTakenForRecords() throws {
        var builder = PcapBuilder()
        builder.add(Packets.ipv4Reset)
        builder.add(Packets.ipv4Data + [UInt8](repeating: 0, count: 5000))
        let boundary = 24 + builder.records.count
        for _ in 0..<10 { builder.add(Packets.ipv4Data) }
        let bytes = builder.file
        var guide = CaptureScanner(selecting: .resets)
        try bytes.withUnsafeBytes { buffer in
            let bytes = RawSpan(_unsafeBytes: buffer)
            _ = try guide.scan(bytes, limit: 25, isFinal: false) { _ in }
            #expect(guide.guessRecord(bytes, from: boundary - 4000, limit: bytes.byteCount) == boundary)
        }
    }
}
