import CLZ4
import CZlib
import CZstd
import PcapReader

/// A compressed stream that could not be read on.
struct CompressionError: Error {
    /// One sentence without the name of the format.
    var problem: String
}

/// Turns compressed bytes into plain ones, as many at a time as there is room for.
protocol Decompressor: AnyObject {
    /// Whether the input may end here: before the first frame, or after one.
    var isComplete: Bool { get }

    /// Decompresses from the front of the input.
    ///
    /// - Returns: the bytes used and the bytes made; both 0 only if more input is needed.
    func decompress(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> (used: Int, made: Int)
}

/// The decompressor for a kind of file; nil for one that is not compressed.
func makeDecompressor(_ kind: FileKind) throws(CompressionError) -> (any Decompressor)? {
    switch kind {
    case .gzip: try GzipDecompressor()
    case .zstd: try ZstdDecompressor()
    case .lz4: try LZ4Decompressor()
    case .xz: try XzDecompressor()
    case .bzip2: try Bzip2Decompressor()
    case .pcap, .pcapng, .other: nil
    }
}

/// RFC 1952, one member after another.
final class GzipDecompressor: Decompressor {
    /// On the heap: zlib refuses a stream that has moved since it was made.
    private let stream: UnsafeMutablePointer<z_stream>
    private(set) var isComplete = false
    /// After the last member only zero bytes may follow, which tape drives pad with.
    private var betweenMembers = false

    init() throws(CompressionError) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        // 15: the largest window; 16: gzip and nothing else.
        guard inflateInit2_(stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            // deinit runs: all properties are set.
            throw CompressionError(problem: "zlib did not start")
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    func decompress(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> (used: Int, made: Int) {
        if betweenMembers {
            let zeros = input.prefix { $0 == 0 }.count
            guard zeros < input.count else { return (zeros, 0) }
            guard input[zeros] == 0x1f else {
                throw CompressionError(problem: "\(input.count - zeros) bytes or more follow that are not compressed")
            }
            if zeros > 0 { return (zeros, 0) }
            betweenMembers = false
            isComplete = false
            inflateReset(stream)
        }
        let given = input.count
        let room = output.count
        stream.pointee.next_in = UnsafeMutablePointer(
            mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.pointee.avail_in = UInt32(clamping: given)
        stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_out = UInt32(clamping: room)
        let status = inflate(stream, Z_NO_FLUSH)
        let used = min(given, Int(UInt32.max)) - Int(stream.pointee.avail_in)
        let made = min(room, Int(UInt32.max)) - Int(stream.pointee.avail_out)
        switch status {
        case Z_OK, Z_BUF_ERROR: break
        case Z_STREAM_END:
            betweenMembers = true
            isComplete = true
        case Z_MEM_ERROR: throw CompressionError(problem: "there is not enough memory")
        default:
            let message = stream.pointee.msg.map { String(cString: $0) } ?? "error \(status)"
            // What was made before the error is good, but for the last few bytes that nobody can tell.
            guard made == 0 else { return (used, made) }
            throw CompressionError(problem: message)
        }
        return (used, made)
    }
}

/// RFC 8878, one frame after another, skippable frames among them.
final class ZstdDecompressor: Decompressor {
    private let stream: OpaquePointer
    private(set) var isComplete = true

    init() throws(CompressionError) {
        guard let stream = ZSTD_createDStream() else { throw CompressionError(problem: "zstd did not start") }
        self.stream = stream
    }

    deinit { ZSTD_freeDStream(stream) }

    func decompress(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> (used: Int, made: Int) {
        var from = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        var to = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
        let status = ZSTD_decompressStream(stream, &to, &from)
        if ZSTD_isError(status) != 0 {
            throw CompressionError(problem: String(cString: ZSTD_getErrorName(status)))
        }
        // Without input the status speaks of the frame that might follow.
        if from.pos > 0 || to.pos > 0 { isComplete = status == 0 }
        return (from.pos, to.pos)
    }
}

/// The LZ4 frame format, one frame after another.
final class LZ4Decompressor: Decompressor {
    private let context: OpaquePointer
    private(set) var isComplete = true

    init() throws(CompressionError) {
        var context: OpaquePointer?
        guard LZ4F_isError(LZ4F_createDecompressionContext(&context, UInt32(LZ4F_VERSION))) == 0, let context else {
            throw CompressionError(problem: "lz4 did not start")
        }
        self.context = context
    }

    deinit { LZ4F_freeDecompressionContext(context) }

    func decompress(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> (used: Int, made: Int) {
        var used = input.count
        var made = output.count
        let status = LZ4F_decompress(context, output.baseAddress, &made, input.baseAddress, &used, nil)
        if LZ4F_isError(status) != 0 {
            throw CompressionError(problem: String(cString: LZ4F_getErrorName(status)))
        }
        if used > 0 || made > 0 { isComplete = status == 0 }
        return (used, made)
    }
}
