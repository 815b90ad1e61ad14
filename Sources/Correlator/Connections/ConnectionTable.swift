import Dispatch
import NetworkTypes
public import PcapReader
import Synchronization

/// Connections of one capture, and for each of their RSTs what came before it and after it.
public struct ConnectionTable: Sendable {
    private let content: Content

    /// A class, so that a table is asked without copies of its parts.
    private final class Content: Sendable {
        let names: ConnectionNames
        /// A connection is always in the same one, however many processors there are.
        let shards: [FollowedConnections]
        /// Of each RST, in the order of the capture, its packet, its shard and its place there.
        let resets: [(number: Int, shard: Int32, place: Int32)]
        let injectors: KnownInjectors
        let hosts: HostProfiles

        init(_ names: ConnectionNames, _ shards: [FollowedConnections]) {
            self.names = names
            self.shards = shards
            resets = Self.merged(shards.map(\.packets))
            let claims = Array(shards.indices).concurrentMap(inPiecesOf: 1) { shards[$0].injected(shard: $0, names) }
            injectors = KnownInjectors(claims.flatMap(\.self))
            var hosts = HostProfiles()
            if shards.contains(where: \.hasRefusals) {
                for shard in shards { shard.addHosts(to: &hosts, names) }
            }
            self.hosts = hosts
        }

        /// The RSTs of all shards in the order of the capture.
        ///
        /// - Parameter lists: one for each shard, in that order.
        private static func merged(
            _ lists: [[(number: Int, place: Int32)]]
        ) -> [(number: Int, shard: Int32, place: Int32)] {
            var heads = [Int](repeating: 0, count: lists.count)
            var merged: [(number: Int, shard: Int32, place: Int32)] = []
            merged.reserveCapacity(lists.reduce(0) { $0 + $1.count })
            while true {
                var least = (number: Int.max, list: -1)
                for list in lists.indices where heads[list] < lists[list].count {
                    let number = lists[list][heads[list]].number
                    if number < least.number { least = (number, list) }
                }
                guard least.list >= 0 else { return merged }
                let place = lists[least.list][heads[least.list]].place
                merged.append((least.number, Int32(truncatingIfNeeded: least.list), place))
                heads[least.list] += 1
            }
        }
    }

    static let shardCount = 8

    public init() { self.init(.selected(ConnectionFilter([])), []) }

    init(_ names: ConnectionNames, _ shards: [FollowedConnections]) { content = Content(names, shards) }

    /// - Parameter segments: of one capture, in the order of the file.
    public init(_ segments: some Collection<CapturedSegment>) {
        let filter = ConnectionFilter(segments.map(\.segment.tuple))
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
        private let filter: ConnectionFilter
        private let slots: [Slot]

        private final class Slot: Sendable {
            let shard: Mutex<ConnectionShard>
            init(_ shard: ConnectionShard) { self.shard = Mutex(shard) }
        }

        /// The segments of a part of the file, for each shard its own.
        public struct Batch: Sendable {
            fileprivate var shards = [[RoutedSegment]](repeating: [], count: ConnectionTable.shardCount)
        }

        /// - Parameters:
        ///   - filter: the one that selects the segments.
        ///   - resets: how many of them are RSTs, as far as that is known.
        public init(_ filter: ConnectionFilter, resets: Int = 0) {
            self.filter = filter
            func share(_ count: Int) -> Int { count / ConnectionTable.shardCount * 17 / 16 }
            slots = (0..<ConnectionTable.shardCount).map { _ in
                Slot(ConnectionShard(connections: share(filter.count), resets: share(resets)))
            }
        }

        public static var emptyBatch: Batch { Batch() }

        /// - Parameter segment: one that the filter selected; others are left out.
        public static func add(_ segment: CapturedSegment, to batch: inout Batch) {
            guard segment.connection >= 0 else { return }
            batch.shards[ConnectionNames.shard(of: segment.connection)].append(RoutedSegment(segment))
        }

        public mutating func take(_ batches: [(batch: Batch, precedingPackets: Int)]) {
            DispatchQueue.concurrentPerform(iterations: slots.count) { [slots] number in
                slots[number].shard.withLock { shard in
                    for (batch, preceding) in batches {
                        shard.take(batch.shards[number], precedingPackets: preceding)
                    }
                }
            }
        }

        public func finish() -> ConnectionTable {
            ConnectionTable(
                .selected(filter),
                slots.concurrentMap(inPiecesOf: 1) { slot in
                    slot.shard.withLock { shard in
                        defer { shard = ConnectionShard() }
                        return shard.finish()
                    }
                })
        }
    }

    /// What is known of the connection of a RST; nil if the table did not see that packet.
    ///
    /// - Parameters:
    ///   - number: of the packet.
    ///   - index: how many RSTs of the capture came before it, as far as that is known.
    func context(ofPacket number: Int, index: Int = 0) -> ConnectionContext? {
        let resets = content.resets
        var found = index
        if !resets.indices.contains(index) || resets[index].number != number {
            found = resets.firstPlace { $0.number < number }
            guard found < resets.count, resets[found].number == number else { return nil }
        }
        let shard = Int(resets[found].shard)
        let (flows, place) = (content.shards[shard], resets[found].place)
        var host: HostProfiles.Profile?
        if !content.hosts.isEmpty, flows.refusesSyn(Int(place)) {
            let (connection, isReversed) = flows.connection(ofReset: Int(place))
            let tuple = content.names.tuple(connection)
            host = content.hosts[isReversed ? tuple.destination : tuple.source]
        }
        return flows.context(at: place, shard: shard, knowing: content.injectors, host: host)
    }

    /// What the capture has of a connection: its ends, in the order of the tuple; nil for nothing.
    func connection(of tuple: FourTuple) -> (source: ConnectionSide, destination: ConnectionSide, lastTime: Int64)? {
        guard let place = content.names.number(of: tuple),
            let ends = content.shards[ConnectionNames.shard(of: place.connection)].ends(ofConnection: place.connection)
        else { return nil }
        let last = [ends.source, ends.destination].compactMap { $0.last?.time }.max() ?? 0
        return place.isReversed ? (ends.destination, ends.source, last) : (ends.source, ends.destination, last)
    }

    /// All parts, with the filter that their connections were selected by.
    var shards: [FollowedConnections] { content.shards }
    var names: ConnectionNames { content.names }

    func questions(atMost limit: Int) -> [TranslationSearch.Question] {
        var questions: [TranslationSearch.Question] = []
        for shard in content.shards where questions.count < limit {
            questions += shard.questions(content.names, atMost: limit - questions.count)
        }
        return questions
    }

    /// Flows of each shard that are compared with those of another capture: enough for a median.
    static let comparedFlows = 125

    /// The segments that are kept of some flows, with their times.
    func notes() -> [(SegmentKey, Int64)] {
        content.shards.flatMap { $0.notes(in: content.names) }
    }
}
