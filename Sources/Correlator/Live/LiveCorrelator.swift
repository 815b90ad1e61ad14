public import KernelEvents
public import NetworkTypes
public import PcapReader

/// Finds out for every RST of sources that still grow why it was sent, and gives each out once it is settled: when nothing new
/// was read of it for some time.
///
/// What was read lately is judged as a whole by `correlate`'s own steps, as often as something settles; what was given out stays
/// there for a moment, so that a late sighting finds its RST and a RST finds the one that it follows from. Time is that of who
/// reads, by a steady clock, so that neither old files nor clocks that are set make a difference.
public struct LiveCorrelator {
    /// Nanoseconds that nothing new must have been read of a RST.
    public let settlingTime: Int64
    /// Nanoseconds that what was given out stays: a translated or written copy comes within a second, and a RST may wait four for
    /// its next hop.
    private static let keptTime: Int64 = 5_000_000_000
    private static let keptTimeInFlood: Int64 = 200_000_000
    /// Packets and events beyond which there is a flood.
    private static let mostKept = 20_000
    /// The state of the wall clock a while ago is of no use: so many comparisons are kept.
    private static let keptClocks = 120

    private var captures: [Capture] = []
    private var recordings: [Events] = []
    /// RSTs given out so far.
    public private(set) var count = 0
    /// Sightings of RSTs that had been given out.
    public private(set) var lateSightings = 0
    /// Kernel events that recordings say were lost.
    public private(set) var eventsLost = 0

    private struct Capture {
        var base: CaptureInput
        var window = SourceWindow<CapturedSegment>()
    }

    fileprivate struct Events {
        let file: String
        var recording = Recording()
        var window = SourceWindow<ResetEvent>()
        var losses = SourceWindow<Loss>()
    }

    public init(settlingTime: Int64) { self.settlingTime = settlingTime }

    /// - Parameter base: what is known of the capture but its RSTs.
    /// - Returns: the number of the capture.
    public mutating func addCapture(_ base: CaptureInput) -> Int {
        captures.append(Capture(base: base))
        return captures.count - 1
    }

    /// - Returns: the number of the recording.
    public mutating func addRecording(_ file: String) -> Int {
        recordings.append(Events(file: file))
        return recordings.count - 1
    }

    /// Takes RSTs that were read.
    ///
    /// - Parameters:
    ///   - base: what is known of the capture now; what RSTs carry and what was written about them since the last time.
    ///   - time: when, nanoseconds.
    public mutating func take(
        _ resets: [CapturedSegment], of capture: Int, _ base: CaptureInput, at time: Int64
    ) {
        let (payloads, comments) = (captures[capture].base.payloads, captures[capture].base.comments)
        captures[capture].base = base
        captures[capture].base.payloads.merge(payloads) { new, _ in new }
        captures[capture].base.comments.merge(comments) { new, _ in new }
        captures[capture].window.add(resets, at: time)
    }

    /// Takes what a recording said since the last time (`RecordingDecoder.takeNew`).
    public mutating func take(_ new: Recording, of recording: Int, at time: Int64) {
        recordings[recording].window.add(new.events, at: time)
        recordings[recording].losses.add(new.losses, at: time)
        for loss in new.losses { eventsLost = eventsLost.saturatingAdd(loss.count) }
        recordings[recording].recording.takeContext(new, keptClocks: Self.keptClocks)
    }

    /// The addresses of the hosts that record, each once.
    public var addresses: [IPAddress] {
        var seen: Set<IPAddress> = []
        return recordings.flatMap { $0.recording.header?.interfaces.flatMap(\.addresses) ?? [] }
            .filter { seen.insert($0).inserted }
    }

    /// The header of the first recording, once it was read.
    public var header: RecordingHeader? { recordings.lazy.compactMap(\.recording.header).first }

    /// In a flood what was given out goes sooner: it is looked through whenever something settles.
    private var keptTime: Int64 {
        let count =
            captures.reduce(0) { $0 + $1.window.elements.count }
            + recordings.reduce(0) { $0 + $1.window.elements.count }
        return count > Self.mostKept ? Self.keptTimeInFlood : Self.keptTime
    }

    /// Whether anything waits to be given out.
    public var isWaiting: Bool {
        hasSettled(by: .max)
    }

