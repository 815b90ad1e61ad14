import CBzip2

/// bzip2, one stream after another, as pbzip2 writes them.
final class Bzip2Decompressor: Decompressor {
    /// On the heap: libbz2 refuses a stream that has moved since it was made.
    private let stream: UnsafeMutablePointer<bz_stream>
    private(set) var isComplete = false
    private var isOpen = false

    init() throws(CompressionError) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: bz_stream())
        try open()
    }

    deinit {
        if isOpen { BZ2_bzDecompressEnd(stream) }
        stream.deallocate()
    }

    private func open() throws(CompressionError) {
        stream.pointee = bz_stream()
        guard BZ2_bzDecompressInit(stream, 0, 0) == BZ_OK else {
            throw CompressionError(problem: "libbz2 did not start")
        }
        isOpen = true
    }

    func decompress(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> (used: Int, made: Int) {
        if isComplete {
            guard let first = input.first else { return (0, 0) }
            guard first == UInt8(ascii: "B") else {
                throw CompressionError(problem: "\(input.count) bytes or more follow that are not compressed")
            }
            isComplete = false
            try open()
        }
        stream.pointee.next_in = UnsafeMutablePointer(
            mutating: input.baseAddress?.assumingMemoryBound(to: CChar.self))
        stream.pointee.avail_in = UInt32(clamping: input.count)
        stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: CChar.self)
        stream.pointee.avail_out = UInt32(clamping: output.count)
        let status = BZ2_bzDecompress(stream)
        let used = min(input.count, Int(UInt32.max)) - Int(stream.pointee.avail_in)
        let made = min(output.count, Int(UInt32.max)) - Int(stream.pointee.avail_out)
        switch status {
        case BZ_OK: break
        case BZ_STREAM_END:
            BZ2_bzDecompressEnd(stream)
            isOpen = false
            isComplete = true
        case BZ_MEM_ERROR: throw CompressionError(problem: "there is not enough memory")
        default:
            // What was made before the error is good.
            guard made == 0 else { return (used, made) }
            throw CompressionError(problem: "the data is corrupt")
        }
        return (used, made)
    }
}
