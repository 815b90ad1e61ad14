import NetworkTypes

/// Elements put together by their keys. A table of numbers, for millions of elements most of which may stand alone.
///
/// Keys fall into parts by their hashes, and each part is a table of its own: small enough for a processor's cache, and
/// all processors work at the same time. What comes of it depends on neither.
struct KeyGroups {
    /// Of each bucket, how many elements are in it; buckets are in the order of their first elements.
    private(set) var counts: [Int32] = []
    /// Of each bucket, its first element.
    private(set) var firsts: [Int32] = []
    /// Of each element, its bucket, or -1 without a key.
    private var bucketOf: [Int32]
    private static let secret = SecretHash()
    /// Fewer elements than in one of these are not worth a second processor.
    private static let elementsOfPart = 16_384
    private static let mostParts = 16

    /// - Parameter key: of an element from 0 until `count`, or nil if it belongs into no bucket. It is asked for often, and
    ///   has to be at hand.
    init<Key: GroupingKey>(_ count: Int, key: @Sendable (Int) -> Key?) {
        let secret = Self.secret
        let hashes = (0..<count).concurrentMap(inPiecesOf: Self.elementsOfPart) { element in
            key(element).map { PartialHash(SecretHash.finish($0.hash(secret))) } ?? .none
        }
        let parts = Parts(hashes, count: min(Self.mostParts, max(1, count / Self.elementsOfPart)))
        let equals = parts.indices.concurrentMap(inPiecesOf: 1) { Self.firstEquals(of: parts[$0], hashes, key) }
        bucketOf = [Int32](repeating: -1, count: count)
        var seen = [Int](repeating: 0, count: parts.count)
        for element in 0..<count where hashes[element] != .none {
            let part = hashes[element].part(of: parts.count)
            let first = equals[part][seen[part]]
            seen[part] += 1
            if first == element {
                bucketOf[element] = Int32(truncatingIfNeeded: counts.count)
                counts.append(1)
                firsts.append(first)
            } else {
                let bucket = bucketOf[Int(first)]
                bucketOf[element] = bucket
                counts[Int(bucket)] += 1
            }
        }
    }

    /// Of each element of a part, in order, the first one with the same key.
    private static func firstEquals<Key: GroupingKey>(
        of part: ArraySlice<Int32>, _ hashes: [PartialHash], _ key: (Int) -> Key?
    ) -> [Int32] {
        var equals: [Int32] = []
        equals.reserveCapacity(part.count)
        var size = 16
        while size < part.count * 2 { size *= 2 }
        // A hash table with linear probing: elements, or -1. At most half of it is taken.
        var slots = [Int32](repeating: -1, count: size)
        for element in part {
            let hash = hashes[Int(element)]
            var slot = hash.slot & (size - 1)
            // Keys are looked up, which may take a miss of the cache, only where hashes are equal.
            while slots[slot] >= 0, hashes[Int(slots[slot])] != hash || key(Int(slots[slot])) != key(Int(element)) {
                slot = (slot + 1) & (size - 1)
            }
            if slots[slot] < 0 { slots[slot] = element }
            equals.append(slots[slot])
        }
        return equals
    }

    /// The elements that have keys, part by part.
    private struct Parts {
        private let elements: [Int32]
        private let bounds: [Int]

        init(_ hashes: [PartialHash], count: Int) {
            var bounds = [Int](repeating: 0, count: count + 1)
            for hash in hashes where hash != .none { bounds[hash.part(of: count) + 1] += 1 }
            for part in 0..<count { bounds[part + 1] += bounds[part] }
            var ends = bounds
            var elements = [Int32](repeating: 0, count: bounds[count])
            for (element, hash) in hashes.enumerated() where hash != .none {
                let part = hash.part(of: count)
                elements[ends[part]] = Int32(truncatingIfNeeded: element)
                ends[part] += 1
            }
            self.elements = elements
            self.bounds = bounds
        }

        var count: Int { bounds.count - 1 }
        var indices: Range<Int> { 0..<count }

        subscript(part: Int) -> ArraySlice<Int32> { elements[bounds[part]..<bounds[part + 1]] }
    }

    /// As much of a hash as a table needs.
    struct PartialHash: Equatable {
        private let bits: UInt32

        private init(bits: UInt32) { self.bits = bits }

        init(_ hash: UInt64) { bits = max(1, UInt32(truncatingIfNeeded: hash)) }

        /// Of an element without a key.
        static let none = PartialHash(bits: 0)

        var slot: Int { Int(bits) }

        /// By the upper bits: the lower ones tell the place in the part's table.
        func part(of parts: Int) -> Int { Int(truncatingIfNeeded: (UInt64(bits) &* UInt64(parts)) >> 32) }
    }

    /// How many different keys there are.
    var count: Int { counts.count }

    /// The bucket of an element, or -1 without a key.
    func bucket(of element: Int) -> Int32 { bucketOf[element] }

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

/// A key of `KeyGroups`.
protocol GroupingKey: Equatable, Sendable {
    func hash(_ secret: SecretHash) -> UInt64
}

extension IPAddress: GroupingKey {
    func hash(_ secret: SecretHash) -> UInt64 { secret.of(self) }
}

extension FourTuple: GroupingKey {
    func hash(_ secret: SecretHash) -> UInt64 { secret.of(self) }
}
