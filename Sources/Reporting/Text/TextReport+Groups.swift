import Correlator
import NetworkTypes

/// RSTs counted by some of their fields, as a table of text.
struct GroupTable {
    let header: [String]
    /// Cells as in the header; printable.
    let rows: [[String]]
    /// What is not in the rows; nil if everything is.
    let more: String?

    /// - Parameter most: the number of rows unless the options name one.
    init(_ grouping: Grouping, _ report: Report, _ options: TextReport.Options, most: Int) {
        var groups = grouping.groups(of: report.resets)
        Grouping.sort(&groups, by: options.order)
        let shown = groups.prefix(options.top == 0 ? groups.count : options.top ?? most)
        header = ["resets", "proven"] + grouping.fields.map(\.rawValue) + ["first to last"]
        rows = shown.map { group in
            let span = group.first.flatMap { first in group.last.map { options.time.span(first, $0) } } ?? "-"
            return [group.count.grouped, group.proven.grouped]
                + group.values.map { $0.map { Self.text($0, options.time) } ?? "-" } + [span]
        }
        let rest = groups.dropFirst(shown.count)
        more =
            rest.isEmpty
            ? nil
            : "and \(rest.count.grouped) more with \(rest.reduce(0) { $0 + $1.count }.counted("reset")) (--top 0 shows all)"
    }

    private static func text(_ value: Grouping.Value, _ time: TimeDisplay) -> String {
        switch value {
        case .word(let word): word.printable
        case .number(let number): String(number)
        case .address(let address): address.description
        case .end(let address, let port): address.text(port: port)
        case .hour(let start): time.hour(start)
        }
    }
}

extension TextReport {
    /// A table of the RSTs by groups.
    mutating func groups(_ grouping: Grouping, _ report: Report) {
        let table = GroupTable(grouping, report, options, most: max(Self.leastGroups, options.height - 8))
        guard !table.rows.isEmpty else { return }
        var rows = [table.header] + table.rows
        // If there is no room for all columns, the times can best be spared.
        let whole = rows[0].indices.reduce(-2) { sum, column in sum + 2 + (rows.map { $0[column].columns }.max() ?? 0) }
        if whole > options.width { for number in rows.indices { rows[number].removeLast() } }
        let widths = rows[0].indices.map { column in rows.map { $0[column].columns }.max() ?? 0 }
        for row in rows {
            var line = padLeft(row[0], widths[0]) + "  " + padLeft(row[1], widths[1])
            for column in row.indices.dropFirst(2) {
                line += "  " + row[column]
                if column < row.count - 1 {
                    line += String(repeating: " ", count: widths[column] - row[column].columns)
                }
            }
            text += line + "\n"
        }
        if let more = table.more { text += more + "\n" }
    }

    private static let leastGroups = 10
}
