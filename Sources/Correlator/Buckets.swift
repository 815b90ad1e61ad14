import NetworkTypes

/// Elements put together by their keys. A table of numbers, for millions of elements most of which may stand alone.
struct Buckets {
    /// Of each bucket, how many elements are in it; buckets are in the order of their first elements.
    private(set) var counts: [Int32] = []
    /// Of each bucket, its first element.
    private(set) var firsts: [Int32] = []
    /// Of each element, its bucket, or -1 without a key.
    private var bucketOf: [Int32]
    private static let secret = SecretHash()

    /// - Parameter key: of an element from 0 until `count`, or nil if it belongs into no bucket. It is asked for often, and
    ///   has to be at hand.
    init<Key: Bucketed>(_ count: Int, key: (Int) -> Key?) {
        bucketOf = [Int32](repeating: -1, count: count)
        var size = 16
        while size < count * 2 { size *= 2 }
        // A hash table with linear probing: buckets, or -1. At most half of it is taken.
        var slots = [Int32](repeating: -1, count: size)
        let secret = Self.secret
        for element in 0..<count {
            guard let wanted = key(element) else { continue }
            var slot = Int(truncatingIfNeeded: SecretHash.finish(wanted.hash(secret))) & (size - 1)
            while slots[slot] >= 0, key(Int(firsts[Int(slots[slot])])) != wanted { slot = (slot + 1) & (size - 1) }
            if slots[slot] < 0 {
                slots[slot] = Int32(counts.count)
                counts.append(0)
                firsts.append(Int32(element))
            }
            counts[Int(slots[slot])] += 1
            bucketOf[element] = slots[slot]
        }
    }

    /// How many different keys there are.
    var count: Int { counts.count }

    /// The elements bucket by bucket.
    func grouped() -> Grouped {
        // First where each bucket begins, in the end where it ends.
        var ends = [Int32](repeating: 0, count: counts.count)
        var sum: Int32 = 0
        for bucket in counts.indices {
            ends[bucket] = sum
            sum += counts[bucket]
        }
        var elements = [Int32](repeating: 0, count: Int(sum))
        for (element, bucket) in bucketOf.enumerated() where bucket >= 0 {
            elements[Int(ends[Int(bucket)])] = Int32(truncatingIfNeeded: element)
            ends[Int(bucket)] += 1
        }
        return Grouped(elements: elements, ends: ends)
    }

    /// The elements of each bucket in their order.
    struct Grouped {
        fileprivate let elements: [Int32]
        fileprivate let ends: [Int32]

        /// Of the buckets.
        var indices: Range<Int> { ends.indices }

        subscript(bucket: Int) -> ArraySlice<Int32> {
            elements[(bucket == 0 ? 0 : Int(ends[bucket - 1]))..<Int(ends[bucket])]
        }
    }
}

/// A key of `Buckets`.
protocol Bucketed: Equatable {
    func hash(_ secret: SecretHash) -> UInt64
}

extension IPAddress: Bucketed {
    func hash(_ secret: SecretHash) -> UInt64 { secret.of(self) }
}

extension FourTuple: Bucketed {
    func hash(_ secret: SecretHash) -> UInt64 { secret.of(self) }
}
