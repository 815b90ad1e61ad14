import KernelEvents
import NetworkTypes

/// The clocks of one host while it was recorded, as the samples of its recordings say: CLOCK_MONOTONIC, CLOCK_REALTIME, and
/// a steady one, which is CLOCK_REALTIME as it would be had nobody set it.
///
/// Between two samples the difference of the clocks is interpolated; where the wall clock was set in between, it is that of
/// the sample before up to the step, and that of the sample after from there on.
struct ClockModel: Sendable {
    private let samples: [ClockSample]
    /// In the order of time.
    private(set) var steps: [Step] = []
    /// How far CLOCK_REALTIME is ahead of the steady clock before the first step, after it, after the second ...
    private(set) var shifts: [Int64] = [0]

    /// The wall clock was set.
    struct Step: Sendable {
        /// The sample before; the one after it is next to it.
        let place: Int
        /// CLOCK_MONOTONIC of the samples before and after.
        let earliest: Int64
        let latest: Int64
        /// Nanoseconds.
        let size: Int64
        /// How much of it is time that the host was suspended.
        let suspended: Int64?
        /// CLOCK_MONOTONIC until which times are those of the old setting for certain, and from which on they are taken for
        /// those of the new one.
        var notBefore: Int64
        var time: Int64
        /// Whether the recorder did not see it happen.
        let isDerived: Bool
    }

    /// The maximum number of steps: no clock is set more often, but a file may claim it.
    static let mostSteps = 1024

    /// - Parameter recordings: of one host, from one of its boots to the next.
    /// - Returns: nil if they have no sample: then their events have no wall-clock time.
    init?(_ recordings: [Recording]) {
        var samples: [ClockSample] = []
        for recording in recordings {
            samples += recording.clocks
            if let header = recording.header, header.clock.realtime != 0 { samples.append(header.clock) }
        }
        guard !samples.isEmpty else { return nil }
        samples.sort { ($0.monotonic, $0.realtime) < ($1.monotonic, $1.realtime) }
        self.samples = samples
        findSteps(areMarked: recordings.allSatisfy { $0.header?.marksClockSteps == true })
    }

    init?(_ recording: Recording) { self.init([recording]) }

    // MARK: - Times

    /// Nanoseconds since 1970-01-01 UTC; saturates where hostile input would overflow.
    func realtime(_ monotonic: Int64) -> Int64 {
        let low = samples.firstPlace { $0.monotonic <= monotonic }
        let before = samples[max(low - 1, 0)]
        guard low > 0, low < samples.count else { return monotonic.saturatingAdd(before.offset) }
        let after = samples[low]
        if !steps.isEmpty {
            let next = steps.firstPlace { $0.place < low - 1 }
            if next < steps.count, steps[next].place == low - 1 {
                return monotonic.saturatingAdd(monotonic < steps[next].time ? before.offset : after.offset)
            }
        }
        let span = Double(after.monotonic) - Double(before.monotonic)
        guard span > 0 else { return monotonic.saturatingAdd(before.offset) }
        let share = (Double(monotonic) - Double(before.monotonic)) / span
        let drift = (Double(after.offset) - Double(before.offset)) * share
        guard drift.magnitude < 4e18 else { return monotonic.saturatingAdd(before.offset) }
        return monotonic.saturatingAdd(before.offset).saturatingAdd(Int64(drift))
    }

    /// The same by the steady clock: later events have later times, and they are as far apart as the events were.
    func steady(_ monotonic: Int64) -> Int64 {
        let realtime = realtime(monotonic)
        return steps.isEmpty ? realtime : realtime.saturatingSubtract(shifts[setting(at: monotonic)])
    }

    /// How often the clock had been set by then.
    func setting(at monotonic: Int64) -> Int { steps.firstPlace { $0.time <= monotonic } }

    /// When the clock may have been set that way, by the steady clock: the settings before and after it overlap where it is
    /// not known when the clock was set.
    func span(ofSetting setting: Int) -> ClosedRange<Int64> {
        let first = setting == 0 ? .min : steady(steps[setting - 1].earliest)
        let last = setting == steps.count ? .max : steady(steps[setting].latest)
        return first...max(first, last)
    }

    // MARK: - Steps

    private mutating func findSteps(areMarked: Bool) {
        for place in samples.indices.dropLast() where isStep(after: place, areMarked: areMarked) {
            let (before, after) = (samples[place], samples[place + 1])
            steps.append(
                Step(
                    place: place, earliest: before.monotonic, latest: after.monotonic,
                    size: after.offset.saturatingSubtract(before.offset), suspended: after.suspended,
                    notBefore: before.monotonic, time: after.monotonic, isDerived: after.step == nil))
            if steps.count == Self.mostSteps { break }
        }
        guard !steps.isEmpty else { return }
        shifts = steps.reduce(into: [0]) { $0.append($0[$0.count - 1].saturatingAdd($1.size)) }
        // The clocks of other hosts most likely agree with the setting that was in force longest.
        let starts = [samples[0].monotonic] + steps.map(\.latest)
        let ends = steps.map(\.latest) + [samples[samples.count - 1].monotonic]
        let lengths = starts.indices.map { ends[$0].distance(from: starts[$0]) }
        let reference = lengths.max().flatMap { lengths.firstIndex(of: $0) }.map { shifts[$0] } ?? 0
        shifts = shifts.map { $0.saturatingSubtract(reference) }
    }

    private func isStep(after place: Int, areMarked: Bool) -> Bool {
        let after = samples[place + 1]
        if areMarked { return differs(after: place, wasSet: after.step != nil) }
        guard differs(after: place, wasSet: true, tolerance: 1_000_000) else { return false }
        // Without a mark, a clock that deviates a little for seconds was not set, but slewed.
        let isFast = differs(after: place, wasSet: false)
        return after.step != nil || isFast || ![place - 1, place + 1].contains { isAlike(place, $0) }
    }

    /// Whether the sample at this place and the next differ by more than drift.
    private func differs(after place: Int, wasSet: Bool, tolerance: UInt64 = 0) -> Bool {
        let (before, after) = (samples[place], samples[place + 1])
        let difference = after.offset.distance(from: before.offset)
        return difference > tolerance && difference - tolerance > ClockStep.limit(before, after, wasSet: wasSet)
    }

    private func isAlike(_ place: Int, _ other: Int) -> Bool {
        guard other >= 0, other + 1 < samples.count, differs(after: other, wasSet: true, tolerance: 1_000_000),
            !differs(after: other, wasSet: false)
        else { return false }
        func isForward(_ place: Int) -> Bool { samples[place + 1].offset > samples[place].offset }
        return isForward(place) == isForward(other)
    }

    /// Narrows down when the clock was set, from events: before the second time, and not before the first.
    mutating func narrow(step: Int, notBefore: Int64?, before: Int64?) {
        let first = max(notBefore ?? .min, steps[step].earliest)
        let last = min(before ?? .max, steps[step].latest)
        // Clocks that are read at different moments may contradict each other.
        guard first < last else { return }
        steps[step].notBefore = first
        steps[step].time = last
    }
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
