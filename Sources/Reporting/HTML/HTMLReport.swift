public import Correlator
import Mustache
import NetworkTypes

/// Renders a report as one HTML file that needs nothing else: headline, answers, and resets over time; with JavaScript, a table
/// of the RSTs that sorts and filters, with the details of each.
public struct HTMLReport: Sendable {
    private let tool: String
    private let options: TextReport.Options

    /// With more RSTs the page has no table: browsers take seconds to read it.
    static let mostRows = 20_000
    private static let mostAnswers = 12
    private static let mostGroups = 200
    private static let mostRefusals = 200

    /// - Parameters:
    ///   - tool: name and version of the program.
    ///   - options: zone and form of times, order and number of answers.
    public init(tool: String, options: TextReport.Options = TextReport.Options()) {
        var options = options
        options.width = .max
        options.color = false
        options.isUnicode = true
        self.tool = tool
        self.options = options
    }

    /// Passes the page on in pieces.
    public func render(_ report: Report, to sink: ([UInt8]) throws -> Void) throws {
        MustacheContentTypes.register(HTMLScalars(), named: HTMLScalars.name)
        var report = report
        report.group()
        var page = TextReport(options: options)
        page.options.time.origin =
            report.resets.rows.first { $0.hasWallClock }?.time ?? report.resets.rows.first?.time ?? 0
        let groups = report.answers(by: options.order)
        let shown = options.top == 0 ? groups.count : min(groups.count, options.top ?? Self.mostAnswers)
        let isTabled = report.resets.count <= Self.mostRows
        let values = self.values(report, &page, groups, shown: shown, isTabled: isTabled)
        try sink(Array(MustacheTemplate(string: HTMLTemplate.page).render(values).utf8))
        if isTabled, !report.resets.isEmpty {
            var rows = HTMLRows(page.options.time)
            try rows.render(report.resets, groups, answers: shown, to: sink)
        }
        try sink(Array(MustacheTemplate(string: HTMLTemplate.end).render(["script": HTMLScript.text]).utf8))
    }

    private func values(
        _ report: Report, _ page: inout TextReport, _ groups: AnswerGroups, shown: Int, isTabled: Bool
    ) -> [String: Any] {
        // They have a table of their own.
        var withoutRefusals = report
        withoutRefusals.refusals = []
        let headline = Self.lines(&page) { $0.headline(withoutRefusals) }
        let warnings = Self.lines(&page) { $0.warnings(report) } + Self.lines(&page) { $0.clocks(report) }
        var values: [String: Any] = [
            "style": HTMLStyle.text, "styleHash": HTMLStyle.hash, "scriptHash": HTMLScript.hash, "tool": tool,
            "title": headline.first ?? "no resets", "headline": Array(headline.dropFirst()), "warnings": warnings,
            "hasWarnings": !warnings.isEmpty, "hasAnswers": shown > 0, "hasResets": !report.resets.isEmpty,
            "hasTable": isTabled && !report.resets.isEmpty, "inputs": report.inputs.map(Self.values),
            "timeTitle": HTMLRows.timeTitle(report.resets, page.options.time),
        ]
        let isDated = !HTMLRows.isOneDay(report.resets, page.options.time)
        values["answers"] = (0..<shown).map { number in
            let answer = groups.answer(number, slices: TextReport.slices)
            return self.values(
                answer, number, report.resets.entry(id: answer.example), page, isTabled: isTabled, isDated: isDated)
        }
        if let grouping = options.grouping {
            let table = GroupTable(grouping, report, page.options, most: Self.mostGroups)
            values["hasGroups"] = !table.rows.isEmpty
            values["groupColumns"] = table.header
            values["groups"] = table.rows.map { row in
                ["cells": zip(table.header, row).map { ["column": $0, "cell": $1] }]
            }
            values["moreGroups"] = table.more
        }
        if groups.count > shown {
            let rest = (shown..<groups.count).reduce(0) { $0 + groups.count(of: $1) }
            values["more"] =
                "and \((groups.count - shown).grouped) more with \(rest.counted("reset")) (--top 0 shows all)"
        }
        if !isTabled {
            values["tooMany"] =
                "\(report.resets.count.grouped) resets are too many for a table here: narrow the report to at most "
                + "\(Self.mostRows.grouped) (--cause, --host, --process, --since, --until), or write them with --format csv, "
                + "ndjson or sqlite."
        }
        if let chart = ResetChart(report.resets) {
            values.merge(chart.values(page.options.time)) { $1 }
            values["hasChart"] = true
        }
        if !report.refusals.isEmpty {
            values["hasRefusals"] = true
            values["refusalTitle"] = "\(report.refusals.count.counted("connection")) ended by ICMP errors, not by RSTs"
            values["refusals"] = report.refusals.prefix(Self.mostRefusals).map { Self.values($0, page) }
            if report.refusals.count > Self.mostRefusals {
                values["moreRefusals"] =
                    "and \((report.refusals.count - Self.mostRefusals).grouped) more (--format json has them)"
            }
        }
        return values
    }

    /// What a part of the text report says, line by line; it is printable.
    private static func lines(_ page: inout TextReport, _ body: (inout TextReport) -> Void) -> [String] {
        page.text = ""
        body(&page)
        defer { page.text = "" }
        return page.text.split(separator: "\n").map(String.init)
    }

    private func values(
        _ answer: Answer, _ number: Int, _ example: Reset?, _ page: TextReport, isTabled: Bool, isDated: Bool
    ) -> [String: Any] {
        let words = page.words(answer, example)
        var values: [String: Any] = [
            "count": answer.count.grouped, "verdict": words.verdict, "certainty": answer.certainty.rawValue,
            "who": words.who, "example": answer.example, "number": number,
            "isTabled": isTabled && answer.count > 1, "these": "these \(answer.count.grouped)",
            "texts": [words.pattern, words.meaning, words.receiver, words.missing].compactMap(\.self).filter {
                !$0.isEmpty
            },
        ]
        values["advice"] = words.advice
        if let first = answer.first, let last = answer.last {
            values["times"] = page.options.time.span(first, last, dated: isDated)
            if answer.count > 1, let most = answer.timeline.max(), most > 0 {
                values["hasBars"] = true
                values["barsWidth"] = answer.timeline.count * 10
                values["bars"] = answer.timeline.enumerated().compactMap { place, count -> [String: Any]? in
                    guard count > 0 else { return nil }
                    let height = max(2, Int((Double(count) / Double(most) * 20).rounded()))
                    return ["x": place * 10, "y": 20 - height, "height": height]
                }
            }
        }
        return values
    }

    private static func values(_ refusal: ICMPRefusal, _ page: TextReport) -> [String: Any] {
        let tuple = refusal.tuple
        return [
            "time": page.options.time.span(refusal.time, refusal.time, dated: true),
            "from": tuple.source.text(port: tuple.sourcePort),
            "to": tuple.destination.text(port: tuple.destinationPort), "certainty": refusal.certainty.rawValue,
            "sentence": refusal.sentence.printable,
        ]
    }

    private static func values(_ input: Report.Input) -> [String: Any] {
        let size =
            input.kind == .capture ? input.packets.counted("packet") : input.events.counted("event")
        let kernel = input.kernel.map { " (Linux \($0))" } ?? ""
        return [
            "file": input.file.printable, "kind": input.kind.rawValue, "size": size,
            "host": ((input.host ?? "") + kernel).printable,
        ]
    }
}
