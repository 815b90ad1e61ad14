import NetworkTypes

/// Gives connections numbers as they appear, and numbers that are free again to later ones: for a capture that is read once,
/// where nobody knows which connections will have a RST.
struct ConnectionNumbers: Sendable {
    /// By number, in the direction of the first segment.
    private var tuples: [FourTuple] = []
    private var tags: [UInt32] = []
    /// What was known of an earlier connection with these ends was evicted.
    private var lacksPast: [Bool] = []
    /// Numbers to be given again.
    private var free: [Int32] = []
    /// A hash table with linear probing; at most half of it is taken.
    private var slots = [Slot](repeating: Slot(), count: 64)
    private var forgotten = ForgottenTags()

    private struct Slot {
        var tag: UInt32 = 0
        /// -1 for none.
        var number: Int32 = -1
    }

    /// - Parameter lacksAllPast: any connection may have had segments before.
    init(lacksAllPast: Bool = false) {
        if lacksAllPast { forgotten = .all }
    }

    /// How many connections there are.
    var count: Int { tuples.count - free.count }

    /// Numbers are below this.
    var limit: Int { tuples.count }

    func tuple(_ number: Int32) -> FourTuple { tuples[Int(number)] }

    /// Whether segments of the connection came before the first that it has: they were evicted.
    func lacksPast(_ number: Int32) -> Bool { lacksPast[Int(number)] }

    /// The number of a connection, and whether it has the other direction; nil if it has none.
    ///
    /// - Parameter tag: bits of a hash that both directions have in common.
    func number(of tuple: FourTuple, tag: UInt32) -> (number: Int32, isReversed: Bool)? {
        let number = slots[slot(of: tuple, tag)].number
        return number < 0 ? nil : (number, tuples[Int(number)] != tuple)
    }

    /// The number of a connection, which may be a new one.
    ///
    /// - Parameter begins: the segment opens a connection, so that nothing came before it.
    mutating func number(
        of tuple: FourTuple, tag: UInt32, begins: Bool
    ) -> (number: Int32, isReversed: Bool) {
        let slot = slot(of: tuple, tag)
        let known = slots[slot].number
        if known >= 0 { return (known, tuples[Int(known)] != tuple) }
        let lacksPast = !begins && forgotten.contains(tag)
        let number: Int32
        if let reused = free.popLast() {
            number = reused
            tuples[Int(number)] = tuple
            tags[Int(number)] = tag
            self.lacksPast[Int(number)] = lacksPast
        } else {
            number = Int32(truncatingIfNeeded: tuples.count)
            tuples.append(tuple)
            tags.append(tag)
            self.lacksPast.append(lacksPast)
        }
        slots[slot] = Slot(tag: tag, number: number)
        if count * 2 > slots.count { grow() }
        return (number, false)
    }

    /// Forgets a connection; its number will be that of another.
    mutating func remove(_ number: Int32) {
        let tag = tags[Int(number)]
        var hole = slot(of: tuples[Int(number)], tag)
        guard slots[hole].number == number else { return }
        forgotten.insert(tag)
        // Whoever stands behind the hole and was to stand at it or before it moves up.
        let mask = slots.count - 1
        var next = (hole + 1) & mask
        while slots[next].number >= 0 {
            let home = Int(slots[next].tag) & mask
            if (next - home) & mask >= (next - hole) & mask {
                slots[hole] = slots[next]
                hole = next
            }
            next = (next + 1) & mask
        }
        slots[hole] = Slot()
        free.append(number)
    }

    /// Asks for the memory that a search for the tag looks at first.
    func prefetchSlot(_ tag: UInt32) { slots.prefetch(Int(tag) & (slots.count - 1)) }

    /// Asks for the memory that it looks at then.
    func prefetchTuple(_ tag: UInt32) {
        let number = slots[Int(tag) & (slots.count - 1)].number
        if number >= 0 { tuples.prefetch(Int(number)) }
    }

    /// Where the connection is, or the free slot where it belongs.
    private func slot(of tuple: FourTuple, _ tag: UInt32) -> Int {
        let mask = slots.count - 1
        var slot = Int(tag) & mask
        while slots[slot].number >= 0 {
            if slots[slot].tag == tag {
                let other = tuples[Int(slots[slot].number)]
                if other == tuple || other == tuple.reversed { break }
            }
            slot = (slot + 1) & mask
        }
        return slot
    }

    private mutating func grow() {
        let old = slots
        slots = [Slot](repeating: Slot(), count: old.count * 2)
        let mask = slots.count - 1
        for entry in old where entry.number >= 0 {
            var slot = Int(entry.tag) & mask
            while slots[slot].number >= 0 { slot = (slot + 1) & mask }
            slots[slot] = entry
        }
    }
}

/// Tags of connections that were forgotten. It may take one for forgotten that is not, and never the other way round.
private struct ForgottenTags: Sendable {
    /// One bit a tag, made when the first is forgotten.
    private var bits: [UInt64] = []
    private static let count: UInt32 = 1 << 22
    /// All of them.
    private var isAll = false

    static let all: ForgottenTags = {
        var tags = ForgottenTags()
        tags.isAll = true
        return tags
    }()

    mutating func insert(_ tag: UInt32) {
        guard !isAll else { return }
        if bits.isEmpty { bits = [UInt64](repeating: 0, count: Int(Self.count / 64)) }
        let bit = tag % Self.count
        bits[Int(bit / 64)] |= 1 << UInt64(bit % 64)
    }

    func contains(_ tag: UInt32) -> Bool {
        guard !bits.isEmpty else { return isAll }
        let bit = tag % Self.count
        return bits[Int(bit / 64)] & 1 << UInt64(bit % 64) != 0
    }
}
