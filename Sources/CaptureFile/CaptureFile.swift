import Glibc
public import PcapReader

/// A capture on disk.
public struct CaptureFile: Sendable {
    public let path: String

    public init(path: String) {
        self.path = path
    }

    /// Scans the file from beginning to end.
    ///
    /// - Parameters:
    ///   - selection: which segments to deliver.
    ///   - body: called for each of them, in the order of the file.
    /// - Throws: `FileError`, or `CaptureError` if this is not a capture.
    public func scan(
        selecting selection: SegmentSelection, body: (CapturedSegment) -> Void
    ) throws -> CaptureSummary {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError(operation: "open", errno: errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileError(operation: "examine", errno: errno) }
        let file = try MappedFile(descriptor: descriptor, count: Int(status.st_size))
        return try file.withBytes { bytes in
            try CaptureScanner.scan(bytes, selecting: selection, body: body)
        }
    }
}
