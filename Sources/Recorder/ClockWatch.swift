import CLinux
import Glibc
import KernelEvents

/// Notices when CLOCK_REALTIME is set.
///
/// The kernel reports it at once (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET); how far it was set is the difference
/// between a sample before and one after.
struct ClockWatch {
    /// Becomes readable when the clock is set; -1 if this kernel does not tell.
    let descriptor: Int32
    /// The latest comparison of the clocks.
    private(set) var last: ClockSample
    /// CLOCK_BOOTTIME less CLOCK_MONOTONIC: how long the host was suspended, nanoseconds.
    private var asleep: Int64
    /// What is to be explained by the next look: that the clock was set, or that it goes another way.
    private var wasSet = false
    private var isSuspect = false
    private let read: () -> (sample: ClockSample, asleep: Int64, wasSet: Bool)

    init() {
        let descriptor = linux_watch_clock()
        self.init(descriptor: descriptor) {
            // Asked before the clocks are read: what is set in between is seen the next time.
            let wasSet = linux_clock_was_set(descriptor) > 0
            let asleep = clockNanoseconds(CLOCK_BOOTTIME) - clockNanoseconds(CLOCK_MONOTONIC)
            return (sampleClocks(), asleep, wasSet)
        }
    }

    /// - Parameter read: compares the clocks, and tells whether the kernel said that the clock was set.
    init(descriptor: Int32 = -1, read: @escaping () -> (sample: ClockSample, asleep: Int64, wasSet: Bool)) {
        self.descriptor = descriptor
        self.read = read
        let first = read()
        last = first.sample
        asleep = first.asleep
    }

    func close() { if descriptor >= 0 { Glibc.close(descriptor) } }

    /// Compares the clocks anew.
    ///
    /// - Returns: if the wall clock was set since the last look, the sample before that and the one after it, which is
    ///   marked.
    mutating func look() -> (before: ClockSample, after: ClockSample)? {
        let now = read()
        wasSet = wasSet || now.wasSet
        let difference = now.sample.offset - last.offset
        let limit = ClockStep.limit(last, now.sample, wasSet: wasSet)
        if difference.magnitude > limit {
            var after = now.sample
            after.step = difference
            // Two clocks are read one after the other.
            let slept = now.asleep - asleep
            if slept > 1_000_000 { after.suspended = slept }
            defer { accept(now.sample, asleep: now.asleep) }
            return (last, after)
        }
        // The kernel sets the clock first, and tells then.
        if !wasSet, !isSuspect, difference.magnitude > ClockStep.limit(last, now.sample, wasSet: true) {
            isSuspect = true
            return nil
        }
        let isNews = now.wasSet
        accept(now.sample, asleep: now.asleep)
        wasSet = isNews
        return nil
    }

    private mutating func accept(_ sample: ClockSample, asleep: Int64) {
        last = sample
        self.asleep = asleep
        wasSet = false
        isSuspect = false
    }
}
