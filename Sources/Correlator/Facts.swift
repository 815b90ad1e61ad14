import KernelEvents
import NetworkTypes
import PcapReader

extension EntryBuilder {
    /// What the verdict is based on, each fact with the packet or the event it comes from.
    func facts(
        _ evidence: Evidence, verdict: Verdict, process: Reset.Process?, socket: ResetEvent.Socket?,
        packets: FewReferences, origin: Reference?, decision: Reference?, others: [Reference],
        trigger: SegmentNote? = nil
    ) -> [Fact] {
        var facts: [Fact] = []
        // The one whose path was used for the verdict.
        let witness = origin.flatMap { evidence.path === inventory.path($0) ? $0 : nil } ?? decision ?? origin
        if let path = evidence.path, let lead = witness {
            if !path.leading.isEmpty { facts.append(Fact("kernel path \(path.leading)", from: place(lead))) }
            if let hook = path.netfilterHook, path.origin == .netfilter {
                facts.append(Fact("the rule is in \(hook)", from: place(lead)))
            }
            if let firewall = evidence.firewall { facts += ruleFacts(firewall, from: place(lead)) }
            if path.origin == .active, let release = path.release { facts.append(Fact(release, from: place(lead))) }
            if path.context == .softirq, path.origin == .active || path.origin == .passive {
                facts.append(
                    Fact("sent from a softirq: the running task has nothing to do with it", from: place(lead)))
            }
        }
        if let trigger {
            facts.append(
                Fact(
                    "answers a segment with flags \(trigger.flags), \(trigger.length) bytes of data",
                    from: .packet(trigger.number)))
        }
        if evidence.socket == .noneOrTimeWait, let origin {
            facts.append(Fact("no full socket: tcp_send_reset did not report one", from: place(origin)))
        }
        if let decision, let tuple = evidence.untranslated {
            facts.append(
                Fact(
                    "decided on as \(tuple), then translated by this host on its way out", from: place(decision)))
        }
        if let decision {
            facts += decisionFacts(evidence, from: place(decision))
            if let conntrack = evidence.conntrack { facts += conntrackFacts(conntrack, from: place(decision)) }
            if let listener = inventory.event(decision).listener {
                facts.append(
                    Fact(listener.history(at: inventory.event(decision).monotonic), from: place(decision)))
            }
        }
        if let decision, let origin, inventory.hasWaited(origin), let path = inventory.path(origin) {
            let delay = inventory.event(origin).monotonic.distance(from: inventory.event(decision).monotonic)
            facts.append(
                Fact("it left \(TimeSpan(nanoseconds: delay)) later, not until \(path.waitedFor)", from: place(origin)))
        }
        if let lead = decision ?? origin, let socket, let fact = Self.ownership(socket, process) {
            facts.append(Fact(fact, from: place(lead)))
        }
        if packets.isEmpty, let lead = origin ?? decision {
            facts.append(Fact(absence(origin: origin, lead: lead), from: place(lead)))
        }
        for other in others {
            facts.append(Fact(passing(other), from: place(other)))
        }
        facts += verdict.missing.map { Fact("missing: \($0)", from: .report) }
        return facts
    }

    private func passing(_ emit: Reference) -> String {
        let event = inventory.event(emit)
        let device = event.ifname ?? "another device"
        guard inventory.isWritten(emit) else { return "passed on to \(device)" }
        let program = event.task.map { "\($0.comm) (pid \($0.pid))" } ?? "a program"
        return "\(program) passed it on to \(device)"
    }

