import NetworkTypes

/// Elements put together by their keys. A table of numbers, for millions of elements most of which may stand alone.
struct Buckets {
    /// Of each bucket, how many elements are in it; buckets are in the order of their first elements.
    private(set) var counts: [Int32] = []
    /// Of each bucket, its first element.
    private(set) var firsts: [Int32] = []
    /// Of each element, its bucket, or -1 without a key.
    private var bucketOf: [Int32]
    /// Nobody who writes a capture knows it, and so nobody can make keys collide.
    private static let seed = UInt64.random(in: .min ... .max)

    /// - Parameter key: of an element from 0 until `count`, or nil if it belongs into no bucket.
    init<Key: Bucketed>(_ count: Int, key: (Int) -> Key?) {
        bucketOf = [Int32](repeating: -1, count: count)
        var size = 16
        while size < count * 2 { size *= 2 }
        // A hash table with linear probing: buckets, or -1. At most half of it is taken.
        var slots = [Int32](repeating: -1, count: size)
        for element in 0..<count {
            guard let wanted = key(element) else { continue }
            var slot = Int(truncatingIfNeeded: wanted.hash(seed: Self.seed)) & (size - 1)
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

    /// The elements of all buckets that have so many of them.
    func members(ofBucketsWithAtLeast least: Int) -> [[Int]] {
        var places = [Int32](repeating: -1, count: counts.count)
        var members: [[Int]] = []
        for element in bucketOf.indices {
            let bucket = Int(bucketOf[element])
            guard bucket >= 0, counts[bucket] >= least else { continue }
            if places[bucket] < 0 {
                places[bucket] = Int32(members.count)
                members.append([])
                members[members.count - 1].reserveCapacity(Int(counts[bucket]))
            }
            members[Int(places[bucket])].append(element)
        }
        return members
    }
}

/// A key of `Buckets`.
protocol Bucketed: Equatable {
    func hash(seed: UInt64) -> UInt64
}

extension IPAddress: Bucketed {
    func hash(seed: UInt64) -> UInt64 { mix(high ^ seed, low) }
}

extension FourTuple: Bucketed {
    func hash(seed: UInt64) -> UInt64 {
        mix(source.hash(seed: seed) ^ UInt64(sourcePort), destination.hash(seed: seed) ^ UInt64(destinationPort))
    }
}
