import KernelEvents
import NetworkTypes
import PcapReader
import Testing

@testable import Correlator

/// A host whose wall clock is set, with times in milliseconds by its monotonic clock.
private struct Host {
    /// When the clock was set, and by how much.
    var steps: [(at: Double, by: Double)] = []
    /// When the clocks were compared, besides once a second.
    var samples: [Double] = []
    /// Whether the recorder marks steps.
    var isMarking = false
    private(set) var packets: [CapturedSegment] = []
    private(set) var recording = Recording()
    private static let epoch: Int64 = 1_700_000_000_000_000_000

    init(steps: [(Double, Double)], isMarking: Bool = false) {
        self.steps = steps.map { (at: $0.0, by: $0.1) }
        self.isMarking = isMarking
        recording.stacks = [1: ["ip_output", "tcp_v4_send_reset", "tcp_v4_rcv", "handle_softirqs"]]
    }

    func wall(_ time: Double) -> Int64 {
        let set = steps.filter { $0.at <= time }.reduce(0) { $0 + $1.by }
        return Self.epoch + Int64(((time + set) * 1e6).rounded())
    }

    private func sample(_ time: Double) -> ClockSample {
        ClockSample(monotonic: Int64((time * 1e6).rounded()), realtime: wall(time), uncertainty: 30)
    }

    static func tuple(_ number: Int) -> FourTuple {
        FourTuple(
            source: IPAddress(ipv4: 0x0a00_0001), sourcePort: 80, destination: IPAddress(ipv4: 0x0a00_0002),
            destinationPort: UInt16(20_000 + number))
    }

    /// A RST that is sent, and captured on an interface.
    mutating func send(at time: Double, _ number: Int, isCaptured: Bool = true, isSeen: Bool = true) {
        if isSeen {
            var event = ResetEvent(
                kind: .emit, hook: ResetEvent.emitHook, monotonic: Int64((time * 1e6).rounded()),
                tuple: Self.tuple(number))
            event.seq = 7
            event.ack = 0
            event.flags = .rst
            event.ipID = 0
            event.ifindex = 1
            event.stack = 1
            recording.events.append(event)
        }
        guard isCaptured else { return }
        var segment = TCPSegment(tuple: Self.tuple(number))
        segment.flags = .rst
        segment.seq = 7
        packets.append(
            CapturedSegment(
                segment: segment, number: packets.count + 1, offset: 0, time: wall(time + 0.02), interface: 0))
    }

    /// - Parameter until: when the recording ends.
    func input(until end: Double) -> (CaptureInput, EventInput) {
        var recording = recording
        var header = RecordingHeader()
        header.clock = sample(0)
        header.bootID = "5e7d"
        header.marksClockSteps = isMarking
        recording.header = header
        var times = Array(stride(from: 1000.0, through: end, by: 1000)) + samples
        for step in steps where isMarking { times += [step.at - 3, step.at + 1] }
        recording.clocks = times.sorted().map { time in
            var sample = sample(time)
            if isMarking, let step = steps.first(where: { $0.at + 1 == time }) { sample.step = Int64(step.by * 1e6) }
            return sample
        }
        return (
            CaptureInput(file: "c", packets: packets.count, interfaces: ["a"], resets: packets),
            EventInput(file: "e", recording: recording)
        )
    }

    func report(until end: Double) -> Report {
        let (capture, events) = input(until: end)
        return correlate(captures: [capture], recordings: [events])
    }
}

@Suite struct ClockSettingTests {
    /// RSTs before a step, between it and the next comparison of the clocks, and after that.
    private static let times: [Double] = [10, 20, 480, 499, 501, 530, 900, 1010, 1500, 1990, 2010, 2200, 2900]

