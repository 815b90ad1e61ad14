/// What both ends of a connection have sent, as one value that is copied when it is changed and somebody else has it: most
/// RSTs are the last segment of their connection, and what came before them is then what there is of it. Many a RST is all
/// there is of its connection.
struct EndpointPair: Sendable {
    /// Nil as long as neither end has sent anything. Not a `Seldom`, whose accessor costs the whole report a tenth of its
    /// time here.
    private var pair: Pair?

    // What is shared is never changed: `unshare` copies it first.
    private final class Pair: @unchecked Sendable {
        // Two properties, not an array: a segment changes one while the other is looked at, and neither is copied.
        // Who changes one holds `EndpointPair` inout: nobody else can look at it meanwhile, and to check that takes time.
        @exclusivity(unchecked) var first: ConnectionSide
        @exclusivity(unchecked) var second: ConnectionSide
        init(_ first: ConnectionSide, _ second: ConnectionSide) {
            unsafe self.first = first
            unsafe self.second = second
        }
    }

    /// 0 for the sender of the first segment, 1 for the other end.
    subscript(side: Int) -> ConnectionSide {
        _read {
            if let pair {
                if side == 0 { yield unsafe pair.first } else { yield unsafe pair.second }
            } else {
                yield ConnectionSide()
            }
        }
        _modify {
            let pair = unshare()
            if side == 0 { yield unsafe &pair.first } else { yield unsafe &pair.second }
        }
    }

    /// Changes one end with a look at the other, and the other way round.
    mutating func withEnds<Result>(
        of side: Int, _ body: (_ own: inout ConnectionSide, _ peer: inout ConnectionSide) -> Result
    ) -> Result {
        let pair = unshare()
        return unsafe side == 0 ? body(&pair.first, &pair.second) : body(&pair.second, &pair.first)
    }

    private mutating func unshare() -> Pair {
        let isUnique = isKnownUniquelyReferenced(&pair)
        if isUnique, let pair { return pair }
        let copy = pair.map { unsafe Pair($0.first, $0.second) } ?? Pair(ConnectionSide(), ConnectionSide())
        pair = copy
        return copy
    }

    /// How many segments and how many RSTs an end has sent.
    func counts(of side: Int) -> (segments: Int, resets: Int) {
        guard let pair else { return (0, 0) }
        return unsafe side == 0
            ? (pair.first.segments, pair.first.resetCount) : (pair.second.segments, pair.second.resetCount)
    }

    /// How many segments an end has sent, and the lowest and highest TTL of them.
    func ttls(of side: Int) -> (segments: Int, lowest: UInt8, highest: UInt8) {
        guard let pair else { return (0, 255, 0) }
        return unsafe side == 0
            ? (pair.first.segments, pair.first.lowestTTL, pair.first.highestTTL)
            : (pair.second.segments, pair.second.lowestTTL, pair.second.highestTTL)
    }

    /// Looks at what the next segments will need, and means nothing; see `ConnectionShard.followDue`.
    func touch() -> Int {
        guard let pair else { return 0 }
        return unsafe pair.first.segments &+ pair.first.probesSinceHeard &+ pair.first.resetCount
            &+ pair.second.segments &+ pair.second.probesSinceHeard &+ pair.second.resetCount
    }
}
