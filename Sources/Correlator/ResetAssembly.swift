import KernelEvents
import NetworkTypes
import PcapReader

/// Turns a group of observations into the entry of one RST.
final class ResetAssembly: Sendable {
    let inventory: Inventory
    /// Addresses of the recording hosts.
    let localAddresses: Set<IPAddress>
    /// By the path of the cgroup: a recording has few of them.
    private let identities: [String: CgroupIdentity]
    /// Segments that a program wrote, and that may have been there before with other addresses.
    private let echoes: Set<Reference>

    init(_ inventory: Inventory, echoes: Set<Reference>) {
        self.inventory = inventory
        self.echoes = echoes
        localAddresses = Set(
            inventory.recordings.flatMap { $0.recording.header?.interfaces.flatMap(\.addresses) ?? [] })
        var identities: [String: CgroupIdentity] = [:]
        func note(_ path: String?) {
            if let path, identities[path] == nil { identities[path] = CgroupIdentity(path: path) }
        }
        for input in inventory.recordings {
            let events = input.recording.events
            for index in events.indices {
                note(events[index].socket?.cgroupPath)
                note(events[index].task?.cgroupPath)
                note(events[index].ending?.cgroupPath)
            }
        }
        self.identities = identities
    }

    /// When a RST was, by a steady clock and by the wall clock: its first packet, or else its first event, one of what left
    /// before one of what was decided.
    func times(of members: some Collection<Reference>) -> (steady: Int64, wall: Int64) {
        func earliest(_ accepts: (Reference) -> Bool) -> (steady: Int64, wall: Int64)? {
            var first: (steady: Int64, member: Reference)?
            for member in members where accepts(member) {
                let time = inventory.time(member)
                // A time beyond the range is the last there is.
                if first.map({ time < $0.steady }) ?? true { first = (time, member) }
            }
            return first.map { ($0.steady, inventory.wallTime($0.member)) }
        }
        return earliest { !inventory.isEvent($0) } ?? earliest { inventory.event($0).kind == .emit }
            ?? earliest { _ in true } ?? (0, 0)
    }

    /// The observations of one RST, told apart.
    struct Observed {
        /// In the order of time.
        let packets: FewReferences
        /// A RST that crosses several devices is emitted on each.
        let emits: FewReferences
        let decision: Reference?

        /// - Parameter members: not empty.
        init(_ members: ArraySlice<Reference>, _ inventory: Inventory) {
            var packets = FewReferences()
            var emits = FewReferences()
            var decisions = FewReferences()
            for member in members {
                if !inventory.isEvent(member) {
                    packets.append(member)
                } else if inventory.event(member).kind == .emit {
                    emits.append(member)
                } else {
                    decisions.append(member)
                }
            }
            func isEarlier(_ a: Reference, _ b: Reference) -> Bool { inventory.time(a) < inventory.time(b) }
            packets.sort(by: isEarlier)
            emits.sort(by: isEarlier)
            self.packets = packets
            self.emits = emits
            decision = decisions.min(by: isEarlier)
        }

        /// The first device shows who made the RST.
        var origin: Reference? { emits.first }
        var lead: Reference? { emits.first ?? decision }
    }

    /// Why a RST was sent, and what tells it.
    struct Judged {
        let observed: Observed
        let evidence: Evidence
        /// Nil without a packet, or where it was not asked for and the kernel's word is enough.
        let wire: WireSighting?
        let hasCapturedTrigger: Bool
        let verdict: Verdict
        /// What had ended the connection that the RST is an answer for, and what tells of it.
        let end: (end: ConnectionEnd, reference: Reference)?
    }

