import Correlator
import JSONText
import KernelEvents
import NetworkTypes

/// Renders answers and groups for `rst-report/1`.
struct JSONAnswers {
    private var json: JSONWriter

    private init(capacity: Int) { json = JSONWriter(capacity: capacity) }

    /// The elements of some answers, with the separator before each.
    static func text(of groups: AnswerGroups, _ range: Range<Int>) -> [UInt8] {
        var answers = JSONAnswers(capacity: range.count * 512)
        for number in range {
            answers.json.raw(number == 0 ? "\n" : ",\n")
            answers.append(groups.answer(number))
        }
        return answers.json.finish()
    }

    /// The elements of groups.
    static func text(of groups: some Sequence<Grouping.Group>, _ grouping: Grouping) -> [UInt8] {
        var answers = JSONAnswers(capacity: 4096)
        for (number, group) in groups.enumerated() {
            answers.json.raw(number == 0 ? "\n" : ",\n")
            answers.append(group, grouping)
        }
        return answers.json.finish()
    }

    private mutating func append(_ answer: Answer) {
        json.raw("{\"count\":")
        json.number(answer.count)
        json.raw(",\"cause\":")
        json.string(answer.cause.rawValue)
        json.member(",\"category\":", Catalogue.rule(for: answer.cause)?.category.rawValue)
        json.raw(",\"certainty\":")
        json.string(answer.certainty.rawValue)
        if !answer.candidates.isEmpty { json.strings(",\"candidates\":[", answer.candidates.map(\.rawValue)) }
        if let pattern = answer.pattern { append(pattern) }
        json.member(",\"direction\":", answer.direction?.rawValue)
        append(answer.sender)
        json.raw(answer.sentBy == .source ? ",\"sent_by\":\"service\"" : ",\"sent_by\":\"client\"")
        append(",\"services\":{\"addresses\":", answer.services)
        append(",\"clients\":{\"addresses\":", answer.clients)
        times(answer.first, answer.last)
        if answer.followUps > 0 {
            json.raw(",\"follow_ups\":")
            json.number(answer.followUps)
        }
        json.raw(",\"example\":")
        json.number(answer.example)
        if let meaning = answer.meaning, let advice = answer.advice {
            json.raw(",\"meaning\":")
            json.string(meaning)
            json.raw(",\"advice\":")
            json.string(advice)
        }
        json.raw("}")
    }

    private mutating func append(_ pattern: Answer.Pattern) {
        json.raw(",\"pattern\":")
        json.string(pattern.word)
        switch pattern {
        case .scan(let ports, let hosts):
            json.raw(",\"ports\":")
            json.number(ports)
            json.raw(",\"hosts\":")
            json.number(hosts)
        case .crashLoop(let times):
            json.raw(",\"times_down\":")
            json.number(times)
        case .healthCheck(let interval):
            json.raw(",\"interval_ns\":")
            json.number(interval)
        case .idleLimit(let silence, let count):
            json.raw(",\"silence_ns\":")
            json.number(silence)
            json.raw(",\"after_silence\":")
            json.number(count)
        case .deadBackend: break
        }
    }

    private mutating func append(_ sender: Answer.Sender) {
        guard let role = sender.role else { return }
        json.raw(",\"process\":{\"role\":")
        json.string(role.rawValue)
        if let name = sender.name {
            json.raw(",\"comm\":")
            json.string(name)
            json.raw(",\"processes\":")
            json.number(sender.processes)
        }
        json.member(",\"pid\":", sender.pid)
        json.member(",\"owner\":", sender.owner)
        let (identity, container) = (sender.location?.identity, sender.location?.container)
        for (key, value) in [
            ("container", identity?.container), ("container_name", container?.name), ("pod", identity?.pod),
            ("pod_name", container?.pod), ("namespace", container?.namespace), ("unit", identity?.unit),
        ] {
            guard let value else { continue }
            json.raw(",")
            json.string(key)
            json.raw(":")
            json.string(value)
        }
        json.raw("}")
    }

    private mutating func append(_ head: StaticString, _ ends: Answer.EndpointSummary) {
        json.raw(head)
        json.number(ends.addresses)
        json.raw(",\"ends\":")
        json.number(ends.ends)
        json.member(",\"port\":", ends.port)
        json.endpoints(",\"top\":[", ends.top)
        json.raw("}")
    }

    private mutating func times(_ first: Int64?, _ last: Int64?) {
        guard let first, let last else { return }
        json.raw(",\"first\":")
        json.time(UTCTime(nanoseconds: first))
        json.raw(",\"last\":")
        json.time(UTCTime(nanoseconds: last))
    }

    private mutating func append(_ group: Grouping.Group, _ grouping: Grouping) {
        json.raw("{\"by\":{")
        for (number, (field, value)) in zip(grouping.fields, group.values).enumerated() {
            if number > 0 { json.raw(",") }
            json.string(field.rawValue)
            json.raw(":")
            switch value {
            case .word(let word)?: json.string(word)
            case .number(let number)?: json.number(number)
            case .address(let address)?: json.address(address)
            case .end(let address, let port)?: json.string(address.text(port: port))
            case .hour(let start)?: json.time(UTCTime(nanoseconds: start))
            case nil: json.raw("null")
            }
        }
        json.raw("},\"count\":")
        json.number(group.count)
        json.raw(",\"proven\":")
        json.number(group.proven)
        times(group.first, group.last)
        json.raw(",\"example\":")
        json.number(group.example)
        json.raw("}")
    }
}

extension JSONWriter {
    /// - Parameter head: the text before them, including the bracket.
    mutating func endpoints(_ head: StaticString, _ endpoints: [Finding.EndpointCount]) {
        raw(head)
        for (index, endpoint) in endpoints.enumerated() {
            raw(index == 0 ? "{\"address\":" : ",{\"address\":")
            address(endpoint.address)
            if let port = endpoint.port {
                raw(",\"port\":")
                number(port)
            }
            raw(",\"count\":")
            number(endpoint.count)
            raw("}")
        }
        raw("]")
    }
}
