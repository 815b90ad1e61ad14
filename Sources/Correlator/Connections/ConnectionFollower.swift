import Dispatch
import NetworkTypes
public import PcapReader
import Synchronization

/// How a segment's connection is found.
struct ConnectionKey: Sendable {
    let tuple: FourTuple
    let tag: UInt32
}

/// A segment whose connection has no number yet.
struct KeyedSegment: Sendable {
    let routed: RoutedSegment
    let key: ConnectionKey
}

/// Follows all connections of a capture that can be read only once, since any of them may have a RST: a pipe, standard
/// input, a file that is still being written.
///
/// What it finds out of a RST is what `ConnectionTable.Builder` finds in a file, as long as the memory suffices. Where it does not,
/// connections are evicted; RSTs are not, nor are the connections that have one.
public struct ConnectionFollower: SegmentSink {
    private let work: Work

    /// The segments of a part of the capture, for each shard its own.
    public struct Batch: Sendable {
        fileprivate var shards = [[KeyedSegment]](repeating: [], count: ConnectionTable.shardCount)
        fileprivate var acknowledgments = TranslationIndex.Batch()
    }

    /// - Parameters:
    ///   - memory: bytes for connections that have no RST yet.
    ///   - lacksAllPast: what comes is the rest of a capture, so that any connection may have had segments before.
    public init(memory: Int, lacksAllPast: Bool = false) {
        self.init(memory: memory, evictingAfter: 8192, lacksAllPast: lacksAllPast)
    }

    /// - Parameter segments: of a shard, after which it may evict connections.
    init(memory: Int, evictingAfter segments: Int, lacksAllPast: Bool = false) {
        work = Work(memory: memory, evictingAfter: segments, lacksAllPast: lacksAllPast)
    }

    public static var emptyBatch: Batch { Batch() }

    public static func add(_ segment: CapturedSegment, to batch: inout Batch) {
        let hash = ConnectionHash(segment.segment.tuple)
        batch.shards[hash.shard].append(
            KeyedSegment(
                routed: RoutedSegment(segment), key: ConnectionKey(tuple: segment.segment.tuple, tag: hash.tag)))
        batch.acknowledgments.add(segment, hash)
    }

    /// Returns before the segments are followed: who scans goes on meanwhile.
    public mutating func take(_ batches: [(batch: Batch, precedingPackets: Int)]) { work.take(batches) }

    /// What is known of the connections so far.
    public func snapshot() -> CapturedConnections { work.snapshot() }

    /// What is known of the connections, when nothing more comes.
    public consuming func finish() -> CapturedConnections { work.finish() }
}

/// The shards, and the queue on which they are filled.
private final class Work: Sendable {
    private let slots: [Slot]
    private let translations = Mutex(TranslationIndex())
    private let evictingAfter: Int
    private let queue = DispatchQueue(label: "connections")
    /// Batches that may wait: who scans must not run ahead without bound.
    private let room = DispatchSemaphore(value: 8)

    private final class Slot: Sendable {
        let shard: Mutex<ConnectionShard>
        init(_ shard: ConnectionShard) { self.shard = Mutex(shard) }
    }

    init(memory: Int, evictingAfter: Int, lacksAllPast: Bool) {
        self.evictingAfter = evictingAfter
        slots = (0..<ConnectionTable.shardCount).map {
            Slot(
                ConnectionShard(
                    number: $0, memory: memory / ConnectionTable.shardCount, lacksAllPast: lacksAllPast))
        }
    }

    func take(_ batches: [(batch: ConnectionFollower.Batch, precedingPackets: Int)]) {
        room.wait()
        queue.async { [self] in
            DispatchQueue.concurrentPerform(iterations: slots.count) { number in
                slots[number].shard.withLock { shard in
                    for (batch, preceding) in batches {
                        shard.take(
                            batch.shards[number], precedingPackets: preceding, inPiecesOf: evictingAfter)
                    }
                }
            }
            translations.withLock { $0.take(batches.map { ($0.batch.acknowledgments, $0.precedingPackets) }) }
            ask()
            room.signal()
        }
    }

    private func ask() {
        for slot in slots {
            let questions = slot.shard.withLock { $0.newQuestions() }
            guard !questions.isEmpty else { continue }
            translations.withLock { for question in questions { $0.answer(question) } }
        }
    }

    func finish() -> CapturedConnections {
        settle()
        return capture { shard in
            defer { shard = ConnectionShard() }
            return shard.finish()
        }
    }

    func snapshot() -> CapturedConnections {
        settle()
        return capture { shard in
            var copy = shard
            return copy.finish()
        }
    }

    /// Takes in all that came.
    private func settle() {
        queue.sync {
            for slot in slots { slot.shard.withLock { $0.settle() } }
            ask()
        }
    }

    private func capture(_ finish: @Sendable (inout ConnectionShard) -> FollowedConnections) -> CapturedConnections {
        let evicted = slots.reduce(0) { sum, slot in sum + slot.shard.withLock { $0.evicted } }
        let names = ConnectionNames.all(slots.map { $0.shard.withLock { $0.numbers ?? ConnectionNumbers() } })
        let shards = slots.concurrentMap(inPiecesOf: 1) { slot in slot.shard.withLock { finish(&$0) } }
        let flows = ConnectionTable(names, shards)
        var listeners = flows.listeners
        return translations.withLock { translations in
            listeners.find(in: translations.listeners)
            return CapturedConnections(
                flows, translationGaps: translations.gaps, listeners: listeners, evicted: evicted)
        }
    }
}
