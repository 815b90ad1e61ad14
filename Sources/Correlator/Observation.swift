import KernelEvents
import NetworkTypes
import PcapReader

/// What makes two observations the same RST: the fields that no device on one path changes, but for NAT.
struct ResetKey: GroupingKey, Hashable {
    let tuple: FourTuple
    let seq: UInt32
    let ack: UInt32
    let flags: UInt16
    let ipID: UInt16

    init(_ segment: TCPSegment) {
        tuple = segment.tuple
        seq = segment.seq
        ack = segment.ack
        flags = segment.flags.rawValue
        ipID = segment.ipID
    }

    /// Nil if the event does not carry the segment's own fields.
    // Always in line: nobody copies a whole event for its key.
    @inline(__always)
    init?(_ event: ResetEvent) {
        guard let seq = event.seq, let flags = event.flags else { return nil }
        tuple = event.tuple
        self.seq = seq
        ack = event.ack ?? 0
        self.flags = flags.rawValue
        ipID = event.ipID ?? 0
    }

    func hash(_ secret: SecretHash) -> UInt64 {
        let numbers = secret.add(UInt64(seq) << 32 | UInt64(ack), to: secret.of(tuple))
        return secret.add(UInt64(flags) << 16 | UInt64(ipID), to: numbers)
    }
}

/// Spreads the bits of both words over the result (the finalizer of splitmix64). It has no secret, and is for words that
/// stand for something themselves: a table is indexed with `SecretHash`.
@inline(__always)
func mix(_ a: UInt64, _ b: UInt64) -> UInt64 {
    var x = (a ^ (b &* 0x9e37_79b9_7f4a_7c15)) &+ 0x9e37_79b9_7f4a_7c15
    x = (x ^ (x >> 30)) &* 0xbf58_476d_1ce4_e5b9
    x = (x ^ (x >> 27)) &* 0x94d0_49bb_1331_11eb
    return x ^ (x >> 31)
}

/// A packet of a capture, or an event of a recording, by its place in the inputs.
struct Reference: Hashable, Comparable {
    /// Captures come before recordings, each in the order of the inputs.
    let source: Int32
    let index: Int32

    static func < (a: Reference, b: Reference) -> Bool { (a.source, a.index) < (b.source, b.index) }
}

/// One RST as one observer saw it.
struct Observation {
    /// CLOCK_REALTIME, nanoseconds.
    let time: Int64
    let reference: Reference
    /// Two observations from one vantage point are two RSTs, however similar they are.
    let vantage: UInt64
}
