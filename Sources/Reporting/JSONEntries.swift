import Correlator
import JSONText
import KernelEvents
import NetworkTypes

/// Renders RSTs as the entries of `rst-report/1`.
struct JSONEntries {
    private var json: JSONWriter
    /// The rendered stacks: thousands of RSTs share one.
    private var stacks: [ObjectIdentifier: [UInt8]] = [:]

    private init(capacity: Int) { json = JSONWriter(capacity: capacity) }

    /// The entries of some RSTs of a list, with the separator before each.
    static func text(of resets: ResetList, _ range: Range<Int>) -> [UInt8] {
        var entries = JSONEntries(capacity: range.count * 2560)
        for index in range {
            entries.json.raw(index == 0 ? "\n" : ",\n")
            entries.append(resets[index])
        }
        return entries.json.finish()
    }

    private mutating func append(_ reset: Reset) {
        json.raw("{\"id\":")
        json.number(reset.id)
        json.raw(",\"time\":")
        if reset.hasWallClock { json.time(UTCTime(nanoseconds: reset.time)) } else { json.raw("null") }
        json.raw(",")
        append(reset.tuple)
        if let tuple = reset.untranslated {
            json.raw(",\"untranslated\":{")
            append(tuple)
            json.raw("}")
        }
        json.member(",\"seq\":", reset.seq)
        json.member(",\"ack\":", reset.ack)
        if let flags = reset.flags {
            json.raw(",\"flags\":")
            json.flags(flags)
        }
        json.raw(",\"direction\":")
        json.string(reset.direction.rawValue)
        json.raw(",\"outcome\":")
        json.string(reset.outcome.rawValue)
        json.member(",\"outside_events\":", reset.outsideEvents?.rawValue)
        sightings(reset.sightings)
        json.raw(",\"cause\":")
        json.string(reset.cause.rawValue)
        json.raw(",\"category\":")
        json.string(reset.category.rawValue)
        json.raw(",\"certainty\":")
        json.string(reset.certainty.rawValue)
        if !reset.candidates.isEmpty { json.strings(",\"candidates\":[", reset.candidates.map(\.rawValue)) }
        json.raw(",\"summary\":")
        json.string(reset.summary)
        json.member(",\"advice\":", reset.advice)
        json.member(",\"follows\":", reset.follows)
        evidence(reset.evidence)
        kernelSide(reset)
        wireSide(reset)
        json.raw("}")
    }

    private mutating func wireSide(_ reset: Reset) {
        json.member(",\"conn_state\":", reset.connectionState)
        guard let flow = reset.flow else { return }
        json.raw(",\"flow\":{\"opened_by\":")
        json.string(flow.opener == .sender ? "src" : flow.opener == .receiver ? "dst" : "unknown")
        side(",\"src\":{\"segments\":", flow.sender)
        side(",\"dst\":{\"segments\":", flow.receiver)
        json.member(",\"silence_ns\":", flow.silence)
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

    private mutating func side(_ head: StaticString, _ side: ConnectionSummary.Side) {
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
        json.member(",\"ttl\":", side.ttl)
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
            json.member(",\"interface\":", sighting.interface)
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
        if let firewall = reset.firewall, !firewall.rules.isEmpty {
            json.raw(
                firewall.isCertain
                    ? ",\"firewall\":{\"certain\":true,\"rules\":[" : ",\"firewall\":{\"certain\":false,\"rules\":[")
            for (index, rule) in firewall.rules.enumerated() {
                json.raw(index == 0 ? "{\"tool\":" : ",{\"tool\":")
                json.string(rule.tool.rawValue)
                json.raw(",\"family\":")
                json.string(rule.family)
                json.raw(",\"table\":")
                json.string(rule.table)
                json.raw(",\"chain\":")
                json.string(rule.chain)
                json.raw(rule.tool == .nft ? ",\"handle\":" : ",\"number\":")
                json.number(rule.handle)
                json.raw(",\"text\":")
                json.string(rule.text)
                json.raw("}")
            }
            json.raw("],\"count\":")
            json.number(firewall.count)
            json.raw("}")
        }
        json.member(",\"reason\":", reset.reason)
        json.member(",\"state\":", reset.state?.name)
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
            details(of: process)
            json.raw("}")
        }
        if let owner = reset.owner, let pid = owner.pid, let comm = owner.comm {
            json.raw(",\"owner\":{")
            append(pid: pid, comm: comm)
            details(of: owner)
            json.raw("}")
        }
        if let receiver = reset.receiver { append(receiver) }
        json.member(",\"delivery\":", reset.delivery?.rawValue)
        if let end = reset.end { append(end) }
        if let location = reset.location { append(location) }
        json.member(",\"netns\":", reset.netns)
    }

