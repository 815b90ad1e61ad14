import KernelEvents
import NetworkTypes
import PcapReader

/// Finds out for every RST of the inputs why it was sent.
///
/// Pure: the same inputs give the same report, whatever their order on the command line.
public func correlate(captures: [CaptureInput], recordings: [EventInput]) -> Report {
    let found = Correlation(captures: captures, recordings: recordings)
    let inventory = found.inventory
    let resets = ResetList(ResetGroups(found.groups), found.builder)
    var report = Report(inputs: reportInputs(inventory), losses: losses(inventory), resets: resets)
    report.clocks = inventory.clockOffsets + inventory.alignment.offsets
    report.unfinished = captures.compactMap { capture in capture.connections.unfinished.map { (capture.file, $0) } }
    if captures.allSatisfy(\.resets.isEmpty) {
        report.tooLarge = captures.filter {
            $0.connections.unfinished == nil && $0.summary.tcpSegments > UnfinishedConnections.mostSegments
        }.map(\.file)
    }
    report.refusals = RefusalJoin(inventory, found.builder).run()
    report.clockSettings = inventory.clocks.settings(inventory.recordings)
    return report
}

/// Determines which observations belong to the same RST.
struct Correlation {
    let inventory: Inventory
    let builder: EntryBuilder
    /// The observations of each RST, in the order of time.
    let groups: [FewReferences]

    init(captures: [CaptureInput], recordings: [EventInput]) {
        inventory = Inventory(captures: captures, recordings: recordings)
        var clusters = Clusters()
        clusterExact(inventory, into: &clusters)
        DecisionJoin(inventory).run(into: &clusters)
        let echoes = TranslationJoin(inventory).run(into: &clusters)
        ReceptionJoin(inventory).run(into: &clusters)
        builder = EntryBuilder(ResetJudge(EvidenceBuilder(inventory, echoes: echoes), HostWitness(inventory, clusters)))
        groups = clusters.inOrder(inventory).map { [members = clusters.members] in members[Int($0)] }
    }
}

extension Clusters {
    /// The clusters that are not empty, in order of time.
    fileprivate func inOrder(_ inventory: Inventory) -> [Int32] {
        var entries: [(time: Int64, first: Reference, cluster: Int32)] = []
        entries.reserveCapacity(members.count)
        for (cluster, references) in members.enumerated() {
            guard let first = references.min() else { continue }
            entries.append((inventory.times(of: references).steady, first, Int32(cluster)))
        }
        entries.sort { a, b in a.time != b.time ? a.time < b.time : a.first < b.first }
        return entries.map(\.cluster)
    }
}

private func reportInputs(_ inventory: Inventory) -> [Report.Input] {
    let captures = inventory.captures.map {
        Report.Input(
            file: $0.file, kind: .capture, packets: $0.summary.packets, events: 0, damage: $0.damage,
            damageCount: $0.damageCount,
            undecoded: $0.undecoded, notes: $0.notes, comments: $0.comments)
    }
    let recordings = inventory.recordings.enumerated().map { index, input in
        var damage = input.recording.damage.map { "line \($0.line) (offset \($0.offset)): \($0.problem)" }
        var count = input.recording.damagedLines
        if input.recording.header != nil, input.recording.footer == nil {
            damage.append(
                "the recording has no end: the recorder is still running or was killed, later events are missing")
            count += 1
        }
        if input.recording.header == nil, input.recording.timebase == .monotonic {
            damage.append("the recording has no beginning: earlier events are missing")
            count += 1
        }
        if let failure = input.recording.footer?.failure {
            damage.append("the recorder failed, so events or packets are missing: \(failure)")
            count += 1
        }
        let header = input.recording.header
        return Report.Input(
            file: input.file, kind: .events, packets: 0, events: input.recording.events.count, damage: damage,
            damageCount: count, undecoded: [],
            notes: notes(input.recording)
                + inventory.alignment.obstacles.filter { $0.recording == index }.map(\.sentence),
            host: header?.host,
            kernel: header?.kernel, netns: header?.netns,
            scope: header?.scope.flatMap { $0.isEmpty ? nil : $0 })
    }
    return captures + recordings
}

/// What is missing although nothing is damaged.
private func notes(_ recording: Recording) -> [String] {
    guard let header = recording.header else { return [] }
    var notes = header.hooks.filter { $0.status != "attached" }.map { hook in
        "hook \(hook.name) was not attached\(hook.detail.map { ": \($0)" } ?? "")"
    }
    if let series = header.series, series.follows {
        notes.append("it continues files that are not among the inputs, up to number \(series.number - 1)")
    }
    if let obstacle = header.cgroupObstacle {
        notes.append("containers and units are not named: \(obstacle)")
    }
    if let lost = recording.footer?.endingsLost, lost > 0 {
        notes.append(
            "\(lost) closed connections were forgotten within a minute, since there were too many: who had closed them is unknown"
        )
    }
    if recording.ignoredLines > 0 {
        notes.append("\(recording.ignoredLines) lines have a type that this version does not know")
    }
    return notes
}

private func losses(_ inventory: Inventory) -> Report.Losses {
    var losses = Report.Losses()
    var droppedInCaptures = 0
    for capture in inventory.captures {
        droppedInCaptures = droppedInCaptures.saturatingAdd(capture.dropped)
        losses.bytesSkipped = losses.bytesSkipped.saturatingAdd(capture.summary.bytesSkipped)
    }
    var droppedInFooters = 0
    for input in inventory.recordings {
        let recorded = input.recording.losses.reduce(0) { $0.saturatingAdd($1.count) }
        losses.eventsLost = losses.eventsLost.saturatingAdd(max(recorded, input.recording.footer?.lost ?? 0))
            .saturatingAdd(input.recording.missingEvents)
        droppedInFooters = droppedInFooters.saturatingAdd(input.recording.footer?.kernelDropped ?? 0)
        losses.linesSkipped = losses.linesSkipped.saturatingAdd(input.recording.damagedLines)
        if input.recording.header != nil, input.recording.footer == nil { losses.unfinished += 1 }
    }
    // A recording says the same number twice: in its footer, and in the statistics blocks of its capture.
    losses.captureDropped = max(droppedInCaptures, droppedInFooters)
    return losses
}
