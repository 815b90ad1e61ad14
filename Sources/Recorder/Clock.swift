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
