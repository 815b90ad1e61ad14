import Glibc
import HostFiles
public import PcapReader

/// An open file whose first bytes have been looked at: a regular file, a pipe, or standard input.
public final class InputFile {
    /// As it was given; `-` is standard input.
    public let path: String
    /// What the file itself is; for one that is compressed, `contentKind` says what it holds.
    public let kind: FileKind
    /// What the file holds once it is decompressed: `.pcap`, `.pcapng` or `.other`.
    public let contentKind: FileKind
    /// The first bytes of that.
    public let contentPrefix: [UInt8]
    /// Bytes on disk; nil for a pipe.
    public let size: Int?
    private let descriptor: Int32
    private let prefix: [UInt8]
    private var wasRead = false

    /// Opens a file and reads its first bytes. A named pipe is waited for until somebody writes.
    public init(path: String) throws(FileError) {
        self.path = path
        if path == "-" {
            descriptor = dup(STDIN_FILENO)
        } else {
            descriptor = open(path.pathBytes, O_RDONLY | O_CLOEXEC)
        }
        guard descriptor >= 0 else { throw FileError(operation: "open", errno: errno) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let failure = FileError(operation: "examine", errno: errno)
            close(descriptor)
            throw failure
        }
        guard status.st_mode & S_IFMT != S_IFDIR else {
            close(descriptor)
            throw FileError(operation: "read", errno: EISDIR)
        }
        // A file on standard input may already have been read in part: it is treated as a stream.
        let isRegular = status.st_mode & S_IFMT == S_IFREG && path != "-"
        size = isRegular ? Int(status.st_size) : nil
        do {
            (prefix, contentPrefix) = try Self.readPrefix(descriptor, isRegular: isRegular)
        } catch {
            close(descriptor)
            throw error
        }
        kind = FileKind(prefix: prefix)
        contentKind = FileKind(prefix: contentPrefix)
    }

    deinit { close(descriptor) }

    /// Whether the file can be scanned more than once.
    public var isRereadable: Bool { size != nil }

    /// Scans the capture from its beginning to its end.
    ///
    /// - Parameters:
    ///   - selection: which segments to deliver.
    ///   - threads: how many threads may work on a large regular file; the result does not depend on it.
    ///   - progress: called from time to time with the bytes of the file that are done and their total, if it is known.
    ///   - sink: takes over what is found, on the calling thread, in the order of the file.
    /// - Throws: `FileError`, or `CaptureError` if this is not a capture.
    public func scan<Sink: SegmentSink>(
        selecting selection: SegmentSelection, threads: Int = InputFile.availableThreads,
        progress: ((_ done: Int, _ total: Int?) -> Void)? = nil, into sink: inout Sink
    ) throws -> CaptureSummary {
        var scanner = CaptureScanner(selecting: selection)
        if let size, kind == .pcap || kind == .pcapng {
            try scanRegular(&scanner, size: size, threads: threads, progress: progress, into: &sink)
        } else {
            let stream = try makeStream()
            try StreamScan(stream: stream, progress: progress.map { report in { [size] in report($0, size) } })
                .run(&scanner, into: &sink)
        }
        return scanner.summary
    }

    /// Reads the file, decompressed, window by window: for what is not a capture.
    ///
    /// - Returns: why the file could not be read to its end, if it is compressed and damaged.
    public func read(_ body: (UnsafeRawBufferPointer) throws -> Void) throws -> String? {
        let stream = try makeStream()
        let window = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { window.deallocate() }
        while case let count = try stream.read(into: window), count > 0 {
            try body(UnsafeRawBufferPointer(rebasing: window[..<count]))
        }
        return stream.damage
    }

    /// Bytes of a regular file as they are on disk: fewer than wanted if it ends before.
    public func bytes(_ wanted: Range<Int>) throws(FileError) -> [UInt8] {
        let window = FileWindow(descriptor: descriptor)
        try window.read(wanted)
        return window.withBytes { bytes in bytes.withUnsafeBytes { Array($0) } }
    }

    /// The processors of the machine that are on.
    public static var availableThreads: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }
}

