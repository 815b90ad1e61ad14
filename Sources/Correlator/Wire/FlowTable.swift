import Dispatch
import NetworkTypes
public import PcapReader
import Synchronization

/// Connections of one capture, and for each of their RSTs what came before it and after it.
public struct FlowTable: Sendable {
    private let content: Content

    /// A class, so that a table is asked without copies of its parts.
    private final class Content: Sendable {
        let filter: FlowFilter
        /// A connection is always in the same one, however many processors there are.
        let shards: [FollowedFlows]
        /// Of each RST, in the order of the capture, its packet, its shard and its place there.
        let resets: [(number: Int, shard: Int32, place: Int32)]

        init(_ filter: FlowFilter, _ shards: [FollowedFlows]) {
            self.filter = filter
            self.shards = shards
            resets = shards.enumerated().flatMap { shard, flows in
                flows.packets.map { ($0.number, Int32(shard), $0.place) }
            }.sorted { $0.0 < $1.0 }
        }
    }

    static let shardCount = 8

    public init() { self.init(FlowFilter([]), []) }

    fileprivate init(_ filter: FlowFilter, _ shards: [FollowedFlows]) { content = Content(filter, shards) }

    /// - Parameter segments: of one capture, in the order of the file.
    public init(_ segments: some Collection<CapturedSegment>) {
        let filter = FlowFilter(segments.map(\.segment.tuple))
        var builder = Builder(filter)
        var batch = Builder.emptyBatch
        for var segment in segments {
            guard let place = filter.number(of: segment.segment.tuple) else { continue }
            (segment.connection, segment.isReversed) = place
            Builder.add(segment, to: &batch)
        }
        builder.take([(batch, 0)])
        self = builder.finish()
    }

    /// Follows connections with all processors.
    public struct Builder: SegmentSink {
        private let filter: FlowFilter
        private let slots = (0..<FlowTable.shardCount).map { _ in Slot() }

        private final class Slot: Sendable {
            let shard = Mutex(FlowShard())
        }

        /// The segments of a part of the file, for each shard its own.
        public struct Batch: Sendable {
            fileprivate var shards = [[FlowSegment]](repeating: [], count: FlowTable.shardCount)
        }

        /// - Parameter filter: the one that selects the segments.
        public init(_ filter: FlowFilter) { self.filter = filter }

        public static var emptyBatch: Batch { Batch() }

        /// - Parameter segment: one that the filter selected; others are left out.
        public static func add(_ segment: CapturedSegment, to batch: inout Batch) {
            guard segment.connection >= 0 else { return }
            batch.shards[FlowTable.shard(of: segment.connection)].append(FlowSegment(segment))
        }

        public mutating func take(_ batches: [(batch: Batch, precedingPackets: Int)]) {
            DispatchQueue.concurrentPerform(iterations: slots.count) { [slots] number in
                var segments: [FlowSegment] = []
                segments.reserveCapacity(batches.reduce(0) { $0 + $1.batch.shards[number].count })
                for (batch, preceding) in batches {
                    for var segment in batch.shards[number] {
                        segment.note.number += preceding
                        segments.append(segment)
                    }
                }
                slots[number].shard.withLock { $0.add(segments) }
            }
        }

        public func finish() -> FlowTable {
            FlowTable(
                filter,
                slots.concurrentMap(inPiecesOf: 1) { slot in
                    slot.shard.withLock { shard in
                        defer { shard = FlowShard() }
                        return shard.finish()
                    }
                })
        }
    }

    private static func shard(of connection: Int32) -> Int { Int(connection) & (shardCount - 1) }

    /// What is known of the connection of a RST; nil if the table did not see that packet.
    ///
    /// - Parameters:
    ///   - number: of the packet.
    ///   - index: how many RSTs of the capture came before it, as far as that is known.
    func context(ofPacket number: Int, index: Int = 0) -> FlowContext? {
        let resets = content.resets
        var found = index
        if !resets.indices.contains(index) || resets[index].number != number {
            found = resets.firstPlace { $0.number < number }
            guard found < resets.count, resets[found].number == number else { return nil }
        }
        return content.shards[Int(resets[found].shard)].context(at: resets[found].place)
    }

    /// What the capture has of a connection: its ends, in the order of the tuple; nil for nothing.
    func connection(of tuple: FourTuple) -> (source: FlowSide, destination: FlowSide, lastTime: Int64)? {
        guard let place = content.filter.number(of: tuple),
            let ends = content.shards[Self.shard(of: place.connection)].ends(ofConnection: place.connection)
        else { return nil }
        let last = [ends.source, ends.destination].compactMap { $0.last?.time }.max() ?? 0
        return place.isReversed ? (ends.destination, ends.source, last) : (ends.source, ends.destination, last)
    }

    /// Flows of each shard that are compared with those of another capture: enough for a median.
    static let comparedFlows = 125

    /// The segments that are kept of some flows, with their times.
    func notes() -> [(SegmentKey, Int64)] {
        content.shards.flatMap { $0.notes(in: content.filter) }
    }
}
