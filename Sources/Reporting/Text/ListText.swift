import Correlator
import NetworkTypes

/// The list of single RSTs, on one line each if it fits.
struct ListText: Sendable {
    private let base: TextReport
    private let resets: ResetList
    private var idWidth: Int
    /// Of the RST that was shown before the first of these.
    private let earlier: Int64?

    init(_ report: TextReport, _ resets: ResetList, after earlier: Int64? = nil) {
        base = TextReport(options: report.options)
        self.resets = resets
        self.earlier = earlier
        idWidth = "#\(resets.rows.last?.id ?? 0)".count
    }

    func text(of places: some Sequence<Int>) -> String {
        var page = base
        let rows = resets.rows
        for index in places {
            if rows[index].hasWallClock {
                let previous = index > 0 && rows[index - 1].hasWallClock ? rows[index - 1].time : earlier
                if let day = page.options.time.day(rows[index].time, after: previous) { page.text += day + "\n" }
            }
            line(rows[index], &page)
            if page.options.verbose { page.details(resets[index]) }
        }
        return page.text
    }

    /// The same for one of them, whatever the others are.
    func text(ofOne place: Int) -> String {
        var (list, page) = (self, base)
        let row = resets.rows[place]
        list.idWidth = 0
        if row.hasWallClock, let day = page.options.time.day(row.time, after: earlier) { page.text += day + "\n" }
        list.line(row, &page)
        if page.options.verbose { page.details(resets[place]) }
        return page.text
    }

    private func line(_ row: ResetRow, _ page: inout TextReport) {
        let attribution = resets.attribution(of: row)
        let time =
            row.hasWallClock || page.options.time.form == .relative
            ? page.options.time.stamp(row.time) : "--:--:--.------"
        var parts: [String] = []
        if row.direction != .unknown { parts.append(row.direction.rawValue) }
        if let first = row.follows { parts.append("follows #\(first)") }
        if row.outcome != .matched, page.options.showsOutcome { parts.append(row.outcome.rawValue) }
        if page.options.marksCorrections { parts.append("corrected") }
        if page.options.namesNoSocket, attribution.process?.role == Reset.Process.Role.none {
            parts.append("no socket")
        }
        if let name = attribution.process?.comm {
            let role: String =
                switch attribution.process?.role {
                case .killer: "killed by "
                case .closer: "closed by "
                default: ""
                }
            var notes = attribution.process?.pid.map { ["pid \($0)"] } ?? []
            // A killer is elsewhere. Where a container has no name, its id does not tell much.
            if attribution.process?.role != .killer, let place = attribution.location, place.container != nil,
                let container = place.shortName
            {
                notes.append(container)
            }
            parts.append("\(role)\(name.printable)" + (notes.isEmpty ? "" : " (\(notes.joined(separator: ", ")))"))
        }
        if let name = attribution.receiver?.comm, attribution.process == nil {
            let verb = attribution.isIgnored ? "ignored" : "received"
            parts.append("\(verb) by \(name.printable)" + (attribution.receiver?.pid.map { " (pid \($0))" } ?? ""))
        }
        let id = "#\(row.id)"
        let space = String(repeating: " ", count: max(0, idWidth - id.utf8.count) + 1)
        let start = "\(id)\(space)\(time) \(row.tuple.flow)"
        let words = verdict(row.cause, attribution.candidates, row.certainty)
        let rest = parts.isEmpty ? "" : "; " + parts.joined(separator: ", ")
        let color = TextReport.color(row.certainty)
        guard start.columns <= page.options.width else {
            page.wrap(start, indent: 0, hanging: 4)
            page.wrap(words + rest, indent: 4, color: color)
            return
        }
        page.text += start
        if start.columns + 2 + words.columns + rest.columns <= page.options.width {
            page.text += "  " + page.paint(words, color) + rest + "\n"
            return
        }
        page.text += "\n"
        let lines = page.lines(words + rest, indent: 4)
        if lines.count == 1 {
            page.text += "    " + page.paint(words, color) + rest + "\n"
        } else {
            for line in lines { page.text += page.paint(line, color) + "\n" }
        }
    }
}

extension TextReport {
    /// The details of one RST, below its line.
    mutating func details(_ reset: Reset) {
        var isFirstFrame = true
        for detail in ResetDetails(reset).all {
            switch detail.label {
            case .summary: wrap(detail.text, indent: 4)
            case .evidence: wrap("\(detail.text) [\(detail.place ?? "")]", indent: 4)
            case .path:
                text += (isFirstFrame ? "    path: " : "        < ") + detail.text + "\n"
                isFirstFrame = false
            default: wrap("\(detail.label.rawValue): \(detail.text)", indent: 4)
            }
        }
    }
}
