/// A time in which neither end of a connection sent anything.
struct Pause: Sendable, Equatable {
    /// The last packet before it.
    let after: Int
    /// The packet that ended it.
    let before: Int
    /// Nanoseconds.
    let length: UInt64

    /// What is shorter is what programs need to think, and is not worth a word.
    static let least: UInt64 = 1_000_000_000

    /// Nil for one that is not worth a word, and where the clock of the capture ran backwards: what it says then is no time.
    init?(from earlier: SegmentNote, to later: SegmentNote) {
        guard later.time > earlier.time else { return nil }
        length = later.time.distance(from: earlier.time)
        guard length >= Self.least else { return nil }
        after = earlier.number
        before = later.number
    }
}
