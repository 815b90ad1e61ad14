import KernelEvents

/// A recording that still grows: what it said lately, and what that refers to.
struct LiveEvents {
    let file: String
    private var recording = Recording()
    private(set) var window = SourceWindow<ResetEvent>()
    private var losses = SourceWindow<Loss>()
    private var processes = 0
    /// Stacks that events of files before this one have. A recorder gives a number to one stack of a series only.
    private var earlierStacks: [Int: [String]] = [:]
    /// Lines of the files before this one.
    private var precedingLines = 0

    /// The state of the wall clock a while ago is of no use: so many comparisons are kept.
    private static let keptClocks = 120
    /// Processes that are known: a service runs for months.
    private static let keptProcesses = 8_192
    /// Containers whose names are known; a recorder of one file says each name once.
    private static let keptContainers = 16_384
    /// Rulesets of a network namespace: an event is judged by those before it.
    private static let keptRulesets = 8

    init(file: String) { self.file = file }

    var header: RecordingHeader? { recording.header }

    mutating func take(_ new: Recording, at time: Int64) {
        var new = new
        if precedingLines > 0 { new.moveLines(by: precedingLines) }
        window.add(new.events, at: time)
        losses.add(new.losses, at: time)
        takeContext(new)
    }

    /// See `LiveCorrelator`.
    mutating func beginFile() {
        earlierStacks = usedStacks
        precedingLines = recording.lines
        // That of the new file says how this goes on.
        recording.footer = nil
    }

    /// Those of the events that stay.
    private var usedStacks: [Int: [String]] {
        let used = Set(window.elements.lazy.compactMap(\.stack))
        return earlierStacks.filter { used.contains($0.key) }.merging(
            recording.stacks.filter { used.contains($0.key) }
        ) { $1 }
    }

    mutating func give(_ id: Int, to place: Int) { window.give(id, to: place) }

    mutating func prune(before time: Int64, keeping most: Int) {
        window.prune(before: time, keeping: most)
        for place in losses.elements.indices { losses.give(1, to: place) }
        losses.prune(before: time, keeping: most)
    }

    /// The recording of the last moments, as if it had ended now: what its hooks have not told by now did not happen.
    var input: EventInput {
        var recording = recording
        recording.events = window.elements
        recording.losses = losses.elements
        // Each is read anew whenever something has settled.
        recording.stacks = usedStacks
        var footer = RecordingFooter(
            monotonic: recording.clocks.last?.monotonic ?? 0, events: recording.events.count, lost: 0, captured: 0,
            kernelDropped: 0)
        footer.failure = recording.footer?.failure
        // The hooks are still there, as long as the recorder does not say that they are not.
        footer.until = recording.footer?.until ?? RecordingTimes(hooks: .max / 4, capture: .max / 4)
        recording.footer = footer
        return EventInput(file: file, recording: recording)
    }

    /// Takes over what later events need: all but events and losses.
    private mutating func takeContext(_ new: Recording) {
        recording.header = recording.header ?? new.header
        recording.timebase = new.timebase
        recording.stacks = new.stacks
        for (pid, records) in new.processes {
            recording.processes[pid, default: []] += records
            processes += records.count
        }
        if processes > Self.keptProcesses { forgetProcesses() }
        recording.add(containers: new.containers)
        if recording.containers.count > Self.keptContainers { recording.containers = new.containers }
        if let last = recording.clocks.last, let clock = new.header?.clock, clock.monotonic > last.monotonic {
            recording.clocks.append(clock)
        }
        recording.clocks += new.clocks
        if recording.clocks.count > 2 * Self.keptClocks {
            // The oldest that is left stands for all before it, or the way from the header to it would look like a step.
            recording.clocks.removeFirst(recording.clocks.count - Self.keptClocks)
            recording.header?.clock = recording.clocks[0]
        }
        recording.interfaceChanges += new.interfaceChanges
        recording.rulesets += new.rulesets
        if !new.rulesets.isEmpty { forgetRulesets() }
        recording.footer = new.footer ?? recording.footer
        recording.ignoredLines += new.ignoredLines
        recording.lines = new.lines
    }

    /// Lets go of those that were named first; the recorder names each once.
    private mutating func forgetProcesses() {
        let lines = recording.processes.values.joined().map(\.line).sorted()
        let first = lines[lines.count / 2]
        for (pid, records) in recording.processes {
            let kept = records.filter { $0.line >= first }
            recording.processes[pid] = kept.isEmpty ? nil : kept
        }
        processes = recording.processes.values.reduce(0) { $0 + $1.count }
    }

    private mutating func forgetRulesets() {
        var counts: [Ruleset.Origin: Int] = [:]
        var kept: [Ruleset] = []
        for ruleset in recording.rulesets.reversed() {
            counts[ruleset.origin, default: 0] += 1
            if counts[ruleset.origin, default: 0] <= Self.keptRulesets { kept.append(ruleset) }
        }
        recording.rulesets = kept.reversed()
    }
}

extension Ruleset {
    /// Whose rules they are.
    fileprivate struct Origin: Hashable {
        let tool: Tool
        let netns: UInt32
    }
    fileprivate var origin: Origin { Origin(tool: tool, netns: netns) }
}
