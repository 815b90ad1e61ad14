import NetworkTypes
import PcapReader

/// The packet of a RST that shows most of its connection.
///
/// A class, so that the evidence, a kilobyte, is not copied with what holds it.
final class WireSighting: Sendable {
    let reference: Reference
    let evidence: WireEvidence
    /// Only where the packets have to speak for themselves.
    let scores: WireScores?

    init(reference: Reference, evidence: WireEvidence, scores: WireScores?) {
        self.reference = reference
        self.evidence = evidence
        self.scores = scores
    }
}

extension EvidenceBuilder {
    /// What the captures say of a RST; nil if none has it.
    ///
    /// - Parameters:
    ///   - packets: its sightings in the order of time.
    ///   - isJudged: whether packets alone must show why it was sent.
    func wireEvidence(_ packets: FewReferences, isJudged: Bool) -> WireSighting? {
        guard let best = bestContext(packets) else { return nil }
        let source = Int(best.reference.source)
        let packet = inventory.packet(best.reference)
        let evidence = WireEvidence(
            packet, flow: best.flow, payload: inventory.captures[source].remarks.payloads[packet.number] ?? [],
            filter: inventory.filter(ofCapture: source, interface: packet.interface),
            translationGap: inventory.captures[source].connections.translationGaps[
                best.flow?.reset?.number ?? packet.number],
            listener: inventory.captures[source].connections.listeners[packet.segment.tuple.sourcePlace],
            absentAtSender: absentAtSender(packet, packets), isRead: inventory.captures[source].connections.isRead,
            clock: inventory.clocks.packets[source])
        return WireSighting(
            reference: best.reference, evidence: evidence, scores: isJudged ? WireScores(evidence) : nil)
    }

    /// The packet whose capture has most of the connection, and what it has of it.
    func bestContext(_ packets: FewReferences) -> (reference: Reference, flow: ConnectionContext?)? {
        var best: (reference: Reference, flow: ConnectionContext?)?
        var most = -2
        for reference in packets {
            let flow = inventory.captures[Int(reference.source)].connections.table.context(
                ofPacket: inventory.packet(reference).number, index: Int(reference.index))
            let segments = flow.map { $0.own.segments + $0.peer.segments } ?? -1
            if segments > most {
                best = (reference, flow)
                most = segments
            }
        }
        return best
    }

    /// A capture near the sender that has the connection before the RST and after it, lost nothing, left nothing out, and
    /// never saw the RST.
    private func absentAtSender(_ packet: CapturedSegment, _ packets: FewReferences) -> String? {
        guard inventory.captures.count > 1 else { return nil }
        let sources = Set(packets.map(\.source))
        for (index, capture) in inventory.captures.enumerated() where !sources.contains(Int32(index)) {
            guard inventory.clocks.packets[index] == nil, capture.isComplete,
                capture.summary.undecodedCounts.allSatisfy({ $0 == 0 }),
                capture.connections.isRead, capture.takesResets,
                let connection = capture.connections.table.connection(of: packet.segment.tuple),
                connection.source.segments > 0,
                connection.source.resetCount == 0, connection.source.isUnrouted,
                // Where no router is in between, either end may have been captured.
                connection.destination.segments > 0, !connection.destination.isUnrouted
            else { continue }
            let offset = inventory.clockOffsets.first { $0.file == capture.file }?.offset ?? 0
            guard connection.lastTime.saturatingSubtract(offset) > packet.time else { continue }
            return capture.file
        }
        return nil
    }
}

extension ConnectionSide {
    /// Its segments have a TTL that stacks begin with: no router has passed them on.
    fileprivate var isUnrouted: Bool { lowestTTL == highestTTL && [64, 128, 255].contains(lowestTTL) }
}

extension ConnectionSummary {
    init?(_ evidence: WireEvidence) {
        guard let flow = evidence.flow else { return nil }
        opener = flow.opener
        sender = Side(flow.own)
        receiver = Side(flow.peer)
        silence = evidence.silence
        unacknowledged = evidence.unacknowledged
        senderAfter = flow.after.fromSender
        receiverAfter = flow.after.fromPeer
        acceptance = Acceptance(evidence).rawValue
    }
}

extension ConnectionSummary.Side {
    fileprivate init(_ side: ConnectionSide) {
        segments = side.segments
        bytes = side.bytes
        retransmissions = side.retransmissions
        keepaliveProbes = side.probes
        zeroWindows = side.zeroWindows
        resets = side.resetCount
        hasFIN = side.fin != nil
        ttl = side.segments > 0 && side.lowestTTL == side.highestTTL ? side.lowestTTL : nil
        maximumSegmentSize = side.synOptions.maximumSegmentSize
        timestamps = side.withTimestamps > 0
    }
}

extension CaptureInput {
    /// No filter kept RSTs out of it: it has some, or says that there was none. pcap does not record filters, and one that
    /// takes only segments with data is in wide use (pcap-filter(7), the example for HTTP).
    fileprivate var takesResets: Bool { !isFiltered && (summary.format.container == .pcapng || !resets.isEmpty) }

    /// Its filters, if any, let every RST pass that the recorder could see.
    var keepsResets: Bool {
        summary.format.container == .pcapng
            && summary.interfaces.allSatisfy { interface in
                guard let filter = interface.filter, !filter.isEmpty else { return true }
                return [RecordingFilter.standard, RecordingFilter.handshakes].contains {
                    [$0, "(\($0))"].contains(filter)
                }
            }
    }
}
