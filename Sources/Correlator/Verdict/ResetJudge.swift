import KernelEvents
import NetworkTypes
import PcapReader

/// Why a RST was sent, and what tells it.
struct JudgedReset {
    let observed: ObservedReset
    let evidence: Evidence
    /// Nil without a packet, or where it was not asked for and the kernel's word is enough.
    let wire: WireSighting?
    let hasCapturedTrigger: Bool
    let verdict: Verdict
    /// What the recording of the host that it seems to come from says of it.
    let absence: HostWitness.Absence?
    /// What became of it, if the recording of the host that it was for tells.
    let delivery: HostWitness.Delivery?
    /// What had ended the connection that the RST is an answer for, and what shows it.
    let end: (end: ConnectionEnd, reference: Reference)?
}

/// Judges a RST by all its observations: by the kernel's events where there are any, otherwise by the packets.
final class ResetJudge: Sendable {
    let inventory: Inventory
    let builder: EvidenceBuilder
    /// What recordings of other hosts prove.
    private let witness: HostWitness

    init(_ builder: EvidenceBuilder, _ witness: HostWitness) {
        self.witness = witness
        inventory = builder.inventory
        self.builder = builder
    }

    /// - Parameters:
    ///   - members: not empty.
    ///   - alwaysWire: what the packets show is wanted for itself.
    func judged(_ members: ArraySlice<Reference>, alwaysWire: Bool) -> JudgedReset {
        let observed = ObservedReset(members, inventory)
        let (origin, decision, lead) = (observed.origin, observed.decision, observed.lead)
        var evidence = builder.evidence(observed)
        let isSilent = decision == nil && origin != nil && evidence.isSocketlessReply
        let wire =
            alwaysWire || lead == nil || isSilent
            ? builder.wireEvidence(observed.packets, isJudged: lead == nil) : nil
        let hasCapturedTrigger = isSilent && builder.fillFromCapture(&evidence, origin: origin, wire: wire)
        var verdict = lead == nil ? wireVerdict(wire) : judge(evidence)
        if lead == nil, observed.reception != nil { verdict.noteReception(isCaptured: !observed.packets.isEmpty) }
        let absence = witness.absence(observed)
        if let absence { verdict.note(absence) }
        if verdict.cause == .forwarded, let lead, isHandedOn(evidence, inventory.tuple(lead)) {
            verdict.becomeReceived()
            verdict.certainty = .inferred
            verdict.candidates = []
        }
        return JudgedReset(
            observed: observed, evidence: evidence, wire: wire, hasCapturedTrigger: hasCapturedTrigger,
            verdict: verdict, absence: absence, delivery: witness.delivery(observed),
            end: builder.connectionEnd(verdict, evidence, origin: origin, decision: decision))
    }

    /// The verdict on a RST of which no kernel tells.
    private func wireVerdict(_ sighting: WireSighting?) -> Verdict {
        guard let sighting else { return judge(Evidence()) }
        var verdict = judge(sighting.evidence, sighting.scores ?? WireScores(sighting.evidence))
        // The host that recorded did not send it, that much is sure.
        if verdict.cause == .unknown, inventory.isReceived(sighting.evidence.tuple) { verdict.becomeReceived() }
        return verdict
    }

    /// One device of this host gave it to another (ifb, a mirror), and it was for this host.
    private func isHandedOn(_ evidence: Evidence, _ tuple: FourTuple) -> Bool {
        evidence.calledFrom(.redirected) && inventory.isReceived(tuple)
    }

    func direction(_ judged: JudgedReset) -> Direction {
        let lead = judged.observed.lead
        if lead == nil, judged.observed.reception != nil { return .received }
        return direction(
            judged.evidence,
            tuple: lead.map(inventory.tuple)
                ?? judged.observed.packets.first.map { inventory.packet($0).segment.tuple },
            hasEvent: lead != nil)
    }

    private func direction(_ evidence: Evidence, tuple: FourTuple?, hasEvent: Bool) -> Direction {
        if evidence.repeats == .seen { return .forwarded }
        if hasEvent, evidence.path?.hasWaited == true {
            return tuple.map { inventory.localAddresses.contains($0.source) } == true ? .sent : .unknown
        }
        if hasEvent, evidence.origin != .forwarded { return .sent }
        if hasEvent { return tuple.map { isHandedOn(evidence, $0) } == true ? .received : .forwarded }
        guard let tuple else { return .unknown }
        // Over the loopback, and between two hosts that were both recorded, it is neither.
        return inventory.isReceived(tuple) ? .received : inventory.isReceived(tuple.reversed) ? .sent : .unknown
    }
}
