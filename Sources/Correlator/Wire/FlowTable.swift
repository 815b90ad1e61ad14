import Dispatch
import NetworkTypes
public import PcapReader
import Synchronization

/// The connections of one capture, and for each of their RSTs what came before it and after it.
public struct FlowTable: Sendable {
    /// A connection is always in the same one, however many processors there are.
    private var shards: [FlowShard] = []

    private static let shardCount = 8

    public init() {}

    /// - Parameter segments: of one capture, in the order of the file.
    public init(_ segments: some Sequence<CapturedSegment>) {
        var builder = Builder()
        for segment in segments { builder.add(segment) }
        self = builder.finish()
    }

    /// Follows the connections of a capture with all processors.
    public struct Builder {
        private var batch: [CapturedSegment] = []
        /// Of each segment of the batch, the hash of its connection.
        private var hashes: [UInt64] = []
        private let slots = (0..<FlowTable.shardCount).map { _ in Slot() }

        private final class Slot: Sendable {
            let shard = Mutex(FlowShard())
        }

        /// Large enough that waking the other processors costs nothing, small enough to stay in the cache of one.
        private static let batchSize = 16_384

        public init() {}

        /// Takes in the next segment of the capture.
        public mutating func add(_ segment: CapturedSegment) {
            batch.append(segment)
            hashes.append(segment.segment.tuple.flowHash)
            if batch.count == Self.batchSize { flush() }
        }

        private mutating func flush() {
            let (batch, hashes, slots) = (batch, hashes, slots)
            DispatchQueue.concurrentPerform(iterations: slots.count) { number in
                slots[number].shard.withLock { shard in
                    for index in hashes.indices where FlowTable.shard(of: hashes[index]) == number {
                        shard.add(batch[index], hash: hashes[index])
                    }
                }
            }
            self.batch.removeAll(keepingCapacity: true)
            self.hashes.removeAll(keepingCapacity: true)
        }

        public mutating func finish() -> FlowTable {
            flush()
            var table = FlowTable()
            table.shards = slots.map { slot in
                slot.shard.withLock { shard in
                    defer { shard = FlowShard() }
                    shard.finish()
                    return shard
                }
            }
            return table
        }
    }

    private static func shard(of hash: UInt64) -> Int { Int(hash >> 32 % UInt64(shardCount)) }

    /// What is known of the connection of a RST; nil if the table did not see that packet.
    func context(of reset: CapturedSegment) -> FlowContext? {
        shards.isEmpty
            ? nil : shards[Self.shard(of: reset.segment.tuple.flowHash)].context(ofPacket: reset.number)
    }

    /// What the capture has of a connection: its ends, in the order of the tuple; nil for nothing.
    func connection(of tuple: FourTuple) -> (source: FlowSide, destination: FlowSide, lastTime: Int64)? {
        shards.isEmpty ? nil : shards[Self.shard(of: tuple.flowHash)].connection(of: tuple)
    }

    /// Flows that are compared with those of another capture: enough for a median.
    private static let comparedFlows = 1000

    /// The segments that are kept of some flows, with their times.
    func notes() -> [(SegmentKey, Int64)] {
        shards.flatMap { $0.notes(ofFlows: Self.comparedFlows / Self.shardCount) }
    }
}

extension FourTuple {
    /// The same for both directions.
    var flowHash: UInt64 {
        let (one, other) = (
            mix(source.high ^ UInt64(sourcePort), source.low),
            mix(destination.high ^ UInt64(destinationPort), destination.low)
        )
        return mix(one &+ other, one ^ other)
    }
}