    private func check(_ steps: [(Double, Double)], isMarking: Bool) {
        var host = Host(steps: steps, isMarking: isMarking)
        for (number, time) in Self.times.enumerated() { host.send(at: time, number) }
        let report = host.report(until: 3000)
        #expect(report.resets.count == Self.times.count)
        #expect(report.resets.allSatisfy { $0.outcome == .matched })
        // In the order in which they were sent, each with the time that the clock showed.
        #expect(report.resets.map(\.tuple) == Self.times.indices.map(Host.tuple))
        for (reset, time) in zip(report.resets, Self.times) {
            #expect(reset.time == host.wall(time + 0.02))
            #expect(reset.match?.delta.magnitude ?? .max < 100_000, "\(reset.match?.delta ?? 0)")
        }
        #expect(report.clockSettings.map(\.size) == steps.map { Int64($0.1 * 1e6) })
    }

    @Test(arguments: [3_600_000, -3_600_000, 86_400_000, 1500, -1500, 700, -700, 30, -30, 0.9 * 1000], [false, true])
    func oneStepIsFound(_ size: Double, _ isMarking: Bool) { check([(500, size)], isMarking: isMarking) }

    @Test(arguments: [false, true])
    func severalStepsAreFound(_ isMarking: Bool) {
        check([(500, 3_600_000), (2000, -3_600_000)], isMarking: isMarking)
        check([(500, -3_600_000), (2000, 3_600_000)], isMarking: isMarking)
        check([(500, 250), (1200, 250), (2100, -900)], isMarking: isMarking)
    }

    /// Equal RSTs, as a SYN that is sent again brings them: with the clock wrong each looks like its neighbour.
    @Test(arguments: [1000.0, -1000, 2000, -2000], [false, true])
    func equalResetsAreToldApart(_ size: Double, _ isMarking: Bool) {
        var host = Host(steps: [(1500, size)], isMarking: isMarking)
        // The others have no equals.
        let times: [(Double, Int)] = [
            (50, 2), (100, 1), (1100, 1), (1450, 3), (1520, 4), (2100, 1), (3100, 1), (4000, 5), (4100, 1),
        ]
        for (time, number) in times { host.send(at: time, number) }
        let (capture, events) = host.input(until: 5000)
        let report = correlate(captures: [capture], recordings: [events])
        #expect(report.resets.count == 9)
        #expect(report.resets.allSatisfy { $0.outcome == .matched && $0.match?.delta.magnitude ?? .max < 100_000 })
    }

    /// What only the kernel reports has the time that the clock showed, as far as others show when it was set.
    @Test func eventsAloneHaveTheTimeOfTheirSetting() {
        var host = Host(steps: [(500, 3_600_000)])
        host.send(at: 490, 1)
        host.send(at: 495, 2, isCaptured: false)
        host.send(at: 505, 3)
        host.send(at: 510, 4, isCaptured: false)
        let report = host.report(until: 2000)
        #expect(report.resets.map(\.outcome) == [.matched, .kernelOnly, .matched, .kernelOnly])
        #expect(report.resets[3].time == host.wall(510))
        #expect(report.resets[1].time == host.wall(495))
        #expect(report.clockSettings.first?.uncertainty == 15_000_000)
    }

    /// Drift, and a clock that chrony makes run faster for seconds, are no steps where nobody says so.
    @Test func aClockThatRunsFasterIsNotSet() throws {
        var recording = Recording()
        recording.clocks = (0...10).map { second in
            let wall = 1_700_000_000_000_000_000 + Int64(second) * 1_083_000_000
            return ClockSample(monotonic: Int64(second) * 1_000_000_000, realtime: wall, uncertainty: 30)
        }
        #expect(try #require(ClockModel(recording)).steps.isEmpty)
        // A recorder that marks steps saw none.
        var header = RecordingHeader()
        header.clock = recording.clocks[0]
        header.marksClockSteps = true
        recording.header = header
        recording.clocks = [recording.clocks[0], recording.clocks[1]]
        #expect(try #require(ClockModel(recording)).steps.isEmpty)
    }

