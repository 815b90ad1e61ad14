public import Correlator
import NetworkTypes

/// The lines of RSTs as they come: those that a report's list has of them. Of a flood a few are shown, and how many more came.
public struct LiveText: Sendable {
    private var options: TextReport.Options
    private var merge = FloodMerge(shownOfKind: Self.shownOfKind, shownInAll: Self.shownInAll)
    /// Of the RST that was shown last.
    private var lastTime: Int64?
    private var hasOrigin = false
    /// Causes whose advice was given.
    private var advised: Set<Cause> = []

    /// Lines that a second has of one kind, and of all.
    static let shownOfKind = 10
    static let shownInAll = 200

    public init(options: TextReport.Options) {
        self.options = options
        self.options.namesNoSocket = true
    }

    /// The lines of what settled.
    ///
    /// - Parameter now: a steady clock, nanoseconds.
    public mutating func lines(of settled: LiveCorrelator.Settled, at now: Int64) -> String {
        lines(of: settled.resets, isCorrection: false, now) + lines(of: settled.corrections, isCorrection: true, now)
    }

    private mutating func lines(of resets: ResetList, isCorrection: Bool, _ now: Int64) -> String {
        guard !resets.isEmpty else { return "" }
        if !hasOrigin, let first = resets.rows.first(where: \.hasWallClock) {
            options.time.origin = first.time
            hasOrigin = true
        }
        let shown =
            options.list
            ? Array(resets.rows.indices) : merge.shown(of: resets, isCorrection: isCorrection, at: now)
        var options = options
        options.marksCorrections = isCorrection
        var text = ""
        for place in shown {
            let row = resets.rows[place]
            // Each line is made by itself: the one before it says whether the day is another.
            text += ListText(TextReport(options: options), resets, after: lastTime).text(ofOne: place)
            if row.hasWallClock { lastTime = row.time }
            guard !options.verbose, advised.insert(row.cause).inserted,
                let advice = resets.attribution(of: row).advice?.sentence ?? Catalogue.rule(for: row.cause)?.advice
            else { continue }
            var page = TextReport(options: options)
            page.wrap("do: \(advice.printable)", indent: 4)
            text += page.text
        }
        return text
    }

    /// How many more there were of what is complete by now.
    ///
    /// - Parameter now: nil at the end.
    public mutating func more(at now: Int64?) -> String {
        merge.due(at: now).map(line).joined()
    }

    private func line(_ more: FloodMerge.More) -> String {
        let kind = more.kind
        var text = "+ \(more.count.grouped) more "
        if kind.isCorrection { text += "corrected to " }
        text += kind.cause == .unknown ? "unknown" : "\(kind.cause.rawValue), \(kind.certainty.rawValue)"
        if let service = kind.service {
            text += ", \(service.isSource ? "" : "towards ")\(service.address.text(port: service.port))"
        } else {
            text += " elsewhere"
        }
        text += " in \(tenths(more.last.subtractingReportingOverflow(more.first).partialValue)) s"
        if let process = kind.process?.comm {
            text += "; \(process.printable)" + (kind.process?.pid.map { " (pid \($0))" } ?? "")
        }
        return text + "\n"
    }

    /// A second or less; never 0, since something happened.
    private func tenths(_ nanoseconds: Int64) -> String {
        let tenths = max(1, (max(0, nanoseconds) + 99_999_999) / 100_000_000)
        return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
    }
}
