import KernelEvents

extension EntryBuilder {
    /// To whom the RST is attributed.
    func attribution(_ judged: JudgedReset) -> Attribution {
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
        if let reception = judged.observed.reception {
            attribution.receiver = receivingProcess(inventory.event(reception))
            attribution.isIgnored = inventory.event(reception).reception?.fate == .ignored
            if judged.observed.lead == nil { attribution.location = receivingLocation(inventory.event(reception)) }
        }
        attribution.advice = advice(judged, attribution.process)
        return attribution
    }

    /// The connection had existed here: what ended it says more than who listens on the port now.
    private func tell(of end: ConnectionEnd, _ judged: JudgedReset, in attribution: inout Attribution) {
        guard judged.verdict.traits.contains(.meetsNoConnection) || attribution.process?.role != .owner else { return }
        guard let process = process(of: end) else { return }
        attribution.process = process
        attribution.owner = process.role == .killer ? end.ending.owner.map(Reset.Process.init(owner:)) : nil
        guard process.role == .closer, let cgroup = end.ending.cgroupPath else { return }
        attribution.location = location(netns: netns(judged.observed), cgroup: cgroup)
    }

    func netns(_ observed: ObservedReset) -> UInt32? {
        observed.decision.flatMap { inventory.event($0).netns }
            ?? (observed.lead ?? observed.reception).flatMap { inventory.event($0).netns }
    }

    /// Adds what the recording has about the processes, and how one of them ended.
    func tell(of lead: Reference, in reset: inout Reset) {
        addDetails(to: &reset.process, lead)
        addDetails(to: &reset.owner, lead)
        guard let end = processEnd(reset.path, reset.process, lead) else { return }
        let meaning = Catalogue.rule(for: reset.cause)?.meaning(isKilled: end.isKilled, signal: end.signal)
        reset.summary = meaning ?? reset.summary
    }

    /// Adds what the recording has about a process, at the time of the event.
    private func addDetails(to process: inout Reset.Process?, _ lead: Reference) {
        guard let pid = process?.pid, let comm = process?.comm else { return }
        // Not stored in a variable: that would copy the recording, and make all processors count references to the same one.
        process?.details = inventory.recordings[inventory.recordingIndex(lead)].recording.process(
            pid, comm, line: inventory.event(lead).line)
    }

    /// The recorded socket from which the RST comes, from the decision or else from the packet that left.
    func socket(origin: Reference?, decision: Reference?) -> ResetEvent.Socket? {
        switch (origin ?? decision).flatMap(inventory.path)?.origin {
        case .active, .passive, .userSpace, .unknown, nil: break
        // Whatever socket was recorded, it did not send this RST.
        case .forwarded, .netfilter: return nil
        }
        return decision.flatMap { inventory.event($0).socket } ?? origin.flatMap { inventory.event($0).socket }
    }

    /// The process that caused the RST. The running task owns the socket only in process context; a reset without a socket
    /// belongs to no process.
    private func process(
        _ evidence: Evidence, lead: Reference?, _ socket: ResetEvent.Socket?
    ) -> Reset.Process? {
        guard let lead, let path = evidence.path else { return nil }
        let current = path.context == .process && !path.runsInKernelThread ? inventory.event(lead).task : nil
        switch path.origin {
        case .active:
            // tcp_abort() is called on another process's socket, even if the caller's name is not known.
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

    /// Where the socket belongs, or else the task that owns it.
    private func location(
        of process: Reset.Process?, netns: UInt32?, lead: Reference?, _ socket: ResetEvent.Socket?
    ) -> Reset.Location? {
        var cgroup = socket?.cgroupPath
        if cgroup == nil, process?.role == .owner, let lead {
            let task = inventory.event(lead).task
            if task?.pid == process?.pid { cgroup = task?.cgroupPath }
        }
        return location(netns: netns, cgroup: cgroup)
    }
}

extension Reset.Process {
    fileprivate init(owner: ResetEvent.Owner) { self.init(pid: owner.pid, comm: owner.comm, role: .owner) }

    /// A process is named after the leader of its thread group. Older recordings have that name only for owners.
    fileprivate init(task: ResetEvent.Task, role: Role, _ socket: ResetEvent.Socket?) {
        let owner = socket?.owner.flatMap { $0.pid == task.pid && task.tid != task.pid ? $0.comm : nil }
        self.init(pid: task.pid, comm: task.process ?? owner ?? task.comm, role: role)
        thread = comm == task.comm ? nil : task.comm
    }
}
