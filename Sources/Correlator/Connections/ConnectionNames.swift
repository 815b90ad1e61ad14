import NetworkTypes
import PcapReader

/// The connections behind the numbers of those that were followed.
enum ConnectionNames: Sendable {
    /// Those that were asked for.
    case selected(ConnectionFilter)
    /// All of a capture, of each shard its own.
    case all([ConnectionNumbers])

    /// The connection, in the direction that its segments call not reversed.
    func tuple(_ connection: Int32) -> FourTuple {
        switch self {
        case .selected(let filter): filter.tuple(connection)
        case .all(let shards):
            shards[Self.shard(of: connection)].tuple(connection / Int32(ConnectionTable.shardCount))
        }
    }

    /// The number of a connection, and whether it has the other direction; nil if it was not followed.
    func number(of tuple: FourTuple) -> (connection: Int32, isReversed: Bool)? {
        switch self {
        case .selected(let filter): return filter.number(of: tuple)
        case .all(let shards):
            let hash = ConnectionHash(tuple)
            guard let found = shards[hash.shard].number(of: tuple, tag: hash.tag) else { return nil }
            return (Self.connection(found.number, shard: hash.shard), found.isReversed)
        }
    }

    static func shard(of connection: Int32) -> Int { Int(connection) & (ConnectionTable.shardCount - 1) }

    /// The number among all connections of one that has a number in its shard.
    static func connection(_ number: Int32, shard: Int) -> Int32 {
        number &* Int32(ConnectionTable.shardCount) | Int32(truncatingIfNeeded: shard)
    }
}

/// What a connection is found by where no filter knows it.
struct ConnectionHash: Sendable {
    /// The end that sends.
    let source: UInt64
    /// Both ends: the same for both directions.
    let both: UInt64

    static let secret = SecretHash()

    init(_ tuple: FourTuple) {
        source = Self.end(tuple.source, tuple.sourcePort)
        both = SecretHash.finish(source &+ Self.end(tuple.destination, tuple.destinationPort))
    }

    static func end(_ address: IPAddress, _ port: UInt16) -> UInt64 {
        secret.of(high: address.high, low: address.low, port: port)
    }

    var shard: Int { Int(truncatingIfNeeded: both >> 61) & (ConnectionTable.shardCount - 1) }
    var tag: UInt32 { UInt32(truncatingIfNeeded: both >> 16) }
}
