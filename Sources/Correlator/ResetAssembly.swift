import KernelEvents
import NetworkTypes
import PcapReader

/// Turns a group of observations into the entry of one RST.
struct ResetAssembly {
    let inventory: Inventory
    /// Addresses of the recording hosts.
    let localAddresses: Set<IPAddress>

    /// An entry, and what orders it among entries of the same time.
    struct Ordered {
        var reset: Reset
        let order: Reference
        var time: Int64 { reset.time }
    }

    init(_ inventory: Inventory) {
        self.inventory = inventory
        localAddresses = Set(
            inventory.recordings.flatMap { $0.recording.header?.interfaces.flatMap(\.addresses) ?? [] })
    }

    func reset(of members: [Reference]) -> Ordered {
        let packets = members.filter { !inventory.isEvent($0) }.sorted { inventory.time($0) < inventory.time($1) }
        let events = members.filter(inventory.isEvent).sorted { inventory.time($0) < inventory.time($1) }
        let emits = events.filter { inventory.event($0).kind == .emit }
        let decision = events.first { inventory.event($0).kind == .decide }
        // A RST that crosses several devices is emitted on each; the first one shows who made it.
        let origin = emits.first
        let lead = origin ?? decision
        let first = packets.first ?? lead ?? members[0]

        let evidence = evidence(origin: origin, decision: decision, captured: !packets.isEmpty)
        let segment = packets.first.map { inventory.packet($0).segment }
        let event = lead.map(inventory.event)
        let wire = wireEvidence(packets, isJudged: lead == nil)
        let verdict = lead == nil ? wireVerdict(wire) : judge(evidence)

        var reset = Reset(
            time: inventory.time(first), tuple: event?.tuple ?? segment?.tuple ?? inventory.tuple(first),
            seq: segment?.seq ?? event?.seq, ack: segment?.ack ?? event?.ack, flags: segment?.flags ?? event?.flags,
            direction: direction(evidence, tuple: event?.tuple ?? segment?.tuple, hasEvent: lead != nil),
            outcome: lead == nil ? .wireOnly : packets.isEmpty ? .kernelOnly : .matched,
            sightings: packets.map { sighting($0, of: event?.tuple) }, cause: verdict.cause, category: verdict.category,
            certainty: verdict.certainty, summary: verdict.summary, evidence: [], match: nil, reason: evidence.reason,
            state: evidence.previousState.flatMap { evidence.state == .close ? $0 : nil } ?? evidence.state,
            path: evidence.path, process: process(evidence, origin: origin, decision: decision),
            netns: decision.flatMap { inventory.event($0).netns } ?? event?.netns)
        reset.hasWallClock =
            packets.first != nil || lead.map { inventory.hasClock(recording: inventory.recordingIndex($0)) } ?? true
        if let lead, let packet = packets.first {
            reset.match = match(lead, packets: packets, first: packet)
        }
        reset.evidence = facts(
            evidence, verdict: verdict, packets: packets, origin: origin, decision: decision, others: emits.dropFirst())
        reset.candidates = verdict.candidates
        if let wire {
            if lead == nil { reset.evidence = wireFacts(wire, packets) + reset.evidence }
            reset.connectionState = wire.evidence.flow.map { ZeekState($0.final).rawValue }
            reset.flow = FlowSummary(wire.evidence)
        }
        return Ordered(reset: reset, order: members.min() ?? members[0])
    }

    private func match(_ lead: Reference, packets: [Reference], first: Reference) -> Reset.Match {
        let event = inventory.event(lead)
        // The packet that is nearest to the event: one that no device had translated yet.
        let same = packets.first { inventory.packet($0).segment.tuple == event.tuple }
        let method: Reset.Match.Method = event.seq == nil ? .tupleTime : same == nil ? .nat : .exact
        let delta = inventory.time(same ?? first).saturatingSubtract(inventory.time(lead))
        return Reset.Match(by: method, delta: delta)
    }

