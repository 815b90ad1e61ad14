import Correlator
import NetworkTypes
import PcapReader

/// What a capture gives that can be read only once: its RSTs, and all its connections.
struct StreamedSegments: SegmentSink {
    var resets = CollectedSegments()
    var connections: ConnectionFollower

    /// - Parameter memory: see `ConnectionFollower`.
    init(memory: Int) { connections = ConnectionFollower(memory: memory) }

    struct Batch: Sendable {
        var resets: [CapturedSegment] = []
        var connections = ConnectionFollower.emptyBatch
    }

    static var emptyBatch: Batch { Batch() }

    static func add(_ segment: CapturedSegment, to batch: inout Batch) {
        if segment.segment.flags.contains(.rst) { batch.resets.append(segment) }
        ConnectionFollower.add(segment, to: &batch.connections)
    }

    mutating func take(_ batches: [(batch: Batch, precedingPackets: Int)]) {
        resets.take(batches.map { ($0.batch.resets, $0.precedingPackets) })
        connections.take(batches.map { ($0.batch.connections, $0.precedingPackets) })
    }
}