    /// Why no capture has a RST that the kernel reported, as far as the recording shows.
    private func absence(origin: Reference?, lead: Reference) -> String {
        let recording = inventory.recordings[inventory.recordingIndex(lead)].recording
        guard let origin else {
            // Only a hook that was attached and lost nothing can show that nothing left.
            let watched = recording.header?.hooks.contains { $0.name == ResetEvent.emitHook && $0.status == "attached" }
            // After address translation, the RST may have been outside the recording's scope.
            let isAnyWanted = recording.header?.scope?.asksForEnds != true
            let time = inventory.event(lead).monotonic
            return watched == true && recording.isComplete && isAnyWanted
                && inventory.eventCoverage.watchesPackets(around: time, recording)
                ? "decided on, but no device was given it as a plain TCP segment: it was dropped on its way out, had no route or no link address for the next hop (ARP), or was sent inside a tunnel or IPsec"
                : "decided on; whether a segment left was not recorded"
        }
        let event = inventory.event(origin)
        let name = event.ifname ?? "a device"
        let (opened, closed) = (recording.header?.since?.capture, recording.footer?.until?.capture)
        if let opened, event.monotonic < opened {
            return
                "given to \(name) \(TimeSpan(nanoseconds: opened.distance(from: event.monotonic))) before the capture began"
        }
        if let closed, event.monotonic >= closed {
            return
                "given to \(name) \(TimeSpan(nanoseconds: event.monotonic.distance(from: closed))) after the capture ended"
        }
        switch recording.wasCaptured(ifindex: event.ifindex, netns: event.netns, at: event.monotonic) {
        case true?:
            return
                "given to \(name), which was captured, but not in the capture: dropped after the hook, filtered out, or lost"
        case false?: return "given to \(name), which was not captured"
        case nil: return "given to \(name), but not in any capture"
        }
    }

    private func decisionFacts(_ evidence: Evidence, from place: Fact.Place) -> [Fact] {
        var facts: [Fact] = []
        if let trigger = evidence.trigger {
            facts.append(
                Fact(
                    "answers a segment with flags \(trigger.flags), \(trigger.length) bytes of data", from: place))
        }
        switch evidence.socket {
        case .absent: facts.append(Fact("no socket for the segment", from: place))
        case .listener: facts.append(Fact("the socket listens", from: place))
        case .connection:
            if let state = evidence.state {
                let before = evidence.previousState.map { ", previously \($0.name)" } ?? ""
                facts.append(Fact("socket in \(state.name)\(before)", from: place))
            }
        case .notRecorded, .noneOrTimeWait: break
        }
        if evidence.dead == true { facts.append(Fact("the application had already closed the socket", from: place)) }
        if let timeout = evidence.userTimeout, timeout > 0 {
            facts.append(Fact("TCP_USER_TIMEOUT is \(timeout) ms", from: place))
        }
        if let reason = evidence.reason { facts.append(Fact("the kernel's reason is \(reason)", from: place)) }
        return facts
    }

    /// What the name of an owner is based on; without a name, what may help to find the owner.
    private static func ownership(_ socket: ResetEvent.Socket, _ process: Reset.Process?) -> String? {
        if let owner = socket.owner {
            guard let holders = owner.holders else { return nil }
            let others = holders > 1 ? ", and so had \(holders - 1) other\(holders == 2 ? "" : "s")" : ""
            return "\(owner.comm) (pid \(owner.pid)) had the socket open\(others)"
        }
        guard process == nil else { return nil }
        let inode = socket.inode.map { "inode \($0)" }
        let uid = socket.uid.map { "uid \($0)" }
        let known = [inode, uid].compactMap(\.self).joined(separator: ", ")
        return known.isEmpty ? nil : "the owner of the socket is unknown; \(known)"
    }

    func place(_ reference: Reference) -> Fact.Place {
        if !inventory.isEvent(reference) { return .packet(inventory.packet(reference).number) }
        return .eventLine(inventory.event(reference).line)
    }
}

extension ResetEvent.Listener {
    /// What it has to do with a reset at that time, CLOCK_MONOTONIC in nanoseconds.
    fileprivate func history(at time: Int64) -> String {
        let name = "\(comm) (pid \(pid))"
        guard let closed else {
            switch fits {
            case true?: return "\(name) called listen() on this address and port, and its socket is there"
            case false?:
                return
                    "\(name) called listen() on this port, and its socket is there, but for another address, IP version "
                    + "or device"
            case nil:
                return "\(name) called listen() on this port, and its socket is there, but did not take this segment"
            }
        }
        let age = time.saturatingSubtract(closed)
        let before = age < 0 ? "a moment" : TimeSpan(nanoseconds: age.magnitude).description
        return "\(name) listened on this port until \(before) earlier"
    }
}
