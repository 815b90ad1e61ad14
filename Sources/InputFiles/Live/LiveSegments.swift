import Correlator
import PcapReader

/// What a capture gives that has no end: its RSTs, and its connections of late.
///
/// What came before a RST is kept with it, and asked for only until the RST was given out. So connections are followed anew
/// after many RSTs, at first beside the old ones: those RSTs of which somebody may still ask are there in full.
struct LiveSegments: SegmentSink {
    private var resets = CollectedSegments()
    private var connections: ConnectionFollower
    private let memory: Int
    private var count = 0
    /// Of the files that were read before this one.
    var precedingPackets = 0
    /// What follows the connections next, since when, and with how many RSTs.
    private var next: (follower: ConnectionFollower, since: Int64, count: Int)?

    /// RSTs after which connections are followed anew.
    private static let mostResets = 8_000
    /// RSTs after which those before are discarded, however recent they are.
    private static let mostResetsInFlood = 16_000
    /// Nanoseconds after which nobody asks for a RST any more: the settling time, and what was given out stays.
    private static let overlap: Int64 = 7_000_000_000

    /// - Parameter memory: see `ConnectionFollower`.
    init(memory: Int) {
        self.memory = memory
        connections = ConnectionFollower(memory: memory)
    }

    typealias Batch = StreamedSegments.Batch

    static var emptyBatch: Batch { StreamedSegments.emptyBatch }

    static func add(_ segment: CapturedSegment, to batch: inout Batch) { StreamedSegments.add(segment, to: &batch) }

    mutating func take(_ batches: [(batch: Batch, precedingPackets: Int)]) {
        resets.take(batches.map { ($0.batch.resets, $0.precedingPackets + precedingPackets) })
        let segments = batches.map { ($0.batch.connections, $0.precedingPackets + precedingPackets) }
        connections.take(segments)
        next?.follower.take(segments)
    }

    /// The RSTs that came since this was asked the last time.
    mutating func takeResets() -> [CapturedSegment] {
        let taken = resets
        resets = CollectedSegments()
        let new = taken.finish()
        count += new.count
        next?.count += new.count
        return new
    }

    /// Follows connections anew if it is time for that.
    mutating func look(at time: Int64) {
        if next == nil, count > Self.mostResets {
            next = (ConnectionFollower(memory: memory, lacksAllPast: true), time, 0)
        }
        guard let begun = next, time - begun.since >= Self.overlap || count > Self.mostResetsInFlood else { return }
        connections = begun.follower
        count = begun.count
        next = nil
    }

    func snapshot() -> CapturedConnections { connections.snapshot() }
}
