import CZstd

/// Compresses what is written to a file, as frames of zstd (RFC 8878).
///
/// What was written more than a second ago can be read, though the frame is not complete: a recorder may be killed. The rest is
/// kept together, since a few lines alone compress badly.
final class ZstdStream {
    private let stream: OpaquePointer
    private var room: [UInt8]
    private var flushed: Int64 = .min
    /// Something was compressed since the last frame was complete.
    private var isOpen = false
    /// All that was written can be read.
    private(set) var isSettled = true

    /// Nanoseconds.
    private static let interval: Int64 = 900_000_000

    init?() {
        guard let stream = ZSTD_createCStream() else { return nil }
        self.stream = stream
        ZSTD_CCtx_setParameter(stream, ZSTD_c_compressionLevel, 3)
        ZSTD_CCtx_setParameter(stream, ZSTD_c_checksumFlag, 1)
        room = [UInt8](repeating: 0, count: ZSTD_CStreamOutSize())
    }

    deinit { ZSTD_freeCStream(stream) }

    /// - Parameters:
    ///   - now: CLOCK_MONOTONIC.
    ///   - write: takes compressed bytes.
    func write(_ bytes: [UInt8], now: Int64, _ write: (ArraySlice<UInt8>) throws(RecorderError) -> Void)
        throws(RecorderError)
    {
        isOpen = true
        let isDue = flushed == .min || now - flushed >= Self.interval
        if isDue { flushed = now }
        isSettled = false
        try compress(bytes, isDue ? ZSTD_e_flush : ZSTD_e_continue, write)
        isSettled = isDue
    }

    /// Completes the frame; what is written after it begins another one.
    func finish(_ write: (ArraySlice<UInt8>) throws(RecorderError) -> Void) throws(RecorderError) {
        guard isOpen else { return }
        isOpen = false
        try compress([], ZSTD_e_end, write)
        isSettled = true
    }

    /// Drops the frame: what is written next begins another one.
    func startAgain() {
        ZSTD_CCtx_reset(stream, ZSTD_reset_session_only)
        flushed = .min
        isOpen = false
        isSettled = true
    }

    private func compress(
        _ bytes: [UInt8], _ directive: ZSTD_EndDirective, _ write: (ArraySlice<UInt8>) throws(RecorderError) -> Void
    ) throws(RecorderError) {
        var position = 0
        while true {
            let (remaining, made) = bytes.withUnsafeBytes { source in
                room.withUnsafeMutableBytes { target in
                    var from = ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: position)
                    var to = ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
                    let remaining = ZSTD_compressStream2(stream, &to, &from, directive)
                    position = from.pos
                    return (remaining, to.pos)
                }
            }
            if ZSTD_isError(remaining) != 0 {
                throw RecorderError.cannotWrite(
                    path: "compressed events", reason: String(cString: ZSTD_getErrorName(remaining)))
            }
            if made > 0 { try write(room[..<made]) }
            if directive == ZSTD_e_continue ? position == bytes.count : remaining == 0 { return }
        }
    }
}