extension InputFile {
    private func makeStream() throws -> ByteStream {
        var prefix = prefix
        if size != nil {
            lseek(descriptor, 0, SEEK_SET)
            prefix = []
        } else if wasRead {
            throw FileError(operation: "read again", errno: ESPIPE)
        }
        wasRead = true
        do {
            return try ByteStream(descriptor: descriptor, prefix: prefix, kind: kind)
        } catch {
            throw FileError(operation: "decompress", errno: ENOMEM)
        }
    }

    /// A file that grows while it is scanned is followed to the size it has when its end is reached, once.
    private func scanRegular<Sink: SegmentSink>(
        _ scanner: inout CaptureScanner, size: Int, threads: Int, progress: ((Int, Int?) -> Void)?,
        into sink: inout Sink
    ) throws {
        var scan = ParallelScan(descriptor: descriptor, size: size, threads: threads, currentSize: { self.currentSize })
        scan.progress = progress
        var at = try scan.run(&scanner, into: &sink)
        let now = currentSize
        if now > size, !scanner.hasEnded {
            scan.size = now
            at = try scan.run(&scanner, from: at, into: &sink)
        }
        try scan.finish(&scanner, from: at, into: &sink)
    }

    private var currentSize: Int {
        var status = stat()
        return fstat(descriptor, &status) == 0 ? Int(status.st_size) : 0
    }

    /// A compressed file that has shown nothing after so many bytes is taken for none: the largest block of lz4 has 4 MiB.
    private static let longestPrefix = 8 << 20

    /// The first bytes of a file, as many as it takes to see what it holds, and the first bytes of that.
    private static func readPrefix(
        _ descriptor: Int32, isRegular: Bool
    ) throws(FileError) -> (prefix: [UInt8], content: [UInt8]) {
        var prefix: [UInt8] = []
        var head = ContentHead()
        while prefix.count < longestPrefix {
            let filled = prefix.count
            let wanted = filled < 4096 ? 4096 - filled : 64 << 10
            prefix.append(contentsOf: repeatElement(0, count: wanted))
            let count = prefix.withUnsafeMutableBytes { buffer in
                let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
                return isRegular
                    ? pread(descriptor, rest.baseAddress, rest.count, off_t(filled))
                    : Glibc.read(descriptor, rest.baseAddress, rest.count)
            }
            let failure = errno
            prefix.removeLast(wanted - max(0, count))
            if count < 0 {
                if failure == EINTR { continue }
                throw FileError(operation: "read", errno: failure)
            }
            head.look(at: prefix, isAll: count == 0)
            if count == 0 { break }
            // A pipe may bring the rest much later: what came is used as soon as it says enough.
            if head.isKnown, !isRegular || prefix.count >= 4096 { break }
        }
        return (prefix, head.bytes)
    }
}

/// The first bytes of what a file holds, found while the file is read.
private struct ContentHead {
    private(set) var bytes: [UInt8] = []
    private(set) var isKnown = false
    private var decompressor: (any Decompressor)?
    private var hasBegun = false
    /// Bytes of the file that are decompressed.
    private var used = 0

    /// - Parameters:
    ///   - prefix: all that was read of the file so far.
    ///   - isAll: there is no more of it.
    mutating func look(at prefix: [UInt8], isAll: Bool) {
        guard !isKnown, prefix.count >= FileKind.prefixLength || isAll else { return }
        if !hasBegun {
            hasBegun = true
            decompressor = try? makeDecompressor(FileKind(prefix: prefix))
        }
        guard let decompressor else {
            bytes = prefix
            isKnown = true
            return
        }
        // What is damaged shows no more than it has shown.
        isKnown = isAll || !decompress(prefix, with: decompressor) || bytes.count >= FileKind.prefixLength
    }

    /// False if the stream is damaged.
    private mutating func decompress(_ prefix: [UInt8], with decompressor: any Decompressor) -> Bool {
        var room = [UInt8](repeating: 0, count: FileKind.prefixLength)
        while used < prefix.count, bytes.count < FileKind.prefixLength {
            let step = prefix.withUnsafeBytes { input in
                room.withUnsafeMutableBytes { output in
                    try? decompressor.decompress(
                        UnsafeRawBufferPointer(rebasing: input[used...]),
                        into: UnsafeMutableRawBufferPointer(rebasing: output[bytes.count...]))
                }
            }
            guard let step else { return false }
            used += step.used
            bytes += room[bytes.count..<bytes.count + step.made]
            if step == (0, 0) { break }
        }
        return true
    }
}
