import PcapReader

/// Scans a capture that comes as a stream, in a window that grows only as far as the largest record needs.
struct StreamScan {
    let stream: ByteStream
    /// Called with the bytes taken from the file so far.
    let progress: ((Int) -> Void)?

    private static let firstWindow = 4 << 20
    /// The largest packet there is (128 MiB of D-Bus or USB), and its header.
    private static let largestWindow = 129 << 20

    func run<Sink: SegmentSink>(_ scanner: inout CaptureScanner, into sink: inout Sink) throws {
        var window = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.firstWindow, alignment: 16)
        defer { window.deallocate() }
        // The window holds the bytes of the file from `offset`, `filled` of them.
        var offset = 0
        var filled = 0
        while true {
            // A pipe hands out 64 KiB at a time: what is found in so little is not worth handing on.
            var count = 0
            repeat {
                count = try stream.read(into: UnsafeMutableRawBufferPointer(rebasing: window[filled...]))
                filled += count
            } while count > 0 && filled < window.count
            let bytes = RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: window[..<filled]))
            let (batch, used) = try scanner.scan(bytes, offset: offset, isFinal: count == 0, for: Sink.self)
            sink.take([(batch, 0)])
            progress?(stream.bytesRead)
            if count == 0 {
                if let damage = stream.damage { scanner.noteDamage(damage, at: offset + filled) }
                return
            }
            let left = filled - used
            if used > 0, left > 0 {
                window.copyMemory(from: UnsafeRawBufferPointer(rebasing: window[used..<filled]))
            }
            offset += used
            filled = left
            if filled == window.count {
                precondition(window.count < Self.largestWindow, "the scanner asked for more than a record can be")
                let larger = UnsafeMutableRawBufferPointer.allocate(
                    byteCount: min(window.count * 2, Self.largestWindow), alignment: 16)
                larger.copyMemory(from: UnsafeRawBufferPointer(window))
                window.deallocate()
                window = larger
            }
        }
    }
}
