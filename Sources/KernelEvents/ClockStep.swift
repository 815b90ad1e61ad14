import NetworkTypes

/// How far two comparisons of the clocks may differ although the wall clock was not set.
public enum ClockStep {
    /// Nanoseconds.
    ///
    /// adjtimex(2) makes the clock at most 500 ppm faster or slower (MAXFREQ). chrony lets it run up to a twelfth faster or
    /// slower by way of `tick`, whose limits are a tenth (its `maxslewrate`; kernel/time/ntp.c).
    ///
    /// - Parameter wasSet: the clock was set in between, as is known from elsewhere, or whoever wrote the samples does not
    ///   tell.
    public static func limit(_ before: ClockSample, _ after: ClockSample, wasSet: Bool) -> UInt64 {
        let interval = UInt64(clamping: after.monotonic.subtractingReportingOverflow(before.monotonic).partialValue)
        return [before.uncertainty, after.uncertainty].reduce(interval / (wasSet ? 2000 : 10)) {
            $0.saturatingAdd(UInt64(clamping: $1 ?? 0))
        }.saturatingAdd(wasSet ? 0 : 1_000_000)
    }
}

extension ClockSample {
    /// CLOCK_REALTIME less CLOCK_MONOTONIC, or the nearest number that there is.
    public var offset: Int64 {
        let (difference, overflow) = realtime.subtractingReportingOverflow(monotonic)
        return overflow ? (monotonic < 0 ? .max : .min) : difference
    }
}
