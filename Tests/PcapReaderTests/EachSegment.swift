import CaptureFile
import PcapReader

/// Hands the segments on one by one.
struct EachSegment: SegmentSink {
    private let body: (CapturedSegment) -> Void

    init(_ body: @escaping (CapturedSegment) -> Void) { self.body = body }

    mutating func take(_ batches: [(batch: [CapturedSegment], precedingPackets: Int)]) {
        for (batch, preceding) in batches {
            for var segment in batch {
                segment.number += preceding
                body(segment)
            }
        }
    }
}

extension InputFile {
    /// Scans the capture and calls a closure for each selected segment, on the calling thread, in the order of the file.
    func scan(
        selecting selection: SegmentSelection, threads: Int = InputFile.availableThreads,
        progress: ((_ done: Int, _ total: Int?) -> Void)? = nil, body: (CapturedSegment) -> Void
    ) throws -> CaptureSummary {
        try withoutActuallyEscaping(body) { body in
            var sink = EachSegment(body)
            return try scan(selecting: selection, threads: threads, progress: progress, into: &sink)
        }
    }
}
