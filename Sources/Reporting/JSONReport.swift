public import Correlator
import JSONText
import KernelEvents
import NetworkTypes

/// Renders a report as `rst-report/1`, one JSON object.
public struct JSONReport: Sendable {
    private var json = JSONWriter()
    private let tool: String
    /// The text of stacks: thousands of RSTs share one.
    private var stacks: [ObjectIdentifier: [UInt8]] = [:]

    /// - Parameter tool: name and version of the program.
    public init(tool: String) { self.tool = tool }

    /// Hands out the document in pieces of some hundred kilobytes.
    public mutating func render(
        _ report: Report, to sink: ([UInt8]) throws -> Void
    ) rethrows {
        json.raw("{\"schema\":\"rst-report/1\",\"tool\":")
        json.string(tool)
        inputs(report)
        losses(report.losses)
        summary(report)
        clocks(report.clocks)
        findings(report.findings)
        json.raw(",\n\"resets\":[")
        try flush(sink)
        let blank = JSONReport(tool: tool)
        try inPieces(report.resets.count, { blank.list(report.resets, $0) }, to: sink)
        json.raw("\n]}\n")
        try flush(sink)
    }

    /// The text of some RSTs.
    private func list(_ resets: ResetList, _ range: Range<Int>) -> [UInt8] {
        var renderer = self
        renderer.json = JSONWriter(capacity: range.count * 2048)
        for index in range {
            renderer.json.raw(index == 0 ? "\n" : ",\n")
            renderer.append(resets[index])
        }
        return renderer.json.finish()
    }

    private mutating func flush(_ sink: ([UInt8]) throws -> Void) rethrows {
        try sink(json.bytes)
        json.removeAll()
    }

    private mutating func inputs(_ report: Report) {
        json.raw(",\n\"inputs\":[")
        for (index, input) in report.inputs.enumerated() {
            json.raw(index == 0 ? "\n{\"file\":" : ",\n{\"file\":")
            json.string(input.file)
            json.raw(",\"kind\":")
            json.string(input.kind.rawValue)
            json.raw(",\"packets\":")
            json.number(input.packets)
            json.raw(",\"events\":")
            json.number(input.events)
            json.raw(",\"damaged\":")
            json.number(input.damageCount)
            json.raw(",\"damage\":[")
            for (number, damage) in input.damage.enumerated() {
                if number > 0 { json.raw(",") }
                json.string(damage)
            }
            json.raw("]")
            if !input.undecoded.isEmpty {
                json.raw(",\"undecoded\":")
                counts(input.undecoded.map { ($0.reason, $0.packets) })
            }
            if !input.notes.isEmpty { strings(",\"notes\":[", input.notes) }
            if !input.comments.isEmpty { strings(",\"comments\":[", input.comments) }
            json.raw("}")
        }
        json.raw("]")
    }

    private mutating func losses(_ losses: Report.Losses) {
        json.raw(",\n\"losses\":{\"capture_dropped\":")
        json.number(losses.captureDropped)
        json.raw(",\"events_lost\":")
        json.number(losses.eventsLost)
        json.raw(",\"bytes_skipped\":")
        json.number(losses.bytesSkipped)
        json.raw(",\"lines_skipped\":")
        json.number(losses.linesSkipped)
        json.raw(",\"unfinished_recordings\":")
        json.number(losses.unfinished)
        json.raw("}")
    }

    private mutating func summary(_ report: Report) {
        let summary = ReportSummary(report)
        json.raw(",\n\"summary\":{\"resets\":")
        json.number(report.resets.count)
        json.raw(",\"by_cause\":")
        counts(summary.byCause.map { ($0.cause.rawValue, $0.count) })
        json.raw(",\"by_outcome\":")
        counts(summary.byOutcome.map { ($0.0.rawValue, $0.1) })
        json.raw(",\"by_certainty\":")
        counts(summary.byCertainty.map { ($0.0.rawValue, $0.1) })
        json.raw("}")
    }

    private mutating func clocks(_ clocks: [ClockOffset]) {
        guard !clocks.isEmpty else { return }
        json.raw(",\n\"clocks\":[")
        for (index, clock) in clocks.enumerated() {
            json.raw(index == 0 ? "\n{\"file\":" : ",\n{\"file\":")
            json.string(clock.file)
            json.raw(",\"reference\":")
            json.string(clock.reference)
            json.raw(",\"offset_ns\":")
            json.number(clock.offset)
            if let delay = clock.delay {
                json.raw(",\"delay_ns\":")
                json.number(delay)
            }
            json.raw(",\"segments\":")
            json.number(clock.segments)
            json.raw("}")
        }
        json.raw("]")
    }

