import KernelEvents
import NetworkTypes
import Testing

@Suite struct HookSpanTests {
    /// Seconds.
    private func recording(clocks: [Double], events: [Double], hasEnd: Bool = true) -> Recording {
        var recording = Recording()
        var header = RecordingHeader()
        header.clock = ClockSample(monotonic: 10_000_000_000, realtime: 1, uncertainty: nil)
        recording.header = header
        recording.clocks = clocks.map { ClockSample(monotonic: Int64($0 * 1e9), realtime: 1, uncertainty: nil) }
        recording.events = events.map {
            ResetEvent(
                kind: .emit, hook: ResetEvent.emitHook, monotonic: Int64($0 * 1e9),
                tuple: FourTuple(
                    source: IPAddress(ipv4: 1), sourcePort: 1, destination: IPAddress(ipv4: 2), destinationPort: 2))
        }
        if hasEnd {
            recording.footer = RecordingFooter(
                monotonic: 20_000_000_000, events: events.count, lost: 0, captured: 0, kernelDropped: 0)
        }
        return recording
    }

    private func span(_ recording: Recording) -> [Double]? {
        recording.hookSpan.map { [Double($0.since) / 1e9, Double($0.until) / 1e9] }
    }

    @Test func whatARecorderSaysIsTaken() throws {
        var recording = recording(clocks: [11, 12], events: [9.5, 11.5])
        recording.header?.since = RecordingTimes(hooks: 9_000_000_000, capture: 9_500_000_000)
        recording.footer?.until = RecordingTimes(hooks: 13_000_000_000, capture: 12_500_000_000)
        #expect(span(recording) == [9, 13])
        #expect(recording.hookSpan?.isStated == true)
        // It was killed: until its last sign of life.
        recording.footer = nil
        #expect(span(recording) == [9, 12])
    }

    @Test func ofAnOlderRecorderItIsWhatTheFileShows() {
        // The last comparisons of the clocks come after the hooks are gone.
        #expect(span(recording(clocks: [11, 12, 12.4], events: [])) == [10, 11])
        #expect(span(recording(clocks: [11, 12.0001, 12.0004], events: [])) == [10, 11])
        #expect(span(recording(clocks: [10.3], events: [])) == [10, 10])
        #expect(span(recording(clocks: [11, 12, 12.4], events: [9.8, 12.2])) == [9.8, 12.2])
        #expect(span(recording(clocks: [11, 12], events: [], hasEnd: false)) == [10, 12])
        #expect(recording(clocks: [11], events: []).hookSpan?.isStated == false)
    }

    @Test func aFileWithoutTimesHasNone() {
        #expect(Recording().hookSpan == nil)
        var foreign = recording(clocks: [], events: [11])
        foreign.timebase = .traceClock
        #expect(foreign.hookSpan == nil)
    }
}