    // MARK: - Evidence

    private func evidence(origin: Reference?, decision: Reference?, captured: Bool) -> Evidence {
        var evidence = Evidence()
        evidence.captured = captured
        let emitPath = origin.flatMap(inventory.path)
        let decidePath = decision.flatMap(inventory.path)
        // The packet's own stack is the nearest witness; where it is cut or unknown, the decision's speaks.
        evidence.path = emitPath.flatMap { $0.origin == .unknown && decidePath != nil ? nil : $0 } ?? decidePath
        let emitted = origin.map(inventory.event)
        evidence.flags = emitted?.flags
        guard let decision else {
            apply(emitted?.socket, to: &evidence)
            return evidence
        }
        let decided = inventory.event(decision)
        evidence.decided = true
        evidence.flags = evidence.flags ?? decided.flags
        evidence.reason = decided.reason
        evidence.state = decided.state ?? decided.socket?.state
        evidence.previousState = decided.previousState
        apply(decided.socket, to: &evidence)
        if let trigger = decided.trigger {
            evidence.trigger = Evidence.Trigger(
                flags: trigger.flags, length: trigger.length, seq: trigger.seq, ack: trigger.ack)
        }
        if evidence.state == .listen {
            evidence.socket = .listener
        } else if evidence.state != nil {
            evidence.socket = .some
        } else if decided.hook == ResetEvent.decideHook || ResetEvent.entryHooks.contains(decided.hook) {
            evidence.socket = .none
        }
        return evidence
    }

    private func apply(_ socket: ResetEvent.Socket?, to evidence: inout Evidence) {
        guard let socket else { return }
        evidence.state = evidence.state ?? socket.state
        evidence.dead = socket.dead
        evidence.userTimeout = socket.userTimeout
        evidence.linger2 = socket.linger2
    }

    private func sighting(_ reference: Reference, of origin: FourTuple?) -> Reset.Sighting {
        let capture = inventory.captures[Int(reference.source)]
        let packet = inventory.packet(reference)
        let name =
            capture.interfaces.indices.contains(Int(packet.interface))
            ? capture.interfaces[Int(packet.interface)] : nil
        let tuple = packet.segment.tuple
        return Reset.Sighting(
            file: capture.file, packet: packet.number, interface: name, time: packet.time,
            translated: origin == nil || tuple == origin ? nil : tuple)
    }

    private func direction(_ evidence: Evidence, tuple: FourTuple?, hasEvent: Bool) -> Direction {
        if hasEvent { return evidence.origin == .forwarded ? .forwarded : .sent }
        guard let tuple else { return .unknown }
        if localAddresses.contains(tuple.destination) { return .received }
        return .unknown
    }

    /// Whose doing it was. The task that happened to run owns the socket only in process context; a reset without a
    /// socket is nobody's.
    private func process(_ evidence: Evidence, origin: Reference?, decision: Reference?) -> Reset.Process? {
        guard let lead = decision ?? origin, let path = evidence.path else { return nil }
        let event = inventory.event(lead)
        let socket = event.socket ?? origin.flatMap { inventory.event($0).socket }
        let current = path.context == .process && !path.runsInKernelThread ? event.task : nil
        switch path.origin {
        case .active:
            if path.callers.contains(.diagDestroy) || path.callers.contains(.bpfProgram), let current {
                return Reset.Process(pid: current.pid, comm: current.comm, role: .killer)
            }
            if let current { return Reset.Process(pid: current.pid, comm: current.comm, role: .owner) }
        case .userSpace:
            if let current { return Reset.Process(pid: current.pid, comm: current.comm, role: .owner) }
        case .forwarded, .netfilter, .unknown, .passive: break
        }
        guard let owner = socket?.owner, path.origin == .active || path.origin == .passive else { return nil }
        return Reset.Process(pid: owner.pid, comm: owner.comm, role: .owner)
    }
}
