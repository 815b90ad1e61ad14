import Foundation
import Glibc
import PcapReader
import Testing

@testable import CaptureFile

@Suite struct InputFileTests {
    static let capture: [UInt8] = {
        var builder = PcapBuilder()
        for _ in 0..<50 {
            builder.add(Packets.ipv4Reset)
            builder.add(Packets.ipv6Reset)
            builder.add(Packets.udp)
        }
        return builder.file
    }()

    /// A file of these bytes while the function runs.
    static func withFile<Result>(_ bytes: [UInt8], _ body: (String) throws -> Result) throws -> Result {
        let file = FileManager.default.temporaryDirectory.appending(path: "input-\(UUID().uuidString)")
        try Data(bytes).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        return try body(file.path)
    }

    /// What a program that is installed makes of the bytes.
    static func filter(_ command: [String], _ bytes: [UInt8]) throws -> [UInt8] {
        try withFile(bytes) { path in
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/env")
            process.arguments = command
            process.standardInput = FileHandle(forReadingAtPath: path)
            let output = Pipe()
            process.standardOutput = output
            try process.run()
            let data = output.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
            return [UInt8](data)
        }
    }

    static func isInstalled(_ program: String) -> Bool {
        FileManager.default.isExecutableFile(atPath: "/usr/bin/\(program)")
    }

    /// gzip is part of every Debian system; zstd and lz4 are in the test environment's packages.
    static let compressors: [(FileKind, [String])] = [
        (.gzip, ["gzip", "-c"]), (.zstd, ["zstd", "-q", "-c"]), (.lz4, ["lz4", "-q", "-c"]),
        (.xz, ["xz", "-q", "-c"]), (.bzip2, ["bzip2", "-q", "-c"]),
    ].filter { isInstalled($0.1[0]) }

    @Test(arguments: compressors)
    func readsCompressedFiles(kind: FileKind, command: [String]) throws {
        let bytes = try Self.filter(command, Self.capture)
        // Frames may follow each other.
        for (copies, expected) in [(1, 100), (2, 200)] {
            let second = try Self.filter(command, Array(Self.capture.dropFirst(24)))
            try Self.withFile(copies == 1 ? bytes : bytes + second) { path in
                let file = try InputFile(path: path)
                #expect(file.kind == kind)
                #expect(file.contentKind == .pcap)
                let summary = try file.scan(selecting: .resets) { _ in }
                #expect(summary.resets == expected)
                #expect(summary.damage == [])
            }
        }
    }

    /// Wherever a compressed file is cut, the break is named and nothing traps.
    /// Blocks of zstd and lz4 show nothing before all of them was read; what they hold has to be known all the same.
    @Test(arguments: [
        ["gzip", "-1", "-c"], ["zstd", "-q", "-1", "-c"], ["zstd", "-q", "-19", "-c"], ["lz4", "-q", "-c"],
        ["lz4", "-q", "-B4", "-c"], ["lz4", "-q", "-B7", "-c"], ["lz4", "-q", "-9", "-BD", "-c"],
        ["xz", "-q", "-0", "-c"], ["bzip2", "-q", "-c"],
    ])
    func knowsWhatALargeCompressedFileHolds(command: [String]) throws {
        var generator = SeededGenerator(seed: 21)
        var builder = PcapBuilder()
        for _ in 0..<5000 {
            builder.add(Packets.ipv4Reset + (0..<1000).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
        }
        let bytes = try Self.filter(command, builder.file)
        try Self.withFile(bytes) { path in
            let file = try InputFile(path: path)
            #expect(file.contentKind == .pcap)
            #expect(try file.scan(selecting: .resets) { _ in }.resets == 5000)
        }
        // The same through a pipe, whose first bytes are not read twice.
        let pipe = FileManager.default.temporaryDirectory.appending(path: "pipe-\(UUID().uuidString)").path
        try #require(mkfifo(pipe, 0o600) == 0)
        defer { unlink(pipe) }
        let writer = Thread { try? Data(bytes).write(to: URL(filePath: pipe)) }
        writer.start()
        let stream = try InputFile(path: pipe)
        #expect(stream.contentKind == .pcap)
        let summary = try stream.scan(selecting: .resets) { _ in }
        #expect(summary.resets == 5000)
        #expect(summary.damage == [])
    }

    @Test(arguments: compressors)
    func survivesTruncationAtEveryByte(kind: FileKind, command: [String]) throws {
        let bytes = try Self.filter(command, Self.capture)
        for length in 0..<bytes.count {
            try Self.withFile(Array(bytes.prefix(length))) { path in
                do {
                    let summary = try InputFile(path: path).scan(selecting: .resets) { _ in }
                    #expect(summary.damageCount > 0, "cut at \(length)")
                    #expect(
                        summary.damage.contains { $0.problem.hasPrefix("the \(kind.rawValue) stream is damaged") },
                        "cut at \(length)")
                } catch is CaptureError {
                }
            }
        }
    }

