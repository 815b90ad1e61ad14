/// How far two comparisons of the clocks may differ although nobody set the wall clock.
public enum ClockStep {
    /// Nanoseconds.
    ///
    /// adjtimex(2) makes the clock at most 500 ppm faster or slower (MAXFREQ). chrony lets it run up to a twelfth faster or
    /// slower by way of `tick`, whose limits are a tenth (its `maxslewrate`; kernel/time/ntp.c).
    ///
    /// - Parameter wasSet: the clock was set in between, as is known from elsewhere, or whoever wrote the samples does not
    ///   tell.
    public static func limit(_ before: ClockSample, _ after: ClockSample, wasSet: Bool) -> UInt64 {
        let interval = UInt64(clamping: after.monotonic &- before.monotonic)
        let uncertainty = UInt64(clamping: before.uncertainty ?? 0) + UInt64(clamping: after.uncertainty ?? 0)
        return interval / (wasSet ? 2000 : 10) + uncertainty + (wasSet ? 0 : 1_000_000)
    }
}

extension ClockSample {
    /// CLOCK_REALTIME less CLOCK_MONOTONIC. Both are 0 to 2^62 - 1 in a file.
    public var offset: Int64 { realtime &- monotonic }
}
