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

    public var isEmpty: Bool { shards.allSatisfy(\.isEmpty) }

    /// Follows the connections of a capture with all processors.
    public struct Builder {
        private var batch: [CapturedSegment] = []
        /// Of each segment of the batch, the shard of its connection.
        private var places: [UInt8] = []
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
            places.append(FlowTable.shard(of: segment.segment.tuple))
            if batch.count == Self.batchSize { flush() }
        }

        private mutating func flush() {
            let (batch, places, slots) = (batch, places, slots)
            DispatchQueue.concurrentPerform(iterations: slots.count) { number in
                slots[number].shard.withLock { shard in
                    for index in places.indices where places[index] == UInt8(number) { shard.add(batch[index]) }
                }
            }
            self.batch.removeAll(keepingCapacity: true)
            self.places.removeAll(keepingCapacity: true)
        }

        public mutating func finish() -> FlowTable {
            flush()
            var table = FlowTable()
            table.shards = slots.map { slot in
                slot.shard.withLock { shard in
                    defer { shard = FlowShard() }
                    return shard
                }
            }
            return table
        }
    }

    private static func shard(of tuple: FourTuple) -> UInt8 {
        UInt8(tuple.canonical.hash64 >> 32 % UInt64(shardCount))
    }

    /// What is known of the connection of a RST; nil if the table did not see that packet.
    func context(ofPacket number: Int) -> FlowContext? {
        for shard in shards {
            if let context = shard.context(ofPacket: number) { return context }
        }
        return nil
    }

    /// What the capture has of a connection: its ends, in the order of the tuple; nil for nothing.
    func connection(of tuple: FourTuple) -> (source: FlowSide, destination: FlowSide, lastTime: Int64)? {
        shards.isEmpty ? nil : shards[Int(Self.shard(of: tuple))].connection(of: tuple)
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
    var canonical: FourTuple {
        (source.high, source.low, sourcePort) <= (destination.high, destination.low, destinationPort) ? self : reversed
    }
}
