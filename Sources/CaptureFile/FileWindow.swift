import Glibc
import PcapReader

/// A range of a regular file in memory of its own, which serves for one range after another.
///
/// Memory that stays in the processor's cache is read into at twice the speed at which the pages of a mapping are found
/// and given back again, and a file that shrinks is a short read, not a signal (docs/decisions/0012).
final class FileWindow {
    private let descriptor: Int32
    private var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    /// The bytes of the file that the window holds.
    private(set) var range = 0..<0

    /// - Parameter descriptor: stays open as long as the window is used.
    init(descriptor: Int32) { self.descriptor = descriptor }

    deinit { memory.deallocate() }

    /// Fills the window with other bytes of the file: fewer than wanted if the file ends before.
    func read(_ wanted: Range<Int>) throws(FileError) {
        range = wanted.lowerBound..<wanted.lowerBound
        if wanted.count > memory.count {
            memory.deallocate()
            memory = .allocate(byteCount: wanted.count, alignment: 16)
        }
        var filled = 0
        while filled < wanted.count {
            let count = pread(
                descriptor, memory.baseAddress.map { $0 + filled }, wanted.count - filled,
                off_t(wanted.lowerBound + filled))
            if count < 0 {
                if errno == EINTR { continue }
                throw FileError(operation: "read", errno: errno)
            }
            if count == 0 { break }
            filled += count
        }
        range = wanted.lowerBound..<wanted.lowerBound + filled
    }

    /// Calls the function with the bytes of `range`.
    func withBytes<Result, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: memory[..<range.count])))
    }
}

extension FileWindow {
    /// Bytes that are read behind a part of a file for the record at its end, which may be longer.
    static let lastRecord = 16 << 10

    /// Scans the records that begin before the limit and are there as a whole. A file that cannot be read on ends there.
    ///
    /// - Parameter size: that of the file.
    /// - Returns: the segments, and where the last of the records ends.
    func scan<Sink: SegmentSink>(
        _ scanner: inout CaptureScanner, from start: Int, limit: Int, size: Int, for _: Sink.Type
    ) throws(CaptureError) -> (batch: Sink.Batch, end: Int) {
        var batch = Sink.emptyBatch
        var at = start
        var length = limit - start + Self.lastRecord
        while at < limit, at < size, !scanner.hasEnded {
            let before = at
            if range.contains(at) {
                let offset = range.lowerBound
                at = try withBytes { (bytes) throws(CaptureError) in
                    try scanner.scan(
                        bytes, offset: offset, from: at - offset, limit: limit - offset, isFinal: false,
                        body: { Sink.add($0, to: &batch) })
                }
                at += offset
            }
            at += scanner.passLargeBlock(atMost: size - at)
            if at > before { continue }
            // The window does not hold the whole record there.
            let held = range.contains(at) ? range.upperBound : at
            if range.lowerBound == at { length *= 2 }
            do {
                try read(at..<min(size, at + length))
            } catch {
                scanner.endEarly("\(error)", at: at, skipping: size - at)
                return (batch, size)
            }
            // Nor does the file.
            if range.upperBound <= held { break }
        }
        return (batch, at)
    }
}

/// A call to the system that failed.
public struct FileError: Error, Equatable, CustomStringConvertible {
    /// What was tried: `open`, `read`.
    public var operation: String
    public var errno: Int32

    package init(operation: String, errno: Int32) {
        self.operation = operation
        self.errno = errno
    }

    public var description: String { "cannot \(operation): \(String(cString: strerror(errno)))" }
}
