import NetworkTypes

extension Recording {
    /// Files of one series as one recording: what began in one file and went on in the next belongs together.
    ///
    /// Lines are numbered as if the files had been joined in their order.
    ///
    /// - Parameter parts: at least one, each of which follows the one before (`RecordingHeader.Series.follows`).
    public static func joined(_ parts: consuming [Recording]) -> Recording {
        var whole = parts.removeFirst()
        for part in parts { whole.append(part) }
        return whole
    }

    private mutating func append(_ part: consuming Recording) {
        var part = part
        part.moveLines(by: lines)
        lines = part.lines
        // The recorder gives a number to one stack of a series only; files that say otherwise were changed.
        for (id, frames) in part.stacks where stacks[id] == nil { stacks[id] = frames }
        events += part.events
        failures += part.failures
        for (pid, records) in part.processes { processes[pid, default: []] += records }
        add(containers: part.containers)
        if let clock = part.header?.clock, clock.monotonic > clocks.last?.monotonic ?? .min { clocks.append(clock) }
        clocks += part.clocks
        losses += part.losses
        interfaceChanges += part.interfaceChanges
        for ruleset in part.rulesets where !rulesets.contains(ruleset) { rulesets.append(ruleset) }
        ignoredLines = ignoredLines.saturatingAdd(part.ignoredLines)
        damagedLines = damagedLines.saturatingAdd(part.damagedLines)
        damage += part.damage.prefix(RecordingDecoder.namedDamage - damage.count)
        footer = Self.joined(footer, part.footer)
    }

    /// Numbers the lines on from those of a file before this one.
    public mutating func moveLines(by offset: Int) {
        for place in events.indices { events[place].line &+= offset }
        for place in failures.indices { failures[place].line &+= offset }
        for pid in processes.keys {
            for place in processes[pid, default: []].indices { processes[pid, default: []][place].line &+= offset }
        }
        for place in damage.indices { damage[place].line &+= offset }
        lines &+= offset
    }

    /// Nil if the last file has none: the recorder did not live to write it.
    private static func joined(_ one: RecordingFooter?, _ other: RecordingFooter?) -> RecordingFooter? {
        guard var last = other, let one else { return other }
        last.events = last.events.saturatingAdd(one.events)
        last.lost = last.lost.saturatingAdd(one.lost)
        last.captured = last.captured.saturatingAdd(one.captured)
        last.kernelDropped = last.kernelDropped.saturatingAdd(one.kernelDropped)
        if one.endingsLost != nil || last.endingsLost != nil {
            last.endingsLost = max(one.endingsLost ?? 0, last.endingsLost ?? 0)
        }
        last.failure = one.failure ?? last.failure
        return last
    }
}
