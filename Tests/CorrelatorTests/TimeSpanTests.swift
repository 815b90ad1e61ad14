import Testing

@testable import Correlator

@Suite struct TimeSpanTests {
    @Test(arguments: [
        (UInt64(0), "0 ns"), (999, "999 ns"), (1000, "1 µs"), (999_999, "999 µs"), (1_000_000, "1.0 ms"),
        (9_999_999, "9.9 ms"), (10_000_000, "10 ms"), (999_999_999, "999 ms"), (1_000_000_000, "1.0 s"),
        (59_990_000_000, "59.9 s"), (99_999_999_999, "99.9 s"), (100_000_000_000, "100 s"),
        (7_199_999_999_999, "7199 s"), (7_200_000_000_000, "2 h 0 min"), (.max, "5124095 h 34 min"),
    ])
    func isCutToWhatMatters(_ nanoseconds: UInt64, _ text: String) {
        #expect(TimeSpan(nanoseconds: nanoseconds).description == text)
    }
}
