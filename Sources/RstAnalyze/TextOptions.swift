import ArgumentParser
import Correlator
import Reporting

/// How a report is shown to people.
struct TextOptions: ParsableArguments {
    @Flag(help: "List all RSTs, one per line; without this option they are listed only if there are at most 20.")
    var list = false

    @Option(
        help: ArgumentHelp("Show this many answers or groups; 0 shows all.", valueName: "n"),
        transform: {
            try number($0, "a number of answers")
        })
    var top: Int?

    @Option(
        name: .customLong("group-by"),
        help: ArgumentHelp(
            "Instead of giving answers, count RSTs by one or more of these, separated by commas: \(Grouping.Field.allCases.map(\.rawValue).joined(separator: ", ")).",
            valueName: "fields"), transform: { try words($0, "a field", Grouping.Field.self) })
    var groupBy: [[Grouping.Field]] = []

    @Option(
        help: ArgumentHelp(
            "Order of answers or groups: the largest first (count), the earliest (first), the latest (last), or by name (name).",
            valueName: "order"),
        transform: { try word($0, "an order") })
    var sort = AnswerOrder.count

    @OptionGroup
    var lines: LineOptions

    var tz: WallClock { lines.tz }

    var grouping: Grouping? { groupBy.isEmpty ? nil : Grouping(fields: groupBy.flatMap(\.self)) }

    mutating func validate() throws {
        let fields = groupBy.flatMap(\.self)
        for (place, field) in fields.enumerated() where fields[..<place].contains(field) {
            throw ValidationError("--group-by has \(field.rawValue) twice.")
        }
    }

    /// - Parameter descriptor: where the text goes.
    func text(for descriptor: Int32) -> TextReport.Options {
        var options = lines.text(for: descriptor)
        options.list = list
        options.top = top
        options.grouping = grouping
        options.order = sort
        return options
    }
}
