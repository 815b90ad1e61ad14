/// How many ends of connections the hooks had to forget while a time-wait socket may still have needed them.
///
/// A table that evicts its oldest entries does not count them: what came within the last minute beyond its size was
/// evicted.
struct EndingLosses {
    private(set) var lost: UInt64 = 0
    private let kept: UInt64
    /// The first is older than a minute, or the very first.
    private var samples: [(time: Int64, count: UInt64)] = [(.min, 0)]

    /// As long as TIME_WAIT lasts (`TCP_TIMEWAIT_LEN`), nanoseconds.
    private static let lifetime: Int64 = 60_000_000_000

    init(kept: UInt64) { self.kept = kept }

    /// - Parameters:
    ///   - count: ends that were remembered since the start; it grows.
    ///   - now: CLOCK_MONOTONIC, nanoseconds; called about once a second.
    mutating func note(count: UInt64, at now: Int64) {
        while samples.count > 1, samples[1].time <= now - Self.lifetime { samples.removeFirst() }
        let recent = count - min(count, samples[0].count)
        let new = count - min(count, samples[samples.count - 1].count)
        if recent > kept { lost += min(new, recent - kept) }
        samples.append((now, count))
    }
}
