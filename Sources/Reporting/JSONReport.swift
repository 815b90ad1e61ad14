public import Correlator
import JSONText
import KernelEvents
import NetworkTypes

/// Renders a report as `rst-report/1`, one JSON object.
public struct JSONReport: Sendable {
    private var json = JSONWriter()
    private let tool: String
    /// What the RSTs are counted by besides.
    public var grouping: Grouping?
    public var order = AnswerOrder.count
    /// So many answers and groups, 0 for all; nil for as many as anybody looks at.
    public var top: Int?

    /// - Parameter tool: name and version of the program.
    public init(tool: String) { self.tool = tool }

    /// Hands out the document in pieces of some hundred kilobytes.
    public mutating func render(
        _ report: Report, to sink: ([UInt8]) throws -> Void
    ) rethrows {
        var report = report
        report.group()
        json.raw("{\"schema\":\"rst-report/1\",\"tool\":")
        json.string(tool)
        inputs(report)
        losses(report.losses)
        summary(report)
        unfinished(report)
        refusals(report.refusals)
        clocks(report.clocks)
        clockSettings(report.clockSettings)
        findings(report.findings)
        try answers(report.answers(by: order), sink)
        if let grouping { groups(grouping, report.resets) }
        json.raw(",\n\"resets\":[")
        try flush(sink)
        let resets = report.resets
        try inPieces(resets.count, { JSONEntries.text(of: resets, $0) }, to: sink)
        json.raw("\n]}\n")
        try flush(sink)
    }

    private mutating func flush(_ sink: ([UInt8]) throws -> Void) rethrows {
        try sink(json.copy())
        json.removeAll()
    }

    /// More are not written without being asked for.
    private static let mostAnswers = 1000

    private mutating func answers(_ groups: AnswerGroups, _ sink: ([UInt8]) throws -> Void) rethrows {
        let count = shown(of: groups.count)
        if groups.count > count {
            json.raw(",\n\"answers_left_out\":")
            json.number(groups.count - count)
        }
        json.raw(",\n\"answers\":[")
        try flush(sink)
        try inPieces(count, { JSONAnswers.text(of: groups, $0) }, to: sink)
        json.raw("]")
    }

    private mutating func groups(_ grouping: Grouping, _ resets: ResetList) {
        var groups = grouping.groups(of: resets)
        Grouping.sort(&groups, by: order)
        let count = shown(of: groups.count)
        if groups.count > count {
            json.raw(",\n\"groups_left_out\":")
            json.number(groups.count - count)
        }
        json.raw(",\n\"groups\":[")
        json.raw(JSONAnswers.text(of: groups.prefix(count), grouping))
        json.raw("]")
    }

    private func shown(of count: Int) -> Int {
        let top = top ?? Self.mostAnswers
        return top == 0 ? count : min(count, top)
    }

    private mutating func inputs(_ report: Report) {
        json.raw(",\n\"inputs\":[")
        for (index, input) in report.inputs.enumerated() {
            json.raw(index == 0 ? "\n{\"file\":" : ",\n{\"file\":")
            json.string(input.file)
            json.raw(",\"kind\":")
            json.string(input.kind.rawValue)
            json.raw(",\"packets\":")
            json.number(input.packets)
            json.raw(",\"events\":")
            json.number(input.events)
            json.raw(",\"damaged\":")
            json.number(input.damageCount)
            json.raw(",\"damage\":[")
            for (number, damage) in input.damage.enumerated() {
                if number > 0 { json.raw(",") }
                json.string(damage)
            }
            json.raw("]")
            if !input.undecoded.isEmpty {
                json.raw(",\"undecoded\":")
                counts(input.undecoded.map { ($0.reason, $0.packets) })
            }
            json.member(",\"host\":", input.host)
            json.member(",\"kernel\":", input.kernel)
            if let scope = input.scope {
                json.raw(",\"scope\":")
                json.append(scope: scope)
            }
            if !input.notes.isEmpty { json.strings(",\"notes\":[", input.notes) }
            if !input.comments.isEmpty { json.strings(",\"comments\":[", input.comments) }
            json.raw("}")
        }
        json.raw("]")
    }

    private mutating func losses(_ losses: Report.Losses) {
        json.raw(",\n\"losses\":{\"capture_dropped\":")
        json.number(losses.captureDropped)
        json.raw(",\"events_lost\":")
        json.number(losses.eventsLost)
        json.raw(",\"bytes_skipped\":")
        json.number(losses.bytesSkipped)
        json.raw(",\"lines_skipped\":")
        json.number(losses.linesSkipped)
        json.raw(",\"unfinished_recordings\":")
        json.number(losses.unfinished)
        json.raw("}")
    }

