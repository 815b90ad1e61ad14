public import Correlator
import NetworkTypes

/// Renders a report for a ticket: headline, answers as a table, and the RSTs if they are few.
public struct MarkdownReport {
    private let options: TextReport.Options

    public init(options: TextReport.Options = TextReport.Options()) {
        var options = options
        options.width = .max
        options.color = false
        self.options = options
    }

    public func render(_ report: Report, to sink: (String) throws -> Void) rethrows {
        var page = TextReport(options: options)
        page.options.time.origin =
            report.resets.rows.first { $0.hasWallClock }?.time ?? report.resets.rows.first?.time ?? 0
        page.headline(report)
        let lines = page.text.split(separator: "\n")
        var text = "## " + Self.plain(lines.first.map(String.init) ?? "no resets") + "\n\n"
        for line in lines.dropFirst() { text += "- " + Self.plain(String(line)) + "\n" }
        page.text = ""
        page.warnings(report)
        for line in page.text.split(separator: "\n") { text += "- **" + Self.plain(String(line)) + "**\n" }
        text += options.grouping.map { self.groups($0, report, page) } ?? answers(report, page)
        let isShort = options.grouping == nil && report.resets.count <= TextReport.shortList
        if !report.resets.isEmpty, options.list || isShort {
            text += "\n| # | Time | From | To | Cause | Process |\n| ---: | --- | --- | --- | --- | --- |\n"
            for row in report.resets.rows {
                let attribution = report.resets.attribution(of: row)
                let process = attribution.process ?? attribution.receiver
                let name = process?.comm.map { name in name + (process?.pid.map { " (pid \($0))" } ?? "") } ?? ""
                let cells = [
                    "\(row.id)", row.hasWallClock ? options.time.span(row.time, row.time, dated: true) : "",
                    row.tuple.source.text(port: row.tuple.sourcePort),
                    row.tuple.destination.text(port: row.tuple.destinationPort),
                    verdict(row.cause, attribution.candidates, row.certainty),
                    attribution.process == nil && !name.isEmpty ? "received by \(name)" : name,
                ]
                text += "| " + cells.map { Self.plain($0.printable) }.joined(separator: " | ") + " |\n"
            }
        }
        try sink(text)
    }

    private func answers(_ report: Report, _ page: TextReport) -> String {
        var text = ""
        let groups = report.answers(by: options.order)
        if groups.count > 0 {
            text += "\n| Resets | Cause | Who | What happened | Do |\n| ---: | --- | --- | --- | --- |\n"
            let shown = options.top == 0 ? groups.count : min(groups.count, options.top ?? Self.mostAnswers)
            for number in 0..<shown {
                let answer = groups.answer(number, slices: 1)
                let cells = [
                    answer.count.grouped, verdict(answer.cause, answer.candidates, answer.certainty),
                    page.parties(answer),
                    answer.meaning ?? "", answer.advice ?? "",
                ]
                text += "| " + cells.map { Self.plain($0.printable) }.joined(separator: " | ") + " |\n"
            }
            if groups.count > shown { text += "\nand \((groups.count - shown).grouped) more (`--top 0` shows all)\n" }
        }
        return text
    }

    private func groups(_ grouping: Grouping, _ report: Report, _ page: TextReport) -> String {
        let table = GroupTable(grouping, report, page.options, most: Self.mostGroups)
        guard !table.rows.isEmpty else { return "" }
        func line(_ cells: [String]) -> String { "| " + cells.map(Self.plain).joined(separator: " | ") + " |\n" }
        var text =
            "\n" + line(table.header) + "| ---: | ---: |" + grouping.fields.map { _ in " --- |" }.joined() + " --- |\n"
        for row in table.rows { text += line(row) }
        if let more = table.more { text += "\n\(more)\n" }
        return text
    }

    private static let mostAnswers = 12
    private static let mostGroups = 50

    /// Text that Markdown shows as it is: names of processes and files are untrusted.
    private static func plain(_ text: String) -> String {
        var result = ""
        for character in text {
            if "\\`*_{}[]<>#|~!&".contains(character) { result.append("\\") }
            result.append(character)
        }
        return result
    }
}