    /// A capture from another host, whose clock nobody set, and which agrees with the clock as it was for a short time only.
    @Test(arguments: [false, true])
    func aCaptureOfAnotherHostIsMatched(_ isRightLater: Bool) {
        let steps = isRightLater ? [(500.0, 3_600_000.0)] : [(2500.0, 3_600_000.0)]
        var host = Host(steps: steps)
        var other = Host(steps: isRightLater ? [(-1, 3_600_000)] : [])
        for (number, time) in Self.times.enumerated() {
            host.send(at: time, number, isCaptured: false)
            other.send(at: time, number)
        }
        let report = correlate(
            captures: [other.input(until: 3000).0], recordings: [host.input(until: 3000).1])
        #expect(report.resets.count == Self.times.count)
        #expect(report.resets.allSatisfy { $0.outcome == .matched })
    }

    /// Two recorders on one host, and a step that both saw: each RST is one entry.
    @Test func twoRecordingsOfOneHostShareItsClock() {
        var host = Host(steps: [(500, 3_600_000)], isMarking: true)
        for (number, time) in Self.times.enumerated() { host.send(at: time, number) }
        let (capture, events) = host.input(until: 3000)
        var later = events
        later.file = "f"
        later.recording.clocks.removeAll { $0.monotonic < 600_000_000 }
        later.recording.header?.clock = later.recording.clocks[0]
        later.recording.events.removeAll { $0.monotonic < 600_000_000 }
        let report = correlate(captures: [capture], recordings: [later, events])
        #expect(report.resets.count == Self.times.count)
        #expect(report.resets.allSatisfy { $0.outcome == .matched })
        #expect(report.clockSettings.map(\.file) == ["e"])
    }

    @Test func aSleepIsSaidToBeOne() {
        var setting = ClockSetting(
            file: "e", before: 0, after: 3_600_000_000_000, size: 3_600_000_000_000, suspended: 3_599_999_000_000,
            uncertainty: 0, isDerived: false, mayBeSlewed: false)
        #expect(setting.summary.contains("suspended for 3600 s"))
        setting.suspended = 1_000_000_000
        #expect(setting.summary == "the clock was set forward by 3600 s")
        setting.size = -3_599_999_990_000
        setting.suspended = nil
        #expect(setting.summary == "the clock was set back by 3600 s")
    }

    /// A file may claim any number of steps.
    @Test func manyStepsEnd() {
        var host = Host(steps: [])
        for number in 0..<2000 { host.send(at: Double(number), number) }
        var (capture, events) = host.input(until: 1)
        events.recording.clocks = (0..<100_000).map { index in
            ClockSample(
                monotonic: Int64(index) * 1000, realtime: index % 2 == 0 ? 0 : 1 << 61, uncertainty: nil)
        }
        events.recording.header?.clock = ClockSample(monotonic: 0, realtime: 1, uncertainty: nil)
        capture.file = "d"
        let report = correlate(captures: [capture], recordings: [events])
        #expect(report.resets.count >= 2000)
        #expect(report.clockSettings.count <= ClockModel.mostSteps)
    }

    /// The silence before a RST is not an hour because the clock was set meanwhile.
    @Test func otherPacketsHaveSteadyTimesToo() throws {
        var host = Host(steps: [(500, 3_600_000), (2000, -3_600_000)])
        for (number, time) in [10.0, 700, 2600].enumerated() { host.send(at: time, number) }
        let (capture, events) = host.input(until: 3000)
        let model = try #require(HostClocks([capture], [events]).models[0])
        var spaced = capture
        for index in spaced.resets.indices { spaced.resets[index].number = 10 * (index + 1) }
        let spacedClock = try #require(HostClocks([spaced], [events]).packets[0])
        for (number, time) in [(5, 5.0), (15, 300), (15, 600), (25, 1800), (25, 2300), (35, 2700)] {
            #expect(
                spacedClock.steady(host.wall(time), ofPacket: number) == model.steady(Int64(time * 1e6)),
                "packet \(number) at \(time)")
        }
    }
}
