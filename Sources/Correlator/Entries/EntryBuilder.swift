import KernelEvents
import NetworkTypes
import PcapReader

/// Makes the rows of a report, and its entries on request.
final class EntryBuilder: Sendable {
    let inventory: Inventory
    let judge: ResetJudge
    /// Without a namespace, by cgroup path: a recording has few of them.
    private let places: [String: Reset.Location]

    init(_ judge: ResetJudge) {
        inventory = judge.inventory
        self.judge = judge
        var places: [String: Reset.Location] = [:]
        var containers: [ContainerRecord.Key: ContainerRecord] = [:]
        for input in judge.inventory.recordings { containers.merge(input.recording.containers) { _, new in new } }
        func note(_ path: String?) {
            guard let path, places[path] == nil else { return }
            let identity = CgroupIdentity(path: path)
            // Ids are random: those of two hosts are different. Names are not.
            let container = identity.containerID.flatMap {
                containers[ContainerRecord.Key(id: $0, slice: CgroupIdentity.userSlice(path: path))]
            }
            places[path] = Reset.Location(cgroup: path, identity: identity, container: container)
        }
        for input in judge.inventory.recordings {
            let events = input.recording.events
            for index in events.indices {
                note(events[index].socket?.cgroupPath)
                note(events[index].task?.cgroupPath)
                note(events[index].ending?.cgroupPath)
            }
            for failure in input.recording.failures { note(failure.socket?.cgroupPath) }
        }
        self.places = places
    }

    /// Where a cgroup of the recordings is; nil if neither is known.
    func location(netns: UInt32?, cgroup: String?) -> Reset.Location? {
        guard netns != nil || cgroup != nil else { return nil }
        var location =
            cgroup.flatMap { places[$0] } ?? Reset.Location(cgroup: cgroup, identity: CgroupIdentity(path: ""))
        location.netns = netns
        return location
    }

    /// - Parameter members: not empty.
    func row(of members: ArraySlice<Reference>, id: Int) -> (ResetRow, Attribution) {
        let judged = judge.judged(members, alwaysWire: false)
        let tuple = tuple(judged.observed, members)
        var flow = judged.wire?.evidence.flow
        if flow == nil, !judged.verdict.traits.isDisjoint(with: .mayBeOfScan) {
            flow = judge.builder.bestContext(judged.observed.packets)?.flow
        }
        let known = flow.flatMap { $0.isKnown ? $0 : nil }
        let times = inventory.times(of: members)
        let row = ResetRow(
            id: id, time: times.wall, tuple: tuple, cause: judged.verdict.cause, certainty: judged.verdict.certainty,
            outcome: outcome(judged.observed), direction: judge.direction(judged),
            hasWallClock: hasWallClock(judged.observed), traits: judged.verdict.traits,
            outsideEvents: eventGap(judged.observed)?.side, steadyTime: times.steady,
            service: ServiceEnd(tuple, opener: known?.opener, judged.evidence),
            // If nothing of the connection was seen, nothing contradicts it.
            hasNoData: flow.map { $0.own.bytes == 0 && $0.peer.bytes == 0 }
                ?? judged.verdict.traits.contains(.turnsAway),
            isAnswered: flow.map(\.ownIsAnswered) ?? false, silence: judged.wire?.evidence.silence)
        return (row, attribution(judged))
    }

    private func tuple(_ observed: ObservedReset, _ members: ArraySlice<Reference>) -> FourTuple {
        inventory.tuple(observed.lead ?? observed.packets.first ?? members[members.startIndex])
    }

    private func outcome(_ observed: ObservedReset) -> Outcome {
        observed.packets.isEmpty ? .kernelOnly : observed.lead == nil ? .wireOnly : .matched
    }

    /// Why there cannot be a kernel event for a captured RST, if so. For a RST that came to the recorded host there would be
    /// none anyway.
    private func eventGap(_ observed: ObservedReset) -> EventGap? {
        guard observed.lead == nil, observed.reception == nil, let packet = observed.packets.first else { return nil }
        let tuple = inventory.tuple(packet)
        return inventory.isReceived(tuple) ? nil : inventory.eventCoverage.gap(tuple, at: inventory.time(packet))
    }

    private func hasWallClock(_ observed: ObservedReset) -> Bool {
        guard observed.packets.isEmpty, let lead = observed.lead ?? observed.reception else { return true }
        return inventory.hasClock(recording: inventory.recordingIndex(lead))
    }

