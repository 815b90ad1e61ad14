public import NetworkTypes

/// Which TCP segments a scan delivers.
public enum SegmentSelection: Sendable {
    /// Those with RST: the fast path, which leaves every other packet after its flags.
    case resets
    case all
    /// Those of some connections, both directions, with or without RST.
    case flows(ConnectionFilter)
    /// Those that come from some addresses and ports, whatever they go to.
    case sources(Set<Source>)

    /// An address and a port.
    public struct Source: Hashable, Sendable {
        public let address: IPAddress
        public let port: UInt16
        public init(address: IPAddress, port: UInt16) {
            self.address = address
            self.port = port
        }
    }

    /// The same without the connections: what a hot loop can look at without counting references.
    enum Mode {
        case resets, all, flows, sources

        /// Its flags or its hash show of most packets that they are not selected.
        var deniesQuickly: Bool { self == .resets || self == .flows }
    }

    var mode: Mode {
        switch self {
        case .resets: .resets
        case .all: .all
        case .flows: .flows
        case .sources: .sources
        }
    }

    /// Empty but for `.sources`.
    var sources: Set<Source> {
        if case .sources(let sources) = self { sources } else { [] }
    }

    /// Empty but for `.flows`.
    var filter: ConnectionFilter {
        if case .flows(let filter) = self { filter } else { ConnectionFilter([]) }
    }
}

/// A set of connections, quick to deny.
public struct ConnectionFilter: Sendable {
    /// The connections, each in one of its two directions.
    private var tuples: [FourTuple] = []
    /// A hash table with linear probing: indices into `tuples`, or -1. At most half of it is taken.
    private var slots: [Int32]
    /// One bit a hash: a segment whose bit is clear belongs to none of the connections.
    private(set) var bits: [UInt64]
    let mask: UInt64
    let secret = SecretHash()

    /// The direction of each tuple does not matter; there may be up to 2^30 of them.
    public init(_ flows: some Collection<FourTuple>) {
        self.init(expecting: flows.count)
        for flow in flows { insert(flow) }
    }

    /// An empty filter.
    ///
    /// - Parameter count: so many connections will be inserted; with more it works, and denies fewer of the others quickly.
    public init(expecting count: Int) {
        var slotCount = 16
        while slotCount < count * 2, slotCount < 1 << 31 { slotCount *= 2 }
        slots = [Int32](repeating: -1, count: slotCount)
        // 16 to 32 bits a connection: at most one segment in 16 of other connections passes the first test.
        var bitCount = 1024
        while bitCount < count * 16, bitCount < 1 << 30 { bitCount *= 2 }
        bits = [UInt64](repeating: 0, count: bitCount / 64)
        mask = UInt64(bitCount - 1)
        tuples.reserveCapacity(count)
    }

    /// How many connections there are, each counted once.
    public var count: Int { tuples.count }

    public func contains(_ tuple: FourTuple) -> Bool { number(of: tuple) != nil }

    /// The number of a connection, from 0 on, and whether the filter has it in the other direction; nil if it is not in it.
    public func number(of tuple: FourTuple) -> (connection: Int32, isReversed: Bool)? {
        let hash = hash(tuple)
        let bit = hash & mask
        guard bits[Int(bit / 64)] & 1 << (bit % 64) != 0 else { return nil }
        return number(of: tuple, hash: hash)
    }

    /// The same for a tuple whose hash is known, and its bit set.
    func number(of tuple: FourTuple, hash: UInt64) -> (connection: Int32, isReversed: Bool)? {
        let number = slots[slot(of: tuple, hash: hash)]
        return number < 0 ? nil : (number, tuples[Int(number)] != tuple)
    }

    /// The connection with that number, in the direction in which it was first given.
    public func tuple(_ connection: Int32) -> FourTuple { tuples[Int(connection)] }

    /// Adds a connection, if the filter does not have it.
    public mutating func insert(_ tuple: FourTuple) {
        let hash = self.hash(tuple)
        let slot = slot(of: tuple, hash: hash)
        guard slots[slot] < 0 else { return }
        slots[slot] = Int32(tuples.count)
        tuples.append(tuple)
        if tuples.count * 2 > slots.count { grow() }
        let bit = hash & mask
        bits[Int(bit / 64)] |= 1 << (bit % 64)
    }

    private mutating func grow() {
        slots = [Int32](repeating: -1, count: slots.count * 2)
        for (number, tuple) in tuples.enumerated() { slots[slot(of: tuple, hash: hash(tuple))] = Int32(number) }
    }

    /// Asks for the memory that a search for the hash looks at first.
    @inline(__always)
    func prefetchSlot(hash: UInt64) { slots.prefetch(firstSlot(hash)) }

    /// Asks for the memory that it looks at then.
    @inline(__always)
    func prefetchTuple(hash: UInt64) { tuples.prefetch(max(0, Int(slots[firstSlot(hash)]))) }

    @inline(__always)
    private func firstSlot(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash >> 20) & (slots.count - 1) }

    /// Where the connection is, or the free slot where it belongs.
    private func slot(of tuple: FourTuple, hash: UInt64) -> Int {
        var slot = firstSlot(hash)
        while slots[slot] >= 0 {
            let other = tuples[Int(slots[slot])]
            if other == tuple || other == tuple.reversed { break }
            slot = (slot + 1) & (slots.count - 1)
        }
        return slot
    }

    /// The same for both directions; a sum, so that ends which are equal do not cancel each other out.
    @inline(__always)
    func hash(_ tuple: FourTuple) -> UInt64 {
        Self.sum(
            secret.of(high: tuple.source.high, low: tuple.source.low, port: tuple.sourcePort),
            secret.of(high: tuple.destination.high, low: tuple.destination.low, port: tuple.destinationPort))
    }

    /// The hash of a connection from those of its ends.
    @inline(__always)
    static func sum(_ a: UInt64, _ b: UInt64) -> UInt64 {
        SecretHash.finish(a &+ b)
    }
}
