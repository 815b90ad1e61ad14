import Glibc
import PcapReader

/// The bytes of a file, a pipe or a compressed stream, one window after another.
final class ByteStream {
    private let descriptor: Int32
    /// What was read to find out the kind of file, to be delivered again.
    private var pending: [UInt8]
    private let decompressor: (any Decompressor)?
    private let format: FileKind
    private let input: UnsafeMutableRawBufferPointer
    /// The part of `input` that has yet to be decompressed.
    private var unread = 0..<0
    /// Bytes taken from the descriptor.
    private(set) var bytesRead = 0
    /// Why the stream ended before its end.
    private(set) var problem: String?
    private var atEnd = false

    init(descriptor: Int32, prefix: [UInt8], kind: FileKind) throws(CompressionError) {
        self.descriptor = descriptor
        pending = prefix
        format = kind
        decompressor = try makeDecompressor(kind)
        input = .allocate(byteCount: 256 << 10, alignment: 16)
    }

    deinit { input.deallocate() }

    /// Fills the front of a buffer; 0 is the end of the stream, or a problem.
    func read(into output: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
        guard let decompressor else { return try readRaw(into: output) }
        while problem == nil {
            if unread.isEmpty, !atEnd {
                let count = try readRaw(into: input)
                unread = 0..<count
                if count == 0 { atEnd = true }
            }
            do {
                let (used, made) = try decompressor.decompress(
                    UnsafeRawBufferPointer(rebasing: input[unread]), into: output)
                unread = unread.lowerBound + used..<unread.upperBound
                if made > 0 { return made }
                if used == 0, atEnd {
                    if !decompressor.isComplete || bytesRead == 0 { problem = "it ends in the middle" }
                    return 0
                }
                if used == 0, !unread.isEmpty { problem = "it cannot be read on" }
            } catch {
                problem = error.problem
            }
        }
        return 0
    }

    /// What went wrong, for a report: where in the compressed file, and what.
    var damage: String? {
        problem.map { "the \(format.rawValue) stream is damaged near byte \(bytesRead - unread.count): \($0)" }
    }

    private func readRaw(into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
        if !pending.isEmpty {
            let count = min(pending.count, buffer.count)
            pending.withUnsafeBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            pending.removeFirst(count)
            bytesRead += count
            return count
        }
        while true {
            let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            if count >= 0 {
                bytesRead += count
                return count
            }
            guard errno == EINTR else { throw FileError(operation: "read", errno: errno) }
        }
    }
}
