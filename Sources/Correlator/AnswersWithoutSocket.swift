import KernelEvents
import NetworkTypes
import PcapReader

/// Whether a segment may have met the time-wait socket of a connection that the RST's sender had closed.
///
/// Up to Linux 6.9 `tcp_send_reset` does not report answers to segments that met no socket or a time-wait socket: only the
/// packets can show which of the two it was.
public enum TimeWaitChance: Sendable, Equatable {
    /// Such a socket would not have answered it with a RST, or there was none.
    case excluded
    /// Only if the other end had opened a connection with the ports of one that it had not closed.
    case unlikely
    case possible
    /// The capture shows the close that leaves one, and data after it.
    case likely
}

extension WireEvidence {
    /// TCP_TIMEWAIT_LEN, nanoseconds: a longer FIN_WAIT2 keeps the full socket, which the kernel reports.
    private static let timeWaitLength: UInt64 = 60_000_000_000

    /// `tcp_timewait_state_process()`, substate FIN_WAIT2: it resets on a new SYN, on data, and on a FIN after data.
    ///
    /// - Parameter isComplete: whether the capture lost nothing that its filter accepts.
    func timeWaitChance(isComplete: Bool) -> TimeWaitChance {
        guard let trigger else { return .possible }
        let isSyn = trigger.flags.contains(.syn)
        let hasContent = trigger.length > 0 || trigger.flags.contains(.fin)
        if !isSyn, !trigger.flags.contains(.ack) || !hasContent { return .excluded }
        let excluded: TimeWaitChance = isComplete && hasAllFins ? .excluded : .possible
        guard let fin = own.fin else {
            return own.syn != nil && excluded == .excluded ? .excluded : isSyn ? .unlikely : .possible
        }
        if trigger.number > fin.number, distance(trigger, fin) > Self.timeWaitLength { return excluded }
        let acknowledgments = [peer.highestAck, trigger.flags.contains(.ack) ? trigger.ack : nil].compactMap { $0 }
        if !acknowledgments.contains(where: { !fin.end.follows($0) }) { return excluded }
        // After both FINs, the time-wait socket acknowledges instead of resetting.
        if let other = peer.fin, other.number < trigger.number { return excluded }
        return isSyn ? .possible : .likely
    }

    /// Whether a FIN of the connection would be in the capture.
    private var hasAllFins: Bool { !isFiltered || filterNamesFins }
}

extension EvidenceBuilder {
    /// Adds what the missing decision means on a kernel that does not report answers without a full socket, and what the capture
    /// shows.
    ///
    /// - Returns: whether the trigger comes from the capture.
    func fillFromCapture(_ evidence: inout Evidence, origin: Reference?, wire: WireSighting?) -> Bool {
        guard let origin, evidence.isSocketlessReply else { return false }
        guard inventory.omitsSocketlessResets(recording: inventory.recordingIndex(origin)) else { return false }
        evidence.socket = .noneOrTimeWait
        guard let wire, let trigger = wire.evidence.trigger else { return false }
        evidence.trigger = Evidence.Trigger(
            flags: trigger.flags, length: trigger.length, seq: trigger.seq, ack: trigger.ack)
        evidence.timeWait = wire.evidence.timeWaitChance(
            isComplete: inventory.captures[Int(wire.reference.source)].isComplete)
        return true
    }
}

extension CaptureInput {
    /// Whether it lost nothing that its filter accepts.
    var isComplete: Bool { dropped == 0 && summary.bytesSkipped == 0 && damageCount == 0 }
}

extension Recording {
    /// Whether a RST without a decision must answer a segment that met no full socket: the kernel does not report those, and
    /// nothing else is missing.
    var omitsSocketlessResets: Bool {
        // A decision that was lost, or excluded from the recording, looks the same.
        header?.omitsAnswersWithoutSocket == true && isComplete && header?.scope?.asksForEnds != true
    }
}

extension RecordingHeader {
    /// Whether a RST without a decision may answer a segment that met no full socket: the kernel does not report those.
    var omitsAnswersWithoutSocket: Bool {
        !reportsSocketlessResets
            && hooks.contains { $0.name == ResetEvent.decideHook && $0.status == "attached" && $0.reason == false }
    }
}

extension KernelPath {
    /// A passive reset that is sent straight from segment lookup: no full socket took the segment in.
    var isSocketlessReply: Bool {
        origin == .passive && callers.contains(.receive)
            && callers.isDisjoint(with: [.stateProcessing, .checkRequest, .mptcp])
    }
}
