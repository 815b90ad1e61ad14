package import Glibc
import KernelEvents

/// A clock's reading in nanoseconds.
package func clockNanoseconds(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

/// Reads both clocks as close together as this machine allows: realtime between two readings of monotonic, the best of
/// some tries.
func sampleClocks() -> ClockSample {
    var best: ClockSample?
    for _ in 0..<16 {
        let before = clockNanoseconds(CLOCK_MONOTONIC)
        let realtime = clockNanoseconds(CLOCK_REALTIME)
        let after = clockNanoseconds(CLOCK_MONOTONIC)
        let half = (after - before) / 2
        if half < best?.uncertainty ?? .max {
            best = ClockSample(monotonic: before + half, realtime: realtime, uncertainty: half)
        }
    }
    return best!
}

/// RFC 3339 in UTC with nanoseconds.
func timestamp(realtime: Int64) -> String {
    var seconds = time_t(realtime / 1_000_000_000)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    func pad(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
    let date = [pad(Int(parts.tm_year) + 1900, 4), pad(Int(parts.tm_mon) + 1, 2), pad(Int(parts.tm_mday), 2)]
    let clock = [pad(Int(parts.tm_hour), 2), pad(Int(parts.tm_min), 2), pad(Int(parts.tm_sec), 2)]
    return date.joined(separator: "-") + "T" + clock.joined(separator: ":") + "."
        + pad(Int(realtime % 1_000_000_000), 9) + "Z"
}
