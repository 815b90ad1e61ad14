import NetworkTypes

/// RSTs of one capture that show by themselves that a third party sent them: it is known from then on, in their
/// connections and in others.
struct KnownInjectors: Sendable {
    /// In the order of the capture.
    private let claims: [Claim]
    /// The claims of each flow, by their place in `claims`.
    private let byFlow: [Connection: [Int]]

    /// What a RST has of its maker.
    struct Claim: Sendable {
        let reset: SegmentNote
        let flow: Connection
        /// Of the RST, see `ConnectionShard.ResetSnapshot`.
        let sender: Int
    }

    struct Connection: Hashable, Sendable {
        let shard: Int
        let number: Int
    }

    /// How many are kept: more are not needed to recognise an injector.
    static let kept = 4096

    init(_ claims: [Claim]) {
        self.claims = Array(claims.sorted { $0.reset.number < $1.reset.number }.prefix(Self.kept))
        byFlow = Dictionary(grouping: self.claims.indices) { [claims = self.claims] in claims[$0].flow }
    }

    var isEmpty: Bool { claims.isEmpty }

    /// The packet of a RST in the same connection that the same third party sent; nil for none.
    ///
    /// - Parameters:
    ///   - own: the end that the RST names, before it.
    func sibling(of reset: SegmentNote, in flow: Connection, sender: Int, own: ConnectionSide) -> Int? {
        byFlow[flow]?.lazy.map { claims[$0] }.first {
            $0.sender == sender && $0.reset.number != reset.number && Self.isSame($0.reset, reset, own)
        }?.reset.number
    }

    private static func isSame(_ known: SegmentNote, _ reset: SegmentNote, _ own: ConnectionSide) -> Bool {
        guard known.ttl == reset.ttl, known.window == reset.window,
            known.flags.contains(.ack) == reset.flags.contains(.ack)
        else { return false }
        let isOwnTTL = own.segments > 0 && own.lowestTTL <= reset.ttl && reset.ttl <= own.highestTTL
        if own.segments > 0, !isOwnTTL { return true }
        return isNextID(known, reset) && !own.mayCountTo(reset.ipID)
    }

    /// Where one device numbers the segments that it makes.
    private static func isNextID(_ known: SegmentNote, _ reset: SegmentNote) -> Bool {
        guard known.ipID != 0, reset.ipID != 0 else { return false }
        return min(known.ipID &- reset.ipID, reset.ipID &- known.ipID) <= 64
    }

    /// A RST that a third party sent in this connection before; nil for none.
    func claim(before number: Int, in flow: Connection) -> Int? {
        byFlow[flow]?.lazy.map { claims[$0].reset.number }.first { $0 < number }
    }

    /// The packet of a RST in another connection that is like this one; nil for none.
    func like(_ reset: SegmentNote, in flow: Connection) -> Int? {
        let next = claims.firstPlace { $0.reset.number < reset.number }
        // One row of identifications: those that are nearest in the capture tell.
        for place in max(0, next - 2)..<min(claims.count, next + 2) where claims[place].flow != flow {
            let known = claims[place].reset
            if known.window == reset.window, known.time.distance(from: reset.time) < 10_000_000_000,
                Self.isNextID(known, reset)
            {
                return known.number
            }
        }
        // A window of its own, and a TTL that is as far away.
        guard reset.window != 0 else { return nil }
        return claims.prefix(Self.compared).first {
            $0.flow != flow && $0.reset.window == reset.window
                && $0.reset.flags.contains(.ack) == reset.flags.contains(.ack)
                && max($0.reset.ttl, reset.ttl) - min($0.reset.ttl, reset.ttl) <= 3
        }?.reset.number
    }

    private static let compared = 64
}

extension ConnectionSide {
    /// The end may have sent that identification itself: it has just come there.
    func mayCountTo(_ id: UInt16) -> Bool {
        guard let lastID, lastID != 0 else { return false }
        return id &- lastID <= Self.usualIDStep
    }
}
