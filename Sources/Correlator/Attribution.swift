/// Whom a RST is laid to, and which causes come into question: what many RSTs have in common word for word.
public struct Attribution: Sendable, Hashable {
    /// See `Reset`.
    public var candidates: [Cause] = []
    public var process: Reset.Process?
    public var owner: Reset.Process?
    public var location: Reset.Location?
    public init(candidates: [Cause] = []) { self.candidates = candidates }
}

/// Numbers for attributions, of which there are few.
struct AttributionTable: Sendable {
    private(set) var all: [Attribution] = []
    private var numbers: [Attribution: Int32] = [:]
    private var latest: Int32 = -1

    mutating func number(of attribution: Attribution) -> Int32 {
        // Neighbours are mostly alike, and to compare is faster than to hash.
        if latest >= 0, all[Int(latest)] == attribution { return latest }
        if let known = numbers[attribution] {
            latest = known
        } else {
            latest = Int32(truncatingIfNeeded: all.count)
            numbers[attribution] = latest
            all.append(attribution)
        }
        return latest
    }
}
