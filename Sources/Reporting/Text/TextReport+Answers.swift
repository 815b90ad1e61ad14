import Correlator
import NetworkTypes

extension TextReport {
    /// The answers, the largest first, as many as fit on a screen.
    mutating func answers(_ report: Report) {
        guard !report.resets.isEmpty else { return }
        let groups = report.answers(by: options.order)
        let width = max(5, groups.count == 0 ? 0 : groups.largest.grouped.count)
        let isAll = options.top == 0 || options.verbose && options.top == nil
        // One line for what follows, and one for the prompt.
        let room = options.height - text.split(separator: "\n", omittingEmptySubsequences: false).count - 2
        var shown = 0
        if isAll || options.top != nil {
            let count = isAll ? groups.count : min(groups.count, options.top ?? 0)
            while shown < count {
                text += block(groups.answer(shown, slices: Self.slices), report, width).full
                shown += 1
            }
        } else {
            shown = fitting(groups, report, width, room)
        }
        let left = groups.count - shown
        if left > 0 {
            let resets = (shown..<groups.count).reduce(0) { $0 + groups.count(of: $1) }
            wrap("and \(left.grouped) more with \(resets.counted("reset")) (--top 0 shows all)", indent: width + 2)
        }
    }

    /// The number of bars in an answer's timeline.
    static let slices = 12
    /// Shown however low the screen is.
    private static let leastAnswers = 3
    /// The limit however high the screen is.
    private static let mostAnswers = 12

    /// Shows first the answers that cover nearly all RSTs and those with a pattern, each as fully as there is room; then others.
    private mutating func fitting(_ groups: AnswerGroups, _ report: Report, _ width: Int, _ room: Int) -> Int {
        let most = min(groups.count, Self.mostAnswers)
        let total = report.resets.count
        var important = 0
        var covered = 0
        while important < most,
            important < Self.leastAnswers || covered * 20 < total * 19 || groups.hasPattern(important)
        {
            covered += groups.count(of: important)
            important += 1
        }
        let blocks = (0..<most).map { block(groups.answer($0, slices: Self.slices), report, width) }
        // How many fit at least in brief.
        var shown = 0
        var used = 0
        while shown < important, shown < Self.leastAnswers || used + blocks[shown].brief.lineCount <= room {
            used += blocks[shown].brief.lineCount
            shown += 1
        }
        var isFull = [Bool](repeating: false, count: shown)
        for number in 0..<shown {
            let more = blocks[number].full.lineCount - blocks[number].brief.lineCount
            guard used + more <= room || shown == 1 else { break }
            used += more
            isFull[number] = true
        }
        if isFull.allSatisfy(\.self) {
            while shown < most, used + blocks[shown].full.lineCount <= room {
                used += blocks[shown].full.lineCount
                isFull.append(true)
                shown += 1
            }
        }
        for number in 0..<shown { text += isFull[number] ? blocks[number].full : blocks[number].brief }
        return shown
    }

    // MARK: - One answer

    /// RSTs that only follow from an earlier one are not a separate problem.
    private static func following(_ answer: Answer) -> String {
        switch answer.followUps {
        case 0: ""
        case answer.count: ", after another reset of the connection"
        default: ", \(answer.followUps.grouped) of them after another reset"
        }
    }

    /// What is said of an answer, all of it printable.
    struct AnswerWords {
        /// Cause, candidates and certainty.
        let verdict: String
        let who: String
        /// What its RSTs amount to together; nil without a pattern.
        let pattern: String?
        let meaning: String
        let receiver: String?
        let missing: String?
        let advice: String?
    }

    func words(_ answer: Answer, _ example: Reset?) -> AnswerWords {
        var received: String?
        if let receiver = example?.receiver, answer.direction == .received || answer.count == 1 {
            let beginning = answer.count == 1 ? "Received" : "For example received"
            received = "\(beginning)\(receiver.sentence.dropFirst(8)).".printable
        }
        let missing = answer.certainty == .proven ? nil : example?.missing.first
        return AnswerWords(
            verdict: Reporting.verdict(answer.cause, answer.candidates, answer.certainty) + Self.following(answer),
            who: (answer.pattern.map { "\($0.name): " } ?? "") + parties(answer),
            pattern: answer.pattern?.sentence(answer), meaning: Self.meaning(answer, example), receiver: received,
            missing: missing.map { "Missing: \($0.printable)." }, advice: answer.advice?.printable)
    }

    private struct Block {
        let full: String
        /// Without its meaning and advice.
        let brief: String
    }