    /// - Parameter alwaysWire: what the packets show is wanted for itself.
    private func judged(_ members: ArraySlice<Reference>, alwaysWire: Bool) -> Judged {
        let observed = Observed(members, inventory)
        let (origin, decision, lead) = (observed.origin, observed.decision, observed.lead)
        var evidence = evidence(origin: origin, decision: decision)
        evidence.tuple = lead.map(inventory.tuple)
        if let origin, let path = evidence.path, path.origin == .netfilter,
            !inventory.recordings[inventory.recordingIndex(origin)].recording.rulesets.isEmpty
        {
            // Older recorders kept no rules.
            evidence.firewall = inventory.rules.find(
                inventory.event(origin), path, recording: inventory.recordingIndex(origin))
        }
        if let decision, inventory.event(decision).isTupleComplete, inventory.event(decision).seq != nil,
            inventory.tuple(decision) != evidence.tuple
        {
            evidence.untranslated = inventory.tuple(decision)
        }
        if let origin, inventory.isWritten(origin) { evidence.repeats = repetition(origin, observed.packets) }
        let isSilent = decision == nil && origin != nil && evidence.isSocketlessReply
        let wire =
            alwaysWire || lead == nil || isSilent ? wireEvidence(observed.packets, isJudged: lead == nil) : nil
        let hasCapturedTrigger = isSilent && fillFromCapture(&evidence, origin: origin, wire: wire)
        var verdict = lead == nil ? wireVerdict(wire) : judge(evidence)
        if verdict.cause == .forwarded, let lead, isHandedOn(evidence, inventory.tuple(lead)) {
            verdict.becomeReceived()
            verdict.certainty = .inferred
            verdict.candidates = []
        }
        return Judged(
            observed: observed, evidence: evidence, wire: wire, hasCapturedTrigger: hasCapturedTrigger,
            verdict: verdict, end: connectionEnd(verdict, evidence, origin: origin, decision: decision))
    }

    /// - Parameter members: not empty.
    func head(of members: ArraySlice<Reference>, id: Int) -> (ResetRow, Attribution) {
        let judged = judged(members, alwaysWire: false)
        let tuple = tuple(judged.observed, members)
        var flow = judged.wire?.evidence.flow
        if flow == nil, !judged.verdict.traits.isDisjoint(with: .mayBeOfScan) {
            flow = bestContext(judged.observed.packets)?.flow
        }
        let known = flow.flatMap { $0.isKnown ? $0 : nil }
        let times = times(of: members)
        let head = ResetRow(
            id: id, time: times.wall, tuple: tuple, cause: judged.verdict.cause, certainty: judged.verdict.certainty,
            outcome: outcome(judged.observed), direction: direction(judged),
            hasWallClock: hasWallClock(judged.observed), traits: judged.verdict.traits,
            outsideEvents: eventGap(judged.observed)?.side, steadyTime: times.steady,
            service: ServiceEnd(tuple, opener: known?.opener, judged.evidence),
            // Nothing was seen of it, so that nothing speaks against it.
            hasNoData: flow.map { $0.own.bytes == 0 && $0.peer.bytes == 0 }
                ?? judged.verdict.traits.contains(.turnsAway),
            isAnswered: flow.map(\.ownIsAnswered) ?? false, silence: judged.wire?.evidence.silence)
        return (head, attribution(judged))
    }

    /// Whom the RST is laid to.
    private func attribution(_ judged: Judged) -> Attribution {
        let (origin, decision) = (judged.observed.origin, judged.observed.decision)
        let socket = socket(origin: origin, decision: decision)
        var attribution = Attribution(candidates: judged.verdict.candidates)
        attribution.process = process(judged.evidence, lead: decision ?? origin, socket)
        if attribution.process?.role == .killer {
            attribution.owner = socket?.owner.map(Reset.Process.init(owner:))
        }
        attribution.location = location(
            of: attribution.process, netns: netns(judged.observed), lead: decision ?? origin, socket)
        if let end = judged.end?.end { tell(of: end, judged, in: &attribution) }
        attribution.advice = advice(judged, attribution.process)
        return attribution
    }

