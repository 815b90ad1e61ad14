import KernelEvents
import Testing

@testable import Recorder

/// A recorder's view of clocks that a test sets.
@Suite struct ClockWatchTests {
    private final class Clocks {
        /// Seconds, and nanoseconds.
        var monotonic: Int64 = 0
        var offset: Int64 = 1_700_000_000_000_000_000
        var asleep: Int64 = 0
        var wasSet = false

        func watch() -> Watched {
            Watched(
                ClockWatch { [self] in
                    defer { wasSet = false }
                    let sample = ClockSample(monotonic: monotonic, realtime: monotonic + offset, uncertainty: 30)
                    return (sample, asleep, wasSet)
                })
        }

        func pass(milliseconds: Int64) { monotonic += milliseconds * 1_000_000 }
    }

    private final class Watched {
        private var watch: ClockWatch
        init(_ watch: ClockWatch) { self.watch = watch }
        func look() -> (before: ClockSample, after: ClockSample)? { watch.look() }
    }

    @Test(arguments: [3_600_000_000_000, -3_600_000_000_000, 1_000_000, -1_000_000, 100_000])
    func aStepIsSeenWithItsSize(_ size: Int64) throws {
        let clocks = Clocks()
        let watch = clocks.watch()
        clocks.pass(milliseconds: 100)
        #expect(watch.look() == nil)
        clocks.pass(milliseconds: 100)
        clocks.offset += size
        clocks.wasSet = true
        let step = try #require(watch.look())
        #expect(step.before.monotonic == 100_000_000 && step.before.step == nil)
        #expect(step.after.monotonic == 200_000_000 && step.after.step == size && step.after.suspended == nil)
        clocks.pass(milliseconds: 100)
        #expect(watch.look() == nil)
    }

    /// The kernel tells a moment after it has set the clock, or the other way round.
    @Test(arguments: [true, false])
    func theNewsMayComeApartFromTheStep(_ isNewsFirst: Bool) throws {
        let clocks = Clocks()
        let watch = clocks.watch()
        clocks.pass(milliseconds: 100)
        if isNewsFirst { clocks.wasSet = true } else { clocks.offset += 5_000_000 }
        #expect(watch.look() == nil)
        clocks.pass(milliseconds: 1)
        if isNewsFirst { clocks.offset += 5_000_000 } else { clocks.wasSet = true }
        let step = try #require(watch.look())
        #expect(step.after.step == 5_000_000)
        clocks.pass(milliseconds: 100)
        #expect(watch.look() == nil)
    }

    @Test func aClockThatIsMadeToRunFasterIsNotSet() {
        let clocks = Clocks()
        let watch = clocks.watch()
        for _ in 0..<50 {
            clocks.pass(milliseconds: 100)
            clocks.offset += 8_000_000
            #expect(watch.look() == nil)
        }
    }

    /// Without a word of the kernel, what no slew explains.
    @Test func aLargeStepNeedsNoNews() throws {
        let clocks = Clocks()
        let watch = clocks.watch()
        clocks.pass(milliseconds: 100)
        clocks.offset -= 60_000_000_000
        #expect(try #require(watch.look()).after.step == -60_000_000_000)
    }

    @Test func aSleepIsToldFromASetting() throws {
        let clocks = Clocks()
        let watch = clocks.watch()
        clocks.offset += 7_200_000_000_000
        clocks.asleep += 7_200_000_000_000
        clocks.wasSet = true
        #expect(try #require(watch.look()).after.suspended == 7_200_000_000_000)
    }
}
