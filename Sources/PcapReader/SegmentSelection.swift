public import NetworkTypes

/// Which TCP segments a scan delivers.
public enum SegmentSelection: Sendable {
    /// Those with RST: the fast path, which leaves every other packet after its flags.
    case resets
    case all
    /// Those of some connections, both directions, with or without RST.
    case flows(FlowFilter)
}

/// A set of connections, quick to deny.
public struct FlowFilter: Sendable {
    /// The connections, each in one of its two directions.
    private let tuples: Set<FourTuple>
    /// One bit a hash: a segment whose bit is clear belongs to none of the connections.
    let bits: [UInt64]
    let mask: UInt64

    /// The direction of each tuple does not matter.
    public init(_ flows: some Sequence<FourTuple>) {
        var tuples = Set<FourTuple>()
        for flow in flows where !tuples.contains(flow.reversed) { tuples.insert(flow) }
        // 16 to 32 bits a connection: at most one segment in 16 of other connections passes the first test.
        var count: UInt64 = 1024
        while count < UInt64(tuples.count) * 16, count < 1 << 28 { count *= 2 }
        var bits = [UInt64](repeating: 0, count: Int(count / 64))
        let mask = count - 1
        for tuple in tuples {
            let bit = FlowFilter.hash(tuple) & mask
            bits[Int(bit / 64)] |= 1 << (bit % 64)
        }
        self.tuples = tuples
        self.bits = bits
        self.mask = mask
    }

    public var count: Int { tuples.count }

    public func contains(_ tuple: FourTuple) -> Bool {
        let bit = FlowFilter.hash(tuple) & mask
        guard bits[Int(bit / 64)] & 1 << (bit % 64) != 0 else { return false }
        return tuples.contains(tuple) || tuples.contains(tuple.reversed)
    }

    /// The same for both directions.
    @inline(__always)
    static func hash(_ tuple: FourTuple) -> UInt64 {
        finish(
            end(high: tuple.source.high, low: tuple.source.low, port: tuple.sourcePort)
                ^ end(high: tuple.destination.high, low: tuple.destination.low, port: tuple.destinationPort))
    }

    @inline(__always)
    static func end(high: UInt64, low: UInt64, port: UInt16) -> UInt64 {
        let mixed = (low ^ UInt64(port) << 48) &* 0x9e37_79b9_7f4a_7c15 ^ high &* 0xc2b2_ae3d_27d4_eb4f
        return mixed ^ mixed >> 29
    }

    @inline(__always)
    static func finish(_ sum: UInt64) -> UInt64 {
        let mixed = sum &* 0xbf58_476d_1ce4_e5b9
        return mixed ^ mixed >> 32
    }
}