    /// The connection was here before: what ended it says more than whoever listens on the port now.
    private func tell(of end: ConnectionEnd, _ judged: Judged, in attribution: inout Attribution) {
        guard judged.verdict.traits.contains(.meetsNoConnection) || attribution.process?.role != .owner else { return }
        guard let process = process(of: end) else { return }
        attribution.process = process
        attribution.owner = process.role == .killer ? end.ending.owner.map(Reset.Process.init(owner:)) : nil
        guard process.role == .closer, let cgroup = end.ending.cgroupPath else { return }
        attribution.location = Reset.Location(
            netns: netns(judged.observed), cgroup: cgroup, identity: identities[cgroup] ?? CgroupIdentity(path: ""))
    }

    private func netns(_ observed: Observed) -> UInt32? {
        observed.decision.flatMap { inventory.event($0).netns } ?? observed.lead.flatMap { inventory.event($0).netns }
    }

    private func tuple(_ observed: Observed, _ members: ArraySlice<Reference>) -> FourTuple {
        inventory.tuple(observed.lead ?? observed.packets.first ?? members[members.startIndex])
    }

    private func outcome(_ observed: Observed) -> Outcome {
        observed.lead == nil ? .wireOnly : observed.packets.isEmpty ? .kernelOnly : .matched
    }

    /// Why the kernel tells nothing of a RST that was captured, if it could not. Of one that came to the host that recorded
    /// it would not have told either.
    private func eventGap(_ observed: Observed) -> EventGap? {
        guard observed.lead == nil, let packet = observed.packets.first else { return nil }
        let tuple = inventory.tuple(packet)
        return isReceived(tuple) ? nil : inventory.eventCoverage.gap(tuple, at: inventory.time(packet))
    }

    private func hasWallClock(_ observed: Observed) -> Bool {
        guard observed.packets.isEmpty, let lead = observed.lead else { return true }
        return inventory.hasClock(recording: inventory.recordingIndex(lead))
    }

    /// - Parameters:
    ///   - attribution: as it was found for the head.
    ///   - members: the observations that the head was made of.
    func reset(
        _ head: ResetRow, _ attribution: Attribution, of members: ArraySlice<Reference>
    ) -> Reset {
        let judged = judged(members, alwaysWire: true)
        let (packets, origin, decision) = (judged.observed.packets, judged.observed.origin, judged.observed.decision)
        let segment = packets.first.map { inventory.packet($0).segment }
        let lead = judged.observed.lead
        let made = lead.map(inventory.tuple)
        let socket = socket(origin: origin, decision: decision)
        var reset = Reset(
            id: head.id, time: head.time, hasWallClock: head.hasWallClock, tuple: head.tuple,
            seq: segment?.seq ?? lead.flatMap { inventory.event($0).seq },
            ack: segment?.ack ?? lead.flatMap { inventory.event($0).ack },
            flags: segment?.flags ?? lead.flatMap { inventory.event($0).flags },
            direction: head.direction,
            outcome: head.outcome, sightings: packets.map { sighting($0, of: made) }, cause: judged.verdict.cause,
            category: judged.verdict.category, certainty: judged.verdict.certainty, summary: judged.verdict.summary,
            evidence: [],
            match: nil, reason: judged.evidence.reason,
            state: judged.evidence.previousState.flatMap { judged.evidence.state == .close ? $0 : nil }
                ?? judged.evidence.state,
            path: judged.evidence.path, process: attribution.process, netns: netns(judged.observed))
        reset.owner = attribution.owner
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
        // What many RSTs have in common is seen in their connections.
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
        reset.outsideEvents = head.outsideEvents
        if let gap = eventGap(judged.observed) {
            reset.evidence.append(
                Fact("missing: kernel events, for \(gap.words): nothing is known of it from the kernel", from: .report))
        } else if lead == nil, reset.direction == .sent {
            reset.evidence.append(Fact(silence(about: head.tuple), from: .report))
        }
        reset.evidence += annotations(packets, head.tuple)
        reset.connectionState = judged.wire?.evidence.flow?.zeek.rawValue
        reset.header.ttl = segment?.ttl ?? origin.flatMap { inventory.event($0).ttl }
        reset.header.window = segment?.window ?? origin.flatMap { inventory.event($0).window }
        reset.header.ipID =
            head.tuple.source.isIPv4 ? segment?.ipID ?? origin.flatMap { inventory.event($0).ipID } : nil
        reset.monotonic = lead.map { inventory.event($0).monotonic }
        reset.cpu = lead.flatMap { inventory.event($0).cpu }
        reset.socketCookie = socket?.cookie
        return reset
    }

