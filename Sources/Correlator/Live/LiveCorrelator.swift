public import KernelEvents
public import NetworkTypes
public import PcapReader

/// Finds out for every RST of sources that still grow why it was sent, and gives each out once it is settled: when nothing new
/// was read of it for some time.
///
/// What was read lately is judged as a whole by `correlate`'s own steps, as often as something settles; what was given out stays
/// there for a moment, so that a late sighting finds its RST, a RST finds the one that it follows from, and what is known late
/// corrects what was given out. Time is that of who reads, by a steady clock, so that neither old files nor clocks that are set
/// make a difference.
public struct LiveCorrelator {
    /// Nanoseconds that nothing new must have been read of a RST.
    public let settlingTime: Int64
    /// Nanoseconds that what was given out stays: a translated or written copy comes within a second, and a RST may wait four for
    /// its next hop.
    private static let keptTime: Int64 = 5_000_000_000
    /// So many packets or events of a source stay after they were given out, in a flood: all of them are looked through whenever
    /// something settles.
    private static let mostKept = 2_000
    /// Nanoseconds from one look at RSTs that were given out to the next, where nothing else settles.
    private static let reviewTime: Int64 = 1_000_000_000

    private var captures: [Capture] = []
    private var recordings: [LiveEvents] = []
    /// RSTs given out so far.
    public private(set) var count = 0
    /// Sightings of RSTs that had been given out.
    public private(set) var lateSightings = 0
    /// Kernel events that recordings say were lost, by place.
    public private(set) var eventsLost: [String: Int] = [:]
    /// Of those that stay.
    private var given = GivenResets()
    private var reviewed = Int64.min

    private struct Capture {
        var base: CaptureInput
        var window = SourceWindow<CapturedSegment>()
    }

    /// What is given out at one time.
    public struct Settled: Sendable {
        /// RSTs, with ids in the order in which they were given out.
        public var resets = ResetList([])
        /// RSTs that were given out before with another verdict.
        public var corrections = ResetList([])

        public var isEmpty: Bool { resets.isEmpty && corrections.isEmpty }
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
        recordings.append(LiveEvents(file: file))
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
        var remarks = captures[capture].base.remarks
        remarks.add(base.remarks)
        captures[capture].base = base
        captures[capture].base.remarks = remarks
        captures[capture].window.add(resets, at: time)
    }

    /// Takes what a recording said since the last time (`RecordingDecoder.takeNew`).
    public mutating func take(_ new: Recording, of recording: Int, at time: Int64) {
        for loss in new.losses {
            eventsLost[loss.place] = (eventsLost[loss.place] ?? 0).saturatingAdd(loss.count)
        }
        recordings[recording].take(new, at: time)
    }

    /// What a recording says next is in another file of the same series, with lines, header and stacks of its own.
    public mutating func beginFile(of recording: Int) { recordings[recording].beginFile() }

    /// The addresses of the hosts that record, each once.
    public var addresses: [IPAddress] {
        var seen: Set<IPAddress> = []
        return recordings.flatMap { $0.header?.interfaces.flatMap(\.addresses) ?? [] }
            .filter { seen.insert($0).inserted }
    }

    /// The header of the first recording, once it was read.
    public var header: RecordingHeader? { recordings.lazy.compactMap(\.header).first }

    /// The network namespaces of the recorders.
    public var namespaces: [UInt32] { recordings.compactMap { $0.header?.netns } }

    /// Whether anything waits to be given out.
    public var isWaiting: Bool { hasSettled(by: .max) }

    /// What is settled now.
    ///
    /// - Parameters:
    ///   - time: now; nil if nothing more comes, and all are settled.
    ///   - behind: nanoseconds that a source may be behind the others.
    ///   - patience: nanoseconds that a RST of this host waits longer for its kernel event: the first take long, since the
    ///     recorder reads the kernel's symbols then.
    ///   - followed: what is known of the connections of a capture.
    public mutating func settled(
        at time: Int64?, behind: Int64 = 0, patience: Int64 = 0, followed: (_ capture: Int) -> CapturedConnections?
    ) -> Settled {
        let limit = time.map { $0.saturatingSubtract(settlingTime.saturatingAdd(behind)) } ?? .max
        defer { if let time { prune(before: time.saturatingSubtract(settlingTime + behind + Self.keptTime)) } }
        guard hasSettled(by: limit) || isReviewDue(at: time) else { return Settled() }
        reviewed = time ?? .max
        let inputs = captures.indices.map { input($0, followed) }
        let found = Correlation(captures: inputs, recordings: recordings.map(\.input))
        let own = patience > 0 && time != nil ? Set(addresses) : []
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
            } else if !own.isEmpty, last > limit.saturatingSubtract(patience), let first = group.first,
                group.allSatisfy({ !found.inventory.isEvent($0) }), own.contains(found.inventory.tuple(first).source)
            {
                continue
            }
            groups.append(group)
            ids.append(known)
        }
        guard ids.contains(0) || given.hasOpen else { return Settled() }
        let list = ResetList(ResetGroups(groups), found.builder)
        var (new, corrected): ([Int], [Int]) = ([], [])
        for place in ids.indices {
            let row = list.rows[place]
            let candidates = list.attribution(of: row).candidates
            if ids[place] == 0 {
                count += 1
                ids[place] = count
                for reference in groups[place] { give(count, to: reference) }
                given.add(
                    row, candidates, ResetMark(groups[place], found.inventory), members: groups[place].count, id: count)
                new.append(place)
            } else if given.correct(ids[place], row, candidates, members: groups[place].count) {
                corrected.append(place)
            }
        }
        corrected.sort { ids[$0] < ids[$1] }
        var settled = Settled()
        let isProvisional = time != nil
        if !new.isEmpty { settled.resets = list.renumbered(new, isProvisional: isProvisional) { ids[$0] } }
        if !corrected.isEmpty {
            // The same RST as before: what identifies it stays as it was.
            settled.corrections = ResetList(
                list.renumbered(corrected, isProvisional: isProvisional) { ids[$0] }.map { given.identified($0) })
        }
        return settled
    }

    /// Something that was not given out came long enough ago: most of the time nothing has, and nothing need be judged.
    private func hasSettled(by limit: Int64) -> Bool {
        captures.contains { $0.window.hasSettled(by: limit) } || recordings.contains { $0.window.hasSettled(by: limit) }
    }

    /// What was given out before all was known is looked at from time to time, and at the end.
    private func isReviewDue(at time: Int64?) -> Bool {
        given.hasOpen && (time.map { $0.saturatingSubtract(Self.reviewTime) >= reviewed } ?? true)
    }

    private func input(_ number: Int, _ followed: (Int) -> CapturedConnections?) -> CaptureInput {
        var input = captures[number].base
        input.resets = captures[number].window.elements
        if !input.resets.isEmpty, let followed = followed(number) { input.connections = followed }
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
            recordings[source - captures.count].give(id, to: Int(reference.index))
        }
    }

    private mutating func prune(before time: Int64) {
        for number in captures.indices {
            captures[number].window.prune(before: time, keeping: Self.mostKept)
            guard !captures[number].base.remarks.isEmpty else { continue }
            captures[number].base.remarks.keep(Set(captures[number].window.elements.lazy.map(\.number)))
        }
        for number in recordings.indices { recordings[number].prune(before: time, keeping: Self.mostKept) }
        let oldest = (captures.map(\.window.oldestID) + recordings.map(\.window.oldestID)).compactMap(\.self).min()
        given.forget(before: oldest ?? .max)
    }
}
