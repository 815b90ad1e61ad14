public import PcapReader

/// A capture whose bytes come bit by bit: a file that is still being written, or a pipe.
public struct GrowingCapture: Sendable {
    private var scanner: CaptureScanner
    /// What the scanner is not done with.
    private var window: [UInt8] = []
    /// Where the window begins in the file.
    private var offset = 0

    public init(selecting selection: SegmentSelection) { scanner = CaptureScanner(selecting: selection) }

    public var summary: CaptureSummary { scanner.summary }

    /// Takes the next bytes of the file; they may end anywhere.
    ///
    /// - Parameter isFinal: nothing more comes, so that a record cut short is damage.
    /// - Throws: if this is not a capture.
    public mutating func feed<Sink: SegmentSink>(
        _ bytes: ArraySlice<UInt8>, isFinal: Bool = false, into sink: inout Sink
    ) throws(CaptureError) {
        window += bytes
        var scanner = scanner
        let (batch, used) = try unsafe scanner.scan(window.span.bytes, offset: offset, isFinal: isFinal, for: Sink.self)
        self.scanner = scanner
        window.removeFirst(used)
        offset += used
        sink.take([(batch, 0)])
    }

    /// See `CaptureScanner`.
    public mutating func takeResetRemarks() -> (bytes: [ResetBytes], comments: [CaptureComment]) {
        scanner.takeResetRemarks()
    }
}