    /// What the recording has of the processes, and how one of them came to its end.
    private func tell(of lead: Reference, in reset: inout Reset) {
        addDetails(to: &reset.process, lead)
        addDetails(to: &reset.owner, lead)
        guard let end = processEnd(reset.path, reset.process, lead) else { return }
        let meaning = Catalogue.rule(for: reset.cause)?.meaning(isKilled: end.isKilled, signal: end.signal)
        reset.summary = meaning ?? reset.summary
    }

    /// What the recording has of a process, at the time of the event.
    private func addDetails(to process: inout Reset.Process?, _ lead: Reference) {
        guard let pid = process?.pid, let comm = process?.comm else { return }
        // Not bound to a name: a recording is large to copy, and all processors would count references to the same one.
        process?.details = inventory.recordings[inventory.recordingIndex(lead)].recording.process(
            pid, comm, line: inventory.event(lead).line)
    }

    /// The connection was here before: what ended it says more than whoever listens on the port now.
    private func tell(of end: ConnectionEnd, in reset: inout Reset) {
        reset.end = end
        let rule = Catalogue.rule(for: reset.cause)
        let happened = rule.flatMap { $0.traits.contains(.meetsNoConnection) ? $0.afterEnd : nil }
        reset.summary = "\(happened ?? String(reset.summary.dropLast())): \(end.history)."
    }

    /// Why no kernel event tells of a RST that came from a host that was recorded.
    private func silence(about tuple: FourTuple) -> String {
        let source = "its source is an address of the host that recorded, and "
        // Whatever namespace it was sent in, one recording at least would have to have it.
        let isWanted = inventory.recordings.contains { $0.recording.header?.mayHold(tuple) == true }
        return isWanted
            ? source
                + "no kernel event tells of it: it was sent past the hooks or by somebody else in its name, or the event "
                + "was lost"
            : source + "the recording left out kernel events like it"
    }

    /// A device of a host, from one of its boots to the next.
    private struct Device: Hashable {
        let boot: String
        let netns: UInt32?
        let ifindex: Int32?
    }

    /// The devices that a RST came to after the first one. Two recorders on one host see it on the same one.
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

    /// Whether what a program wrote had been seen before.
    private func repetition(_ written: Reference, _ packets: FewReferences) -> Evidence.Repetition? {
        let (time, device) = (inventory.time(written), inventory.event(written).ifname)
        let isSeen = packets.contains { packet in
            let before = time.saturatingSubtract(inventory.time(packet))
            // On the device itself the packet comes after the event, as far as the clocks tell.
            return before > (interfaceName(packet) == device ? Self.clockError : 0)
        }
        return isSeen ? .seen : echoes.contains(written) ? .possible : mayBeUnseen(written) ? .unwatched : nil
    }

    /// Whether a program may have written the RST of another host, which came where nothing was captured.
    private func mayBeUnseen(_ written: Reference) -> Bool {
        guard let header = inventory.recordings[inventory.recordingIndex(written)].recording.header else { return true }
        // It may have had other addresses and ports before, which nobody asked for.
        if header.scope?.asksForEnds == true { return true }
        let event = inventory.event(written)
        let interfaces = header.interfaces.filter { $0.netns == nil || event.netns == nil || $0.netns == event.netns }
        if interfaces.contains(where: { $0.addresses.contains(event.tuple.source) }) { return false }
        return interfaces.isEmpty || interfaces.contains { !$0.captured && $0.name != "lo" }
    }

    /// Nanoseconds by which an event and a packet of one host may seem to be apart.
    private static let clockError: Int64 = 1_000_000

    private func interfaceName(_ packet: Reference) -> String? {
        let (names, index) = (
            inventory.captures[Int(packet.source)].interfaces, Int(inventory.packet(packet).interface)
        )
        return names.indices.contains(index) ? names[index] : nil
    }