    @Test(arguments: compressors)
    func survivesDamage(kind: FileKind, command: [String]) throws {
        let bytes = try Self.filter(command, Self.capture)
        var generator = SeededGenerator(seed: 11)
        for _ in 0..<300 {
            let damaged = PartsTests.damaged(bytes, generator: &generator)
            try Self.withFile(damaged) { path in
                do {
                    _ = try InputFile(path: path).scan(selecting: .all) { _ in }
                } catch is CaptureError {
                }
            }
        }
    }

    @Test func namesWhatFollowsACompressedFile() throws {
        let bytes = try Self.filter(["gzip", "-c"], Self.capture)
        try Self.withFile(bytes + [UInt8](repeating: 0, count: 512)) { path in
            let summary = try InputFile(path: path).scan(selecting: .resets) { _ in }
            #expect(summary.damage == [])
        }
        try Self.withFile(bytes + Array("rubbish".utf8)) { path in
            let summary = try InputFile(path: path).scan(selecting: .resets) { _ in }
            #expect(summary.resets == 100)
            #expect(
                summary.damage == [
                    CaptureDamage(
                        offset: Self.capture.count,
                        problem:
                            "the gzip stream is damaged near byte \(bytes.count): 7 bytes or more follow that are not compressed"
                    )
                ])
        }
    }

    @Test func readsAPipeThatBringsFewBytesAtATime() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "pipe-\(UUID().uuidString)").path
        try #require(mkfifo(path, 0o600) == 0)
        defer { unlink(path) }
        let writer = Thread {
            let descriptor = open(path, O_WRONLY)
            var at = 0
            while at < Self.capture.count {
                let count = min(97, Self.capture.count - at)
                let written = Self.capture.withUnsafeBytes { write(descriptor, $0.baseAddress! + at, count) }
                guard written > 0 else { break }
                at += written
            }
            close(descriptor)
        }
        writer.start()
        let file = try InputFile(path: path)
        #expect(file.contentKind == .pcap)
        #expect(!file.isRereadable)
        var numbers: [Int] = []
        let summary = try file.scan(selecting: .resets) { numbers.append($0.number) }
        #expect(summary.packets == 150)
        #expect(numbers == (0..<150).filter { $0 % 3 != 2 }.map { $0 + 1 })
        #expect(throws: FileError(operation: "read again", errno: ESPIPE)) {
            try file.scan(selecting: .resets) { _ in }
        }
    }

    @Test func readsAFileThatGrows() throws {
        try Self.withFile(Self.capture) { path in
            // A capturing program was in the middle of a record when the file was opened, and goes on.
            truncate(path, off_t(Self.capture.count - 30))
            let file = try InputFile(path: path)
            var isGrown = false
            var totals: [Int?] = []
            func grow(_ done: Int, _ total: Int?) {
                totals.append(total)
                guard !isGrown else { return }
                isGrown = true
                let descriptor = open(path, O_WRONLY | O_APPEND)
                Self.capture.suffix(30).withUnsafeBytes { _ = write(descriptor, $0.baseAddress, $0.count) }
                close(descriptor)
            }
            let summary = try file.scan(selecting: .resets, progress: grow, body: { _ in })
            #expect(summary.packets == 150)
            #expect(summary.damage == [])
            #expect(totals == [Self.capture.count - 30, Self.capture.count])
        }
    }

    @Test func readsAFileThatShrinks() throws {
        var builder = PcapBuilder()
        for _ in 0..<200_000 { builder.add(Packets.ipv4Reset) }
        try Self.withFile(builder.file) { path in
            let file = try InputFile(path: path)
            var isCut = false
            func cut(_ done: Int, _ total: Int?) {
                guard !isCut else { return }
                isCut = true
                truncate(path, 1000)
            }
            let summary = try file.scan(selecting: .resets, progress: cut, body: { _ in })
            #expect(summary.packets < 200_000)
            #expect(summary.damage.map(\.problem) == ["the file shrank to 1000 bytes while it was read"])
        }
    }

    /// Also when it happens too late for the file to be asked for its size once more.
    @Test func namesThatAFileEndsBeforeItsEnd() throws {
        try Self.withFile(Self.capture) { path in
            let descriptor = open(path, O_RDONLY)
            defer { close(descriptor) }
            let size = Self.capture.count + 500
            let scan = ParallelScan(descriptor: descriptor, size: size, threads: 2, currentSize: { size })
            var scanner = CaptureScanner(selecting: .resets)
            var sink = EachSegment { _ in }
            let end = try scan.run(&scanner, into: &sink)
            try scan.finish(&scanner, from: end, into: &sink)
            #expect(scanner.summary.packets == 150)
            #expect(scanner.summary.bytesSkipped == 500)
            #expect(
                scanner.summary.damage.map(\.problem) == [
                    "the file shrank to \(Self.capture.count) bytes while it was read"
                ])
        }
    }

    /// An error of the disk, say: what was found before it stays, and the rest is counted as lost.
    @Test(arguments: [1, 2]) func namesWhereAFileCannotBeReadOn(threads: Int) throws {
        var builder = PcapBuilder()
        for _ in 0..<30_000 { builder.add(Packets.ipv4Reset) }
        try Self.withFile(builder.file) { path in
            let readable = open(path, O_RDONLY)
            let other = open("/dev/null", O_WRONLY)
            defer { close(readable) }
            defer { close(other) }
            var scan = ParallelScan(
                descriptor: readable, size: builder.file.count, threads: threads, currentSize: { builder.file.count })
            scan.partSize = 64 << 10
            scan.partsPerThread = 2
            // From the first progress on the descriptor is one that cannot be read.
            scan.progress = { _, _ in dup2(other, readable) }
            var scanner = CaptureScanner(selecting: .resets)
            var numbers: [Int] = []
            try withoutActuallyEscaping({ numbers.append($0.number) }) { body in
                var sink = EachSegment(body)
                let end = try scan.run(&scanner, into: &sink)
                try scan.finish(&scanner, from: end, into: &sink)
            }
            #expect(numbers.count > 100 && numbers.count < 30_000)
            #expect(numbers == Array(1...numbers.count))
            #expect(scanner.summary.packets == numbers.count)
            #expect(scanner.summary.damage.map(\.problem) == ["cannot read: Bad file descriptor"])
            let done = scanner.summary.damage.first?.offset ?? 0
            #expect(scanner.summary.bytesSkipped == builder.file.count - done)
        }
    }

    @Test func readsText() throws {
        let text = Array(#"{"type":"recording","schema":"rst-events/1"}"#.utf8)
        for bytes in [text, try Self.filter(["gzip", "-c"], text)] {
            try Self.withFile(bytes) { path in
                let file = try InputFile(path: path)
                #expect(file.contentKind == .other)
                var read: [UInt8] = []
                let problem = try file.read { read += $0 }
                #expect(problem == nil)
                #expect(read == text)
            }
        }
    }

    @Test func namesWhatCannotBeOpened() {
        #expect(throws: FileError(operation: "open", errno: ENOENT)) { try InputFile(path: "/nonexistent/file") }
        #expect(throws: FileError(operation: "read", errno: EISDIR)) { try InputFile(path: "/tmp") }
        #expect(FileError(operation: "open", errno: ENOENT).description == "cannot open: No such file or directory")
    }

    @Test func reportsProgress() throws {
        try Self.withFile(Self.capture) { path in
            var last = (0, Int?.none)
            _ = try InputFile(path: path).scan(selecting: .resets, progress: { last = ($0, $1) }, body: { _ in })
            #expect(last == (Self.capture.count, Self.capture.count))
        }
    }
}

@Suite struct FileKindTests {
    @Test(arguments: [
        ("d4 c3 b2 a1", FileKind.pcap), ("a1 b2 c3 d4", .pcap), ("4d 3c b2 a1", .pcap), ("a1 b2 3c 4d", .pcap),
        ("34 cd b2 a1", .pcap), ("ac 01 00 1c", .pcap), ("0a 0d 0d 0a", .pcapng), ("1f 8b 08", .gzip), ("1f 8b", .gzip),
        ("fd 37 7a 58 5a 00", .xz), ("fd 37 7a 58 5a", .other), ("42 5a 68 39 31", .bzip2),
        ("42 5a 68 30", .other), ("28 b5 2f fd", .zstd), ("04 22 4d 18", .lz4),
        ("50 2a 4d 18 00 00 00 00 04 22 4d 18", .lz4),
        ("50 2a 4d 18 00 00 00 00 28 b5 2f fd", .zstd), ("50 2a 4d 18", .zstd), ("7b 22 74 79", .other), ("", .other),
        ("1f", .other),
    ])
    func recognisesMagicNumbers(prefix: String, kind: FileKind) {
        #expect(FileKind(prefix: hex(prefix)) == kind)
    }
}
