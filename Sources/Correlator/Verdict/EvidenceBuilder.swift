import KernelEvents
import NetworkTypes
import PcapReader

/// Gathers what is known of a RST from its observations, for the catalogue to judge.
final class EvidenceBuilder: Sendable {
    let inventory: Inventory
    /// Segments that a program wrote, and that may have been there before with other addresses.
    private let echoes: Set<Reference>

    init(_ inventory: Inventory, echoes: Set<Reference>) {
        self.inventory = inventory
        self.echoes = echoes
    }

    /// What the kernel's events say.
    func evidence(_ observed: ObservedReset) -> Evidence {
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
        return evidence
    }

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

    /// The hook reports the socket if there is one.
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

    /// Whether what a program wrote had been seen before.
    private func repetition(_ written: Reference, _ packets: FewReferences) -> Evidence.Repetition? {
        let (time, device) = (inventory.time(written), inventory.event(written).ifname)
        let isSeen = packets.contains { packet in
            let before = time.saturatingSubtract(inventory.time(packet))
            // On the device itself the packet comes after the event, as far as the clocks tell.
            return before > (inventory.interfaceName(packet) == device ? Self.clockError : 0)
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
}