    /// The RSTs that are settled now, with ids in the order in which they were given out.
    ///
    /// - Parameters:
    ///   - time: now; nil if nothing more comes, and all are settled.
    ///   - followed: what is known of the connections of a capture.
    public mutating func settled(at time: Int64?, followed: (_ capture: Int) -> FollowedCapture?) -> [Reset] {
        let limit = time.map { $0.saturatingSubtract(settlingTime) } ?? .max
        defer { if let time { prune(before: time.saturatingSubtract(settlingTime + keptTime)) } }
        guard hasSettled(by: limit) else { return [] }
        let inputs = captures.indices.map { input($0, followed) }
        let found = Correlation(captures: inputs, recordings: recordings.map(\.input))
        var groups: [FewReferences] = []
        var ids: [Int] = []
        for group in found.groups {
            var known = 0
            var last = Int64.min
            for reference in group {
                if known == 0 { known = id(reference) }
                last = max(last, arrival(reference))
            }
            if known != 0 {
                for reference in group where id(reference) == 0 {
                    give(known, to: reference)
                    lateSightings += 1
                }
            } else if last > limit {
                continue
            }
            groups.append(group)
            ids.append(known)
        }
        guard ids.contains(0) else { return [] }
        let list = ResetList(ResetGroups(groups), found.builder)
        for place in ids.indices where ids[place] == 0 {
            count += 1
            ids[place] = -count
            for reference in groups[place] { give(count, to: reference) }
        }
        return ids.indices.lazy.filter { ids[$0] < 0 }.map { place in
            var reset = list[place]
            reset.id = -ids[place]
            reset.follows = reset.follows.map { ids[$0 - 1].magnitude }.map { Int($0) }
            return reset
        }
    }

    /// Something that was not given out came long enough ago: most of the time nothing has, and nothing need be judged.
    private func hasSettled(by limit: Int64) -> Bool {
        captures.contains { $0.window.hasSettled(by: limit) } || recordings.contains { $0.window.hasSettled(by: limit) }
    }

    private func input(_ number: Int, _ followed: (Int) -> FollowedCapture?) -> CaptureInput {
        var input = captures[number].base
        input.resets = captures[number].window.elements
        if !input.resets.isEmpty, let followed = followed(number) { input.take(followed) }
        return input
    }

    private func id(_ reference: Reference) -> Int {
        let (source, place) = (Int(reference.source), Int(reference.index))
        return source < captures.count
            ? captures[source].window.ids[place] : recordings[source - captures.count].window.ids[place]
    }

    private func arrival(_ reference: Reference) -> Int64 {
        let (source, place) = (Int(reference.source), Int(reference.index))
        return source < captures.count
            ? captures[source].window.arrivals[place] : recordings[source - captures.count].window.arrivals[place]
    }

    private mutating func give(_ id: Int, to reference: Reference) {
        let source = Int(reference.source)
        if source < captures.count {
            captures[source].window.give(id, to: Int(reference.index))
        } else {
            recordings[source - captures.count].window.give(id, to: Int(reference.index))
        }
    }

    private mutating func prune(before time: Int64) {
        for number in captures.indices {
            captures[number].window.prune(before: time)
            guard !captures[number].base.payloads.isEmpty || !captures[number].base.comments.isEmpty else { continue }
            let packets = Set(captures[number].window.elements.lazy.map(\.number))
            captures[number].base.payloads = captures[number].base.payloads.filter { packets.contains($0.key) }
            captures[number].base.comments = captures[number].base.comments.filter { packets.contains($0.key) }
        }
        for number in recordings.indices {
            recordings[number].window.prune(before: time)
            for place in recordings[number].losses.elements.indices { recordings[number].losses.give(1, to: place) }
            recordings[number].losses.prune(before: time)
        }
    }
}

extension LiveCorrelator.Events {
    /// The recording of the last moments, as if it had ended now: what its hooks have not told by now did not happen.
    fileprivate var input: EventInput {
        var recording = recording
        recording.events = window.elements
        recording.losses = losses.elements
        var footer = RecordingFooter(
            monotonic: recording.clocks.last?.monotonic ?? 0, events: recording.events.count, lost: 0, captured: 0,
            kernelDropped: 0)
        footer.failure = recording.footer?.failure
        // The hooks are still there, as long as the recorder does not say that they are not.
        footer.until = recording.footer?.until ?? RecordingTimes(hooks: .max / 4, capture: .max / 4)
        recording.footer = footer
        return EventInput(file: file, recording: recording)
    }
}

extension Recording {
    /// Takes over what later events need: all but events and losses.
    fileprivate mutating func takeContext(_ new: Recording, keptClocks: Int) {
        header = header ?? new.header
        timebase = new.timebase
        stacks = new.stacks
        for (pid, records) in new.processes { processes[pid, default: []] += records }
        clocks += new.clocks
        if clocks.count > 2 * keptClocks {
            // The oldest that is left stands for all before it, or the way from the header to it would look like a step.
            clocks.removeFirst(clocks.count - keptClocks)
            header?.clock = clocks[0]
        }
        rulesets += new.rulesets
        footer = new.footer ?? footer
        ignoredLines += new.ignoredLines
    }
}
