public import PcapReader

/// A capture on disk, by its path.
public struct CaptureFile: Sendable {
    public let path: String

    public init(path: String) {
        self.path = path
    }

    /// Opens and scans the file; see `InputFile.scan`.
    public func scan(
        selecting selection: SegmentSelection, threads: Int = InputFile.availableThreads,
        progress: ((_ done: Int, _ total: Int?) -> Void)? = nil, body: (CapturedSegment) -> Void
    ) throws -> CaptureSummary {
        try InputFile(path: path).scan(selecting: selection, threads: threads, progress: progress, body: body)
    }
}
