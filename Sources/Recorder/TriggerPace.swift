/// When a flight recorder that was asked for keeps what it has: at most once in the time that it covers, so that nothing is kept
/// twice and nothing that was asked for is let go of.
public struct TriggerPace: Sendable {
    /// Nanoseconds that the recorder keeps.
    public let span: Int64
    /// Something was asked for and is not kept yet.
    public private(set) var isWaiting = false
    private var last: Int64?

    /// Nanoseconds that keeping it may take.
    private static let leeway: Int64 = 1_500_000_000

    public init(span: Int64) { self.span = span }

    public mutating func note() { isWaiting = true }

    /// Whether it is time to keep what there is, which is then assumed to be done.
    ///
    /// - Parameter now: CLOCK_MONOTONIC, nanoseconds.
    public mutating func isDue(_ now: Int64) -> Bool {
        // A little before the oldest of it is let go of.
        guard isWaiting, last.map({ now - $0 >= span - max(span / 10, Self.leeway) }) ?? true else { return false }
        isWaiting = false
        last = now
        return true
    }
}
