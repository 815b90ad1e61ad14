import KernelEvents

/// The wall clock of a host was set while it was recorded.
public struct ClockSetting: Sendable, Equatable {
    /// The recording that shows it.
    public var file: String
    /// What the clock showed when it was set, and what it was set to: nanoseconds since 1970-01-01 UTC.
    public var before: Int64
    public var after: Int64
    /// How far it was set, nanoseconds; negative if back.
    public var size: Int64
    /// How much of it is time that the host was suspended, nanoseconds.
    public var suspended: Int64?
    /// How precisely the time of the setting is known, nanoseconds.
    public var uncertainty: Int64
    /// Whether it was not observed, but derived from two comparisons of the clocks.
    public var isDerived: Bool
    /// Whether the clock may instead have been slewed for a while.
    public var mayBeSlewed: Bool

    /// What happened, without when: a clause.
    public var summary: String {
        // Rounded to what was probably intended: the time between two readings is not known to the millisecond.
        let rounded = size.magnitude < 10_000_000 ? size.magnitude : (size.magnitude + 500_000) / 1_000_000 * 1_000_000
        let span = TimeSpan(nanoseconds: rounded)
        if let suspended, suspended.distance(from: size) <= max(size.magnitude / 100, 10_000_000) {
            return "the host was suspended for \(span), and its clock was set forward"
        }
        let how = mayBeSlewed ? "was set or slewed" : "was set"
        return "the clock \(how) \(size < 0 ? "back" : "forward") by \(span)"
    }
}

extension HostClocks {
    /// Each setting once, in the order of the recordings.
    func settings(_ recordings: [EventInput]) -> [ClockSetting] {
        var seen: Set<[Int64]> = []
        var settings: [ClockSetting] = []
        for (input, model) in zip(recordings, models) {
            guard let model else { continue }
            let times = (input.recording.clocks + [input.recording.header?.clock].compactMap(\.self)).map(\.monotonic)
            guard let first = times.min(), let last = times.max() else { continue }
            for step in model.steps {
                // If a host was recorded twice at once, only by the recording that covers the step.
                guard first <= step.earliest, last >= step.latest, seen.insert([step.earliest, step.latest]).inserted
                else {
                    continue
                }
                let after = model.realtime(step.time)
                settings.append(
                    ClockSetting(
                        file: input.file, before: after.saturatingSubtract(step.size), after: after, size: step.size,
                        suspended: step.suspended, uncertainty: step.time.saturatingSubtract(step.notBefore),
                        isDerived: step.isDerived,
                        mayBeSlewed: step.isDerived
                            && step.size.magnitude <= step.latest.distance(from: step.earliest) / 10))
            }
        }
        return settings
    }
}
