public import Correlator
import NetworkTypes

/// Renders a report for a person at a terminal, at most 80 columns wide where addresses allow.
public struct TextReport: Sendable {
    public struct Options: Sendable {
        /// Evidence and kernel path under each RST.
        public var verbose = false
        /// ANSI colours.
        public var color = false
        public init() {}
    }

    /// Of each file, so many damaged places are named.
    private static let namedDamage = 10

    private let options: Options
    private var text = ""

    public init(options: Options = Options()) { self.options = options }

    /// Hands out the text in pieces.
    public mutating func render(_ report: Report, to sink: (String) throws -> Void) rethrows {
        summary(report)
        notes(report)
        if options.verbose { comments(report) }
        clocks(report)
        findings(report)
        try flush(sink)
        let options = options
        try inPieces(report.resets.count, { Self.list(report.resets, $0, options) }, to: sink)
    }

    /// The text of some RSTs.
    private static func list(_ resets: ResetList, _ range: Range<Int>, _ options: Options) -> String {
        var renderer = TextReport(options: options)
        for index in range {
            renderer.day(of: index, in: resets.heads)
            renderer.line(resets.heads[index])
            if options.verbose { renderer.details(resets[index]) }
        }
        return renderer.text
    }

    private mutating func flush(_ sink: (String) throws -> Void) rethrows {
        try sink(text)
        text = ""
    }

    // MARK: - Summary

    private mutating func summary(_ report: Report) {
        let summary = ReportSummary(report)
        let outcomes = summary.byOutcome.map { "\($0.1) \($0.0.rawValue)" }.joined(separator: ", ")
        let count = report.resets.count
        text += "\(count) reset\(count == 1 ? "" : "s")\(outcomes.isEmpty ? "" : ": " + outcomes)\n"
        guard !summary.byCause.isEmpty else { return }
        text += "\n"
        let width = String(summary.byCause[0].count).count
        for entry in summary.byCause {
            let sure = Certainty.allCases.filter(entry.certainties.contains).map(\.rawValue).joined(separator: ", ")
            text += "  " + padLeft(String(entry.count), max(width, 5)) + "  "
            text += padRight(entry.cause.rawValue, 29) + sure + "\n"
        }
        text += "\n"
    }

    /// What the reader must know before trusting the list: losses and damage.
    private mutating func notes(_ report: Report) {
        let losses = report.losses
        var notes: [String] = []
        if losses.captureDropped > 0 { notes.append("\(losses.captureDropped) packets were dropped by the capture") }
        if losses.eventsLost > 0 { notes.append("\(losses.eventsLost) kernel events were lost") }
        if losses.bytesSkipped > 0 { notes.append("\(losses.bytesSkipped) bytes of captures could not be read") }
        if losses.linesSkipped > 0 { notes.append("\(losses.linesSkipped) lines of events could not be read") }
        for input in report.inputs {
            notes += input.damage.prefix(Self.namedDamage).map { "\(input.file): \($0)" }
            let more = input.damageCount - min(input.damage.count, Self.namedDamage)
            if more > 0 { notes.append("\(input.file): \(more) more damaged places") }
        }
        for input in report.inputs { notes += input.notes.map { "\(input.file): \($0)" } }
        for input in report.inputs {
            notes += input.undecoded.map { "\(input.file): \($0.packets) packets not looked into: \($0.reason)" }
        }
        for note in notes { wrap("warning: " + note.printable, indent: 2, color: .yellow) }
        if !notes.isEmpty { text += "\n" }
    }

    /// What somebody wrote into a capture about it.
    private mutating func comments(_ report: Report) {
        for input in report.inputs {
            for comment in input.comments {
                wrap("\(input.file.printable): comment: \(comment.printable)", indent: 2)
            }
        }
        if report.inputs.contains(where: { !$0.comments.isEmpty }) { text += "\n" }
    }

    private mutating func clocks(_ report: Report) {
        for clock in report.clocks {
            let delay =
                clock.delay.map { ", \(TimeSpan(nanoseconds: $0.magnitude)) apart on the path" }
                ?? ", from one direction only"
            let sign = clock.offset < 0 ? "behind" : "ahead of"
            wrap(
                "clocks: \(clock.file.printable) is \(TimeSpan(nanoseconds: clock.offset.magnitude)) \(sign) \(clock.reference.printable)"
                    + "\(delay) (\(clock.segments) segments in both)", indent: 2)
        }
        if !report.clocks.isEmpty { text += "\n" }
    }

    /// What many RSTs have in common; each of them stands in the list below all the same.
    private mutating func findings(_ report: Report) {
        let spansDays = report.resets.spansDays
        func clock(_ time: Int64, digits: Int) -> String {
            let time = UTCTime(nanoseconds: time)
            return (spansDays ? time.date + " " : "") + time.clock(digits: digits)
        }
        for finding in report.findings {
            let (from, to) = (clock(finding.first, digits: 3), clock(finding.last, digits: 3))
            let rate = finding.perThousandSeconds.flatMap(rate).map { ", \($0)" } ?? ""
            wrap("\(finding.count) x \(finding.cause.rawValue), \(from) to \(to)\(rate)", indent: 2)
            wrap(finding.summary, indent: 6)
            if let example = report.resets.head(id: finding.example) {
                wrap("for example \(flow(example.tuple)) at \(clock(example.time, digits: 6))", indent: 6)
            }
        }
        if !report.findings.isEmpty { text += "\n" }
    }

