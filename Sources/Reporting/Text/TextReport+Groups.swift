import Correlator
import NetworkTypes

extension TextReport {
    /// A table of the RSTs by groups.
    mutating func groups(_ grouping: Grouping, _ report: Report) {
        var groups = grouping.groups(of: report.resets)
        guard !groups.isEmpty else { return }
        Grouping.sort(&groups, by: options.order)
        let most = options.top == 0 ? groups.count : options.top ?? max(Self.leastGroups, options.height - 8)
        let shown = Array(groups.prefix(most))
        var rows = [["resets", "proven"] + grouping.fields.map(\.rawValue) + ["first to last"]]
        for group in shown {
            let span = group.first.flatMap { first in group.last.map { options.time.span(first, $0) } } ?? "-"
            rows.append(
                [group.count.grouped, group.proven.grouped] + group.values.map { $0.map(text) ?? "-" } + [span])
        }
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
        if groups.count > shown.count {
            let rest = groups.dropFirst(shown.count).reduce(0) { $0 + $1.count }
            text +=
                "and \((groups.count - shown.count).grouped) more with \(rest.counted("reset")) (--top 0 shows all)\n"
        }
    }

    private static let leastGroups = 10

    private func text(_ value: Grouping.Value) -> String {
        switch value {
        case .word(let word): word.printable
        case .number(let number): String(number)
        case .address(let address): address.description
        case .end(let address, let port): address.text(port: port)
        case .hour(let start): options.time.hour(start)
        }
    }
}