    private mutating func summary(_ report: Report) {
        let summary = ReportSummary(report)
        json.raw(",\n\"summary\":{\"resets\":")
        json.number(report.resets.count)
        json.raw(",\"connections\":")
        json.number(summary.connections)
        json.raw(",\"by_cause\":")
        counts(summary.byCause.map { ($0.cause.rawValue, $0.count) })
        if summary.followUps > 0 {
            json.raw(",\"follow_ups\":")
            json.number(summary.followUps)
        }
        json.raw(",\"by_outcome\":")
        counts(summary.byOutcome.map { ($0.0.rawValue, $0.1) })
        json.raw(",\"by_certainty\":")
        counts(summary.byCertainty.map { ($0.0.rawValue, $0.1) })
        let outside = EventGapSide.allCases.reduce(0) { $0 + report.count(outsideEvents: $1) }
        if outside > 0 {
            json.raw(",\"outside_events\":")
            json.number(outside)
        }
        if let selection = report.selection {
            json.raw(",\"of_resets\":")
            json.number(selection.total)
            json.strings(",\"filter\":[", selection.words)
            if selection.refusals > 0 {
                json.raw(",\"icmp_refused_left_out\":")
                json.number(selection.refusals)
            }
        }
        json.raw("}")
    }

    private mutating func unfinished(_ report: Report) {
        guard !report.unfinished.isEmpty else { return }
        json.raw(",\n\"unfinished\":[")
        for (index, (file, connections)) in report.unfinished.enumerated() {
            json.raw(index == 0 ? "\n{\"file\":" : ",\n{\"file\":")
            json.string(file)
            json.raw(",\"connections\":")
            json.number(connections.connections)
            json.raw(",\"groups\":[")
            for (place, group) in connections.groups.enumerated() {
                json.raw(place == 0 ? "{\"kind\":" : ",{\"kind\":")
                json.string(group.kind.rawValue)
                json.raw(",\"count\":")
                json.number(group.count)
                json.raw(",\"packet\":")
                json.number(group.packet)
                json.raw(",\"src\":")
                json.string("\(group.tuple.source)")
                json.raw(",\"src_port\":")
                json.number(Int(group.tuple.sourcePort))
                json.raw(",\"dst\":")
                json.string("\(group.tuple.destination)")
                json.raw(",\"dst_port\":")
                json.number(Int(group.tuple.destinationPort))
                json.raw("}")
            }
            json.raw("]}")
        }
        json.raw("]")
    }

    private mutating func refusals(_ refusals: [ICMPRefusal]) {
        guard !refusals.isEmpty else { return }
        json.raw(",\n\"icmp_refused\":{\"count\":")
        json.number(refusals.count)
        json.raw(",\"ends\":[")
        for (index, refusal) in refusals.prefix(Self.mostAnswers).enumerated() {
            json.raw(index == 0 ? "\n" : ",\n")
            JSONEntries.append(refusal, to: &json)
        }
        json.raw("]}")
    }

    private mutating func clocks(_ clocks: [ClockOffset]) {
        guard !clocks.isEmpty else { return }
        json.raw(",\n\"clocks\":[")
        for (index, clock) in clocks.enumerated() {
            json.raw(index == 0 ? "\n{\"file\":" : ",\n{\"file\":")
            json.string(clock.file)
            json.raw(",\"reference\":")
            json.string(clock.reference)
            json.raw(",\"offset_ns\":")
            json.number(clock.offset)
            json.member(",\"delay_ns\":", clock.delay)
            json.raw(",\"segments\":")
            json.number(clock.segments)
            json.raw("}")
        }
        json.raw("]")
    }

    private mutating func clockSettings(_ settings: [ClockSetting]) {
        guard !settings.isEmpty else { return }
        json.raw(",\n\"clock_settings\":[")
        for (index, setting) in settings.enumerated() {
            json.raw(index == 0 ? "\n{\"file\":" : ",\n{\"file\":")
            json.string(setting.file)
            json.raw(",\"before\":")
            json.time(UTCTime(nanoseconds: setting.before))
            json.raw(",\"after\":")
            json.time(UTCTime(nanoseconds: setting.after))
            json.raw(",\"by_ns\":")
            json.number(setting.size)
            json.member(",\"suspended_ns\":", setting.suspended)
            json.raw(",\"uncertainty_ns\":")
            json.number(setting.uncertainty)
            json.raw(",\"summary\":")
            json.string(setting.summary)
            json.raw("}")
        }
        json.raw("]")
    }

    private mutating func findings(_ findings: [Finding]) {
        json.raw(",\n\"findings\":[")
        for (index, finding) in findings.enumerated() {
            json.raw(index == 0 ? "\n{\"kind\":" : ",\n{\"kind\":")
            json.string(finding.kind.rawValue)
            json.member(",\"pattern\":", finding.pattern?.word)
            json.raw(",\"cause\":")
            json.string(finding.cause.rawValue)
            json.raw(",\"count\":")
            json.number(finding.count)
            json.raw(",\"first\":")
            json.time(UTCTime(nanoseconds: finding.first))
            json.raw(",\"last\":")
            json.time(UTCTime(nanoseconds: finding.last))
            json.member(",\"per_1000_s\":", finding.perThousandSeconds)
            json.endpoints(",\"sources\":[", finding.sources)
            json.endpoints(",\"destinations\":[", finding.destinations)
            json.raw(",\"example\":")
            json.number(finding.example)
            json.raw(",\"summary\":")
            json.string(finding.summary)
            json.raw("}")
        }
        json.raw("]")
    }

    private mutating func counts(_ counts: [(String, Int)]) {
        json.raw("{")
        for (index, entry) in counts.enumerated() {
            if index > 0 { json.raw(",") }
            json.string(entry.0)
            json.raw(":")
            json.number(entry.1)
        }
        json.raw("}")
    }
}