    /// In the unit in which it is at least one; nil where it is less than one an hour.
    private func rate(_ perThousandSeconds: UInt64) -> String? {
        if perThousandSeconds >= 1000 { return "\(perThousandSeconds / 1000)/s" }
        if perThousandSeconds * 60 >= 1000 { return "\(perThousandSeconds * 60 / 1000)/min" }
        return perThousandSeconds > 0 ? "\(perThousandSeconds * 36 / 10)/h" : nil
    }

    // MARK: - One reset

    /// The date, where it is another one than that of the RST before.
    private mutating func day(of index: Int, in heads: [ResetList.Head]) {
        guard heads[index].hasWallClock else { return }
        let time = UTCTime(nanoseconds: heads[index].time)
        if index > 0, heads[index - 1].hasWallClock, time.isSameDay(as: UTCTime(nanoseconds: heads[index - 1].time)) {
            return
        }
        text += "\(time.date) UTC\n"
    }

    private mutating func line(_ reset: ResetList.Head) {
        let time = reset.hasWallClock ? UTCTime(nanoseconds: reset.time).clock(digits: 6) : "--:--:--.------"
        var verdict = reset.cause.rawValue
        if reset.cause != .unknown, reset.certainty != .proven { verdict += " (\(reset.certainty.rawValue))" }
        if reset.outcome != .matched { verdict += " (\(reset.outcome.rawValue))" }
        let head = "\(time) \(flow(reset.tuple))"
        text += head
        // A long pair of addresses leaves no room: the verdict then has a line of its own.
        text += head.utf8.count + 2 + verdict.utf8.count <= 80 ? "  " : "\n    "
        text += paint(verdict, reset.certainty == .proven ? .green : .yellow) + "\n"
    }

    private mutating func details(_ reset: Reset) {
        wrap(reset.summary, indent: 4)
        if reset.candidates.count > 1 || reset.cause == .unknown && !reset.candidates.isEmpty {
            wrap("candidates: \(reset.candidates.map(\.rawValue).joined(separator: ", "))", indent: 4)
        }
        if let process = reset.process {
            text +=
                "    process: \(name(process).map { "\($0), \(process.role.rawValue)" } ?? "none (kernel, no socket)")\n"
        }
        if let owner = reset.owner.flatMap(name) { text += "    owner: \(owner)\n" }
        if let location = reset.location { place(location) }
        for sighting in reset.sightings {
            let place = sighting.interface.map { " on \($0.printable)" } ?? ""
            let tuple = sighting.translated.map { ", as \(flow($0))" } ?? ""
            wrap("seen: packet \(sighting.packet)\(place)\(tuple), \(sighting.file.printable)", indent: 4)
        }
        for fact in reset.evidence { wrap("\(fact.fact.printable) [\(fact.from)]", indent: 4) }
        if let path = reset.path {
            for (index, frame) in path.essential.enumerated() {
                text += (index == 0 ? "    path: " : "        < ") + frame.printable + "\n"
            }
        }
    }

    private func name(_ process: Reset.Process) -> String? {
        guard let pid = process.pid, let comm = process.comm else { return nil }
        return "\(comm.printable) (pid \(pid))"
    }

    private mutating func place(_ location: Reset.Location) {
        var parts: [String] = []
        // The first twelve of the 64 digits are what the tools of container runtimes show.
        let container = location.identity.container
        if let container {
            parts.append("container \(container.count == 64 ? String(container.prefix(12)) : container)")
        }
        if let pod = location.identity.pod { parts.append("pod \(pod)") }
        if let unit = location.identity.unit, container.map({ !unit.contains($0) }) ?? true {
            parts.append("unit \(unit)")
        }
        if let cgroup = location.cgroup { parts.append("cgroup \(cgroup)") }
        if let netns = location.netns { parts.append("netns \(netns)") }
        wrap("where: " + parts.joined(separator: ", ").printable, indent: 4)
    }

    private func flow(_ tuple: FourTuple) -> String {
        "\(tuple.source.text(port: tuple.sourcePort)) > \(tuple.destination.text(port: tuple.destinationPort))"
    }

    // MARK: - Layout

    private mutating func wrap(_ sentence: String, indent: Int, color: Color? = nil) {
        var line = String(repeating: " ", count: indent)
        var isEmpty = true
        for word in sentence.split(separator: " ") {
            if !isEmpty, line.count + 1 + word.count > 80 {
                text += paint(line, color) + "\n"
                line = String(repeating: " ", count: indent + 2)
                isEmpty = true
            }
            if !isEmpty { line += " " }
            line += word
            isEmpty = false
        }
        text += paint(line, color) + "\n"
    }

    private enum Color: String {
        case green = "32"
        case yellow = "33"
    }

    private func paint(_ text: String, _ color: Color?) -> String {
        guard options.color, let color else { return text }
        return "\u{1b}[\(color.rawValue)m\(text)\u{1b}[0m"
    }

    private func padLeft(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }

    private func padRight(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }
}

extension ResetList {
    /// The first and the last of them were on different days, UTC.
    fileprivate var spansDays: Bool {
        guard let first = heads.first(where: \.hasWallClock), let last = heads.last(where: \.hasWallClock) else {
            return false
        }
        return !UTCTime(nanoseconds: first.time).isSameDay(as: UTCTime(nanoseconds: last.time))
    }
}
