import KernelEvents
import NetworkTypes

/// Whether a segment may have met the time-wait socket of a connection that the RST's sender had closed.
///
/// Up to Linux 6.9 `tcp_send_reset` keeps silent about answers to segments that met no socket or a time-wait socket: which
/// of the two is for the packets to say.
public enum TimeWaitChance: Sendable, Equatable {
    /// Such a socket would not have answered it with a RST, or there was none.
    case excluded
    /// Only if the other end opened a connection with the ports of one that it had not closed.
    case unlikely
    case possible
    /// The capture shows the close that leaves one, and data after it.
    case likely
}

extension WireEvidence {
    /// TCP_TIMEWAIT_LEN, nanoseconds: a longer FIN_WAIT2 keeps the full socket, of which the kernel tells.
    private static let timeWaitLength: UInt64 = 60_000_000_000

    /// `tcp_timewait_state_process()`, substate FIN_WAIT2: it resets on a new SYN, on data, and on a FIN after data.
    ///
    /// - Parameter isComplete: the capture lost nothing that its filter let in.
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
        // After the other end's FIN as well, the time-wait socket acknowledges and does not reset.
        if let other = peer.fin, other.number < trigger.number { return excluded }
        return isSyn ? .possible : .likely
    }

    /// A FIN of the connection would be in the capture.
    private var hasAllFins: Bool { !isFiltered || filterNamesFins }
}

extension EvidenceBuilder {
    /// What the silence of a kernel means that does not tell of answers without a full socket, and what the capture adds.
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
    /// It lost nothing that its filter let in.
    var isComplete: Bool { dropped == 0 && bytesSkipped == 0 && damage.isEmpty }
}

extension Recording {
    /// A RST without a decision answers a segment that met no full socket: the kernel does not tell of those, and nothing
    /// else is missing.
    var omitsSocketlessResets: Bool {
        // A decision that was lost, or that nobody asked for, looks the same.
        header?.omitsAnswersWithoutSocket == true && isComplete && header?.scope?.asksForEnds != true
    }
}

extension RecordingHeader {
    /// Whether a RST without a decision may answer a segment that met no full socket: the kernel does not tell of those.
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
