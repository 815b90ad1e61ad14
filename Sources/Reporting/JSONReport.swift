public import Correlator
import JSONText
import KernelEvents
import NetworkTypes

/// Renders a report as `rst-report/1`, one JSON object.
public struct JSONReport: Sendable {
    private var json = JSONWriter()
    private let tool: String

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
        json.raw(",\n\"resets\":[")
        for (index, reset) in report.resets.enumerated() {
            json.raw(index == 0 ? "\n" : ",\n")
            append(reset)
            if json.bytes.count > 1 << 18 { try flush(sink) }
        }
        json.raw("\n]}\n")
        try flush(sink)
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
        if reset.hasWallClock { json.string(UTCTime(nanoseconds: reset.time).rfc3339) } else { json.raw("null") }
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
        if !reset.candidates.isEmpty {
            json.raw(",\"candidates\":[")
            for (index, cause) in reset.candidates.enumerated() {
                if index > 0 { json.raw(",") }
                json.string(cause.rawValue)
            }
            json.raw("]")
        }
        json.raw(",\"summary\":")
        json.string(reset.summary)
        evidence(reset.evidence)
        kernelSide(reset)
        json.raw("}")
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
            json.string(UTCTime(nanoseconds: sighting.time).rfc3339)
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
            json.string(fact.from)
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
            json.raw(",\"stack\":[")
            for (index, frame) in path.frames.enumerated() {
                if index > 0 { json.raw(",") }
                json.string(frame)
            }
            json.raw("]")
        }
        if let process = reset.process {
            json.raw(",\"process\":{\"pid\":")
            json.number(process.pid)
            json.raw(",\"comm\":")
            json.string(process.comm)
            json.raw(",\"role\":")
            json.string(process.role.rawValue)
            json.raw("}")
        }
        if let netns = reset.netns {
            json.raw(",\"netns\":")
            json.number(netns)
        }
    }
}