    private func block(_ answer: Answer, _ report: Report, _ width: Int) -> Block {
        let indent = width + 2
        let example = report.resets.entry(id: answer.example)
        let words = words(answer, example)
        var brief = TextReport(options: options)
        brief.text = padLeft(answer.count.grouped, width) + "  "
        let label = lines(words.verdict, indent: indent, hanging: indent).joined(separator: "\n").dropFirst(indent)
        brief.text += brief.paint(String(label), Self.color(answer.certainty))
        let column = max(indent + label.columns + 2, indent + 34)
        if !label.contains("\n"), column + words.who.columns <= options.width {
            brief.text += String(repeating: " ", count: column - indent - label.columns) + words.who + "\n"
        } else {
            brief.text += "\n"
            brief.wrap(words.who, indent: indent)
        }
        var full = brief
        full.wrap(words.pattern.map { "\($0) \(words.meaning)" } ?? words.meaning, indent: indent, hanging: indent)
        if let pattern = words.pattern { brief.wrap(pattern, indent: indent, hanging: indent) }
        if let receiver = words.receiver { full.wrap(receiver, indent: indent) }
        if let missing = words.missing { full.wrap(missing, indent: indent) }
        if let advice = words.advice { full.wrap("Do: \(advice)", indent: indent) }
        let footer = footer(answer, example)
        let line = String(repeating: " ", count: indent) + footer.joined(separator: "  ")
        if line.columns <= options.width {
            brief.text += line + "\n"
            full.text += line + "\n"
        } else {
            brief.wrap(footer.joined(separator: " "), indent: indent)
            full.wrap(footer.joined(separator: " "), indent: indent)
        }
        return Block(full: full.text, brief: brief.text)
    }

    /// What happened; for a single RST, its own summary.
    private static func meaning(_ answer: Answer, _ example: Reset?) -> String {
        let sentence = answer.count == 1 ? example?.summary : answer.meaning
        guard let because = example?.because?.printable, let first = because.first else {
            return sentence?.printable ?? ""
        }
        return "\(sentence?.printable ?? "") \(first.uppercased())\(because.dropFirst())."
    }

    private func footer(_ answer: Answer, _ example: Reset?) -> [String] {
        var parts: [String] = []
        if let first = answer.first, let last = answer.last {
            parts.append(options.time.span(first, last))
            if answer.count > 1, !answer.timeline.isEmpty {
                parts.append(sparkline(answer.timeline, isUnicode: options.isUnicode))
            }
        }
        if answer.count > 1, let example {
            let client = answer.sentBy == .source ? example.tuple.reversed : example.tuple
            parts.append("e.g. #\(answer.example) \(client.source.text(port: client.sourcePort))")
        } else {
            parts.append("#\(answer.example)")
        }
        return parts
    }

    // MARK: - Who and where

    func parties(_ answer: Answer) -> String {
        var services = Self.text(answer.services, "host")
        if case .scan(let ports, let hosts)? = answer.pattern {
            services = "\(ports.counted("port")) on \(hosts.counted("host"))"
        }
        let clients = Self.text(answer.clients, "client")
        let (from, to) = answer.sentBy == .source ? (services, clients) : (clients, services)
        let who = sender(answer)
        let other = answer.direction == .received ? " (another host)" : ""
        return "\(who.isEmpty ? "" : who + " ")\(from)\(other) -> \(to)"
    }

    private func sender(_ answer: Answer) -> String {
        let sender = answer.sender
        if let name = sender.name?.printable {
            var notes: [String] = []
            if let pid = sender.pid {
                notes.append("pid \(pid)")
            } else if sender.processes > 1 {
                notes.append(sender.processes.counted("process", plural: "processes"))
            }
            if let place = sender.location?.shortName { notes.append(place) }
            let text = name + (notes.isEmpty ? "" : " (\(notes.joined(separator: ", ")))")
            if sender.role == .closer { return "closed by \(text):" }
            guard sender.role == .killer else { return text }
            return text + (sender.owner.map { " for \($0.printable)" } ?? "")
        }
        switch (answer.cause, answer.direction) {
        case (.netfilterReject, .sent?): return "this host's firewall"
        case (_, .sent?): return sender.role == Reset.Process.Role.none ? "this host's kernel" : "this host"
        case (_, .forwarded?): return "passing through:"
        case (.injected, _): return "a third party as"
        default: return ""
        }
    }

    private static func text(_ ends: Answer.EndpointSummary, _ noun: String) -> String {
        if let only = ends.top.first, ends.addresses == 1 {
            if ends.ends == 1, let port = ends.port { return only.address.text(port: port) }
            if let port = ends.port { return only.address.text(port: port) }
            return noun == "client" ? "\(only.address)" : "\(only.address), \(ends.ends.counted("port"))"
        }
        return ends.addresses.counted(noun) + (ends.port.map { ", port \($0)" } ?? "")
    }
}

extension Answer.Pattern {
    /// In words.
    fileprivate var name: String { word.split(separator: "-").joined(separator: " ") }

    fileprivate func sentence(_ answer: Answer) -> String {
        switch self {
        case .scan: return "A port scan, or a program looking for a service."
        case .crashLoop(let times): return "The service went down \(times.grouped) times and came back."
        case .deadBackend: return "No attempt succeeded: nothing listens, or a firewall rejects it."
        case .healthCheck(let interval):
            return
                "A connection every \(TimeSpan(nanoseconds: interval)), at regular intervals: probably a health check of a load balancer or monitor."
        case .idleLimit(let silence, let count):
            let share = count == answer.count ? "All" : "\(count.grouped) of \(answer.count.grouped)"
            return "\(share) came after \(TimeSpan(nanoseconds: silence)) of silence (within 5 %): an idle limit."
        }
    }
}

extension String {
    fileprivate var lineCount: Int { utf8.count { $0 == UInt8(ascii: "\n") } }
}
