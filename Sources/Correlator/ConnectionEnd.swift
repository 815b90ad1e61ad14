public import KernelEvents
import NetworkTypes

/// How a connection had ended here before a later segment of its peer was answered with a RST.
public struct ConnectionEnd: Sendable, Equatable {
    public let ending: ResetEvent.Ending
    /// From the end to the RST, nanoseconds.
    public let age: UInt64

    /// Nil if the remembered end is not that of the segment's connection, but of an earlier one with the same addresses and
    /// ports.
    init?(_ ending: ResetEvent.Ending, at time: Int64, trigger: Evidence.Trigger?) {
        guard ending.monotonic <= time else { return nil }
        if let trigger, trigger.flags.contains(.ack), let seq = ending.seq {
            // The segment cannot acknowledge more than was sent here (up to the FIN), and no window is larger than 1 GiB.
            guard seq &+ 1 &- trigger.ack <= 1 << 30 else { return nil }
        }
        self.ending = ending
        age = time.saturatingSubtract(ending.monotonic).magnitude
    }

    /// Who ended it, how, and how long ago: `nginx (pid 812) closed it 5.0 s earlier, after 5.0 s without data`.
    var history: String {
        let before = "\(TimeSpan(nanoseconds: age)) earlier"
        let process = ending.process.map(Self.name)
        let owner = ending.owner.map(Self.name)
        switch ending.how {
        case .close where ending.state == .synSent:
            return "\(process ?? owner ?? "an unknown program") cancelled connect() \(before)"
        case .close: return "\(process ?? owner ?? "an unknown program") closed it \(before)\(silence)"
        case .exit: return "\(process ?? "its process") exited \(before) without closing it\(silence)"
        case .killed:
            return "\(process ?? "its process") was killed by \(ending.signalName) \(before)\(silence)"
        case .shutdown: return "\(process ?? "a program") shut it down \(before)\(silence)"
        case .disconnect: return "\(process ?? "a program") disconnected it \(before)\(silence)"
        case .listener: return "\(process ?? "a program") closed its listener \(before) without accepting it"
        case .destroyed:
            return "\(process ?? "somebody") destroyed the socket\(owner.map { " of \($0)" } ?? "") \(before)"
        case .reset: return "its peer had reset it \(before)\(owner.map { "; it belonged to \($0)" } ?? "")"
        case .timeout, .error:
            let limit = ending.userTimeout.map { ", TCP_USER_TIMEOUT is \($0) ms" } ?? ""
            let left = (ending.unacknowledged ?? 0) > 0 ? " with \(ending.unacknowledged!) unacknowledged bytes" : ""
            let what = ending.how == .timeout ? "had timed out" : "had failed with error \(ending.errno ?? 0)"
            return "it \(what) \(before)\(left)\(limit)\(owner.map { "; it belonged to \($0)" } ?? "")"
        }
    }

    /// Closing after silence shows an idle timeout of the program: the peer's has to be shorter.
    var idleAdvice: Advice? {
        guard ending.how == .close || ending.how == .shutdown, ending.state != .synSent, let idle = ending.idle,
            idle >= 1_000_000_000, let process = ending.process
        else { return nil }
        // Tenths of a second: many RSTs share their advice.
        let silence = idle.magnitude / 100_000_000 * 100_000_000
        return .idleClose(process: process.comm, shortest: silence, longest: silence)
    }

    /// Shorter silences occur in every exchange.
    private static let notableSilence: Int64 = 100_000_000

    private var silence: String {
        guard let idle = ending.idle, idle >= Self.notableSilence else { return "" }
        return ", after \(TimeSpan(nanoseconds: idle.magnitude)) without data"
    }

    private static func name(_ process: ResetEvent.Owner) -> String { "\(process.comm) (pid \(process.pid))" }
}

extension ResetEvent.Ending {
    /// signal(7), the ones that end processes.
    private static let signalNames: [UInt8: String] = [
        1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE",
        9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM",
        24: "SIGXCPU", 25: "SIGXFSZ", 31: "SIGSYS",
    ]

    var signalName: String { Self.name(ofSignal: signal) }

    static func name(ofSignal signal: UInt8?) -> String {
        guard let signal else { return "a signal" }
        return signalNames[signal] ?? "signal \(signal)"
    }
}

extension EvidenceBuilder {
    /// The remembered end of the RST's connection, from the decision or else from the packet that left.
    func connectionEnd(_ verdict: Verdict, _ evidence: Evidence, origin: Reference?, decision: Reference?)
        -> (end: ConnectionEnd, reference: Reference)?
    {
        guard
            verdict.traits.contains(.answersEndedConnection) || verdict.cause == .unknown && evidence.isSocketlessReply
        else { return nil }
        for reference in [decision, origin].compactMap(\.self) {
            let event = inventory.event(reference)
            guard let ending = event.ending,
                let end = ConnectionEnd(ending, at: event.monotonic, trigger: evidence.trigger)
            else { continue }
            return (end, reference)
        }
        return nil
    }
}

extension EntryBuilder {
    /// The process that ended the connection, or owned it.
    func process(of end: ConnectionEnd) -> Reset.Process? {
        let ending = end.ending
        if let process = ending.process {
            return Reset.Process(
                pid: process.pid, comm: process.comm, role: ending.how == .destroyed ? .killer : .closer)
        }
        return ending.owner.map { Reset.Process(pid: $0.pid, comm: $0.comm, role: .owner) }
    }

    /// Why a connection's end is not known.
    func missingEnd(_ cause: Cause, lead: Reference) -> String? {
        guard cause == .dataAfterFullClose,
            let header = inventory.recordings[inventory.recordingIndex(lead)].recording.header
        else { return nil }
        return (header.endings ?? 0) > 0
            ? "who had closed the connection: it was closed before the recording began, or too many others were closed since"
            : "who had closed the connection: the recorder did not note that"
    }
}
