import Correlator
import JSONText
import NetworkTypes

/// The data of the page's table: one array per RST, and the words that they refer to by number, since many RSTs share them.
/// What the numbers of an array mean is in the script (`HTMLScript`).
struct HTMLRows {
    private let time: TimeDisplay
    private var numbers: [String: Int] = [:]
    private var words: [String] = []

    init(_ time: TimeDisplay) { self.time = time }

    /// One RST, with its words.
    private struct Row: Sendable {
        let row: ResetRow
        let time: String
        let verdict: String
        let name: String
        let process: String
        let details: [ResetDetails.Detail]
        let ladder: Ladder?
    }

    /// - Parameter answers: how many of the groups are shown; the others have no number.
    mutating func render(
        _ resets: ResetList, _ groups: AnswerGroups, answers: Int, to sink: ([UInt8]) throws -> Void
    ) rethrows {
        var answer = [Int32](repeating: -1, count: resets.count)
        for number in 0..<answers {
            for place in groups.places(of: number) { answer[Int(place)] = Int32(truncatingIfNeeded: number) }
        }
        let (display, isOneDay) = (self.time, Self.isOneDay(resets, self.time))
        try sink(Array("<script type=\"application/json\" id=\"data\">{\"rows\":[".utf8))
        var place = 0
        try inPieces(
            resets.count, { range in range.map { Self.row(resets, $0, display, isOneDay: isOneDay) } },
            to: { piece in
                var json = JSONWriter(capacity: piece.count * 512)
                for row in piece {
                    json.raw(place == 0 ? "\n" : ",\n")
                    append(row, answer: answer[place], to: &json)
                    place += 1
                }
                try sink(json.finish().safeInScript)
            })
        var json = JSONWriter()
        json.strings("\n],\n\"labels\":[", ResetDetails.Label.allCases.map(\.rawValue))
        json.strings(",\n\"answers\":[", (0..<answers).map { Self.name(groups.answer($0), $0) })
        json.strings(",\n\"words\":[", words)
        json.raw("}</script>\n")
        // The element's own end is no string.
        let bytes = json.finish()
        try sink(Array(bytes.dropLast(10)).safeInScript + Array(bytes.suffix(10)))
    }

    private static func name(_ answer: Answer, _ number: Int) -> String {
        "\(number + 1): \(verdict(answer.cause, answer.candidates, answer.certainty)) (\(answer.count.grouped))"
    }

    // MARK: - Times

    static func timeTitle(_ resets: ResetList, _ time: TimeDisplay) -> String {
        guard let span = resets.span, let day = time.day(span.first, after: nil) else { return "Time" }
        let zone = day.split(separator: " ").dropFirst().joined(separator: " ")
        return isOneDay(resets, time) ? "Time, \(day)" : "Time, \(zone)"
    }

    static func isOneDay(_ resets: ResetList, _ time: TimeDisplay) -> Bool {
        guard let span = resets.span else { return true }
        return time.day(span.last, after: span.first) == nil
    }

    // MARK: - Rows

    private static func row(_ resets: ResetList, _ place: Int, _ display: TimeDisplay, isOneDay: Bool) -> Row {
        let row = resets.rows[place]
        let attribution = resets.attribution(of: row)
        var time = row.hasWallClock || display.form == .relative ? display.stamp(row.time) : "unknown"
        if row.hasWallClock, !isOneDay, let day = display.day(row.time, after: nil)?.split(separator: " ").first {
            time = "\(day) \(time)"
        }
        var (name, process) = ("", "")
        if let comm = attribution.process?.comm?.printable {
            name = comm
            let role: String =
                switch attribution.process?.role {
                case .killer: "killed by "
                case .closer: "closed by "
                default: ""
                }
            process = role + comm + (attribution.process?.pid.map { " (pid \($0))" } ?? "")
        } else if let comm = attribution.receiver?.comm?.printable {
            name = comm
            let verb = attribution.isIgnored ? "ignored" : "received"
            process = "\(verb) by \(comm)" + (attribution.receiver?.pid.map { " (pid \($0))" } ?? "")
        }
        var details = ResetDetails(resets[place]).all
        // Beside one RST, the reader has no answer that says what to do about its kind.
        if attribution.advice == nil, let advice = Catalogue.rule(for: row.cause)?.advice {
            details.insert(ResetDetails.Detail(label: .advice, text: advice.printable), at: 1)
        }
        return Row(
            row: row, time: time, verdict: verdict(row.cause, attribution.candidates, row.certainty), name: name,
            process: process, details: details, ladder: resets.ladder(at: place))
    }

    private mutating func append(_ row: Row, answer: Int32, to json: inout JSONWriter) {
        let tuple = row.row.tuple
        json.raw("[")
        json.number(row.row.id)
        json.raw(",")
        json.string(row.time)
        for word in [
            tuple.source.text(port: tuple.sourcePort), tuple.destination.text(port: tuple.destinationPort), row.verdict,
            row.row.cause.rawValue, row.row.certainty.rawValue, row.row.direction.rawValue,
            row.row.outcome.rawValue, row.name, row.process,
        ] {
            json.raw(",")
            json.number(number(of: word))
        }
        json.raw(",")
        json.number(answer)
        json.member(",", row.row.follows ?? 0)
        json.raw(",[")
        for (index, detail) in row.details.enumerated() {
            if index > 0 { json.raw(",") }
            json.number(ResetDetails.Label.allCases.firstIndex(of: detail.label) ?? 0)
            json.raw(",")
            json.number(number(of: detail.text))
            json.raw(",")
            json.number(detail.place.map { number(of: $0) } ?? -1)
        }
        json.raw("],[")
        if let ladder = row.ladder { append(ladder, to: &json) }
        json.raw("]]")
    }

    private mutating func append(_ ladder: Ladder, to json: inout JSONWriter) {
        json.number(number(of: ladder.file.printable))
        json.raw(",")
        json.number(ladder.leftOut)
        let origin = ladder.rungs.first { $0.role == .reset }?.time ?? 0
        for rung in ladder.rungs {
            json.raw(",")
            json.number(rung.packet)
            json.raw(",")
            // Microseconds, which are exact in JavaScript for any time there is.
            json.number(rung.time.subtractingReportingOverflow(origin).partialValue / 1000)
            json.raw(rung.isFromSender ? ",1," : ",0,")
            json.number(number(of: rung.flags.description))
            json.raw(",")
            json.number(rung.seq)
            json.raw(",")
            json.number(rung.ack)
            json.raw(",")
            json.number(rung.length)
            json.raw(",")
            json.number(rung.window.map(Int.init) ?? -1)
            json.raw(rung.role == .reset ? ",1" : rung.role == .trigger ? ",2" : ",0")
        }
    }

    private mutating func number(of word: String) -> Int {
        if let number = numbers[word] { return number }
        numbers[word] = words.count
        words.append(word)
        return words.count - 1
    }
}
