import CLzma

/// The .xz format, one stream after another with their padding (xz-file-format, section 2.2).
final class XzDecompressor: Decompressor {
    /// On the heap: liblzma keeps what belongs to it in there.
    private let stream: UnsafeMutablePointer<lzma_stream>
    private(set) var isComplete = false
    private var hasEnded = false

    /// Bytes of memory for a dictionary: `xz -9` asks for 65 MiB, `--lzma2=dict=` for up to 1.5 GiB, and whoever wrote the
    /// file chooses.
    private static let memoryLimit: UInt64 = 256 << 20

    init() throws(CompressionError) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: lzma_stream())
        guard lzma_stream_decoder(stream, Self.memoryLimit, lzma_concatenated) == LZMA_OK else {
            throw CompressionError(problem: "liblzma did not start")
        }
    }

    deinit {
        lzma_end(stream)
        stream.deallocate()
    }

    func decompress(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> (used: Int, made: Int) {
        guard !hasEnded else { return (0, 0) }
        stream.pointee.next_in = input.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_in = input.count
        stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_out = output.count
        // Without input there is none to come: only then can the decoder tell that the last stream was the last.
        let status = lzma_code(stream, input.isEmpty ? LZMA_FINISH : LZMA_RUN)
        let (used, made) = (input.count - stream.pointee.avail_in, output.count - stream.pointee.avail_out)
        switch status {
        case LZMA_OK, LZMA_BUF_ERROR: break
        case LZMA_STREAM_END:
            hasEnded = true
            isComplete = true
        case LZMA_MEM_ERROR: throw CompressionError(problem: "there is not enough memory")
        case LZMA_MEMLIMIT_ERROR:
            throw CompressionError(
                problem: "its dictionary needs more than \(Self.memoryLimit >> 20) MiB: decompress it with xz -dc")
        case LZMA_OPTIONS_ERROR: throw CompressionError(problem: "it uses options that this liblzma does not have")
        default:
            // What was made before the error is good.
            guard made == 0 else { return (used, made) }
            throw CompressionError(
                problem: status == LZMA_FORMAT_ERROR ? "something follows that is not xz" : "the data is corrupt")
        }
        return (used, made)
    }
}
