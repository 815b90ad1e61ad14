import KernelEvents
import NetworkTypes
public import PcapReader

/// What a capture shows of the segment that provoked a RST.
public struct Provocation: Sendable, Equatable {
    /// The number of its packet.
    public var packet: Int
    public var trigger: Evidence.Trigger
    public var timeWait: TimeWait

    /// Whether it may have met the time-wait socket of a connection that the RST's sender had closed.
    public enum TimeWait: Sendable, Equatable {
        /// Such a socket would not have answered it with a RST, or there was none.
        case excluded
        /// Only if the other end opened a connection with the ports of one that it had not closed.
        case unlikely
        case possible
        /// The capture shows the close that leaves one, and data after it.
        case likely
    }
}

/// Looks in a capture for the segments that provoked RSTs of which the kernel tells no more than that they answer something.
///
/// Up to Linux 6.9 `tcp_send_reset` keeps silent about answers to segments that met no socket or a time-wait socket.
/// Goes once through the segments of the connections concerned, in the order of the file, and keeps a few of each.
public struct ProvocationSearch: Sendable {
    /// The connections to be looked at.
    public let flows: FlowFilter
    /// By the number of the RST's packet.
    public private(set) var found: [Int: Provocation] = [:]
    /// What each end has sent.
    private var ends: [FourTuple: End] = [:]
    private let isComplete: Bool

    private static let kept = 8
    /// TCP_TIMEWAIT_LEN: a longer FIN_WAIT2 keeps the full socket, of which the kernel tells.
    private static let timeWaitLength: Int64 = 60_000_000_000

    private struct End {
        var hasBegun = false
        /// The sequence number after its FIN, and when it was sent.
        var fin: (end: UInt32, time: Int64)?
        var highestAck: UInt32?
        var recent: [CapturedSegment] = []
    }

    /// Nil if the recordings tell of every RST all that can be known.
    public init?(recordings: [EventInput], capture: CaptureInput) {
        var tuples = Set<FourTuple>()
        for recording in recordings.map(\.recording) {
            guard let header = recording.header, header.omitsAnswersWithoutSocket else { continue }
            let answers = recording.stacks.mapValues { KernelPath(frames: $0).answersWithoutSocket }
            for event in recording.events where event.kind == .emit {
                if let stack = event.stack, answers[stack] == true { tuples.insert(event.tuple) }
            }
        }
        if tuples.isEmpty { return nil }
        flows = FlowFilter(tuples)
        isComplete = capture.dropped == 0 && capture.bytesSkipped == 0 && capture.damage.isEmpty
    }

    /// Takes in the next segment of the capture.
    public mutating func add(_ captured: CapturedSegment) {
        let segment = captured.segment
        if segment.flags.contains(.rst) {
            let peer = ends[segment.tuple.reversed]
            guard let trigger = peer?.recent.last(where: { Self.provokes($0.segment, segment) }) else { return }
            found[captured.number] = Provocation(
                packet: trigger.number,
                trigger: Evidence.Trigger(
                    flags: trigger.segment.flags, length: trigger.segment.payloadLength, seq: trigger.segment.seq,
                    ack: trigger.segment.ack),
                timeWait: timeWait(trigger, own: ends[segment.tuple] ?? End()))
            return
        }
        if segment.flags.isSuperset(of: [.syn, .ack]) {
            // Both ends begin a new connection.
            ends[segment.tuple] = End()
            ends[segment.tuple.reversed]?.fin = nil
            ends[segment.tuple.reversed]?.highestAck = nil
        }
        var end = ends[segment.tuple] ?? End()
        if segment.flags.contains(.syn) { end.hasBegun = true }
        if segment.flags.contains(.fin) { end.fin = end.fin ?? (segment.endSeq, captured.time) }
        if segment.flags.contains(.ack), end.highestAck.map({ segment.ack.isAtOrAfter($0) }) ?? true {
            end.highestAck = segment.ack
        }
        if end.recent.count == Self.kept { end.recent.removeFirst() }
        end.recent.append(captured)
        ends[segment.tuple] = end
    }

    /// RFC 9293, section 3.10.7.1: what the answer to a segment without a connection looks like.
    private static func provokes(_ segment: TCPSegment, _ reset: TCPSegment) -> Bool {
        if segment.flags.contains(.ack) { return !reset.flags.contains(.ack) && reset.seq == segment.ack }
        return reset.flags.contains(.ack) && reset.seq == 0 && reset.ack == segment.endSeq
    }

    /// `tcp_timewait_state_process()`, substate FIN_WAIT2: it resets on a new SYN, on data and on a FIN after data.
    private func timeWait(_ trigger: CapturedSegment, own: End) -> Provocation.TimeWait {
        let segment = trigger.segment
        let hasContent = segment.payloadLength > 0 || segment.flags.contains(.fin)
        if !segment.flags.contains(.syn), !segment.flags.contains(.ack) || !hasContent { return .excluded }
        guard let fin = own.fin else {
            return own.hasBegun && isComplete ? .excluded : segment.flags.contains(.syn) ? .unlikely : .possible
        }
        guard trigger.time - fin.time <= Self.timeWaitLength else { return isComplete ? .excluded : .possible }
        let peer = ends[segment.tuple]
        let acknowledged = [peer?.highestAck, segment.flags.contains(.ack) ? segment.ack : nil]
            .contains { $0?.isAtOrAfter(fin.end) == true }
        if !acknowledged { return isComplete ? .excluded : .possible }
        // After the other end's FIN as well, the time-wait socket acknowledges and does not reset.
        if let other = peer?.fin, other.time < trigger.time { return isComplete ? .excluded : .possible }
        return segment.flags.contains(.syn) ? .possible : .likely
    }
}

extension RecordingHeader {
    /// Whether a RST without a decision may answer a segment that met no full socket: the kernel does not tell of those.
    var omitsAnswersWithoutSocket: Bool {
        !tellsOfAllAnswers
            && hooks.contains { $0.name == ResetEvent.decideHook && $0.status == "attached" && $0.reason == false }
    }
}

extension KernelPath {
    /// A passive reset that is sent straight from segment lookup: no full socket took the segment in.
    var answersWithoutSocket: Bool {
        origin == .passive && callers.contains(.receive)
            && callers.isDisjoint(with: [.stateProcessing, .checkRequest, .mptcp])
    }
}

extension TCPSegment {
    /// The sequence number after the segment.
    fileprivate var endSeq: UInt32 {
        seq &+ payloadLength &+ (flags.contains(.syn) ? 1 : 0) &+ (flags.contains(.fin) ? 1 : 0)
    }
}

extension UInt32 {
    /// In sequence space (RFC 9293, section 3.4).
    fileprivate func isAtOrAfter(_ other: UInt32) -> Bool { Int32(bitPattern: self &- other) >= 0 }
}
