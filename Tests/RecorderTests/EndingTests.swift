import Testing

@testable import Recorder

@Suite struct TickRateTests {
    /// Readings of real kernels, CONFIG_HZ=250, and what others would read then.
    @Test(
        arguments: [
            (4_295_201_433, 1_236_803_370_717, 250), (4_295_202_580, 1_241_389_285_230, 250),
            (4_294_967_296 - 300_000 + 20_000, 20_100_000_000, 1000),
            (4_294_967_296 - 30_000 + 2_000, 20_200_000_000, 100),
            (4_294_967_296 + 8_640_000 * 3, 86_700_000_000_000, 300),
        ] as [(UInt64, UInt64, UInt64)])
    func oneReadingTellsTheRate(_ jiffies: UInt64, _ monotonic: UInt64, _ rate: UInt64) {
        #expect(TickRate.rate(jiffies: jiffies, monotonic: monotonic) == rate)
    }

    @Test(
        arguments: [
            // At 300 seconds all rates read the same; a reading that fits none; nonsense.
            (4_294_967_296, 300_000_000_000), (4_295_301_433, 1_236_803_370_717), (0, 0), (.max, .max), (0, .max),
        ] as [(UInt64, UInt64)])
    func whereItDoesNotTellNothingIsSaid(_ jiffies: UInt64, _ monotonic: UInt64) {
        #expect(TickRate.rate(jiffies: jiffies, monotonic: monotonic) == nil)
    }

    @Test func idleTimesAreInNanoseconds() {
        var ticks = TickRate()
        #expect(ticks.nanoseconds(75, at: 4_295_201_433, monotonic: 1_236_803_370_717) == 300_000_000)
        #expect(ticks.nanoseconds(.max, at: 4_295_201_433, monotonic: 1_236_803_370_717) == nil)
    }
}

@Suite struct EndingLossesTests {
    @Test func moreInAMinuteThanAreKeptWereForgotten() {
        var losses = EndingLosses(kept: 1000)
        for second in 0..<59 as Range<Int64> { losses.note(count: UInt64(second * 16), at: second * 1_000_000_000) }
        #expect(losses.lost == 0)
        losses.note(count: 1044, at: 59_000_000_000)
        #expect(losses.lost == 44)
        losses.note(count: 1050, at: 59_500_000_000)
        #expect(losses.lost == 50)
    }

    @Test func whatIsOlderThanAMinuteIsNotMissed() {
        var losses = EndingLosses(kept: 1000)
        for second in 0..<600 as Range<Int64> { losses.note(count: UInt64(second * 16), at: second * 1_000_000_000) }
        #expect(losses.lost == 0)
    }
}