    private func match(_ lead: Reference, packets: FewReferences, first: Reference) -> Reset.Match {
        let made = inventory.tuple(lead)
        // The packet that is nearest to the event: one that no device had translated yet.
        let same = packets.first { inventory.packet($0).segment.tuple == made }
        let method: Reset.Match.Method = inventory.event(lead).seq == nil ? .tupleTime : same == nil ? .nat : .exact
        let delta = inventory.time(same ?? first).saturatingSubtract(inventory.time(lead))
        return Reset.Match(by: method, delta: delta)
    }

    // MARK: - Evidence

    private func evidence(origin: Reference?, decision: Reference?) -> Evidence {
        var evidence = Evidence()
        let emitPath = origin.flatMap(inventory.path)
        let decidePath = decision.flatMap(inventory.path)
        // The packet's own stack is the nearest witness; where it is cut or unknown, the decision's speaks.
        // What TCP decided on was not made elsewhere, however it left.
        let isWitness = emitPath.map { decidePath == nil || $0.origin != .unknown && $0.origin != .forwarded } == true
        evidence.path = isWitness ? emitPath : decidePath ?? emitPath
        evidence.isPathPartial = emitPath == nil && decision.map(inventory.hasPartialPath) == true
        evidence.flags = origin.flatMap { inventory.event($0).flags }
        guard let decision else {
            apply(origin.flatMap { inventory.event($0).socket }, to: &evidence)
            return evidence
        }
        evidence.flags = evidence.flags ?? inventory.event(decision).flags
        evidence.reason = inventory.event(decision).reason
        evidence.state = inventory.event(decision).state ?? inventory.event(decision).socket?.state
        evidence.previousState = inventory.event(decision).previousState
        apply(inventory.event(decision).socket, to: &evidence)
        if let trigger = inventory.event(decision).trigger {
            evidence.trigger = Evidence.Trigger(
                flags: trigger.flags, length: trigger.length, seq: trigger.seq, ack: trigger.ack)
        }
        evidence.conntrack = inventory.event(decision).conntrack
        if let listener = inventory.event(decision).listener, listener.closed == nil, listener.fits != false {
            evidence.listener = listener.fits == true ? .fits : .mayFit
        }
        if evidence.state == .listen {
            evidence.socket = .listener
        } else if evidence.state != nil {
            evidence.socket = .connection
        } else if Self.sawNoSocket(inventory.event(decision).hook) {
            evidence.socket = .absent
        }
        return evidence
    }

    /// The hook tells of a socket if there is one.
    private static func sawNoSocket(_ hook: String) -> Bool {
        hook == ResetEvent.decideHook || ResetEvent.entryHooks.contains(hook)
    }

    private func apply(_ socket: ResetEvent.Socket?, to evidence: inout Evidence) {
        guard let socket else { return }
        evidence.state = evidence.state ?? socket.state
        evidence.dead = socket.dead
        evidence.userTimeout = socket.userTimeout
        evidence.linger2 = socket.linger2
        evidence.linger = socket.linger
        evidence.acceptQueue = socket.acceptQueue
    }

    private func sighting(_ reference: Reference, of origin: FourTuple?) -> Reset.Sighting {
        let capture = inventory.captures[Int(reference.source)]
        let packet = inventory.packet(reference)
        let tuple = packet.segment.tuple
        return Reset.Sighting(
            file: capture.file, packet: packet.number, interface: interfaceName(reference), time: packet.time,
            translated: origin == nil || tuple == origin ? nil : tuple)
    }

    /// It came to a host that was recorded, from one that was not.
    func isReceived(_ tuple: FourTuple) -> Bool {
        localAddresses.contains(tuple.destination) && !localAddresses.contains(tuple.source)
    }

    /// One device of this host gave it to another (ifb, a mirror), and it was for this host.
    private func isHandedOn(_ evidence: Evidence, _ tuple: FourTuple) -> Bool {
        evidence.calledFrom(.redirected) && isReceived(tuple)
    }

