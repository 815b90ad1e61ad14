import Recorder
import Testing

/// At most once in the time that a flight recorder covers, and nothing is forgotten.
struct TriggerPaceTests {
    /// At which of the seconds something is kept, of those at which it is looked; something is asked for before some of them.
    private static func kept(span: Int64, looks: [Double], asked: Set<Double>) -> [Double] {
        var pace = TriggerPace(span: span * 1_000_000_000)
        return looks.filter { time in
            if asked.contains(time) { pace.note() }
            return pace.isDue(Int64(time * 1e9))
        }
    }

    @Test func theFirstIsKeptAtOnce() {
        #expect(Self.kept(span: 600, looks: [1, 5, 6, 700], asked: [5]) == [5])
        #expect(Self.kept(span: 600, looks: [1, 5, 6, 700], asked: []).isEmpty)
    }

    /// The next are kept before the oldest of what was asked for is too old, together.
    @Test func theNextWait() {
        #expect(Self.kept(span: 600, looks: [0, 1, 2, 300, 530, 590, 2000], asked: [0, 1, 2, 300]) == [0, 590])
        #expect(Self.kept(span: 600, looks: [0, 1, 1000, 1001], asked: [0, 1000]) == [0, 1000])
    }

    @Test func aShortTimeHasRoomForKeeping() {
        #expect(Self.kept(span: 2, looks: [0, 0.4, 0.5, 0.6], asked: [0, 0.4]) == [0, 0.5])
        #expect(Self.kept(span: 1, looks: [0, 0.1], asked: [0, 0.1]) == [0, 0.1])
    }

    @Test func whatWaitsIsKnown() {
        var pace = TriggerPace(span: 1_000_000_000_000)
        #expect(!pace.isWaiting)
        pace.note()
        #expect(pace.isWaiting)
        _ = pace.isDue(0)
        #expect(!pace.isWaiting)
        pace.note()
        _ = pace.isDue(1)
        #expect(pace.isWaiting)
    }
}
