import KernelEvents
import NetworkTypes

/// Translates CLOCK_MONOTONIC of a recording into CLOCK_REALTIME, as its samples say.
///
/// Between two samples the difference of the clocks is interpolated; a step of the realtime clock between them is
/// therefore spread over the interval, which resampling keeps short.
struct ClockModel {
    private let samples: [ClockSample]

    /// Nil if the recording has no sample: then its events have no wall-clock time.
    init?(_ recording: Recording) {
        var samples = recording.clocks
        if let header = recording.header, header.clock.realtime != 0 { samples.append(header.clock) }
        guard !samples.isEmpty else { return nil }
        samples.sort { ($0.monotonic, $0.realtime) < ($1.monotonic, $1.realtime) }
        self.samples = samples
    }

    /// Nanoseconds since 1970-01-01 UTC; saturates where hostile input would overflow.
    func realtime(_ monotonic: Int64) -> Int64 {
        let low = samples.firstPlace { $0.monotonic <= monotonic }
        let before = samples[max(low - 1, 0)]
        let offset = Self.offset(before)
        guard low > 0, low < samples.count else { return monotonic.saturatingAdd(offset) }
        let after = samples[low]
        let span = Double(after.monotonic) - Double(before.monotonic)
        guard span > 0 else { return monotonic.saturatingAdd(offset) }
        let share = (Double(monotonic) - Double(before.monotonic)) / span
        let drift = (Double(Self.offset(after)) - Double(offset)) * share
        guard drift.magnitude < 4e18 else { return monotonic.saturatingAdd(offset) }
        return monotonic.saturatingAdd(offset).saturatingAdd(Int64(drift))
    }

    private static func offset(_ sample: ClockSample) -> Int64 { sample.realtime.saturatingSubtract(sample.monotonic) }
}

extension Int64 {
    func saturatingSubtract(_ other: Int64) -> Int64 {
        let (difference, overflow) = subtractingReportingOverflow(other)
        return overflow ? (other < 0 ? .max : .min) : difference
    }

    /// How far apart two times are, whatever their order.
    func distance(from other: Int64) -> UInt64 {
        self > other
            ? UInt64(bitPattern: self &- other) : UInt64(bitPattern: other &- self)
    }
}
