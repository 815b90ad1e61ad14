/// Where the segments of a scan go when several threads scan: each thread fills batches, and these are handed over in the
/// order of the file.
public protocol SegmentSink: SendableMetatype {
    /// Segments of a part of the file, as the sink wants to have them.
    associatedtype Batch: Sendable

    static var emptyBatch: Batch { get }

    /// Takes in the next segment of a part. Called on any thread.
    static func add(_ segment: CapturedSegment, to batch: inout Batch)

    /// Takes over what was found in consecutive parts of the file.
    ///
    /// - Parameter batches: in the order of the file, with what has to be added to the numbers of their packets.
    mutating func take(_ batches: [(batch: Batch, precedingPackets: Int)])
}

extension SegmentSink where Batch == [CapturedSegment] {
    public static var emptyBatch: Batch { [] }

    public static func add(_ segment: CapturedSegment, to batch: inout Batch) { batch.append(segment) }
}

/// Keeps all segments.
public struct CollectedSegments: SegmentSink {
    private var parts: [(batch: [CapturedSegment], precedingPackets: Int)] = []

    public init() {}

    public mutating func take(_ batches: [(batch: [CapturedSegment], precedingPackets: Int)]) {
        parts += batches.lazy.filter { !$0.batch.isEmpty }
    }

    /// In the order of the file.
    public consuming func finish() -> [CapturedSegment] {
        var segments: [CapturedSegment] = []
        // An array that grows step by step is copied each time.
        segments.reserveCapacity(parts.reduce(0) { $0 + $1.batch.count })
        for (batch, preceding) in parts {
            let start = segments.count
            segments += batch
            for place in start..<segments.count { segments[place].number += preceding }
        }
        return segments
    }
}

extension CaptureScanner {
    /// Scans like `scan`, into a new batch of a sink.
    ///
    /// - Returns: the batch, and what `scan` returns.
    public mutating func scan<Sink: SegmentSink>(
        _ bytes: RawSpan, offset: Int = 0, from start: Int = 0, limit: Int = .max, isFinal: Bool, for _: Sink.Type
    ) throws(CaptureError) -> (batch: Sink.Batch, end: Int) {
        var batch = Sink.emptyBatch
        let end = try scan(bytes, offset: offset, from: start, limit: limit, isFinal: isFinal) {
            Sink.add($0, to: &batch)
        }
        return (batch, end)
    }
}
