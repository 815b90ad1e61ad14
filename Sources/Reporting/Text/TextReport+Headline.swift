import Correlator

extension TextReport {
    /// Of each file, so many damaged places are named.
    private static let namedDamage = 10

    mutating func summary(_ report: Report) {
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
    mutating func notes(_ report: Report) {
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
    mutating func comments(_ report: Report) {
        for input in report.inputs {
            for comment in input.comments {
                wrap("\(input.file.printable): comment: \(comment.printable)", indent: 2)
            }
        }
        if report.inputs.contains(where: { !$0.comments.isEmpty }) { text += "\n" }
    }

    mutating func clocks(_ report: Report) {
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
}