    private mutating func findings(_ findings: [Finding]) {
        json.raw(",\n\"findings\":[")
        for (index, finding) in findings.enumerated() {
            json.raw(index == 0 ? "\n{\"kind\":" : ",\n{\"kind\":")
            json.string(finding.kind.rawValue)
            json.raw(",\"cause\":")
            json.string(finding.cause.rawValue)
            json.raw(",\"count\":")
            json.number(finding.count)
            json.raw(",\"first\":")
            json.time(UTCTime(nanoseconds: finding.first))
            json.raw(",\"last\":")
            json.time(UTCTime(nanoseconds: finding.last))
            if let rate = finding.perThousandSeconds {
                json.raw(",\"per_1000_s\":")
                json.number(rate)
            }
            endpoints(",\"sources\":[", finding.sources)
            endpoints(",\"destinations\":[", finding.destinations)
            json.raw(",\"example\":")
            json.number(finding.example)
            json.raw(",\"summary\":")
            json.string(finding.summary)
            json.raw("}")
        }
        json.raw("]")
    }

    private mutating func endpoints(_ head: StaticString, _ endpoints: [Finding.Endpoint]) {
        json.raw(head)
        for (index, endpoint) in endpoints.enumerated() {
            json.raw(index == 0 ? "{\"address\":" : ",{\"address\":")
            json.address(endpoint.address)
            if let port = endpoint.port {
                json.raw(",\"port\":")
                json.number(port)
            }
            json.raw(",\"count\":")
            json.number(endpoint.count)
            json.raw("}")
        }
        json.raw("]")
    }

    private mutating func counts(_ counts: [(String, Int)]) {
        json.raw("{")
        for (index, entry) in counts.enumerated() {
            if index > 0 { json.raw(",") }
            json.string(entry.0)
            json.raw(":")
            json.number(entry.1)
        }
        json.raw("}")
    }

    private mutating func append(_ reset: Reset) {
        json.raw("{\"id\":")
        json.number(reset.id)
        json.raw(",\"time\":")
        if reset.hasWallClock { json.time(UTCTime(nanoseconds: reset.time)) } else { json.raw("null") }
        json.raw(",")
        append(reset.tuple)
        if let seq = reset.seq {
            json.raw(",\"seq\":")
            json.number(seq)
        }
        if let ack = reset.ack {
            json.raw(",\"ack\":")
            json.number(ack)
        }
        if let flags = reset.flags {
            json.raw(",\"flags\":")
            json.flags(flags)
        }
        json.raw(",\"direction\":")
        json.string(reset.direction.rawValue)
        json.raw(",\"outcome\":")
        json.string(reset.outcome.rawValue)
        sightings(reset.sightings)
        json.raw(",\"cause\":")
        json.string(reset.cause.rawValue)
        json.raw(",\"category\":")
        json.string(reset.category.rawValue)
        json.raw(",\"certainty\":")
        json.string(reset.certainty.rawValue)
        if !reset.candidates.isEmpty { strings(",\"candidates\":[", reset.candidates.map(\.rawValue)) }
        json.raw(",\"summary\":")
        json.string(reset.summary)
        evidence(reset.evidence)
        kernelSide(reset)
        wireSide(reset)
        json.raw("}")
    }

    private mutating func strings(_ head: StaticString, _ values: [String]) {
        json.raw(head)
        for (index, value) in values.enumerated() {
            if index > 0 { json.raw(",") }
            json.string(value)
        }
        json.raw("]")
    }

    private mutating func wireSide(_ reset: Reset) {
        if let state = reset.connectionState {
            json.raw(",\"conn_state\":")
            json.string(state)
        }
        guard let flow = reset.flow else { return }
        json.raw(",\"flow\":{\"opened_by\":")
        json.string(flow.opener == .sender ? "src" : flow.opener == .receiver ? "dst" : "unknown")
        side(",\"src\":{\"segments\":", flow.sender)
        side(",\"dst\":{\"segments\":", flow.receiver)
        if let silence = flow.silence {
            json.raw(",\"silence_ns\":")
            json.number(silence)
        }
        json.raw(",\"unacknowledged\":")
        json.number(flow.unacknowledged)
        json.raw(",\"src_segments_after\":")
        json.number(flow.senderAfter)
        json.raw(",\"dst_segments_after\":")
        json.number(flow.receiverAfter)
        json.raw(",\"rfc5961\":")
        json.string(flow.acceptance)
        json.raw("}")
    }

    private mutating func side(_ head: StaticString, _ side: FlowSummary.Side) {
        json.raw(head)
        json.number(side.segments)
        json.raw(",\"bytes\":")
        json.number(side.bytes)
        json.raw(",\"retransmissions\":")
        json.number(side.retransmissions)
        json.raw(",\"keepalive_probes\":")
        json.number(side.keepaliveProbes)
        json.raw(",\"zero_windows\":")
        json.number(side.zeroWindows)
        json.raw(",\"resets\":")
        json.number(side.resets)
        json.raw(side.hasFIN ? ",\"fin\":true" : ",\"fin\":false")
        if let ttl = side.ttl {
            json.raw(",\"ttl\":")
            json.number(ttl)
        }
        if side.maximumSegmentSize > 0 {
            json.raw(",\"mss\":")
            json.number(side.maximumSegmentSize)
        }
        json.raw(side.timestamps ? ",\"timestamps\":true}" : ",\"timestamps\":false}")
    }

