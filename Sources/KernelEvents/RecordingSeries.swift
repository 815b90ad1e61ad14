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
        let offset = lines
        lines = lines &+ part.lines
        // The recorder gives a number to one stack of a series only; files that say otherwise were changed.
        for (id, frames) in part.stacks where stacks[id] == nil { stacks[id] = frames }
        events.reserveCapacity(events.count + part.events.count)
        for var event in part.events {
            event.line = event.line &+ offset
            events.append(event)
        }
        for var event in part.failures {
            event.line = event.line &+ offset
            failures.append(event)
        }
        for (pid, records) in part.processes {
            for var record in records {
                record.line = record.line &+ offset
                processes[pid, default: []].append(record)
            }
        }
        if let clock = part.header?.clock, clock.monotonic > clocks.last?.monotonic ?? .min { clocks.append(clock) }
        clocks += part.clocks
        losses += part.losses
        interfaceChanges += part.interfaceChanges
        for ruleset in part.rulesets where !rulesets.contains(ruleset) { rulesets.append(ruleset) }
        ignoredLines = ignoredLines.saturatingAdd(part.ignoredLines)
        damagedLines = damagedLines.saturatingAdd(part.damagedLines)
        for var line in part.damage where damage.count < RecordingDecoder.namedDamage {
            line.line = line.line &+ offset
            damage.append(line)
        }
        footer = Self.joined(footer, part.footer)
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