    private mutating func details(of process: Reset.Process) {
        json.member(",\"thread\":", process.thread)
        guard let details = process.details else { return }
        json.member(",\"exe\":", details.exe)
        if let arguments = details.arguments { json.strings(",\"args\":[", arguments) }
        if details.argumentsAreCut { json.raw(",\"args_cut\":true") }
        json.member(",\"uid\":", details.uid)
        json.member(",\"user\":", details.user)
        if let parent = details.parent {
            json.raw(",\"parent\":{")
            append(pid: parent.pid, comm: parent.comm)
            json.raw("}")
        }
    }

    private mutating func append(_ receiver: Reset.Receiver) {
        json.raw(",\"receiver\":{\"fate\":")
        json.string(receiver.reception.fate.rawValue)
        if let process = receiver.process, let pid = process.pid, let comm = process.comm {
            json.raw(",")
            append(pid: pid, comm: comm)
            json.raw(",\"role\":")
            json.string(process.role.rawValue)
            details(of: process)
        }
        json.member(",\"reason\":", receiver.reason)
        json.member(",\"state\":", receiver.state?.name)
        json.member(",\"error\":", receiver.error)
        json.member(",\"errno\":", receiver.reception.errno)
        json.member(",\"waiting\":", receiver.reception.wait?.rawValue)
        json.member(",\"idle_ns\":", receiver.reception.idle)
        json.member(",\"age_ns\":", receiver.reception.age)
        json.member(",\"unacknowledged\":", receiver.reception.unacknowledged)
        json.member(",\"unread\":", receiver.reception.unread)
        if let location = receiver.location { append(location) }
        json.raw("}")
    }

    private mutating func append(_ end: ConnectionEnd) {
        let ending = end.ending
        json.raw(",\"closed\":{\"how\":")
        json.string(ending.how.rawValue)
        json.raw(",\"before_ns\":")
        json.number(end.age)
        json.member(",\"idle_ns\":", ending.idle)
        if let process = ending.process {
            json.raw(",")
            append(pid: process.pid, comm: process.comm)
        }
        json.member(",\"thread\":", ending.thread)
        if let owner = ending.owner {
            json.raw(",\"owner\":{")
            append(pid: owner.pid, comm: owner.comm)
            json.raw("}")
        }
        json.member(",\"state\":", ending.state?.name)
        json.member(",\"signal\":", ending.signal)
        json.member(",\"errno\":", ending.errno)
        json.member(",\"unacknowledged\":", ending.unacknowledged)
        json.member(",\"user_timeout_ms\":", ending.userTimeout)
        json.raw("}")
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
        json.member("\"netns\":", location.netns)
        let texts = [
            ("cgroup", location.cgroup), ("container", location.identity.container),
            ("container_name", location.container?.name), ("runtime", location.container?.runtime?.rawValue),
            ("image", location.container?.image), ("pod", location.identity.pod),
            ("pod_name", location.container?.pod), ("namespace", location.container?.namespace),
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
    /// Writes `Fact.Place.description` without creating a string.
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