    private mutating func append(_ tuple: FourTuple) {
        json.raw("\"src\":")
        json.address(tuple.source)
        json.raw(",\"src_port\":")
        json.number(tuple.sourcePort)
        json.raw(",\"dst\":")
        json.address(tuple.destination)
        json.raw(",\"dst_port\":")
        json.number(tuple.destinationPort)
    }

    private mutating func sightings(_ sightings: [Reset.Sighting]) {
        json.raw(",\"sightings\":[")
        for (index, sighting) in sightings.enumerated() {
            json.raw(index == 0 ? "{\"file\":" : ",{\"file\":")
            json.string(sighting.file)
            json.raw(",\"packet\":")
            json.number(sighting.packet)
            if let interface = sighting.interface {
                json.raw(",\"interface\":")
                json.string(interface)
            }
            json.raw(",\"time\":")
            json.time(UTCTime(nanoseconds: sighting.time))
            if let tuple = sighting.translated {
                json.raw(",\"translated\":{")
                append(tuple)
                json.raw("}")
            }
            json.raw("}")
        }
        json.raw("]")
    }

    private mutating func evidence(_ facts: [Fact]) {
        json.raw(",\"evidence\":[")
        for (index, fact) in facts.enumerated() {
            json.raw(index == 0 ? "{\"fact\":" : ",{\"fact\":")
            json.string(fact.fact)
            json.raw(",\"from\":")
            json.place(fact.from)
            json.raw("}")
        }
        json.raw("]")
    }

    private mutating func kernelSide(_ reset: Reset) {
        if let match = reset.match {
            json.raw(",\"match\":{\"by\":")
            json.string(match.by.rawValue)
            json.raw(",\"delta_ns\":")
            json.number(match.delta)
            json.raw("}")
        }
        if let reason = reset.reason {
            json.raw(",\"reason\":")
            json.string(reason)
        }
        if let state = reset.state {
            json.raw(",\"state\":")
            json.string(state.name)
        }
        if let path = reset.path {
            json.raw(",\"stack\":")
            json.raw(stack(path))
        }
        if let process = reset.process {
            json.raw(",\"process\":{")
            if let pid = process.pid, let comm = process.comm {
                append(pid: pid, comm: comm)
                json.raw(",")
            }
            json.raw("\"role\":")
            json.string(process.role.rawValue)
            json.raw("}")
        }
        if let owner = reset.owner, let pid = owner.pid, let comm = owner.comm {
            json.raw(",\"owner\":{")
            append(pid: pid, comm: comm)
            json.raw("}")
        }
        if let location = reset.location { append(location) }
        if let netns = reset.netns {
            json.raw(",\"netns\":")
            json.number(netns)
        }
    }

    private mutating func stack(_ path: KernelPath) -> [UInt8] {
        if let known = stacks[ObjectIdentifier(path)] { return known }
        var text = JSONWriter()
        text.raw("[")
        for (index, frame) in path.frames.enumerated() {
            if index > 0 { text.raw(",") }
            text.string(frame)
        }
        text.raw("]")
        let bytes = text.finish()
        stacks[ObjectIdentifier(path)] = bytes
        return bytes
    }

    private mutating func append(pid: Int32, comm: String) {
        json.raw("\"pid\":")
        json.number(pid)
        json.raw(",\"comm\":")
        json.string(comm)
    }

    private mutating func append(_ location: Reset.Location) {
        json.raw(",\"where\":{")
        if let netns = location.netns {
            json.raw("\"netns\":")
            json.number(netns)
        }
        let texts = [
            ("cgroup", location.cgroup), ("container", location.identity.container), ("pod", location.identity.pod),
            ("unit", location.identity.unit),
        ]
        var isFirst = location.netns == nil
        for (key, value) in texts {
            guard let value else { continue }
            if !isFirst { json.raw(",") }
            isFirst = false
            json.string(key)
            json.raw(":")
            json.string(value)
        }
        json.raw("}")
    }
}

extension JSONWriter {
    /// `Fact.Place.description`, without a string in between.
    fileprivate mutating func place(_ place: Fact.Place) {
        switch place {
        case .packet(let number):
            raw("\"packet ")
            self.number(number)
            raw("\"")
        case .eventLine(let line):
            raw("\"event line ")
            number(line)
            raw("\"")
        case .report: raw("\"report\"")
        }
    }
}