    private func direction(_ judged: Judged) -> Direction {
        let lead = judged.observed.lead
        return direction(
            judged.evidence,
            tuple: lead.map(inventory.tuple)
                ?? judged.observed.packets.first.map { inventory.packet($0).segment.tuple },
            hasEvent: lead != nil)
    }

    private func direction(_ evidence: Evidence, tuple: FourTuple?, hasEvent: Bool) -> Direction {
        if evidence.repeats == .seen { return .forwarded }
        if hasEvent, evidence.path?.hasWaited == true {
            return tuple.map { localAddresses.contains($0.source) } == true ? .sent : .unknown
        }
        if hasEvent, evidence.origin != .forwarded { return .sent }
        if hasEvent { return tuple.map { isHandedOn(evidence, $0) } == true ? .received : .forwarded }
        guard let tuple else { return .unknown }
        // Over the loopback, and between two hosts that were both recorded, it is neither.
        return isReceived(tuple) ? .received : isReceived(tuple.reversed) ? .sent : .unknown
    }

    /// What is recorded of the socket that the RST comes from, by the decision or else by the packet that left.
    private func socket(origin: Reference?, decision: Reference?) -> ResetEvent.Socket? {
        switch (origin ?? decision).flatMap(inventory.path)?.origin {
        case .active, .passive, .userSpace, .unknown, nil: break
        // Whoever's socket it is, it did not make this RST.
        case .forwarded, .netfilter: return nil
        }
        return decision.flatMap { inventory.event($0).socket } ?? origin.flatMap { inventory.event($0).socket }
    }

    /// Whose doing it was. The task that happened to run owns the socket only in process context; a reset without a
    /// socket is nobody's.
    private func process(
        _ evidence: Evidence, lead: Reference?, _ socket: ResetEvent.Socket?
    ) -> Reset.Process? {
        guard let lead, let path = evidence.path else { return nil }
        let current = path.context == .process && !path.runsInKernelThread ? inventory.event(lead).task : nil
        switch path.origin {
        case .active:
            // tcp_abort() is called on somebody else's socket, also where the caller's name is not known.
            let isKilled = path.callers.contains(.abort) && !path.callers.contains(.smc)
            if let current { return Reset.Process(task: current, role: isKilled ? .killer : .owner, socket) }
        case .userSpace:
            if let current { return Reset.Process(task: current, role: .owner, socket) }
        case .passive where evidence.socket == .absent: return Reset.Process(pid: nil, comm: nil, role: .none)
        case .forwarded, .netfilter, .unknown, .passive: break
        }
        guard path.origin == .active || path.origin == .passive else { return nil }
        return socket?.owner.map(Reset.Process.init(owner:))
    }

    /// Where the socket lives, or else the task that is the owner.
    private func location(
        of process: Reset.Process?, netns: UInt32?, lead: Reference?, _ socket: ResetEvent.Socket?
    ) -> Reset.Location? {
        var cgroup = socket?.cgroupPath
        if cgroup == nil, process?.role == .owner, let lead {
            let task = inventory.event(lead).task
            if task?.pid == process?.pid { cgroup = task?.cgroupPath }
        }
        guard netns != nil || cgroup != nil else { return nil }
        return Reset.Location(
            netns: netns, cgroup: cgroup,
            identity: cgroup.flatMap { identities[$0] } ?? CgroupIdentity(path: ""))
    }
}

extension Reset.Process {
    fileprivate init(owner: ResetEvent.Owner) { self.init(pid: owner.pid, comm: owner.comm, role: .owner) }

    /// A process is called as the leader of its thread group. Older recordings have that name of an owner only.
    fileprivate init(task: ResetEvent.Task, role: Role, _ socket: ResetEvent.Socket?) {
        let owner = socket?.owner.flatMap { $0.pid == task.pid && task.tid != task.pid ? $0.comm : nil }
        self.init(pid: task.pid, comm: task.process ?? owner ?? task.comm, role: role)
        thread = comm == task.comm ? nil : task.comm
    }
}