    /// - Parameters:
    ///   - attribution: as it was found for the row.
    ///   - members: the observations that the row was made of.
    func entry(
        _ row: ResetRow, _ attribution: Attribution, of members: ArraySlice<Reference>
    ) -> Reset {
        let judged = judge.judged(members, alwaysWire: true)
        let (packets, origin, decision) = (judged.observed.packets, judged.observed.origin, judged.observed.decision)
        let segment = packets.first.map { inventory.packet($0).segment }
        let lead = judged.observed.lead
        let made = lead.map(inventory.tuple)
        let told = lead ?? judged.observed.reception
        let socket = socket(origin: origin, decision: decision)
        var reset = Reset(
            id: row.id, time: row.time, hasWallClock: row.hasWallClock, tuple: row.tuple,
            seq: segment?.seq ?? told.flatMap { inventory.event($0).seq },
            ack: segment?.ack ?? told.flatMap { inventory.event($0).ack },
            flags: segment?.flags ?? lead.flatMap { inventory.event($0).flags },
            direction: row.direction,
            outcome: row.outcome, sightings: packets.map { sighting($0, of: made) }, cause: judged.verdict.cause,
            category: judged.verdict.category, certainty: judged.verdict.certainty, summary: judged.verdict.summary,
            evidence: [],
            match: nil, reason: judged.evidence.reason,
            state: judged.evidence.previousState.flatMap { judged.evidence.state == .close ? $0 : nil }
                ?? judged.evidence.state,
            path: judged.evidence.path, process: attribution.process, netns: netns(judged.observed))
        reset.owner = attribution.owner
        reset.receiver = receiver(judged.observed.reception)
        reset.location = attribution.location
        reset.advice = attribution.advice?.sentence
        let end = judged.end
        if let end { tell(of: end.end, in: &reset) }
        if let lead = decision ?? origin { tell(of: lead, in: &reset) }
        if let lead, let packet = packets.first {
            reset.match = match(lead, packets: packets, first: packet)
        }
        reset.candidates = judged.verdict.candidates
        reset.because = judged.verdict.because
        reset.missing = judged.verdict.missing
        reset.untranslated = judged.evidence.untranslated
        reset.firewall = judged.evidence.firewall
        // Connections show what many RSTs have in common.
        reset.flow = judged.wire.flatMap { ConnectionSummary($0.evidence) }
        reset.evidence = facts(
            judged.evidence, verdict: judged.verdict, process: reset.process, socket: socket, packets: packets,
            origin: origin,
            decision: decision, others: passedOn(judged.observed.emits),
            trigger: judged.hasCapturedTrigger ? judged.wire?.evidence.trigger : nil)
        if let end {
            reset.evidence.append(Fact(end.end.history, from: place(end.reference)))
        } else if let lead, let missing = missingEnd(judged.verdict.cause, lead: lead) {
            reset.evidence.append(Fact("missing: \(missing)", from: .report))
        }
        if let wire = judged.wire, lead == nil { reset.evidence = wireFacts(wire, packets) + reset.evidence }
        if let fact = receiverFact(reset.receiver, judged.observed.reception) { reset.evidence.append(fact) }
        if let absence = judged.absence, absence.isProven {
            reset.evidence.insert(Fact(absence.sentence, from: .report), at: 0)
        }
        if let delivery = judged.delivery {
            reset.delivery = delivery.outcome
            reset.evidence.append(Fact(delivery.sentence, from: .report))
        }
        reset.outsideEvents = row.outsideEvents
        if let gap = eventGap(judged.observed) {
            reset.evidence.append(
                Fact("missing: kernel events, \(gap.words): they say nothing about this RST", from: .report))
        } else if lead == nil, reset.direction == .sent {
            reset.evidence.append(Fact(silence(about: row.tuple), from: .report))
        }
        reset.evidence += annotations(packets, row.tuple)
        reset.connectionState = judged.wire?.evidence.flow?.zeek.rawValue
        reset.header.ttl = segment?.ttl ?? origin.flatMap { inventory.event($0).ttl }
        reset.header.window = segment?.window ?? origin.flatMap { inventory.event($0).window }
        reset.header.ipID =
            row.tuple.source.isIPv4 ? segment?.ipID ?? origin.flatMap { inventory.event($0).ipID } : nil
        reset.monotonic = told.map { inventory.event($0).monotonic }
        reset.cpu = told.flatMap { inventory.event($0).cpu }
        reset.socketCookie = socket?.cookie
        return reset
    }

    /// The connection had existed here: what ended it says more than who listens on the port now.
    private func tell(of end: ConnectionEnd, in reset: inout Reset) {
        reset.end = end
        let rule = Catalogue.rule(for: reset.cause)
        let happened = rule.flatMap { $0.traits.contains(.meetsNoConnection) ? $0.afterEnd : nil }
        reset.summary = "\(happened ?? String(reset.summary.dropLast())): \(end.history)."
    }

    /// Why there is no kernel event for a RST from a recorded host.
    private func silence(about tuple: FourTuple) -> String {
        let source = "its source is an address of the recorded host, but "
        // Whatever the namespace, at least one recording would have to contain it.
        let isWanted = inventory.recordings.contains { $0.recording.header?.mayHold(tuple) == true }
        return isWanted
            ? source
                + "it has no kernel event: it was sent past the hooks or by somebody else in that host's name, or the "
                + "event was lost"
            : source + "the recording left out kernel events like its own"
    }

    /// A device of a host, from one of its boots to the next.
    private struct Device: Hashable {
        let boot: String
        let netns: UInt32?
        let ifindex: Int32?
    }

    /// The devices that a RST reached after the first one. Two recorders on one host see it on the same device.
    private func passedOn(_ emits: FewReferences) -> [Reference] {
        guard emits.count > 1 else { return [] }
        var seen: Set<Device> = []
        let first = emits.filter { emit in
            guard let boot = inventory.boot(emit) else { return true }
            let event = inventory.event(emit)
            return seen.insert(Device(boot: boot, netns: event.netns, ifindex: event.ifindex)).inserted
        }
        return Array(first.dropFirst())
    }

    private func match(_ lead: Reference, packets: FewReferences, first: Reference) -> Reset.Match {
        let made = inventory.tuple(lead)
        // The packet that is nearest to the event: one that no device had translated yet.
        let same = packets.first { inventory.packet($0).segment.tuple == made }
        let method: Reset.Match.Method = inventory.event(lead).seq == nil ? .tupleTime : same == nil ? .nat : .exact
        let delta = inventory.time(same ?? first).saturatingSubtract(inventory.time(lead))
        return Reset.Match(by: method, delta: delta)
    }

    private func sighting(_ reference: Reference, of origin: FourTuple?) -> Reset.Sighting {
        let capture = inventory.captures[Int(reference.source)]
        let packet = inventory.packet(reference)
        let tuple = packet.segment.tuple
        return Reset.Sighting(
            file: capture.file, packet: packet.number, interface: inventory.interfaceName(reference), time: packet.time,
            translated: origin == nil || tuple == origin ? nil : tuple)
    }
}
