/// To whom a RST is attributed, and its candidate causes: values that many RSTs share word for word.
public struct Attribution: Sendable, Hashable {
    /// See `Reset`.
    public var candidates: [Cause] = []
    public var process: Reset.Process?
    public var owner: Reset.Process?
    public var location: Reset.Location?
    /// Who received it, where that was recorded.
    public var receiver: Reset.Process?
    /// It had no effect there.
    public var isIgnored = false
    /// Nil if there is only the catalogue's advice for the cause.
    public var advice: Advice?
    public init(candidates: [Cause] = []) { self.candidates = candidates }
}

/// Numbers for attributions, of which there are few.
struct AttributionTable: Sendable {
    private(set) var all: [Attribution] = []
    private var numbers: [Attribution: Int32] = [:]
    /// A recent one with the same few bits, or -1: comparing with it is faster than hashing all words.
    private var recent = [Int32](repeating: -1, count: Attribution.slots)

    mutating func number(of attribution: Attribution) -> Int32 {
        let slot = attribution.slot
        let guess = recent[slot]
        if guess >= 0, all[Int(guess)] == attribution { return guess }
        let number: Int32
        if let known = numbers[attribution] {
            number = known
        } else {
            number = Int32(truncatingIfNeeded: all.count)
            numbers[attribution] = number
            all.append(attribution)
        }
        recent[slot] = number
        return number
    }
}

extension Attribution {
    /// A power of two.
    fileprivate static let slots = 1024

    /// From values that are quick to hash; the words are mostly the same for one process.
    fileprivate var slot: Int {
        let role: UInt32 =
            switch process?.role {
            case .owner: 1
            case .killer: 2
            case .closer: 3
            case .some(.none): 4
            case nil: 0
            }
        let pids =
            UInt32(bitPattern: process?.pid ?? 0) &* 8191 &+ UInt32(bitPattern: owner?.pid ?? 0)
            &+ UInt32(bitPattern: receiver?.pid ?? 0) &* 131
        let rest = (location?.netns ?? 0) &* 8 &+ role &+ UInt32(truncatingIfNeeded: candidates.count)
        // Fibonacci hashing (Knuth, 6.4): the upper bits are spread.
        return Int(((pids &* 31 &+ rest) &* 0x9e37_79b9) >> 22)
    }
}
