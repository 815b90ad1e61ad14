import Correlator
import KernelEvents

extension TextReport {
    /// How many RSTs there are, from when to when, how certain their causes are, what is missing, and where they were recorded.
    mutating func headline(_ report: Report) {
        let summary = ReportSummary(report)
        let count = report.resets.count
        var sentence = count.counted("reset")
        if count > 0 { sentence += " of \(summary.connections.counted("connection"))" }
        let span = summary.span
        if let span, span.last > span.first {
            sentence += " in \(roughly(nanoseconds: UInt64(bitPattern: span.last &- span.first)))"
        }
        if count >= Self.leastForRate, let rate = rate(summary.perThousandSeconds) { sentence += ", \(rate)" }
        wrap(sentence, indent: 0, color: .bold)
        if count > 0 {
            let losses =
                !report.isComplete
                ? paint("incomplete, see the warnings", .yellow)
                : report.tellsOfLosses ? "nothing lost" : "no known losses"
            let sure = summary.byCertainty.map { paint("\($0.1.grouped) \($0.0.rawValue)", Self.color($0.0)) }
            // Not wrapped, because colour codes would count as columns.
            text += (sure + [losses]).joined(separator: ", ") + "\n"
            let followUps =
                summary.followUps > 0 ? ["\(summary.followUps.grouped) after another reset of the connection"] : []
            let outcomes = summary.byOutcome.map { "\($0.1.grouped) \($0.0.rawValue)" }
            wrap((outcomes + followUps).joined(separator: ", "), indent: 0)
        }
        let place = [
            span.map { options.time.span($0.first, $0.last, dated: true) }, recordedOn(report), scope(of: report),
        ].compactMap(\.self)
        if !place.isEmpty { wrap(place.joined(separator: "; "), indent: 0) }
        if let selection = report.selection {
            wrap(
                "showing \(count.grouped) of \(selection.total.counted("reset")) (\(selection.words.joined(separator: " ").printable))",
                indent: 0)
            if selection.refusals > 0 {
                wrap(
                    "not shown: \(selection.refusals.counted("connection")) ended by ICMP errors, not by RSTs",
                    indent: 0)
            }
        }
        if count == 0, report.selection == nil { unfinished(report) }
        refusals(report.refusals)
        text += "\n"
    }

    /// With fewer RSTs a rate is of no interest.
    private static let leastForRate = 10

    private func recordedOn(_ report: Report) -> String? {
        var hosts: [String] = []
        for input in report.inputs {
            guard let host = input.host, !host.isEmpty else { continue }
            let name = host.printable + (input.kernel.map { " (Linux \($0.printable))" } ?? "")
            if !hosts.contains(name) { hosts.append(name) }
        }
        return hosts.isEmpty ? nil : "recorded on \(hosts.joined(separator: ", "))"
    }

    /// What the recorders were told to record, if not everything.
    private func scope(of report: Report) -> String? {
        var scopes: [String] = []
        for scope in report.inputs.compactMap(\.scope?.description) where !scopes.contains(scope) {
            scopes.append(scope)
        }
        return scopes.isEmpty ? nil : "kernel events only of \(scopes.joined(separator: ", and of "))"
    }

    /// The colour of each certainty, the same everywhere.
    static func color(_ certainty: Certainty) -> Color {
        switch certainty {
        case .proven: .green
        case .inferred: .yellow
        case .unknown: .magenta
        }
    }

    /// In a unit in which it is at least one; nil if it is less than one per hour.
    func rate(_ perThousandSeconds: UInt64?) -> String? {
        guard let rate = perThousandSeconds else { return nil }
        if rate >= 1000 { return "\(Int(rate / 1000).grouped)/s" }
        if rate * 60 >= 1000 { return "\(rate * 60 / 1000)/min" }
        return rate > 0 ? "\(rate * 36 / 10)/h" : nil
    }

    // MARK: - What the reader must know before trusting the rest

    /// How many damaged places are named for each file.
    private static let namedDamage = 10

    mutating func warnings(_ report: Report) {
        let losses = report.losses
        var notes: [String] = []
        if losses.captureDropped > 0 {
            notes.append("\(losses.captureDropped.counted("packet")) dropped while capturing")
        }
        if losses.eventsLost > 0 { notes.append("\(losses.eventsLost.counted("kernel event")) lost") }
        if losses.bytesSkipped > 0 {
            notes.append("\(losses.bytesSkipped.counted("byte")) of captures could not be read")
        }
        if losses.linesSkipped > 0 {
            notes.append("\(losses.linesSkipped.counted("line")) of events could not be read")
        }
        for input in report.inputs {
            notes += input.damage.prefix(Self.namedDamage).map { "\(input.file): \($0)" }
            let more = input.damageCount - min(input.damage.count, Self.namedDamage)
            if more > 0 { notes.append("\(input.file): \(more.counted("more damaged place"))") }
        }
        for input in report.inputs { notes += input.notes.map { "\(input.file): \($0)" } }
        notes += clockSettings(report) + Self.outsideEvents(report)
        for input in report.inputs {
            notes += input.undecoded.map { "\(input.file): \($0.packets.counted("packet")) not analysed: \($0.reason)" }
        }
        for note in notes { wrap("warning: " + note.printable, indent: 0, color: .yellow) }
        if !notes.isEmpty { text += "\n" }
    }

    /// Comments on the captures that the files contain.
    mutating func comments(_ report: Report) {
        for input in report.inputs {
            for comment in input.comments {
                wrap("\(input.file.printable): comment: \(comment.printable)", indent: 0)
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
            let relation =
                clock.offset == 0 ? "agrees with" : "is \(TimeSpan(nanoseconds: clock.offset.magnitude)) \(sign)"
            wrap(
                "clocks: \(clock.file.printable) \(relation) \(clock.reference.printable)"
                    + "\(delay) (\(clock.segments.counted("segment")) in both)", indent: 0)
        }
        if !report.clocks.isEmpty { text += "\n" }
    }
}
