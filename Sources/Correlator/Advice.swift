import KernelEvents

/// What to do about a RST, if the evidence allows more specific advice than the catalogue's for its cause.
public enum Advice: Sendable, Hashable {
    /// In these words.
    case text(String)
    /// The process exited, or was killed by a signal, with the socket still open.
    case processEnded(isKilled: Bool, signal: UInt8?)
    /// The process closed connections that had been idle: the shortest and the longest idle time, nanoseconds.
    case idleClose(process: String, shortest: UInt64, longest: UInt64)

    /// The advice for two RSTs, if it is the same.
    func merged(with other: Advice) -> Advice? {
        guard case .idleClose(let process, let shortest, let longest) = self,
            case .idleClose(process, let otherShortest, let otherLongest) = other
        else { return self == other ? self : nil }
        let (least, most) = (min(shortest, otherShortest), max(longest, otherLongest))
        // Times that are further apart do not come from a single timeout.
        return most - least <= least / 10 ? .idleClose(process: process, shortest: least, longest: most) : nil
    }

    public var sentence: String {
        switch self {
        case .text(let text): return text
        case .processEnded(isKilled: false, _):
            return
                "Find out why the process ended: check its exit status and its log. To exit cleanly, it should stop "
                + "accepting, finish the requests in progress, and then close their connections."
        case .processEnded(isKilled: true, let signal):
            let search =
                switch signal {
                case 9?:
                    "the kernel log (out of memory), the memory limit of its cgroup, or a service manager whose stop timeout expired"
                case 4?, 6?, 7?, 8?, 11?: "its log and the core dump: it crashed"
                default: "the service manager, orchestrator or person that stopped it, and its log"
                }
            return
                "Find out who sent \(ResetEvent.Ending.name(ofSignal: signal)), and why: check \(search). Before stopping a "
                + "service, take it out of load balancing and let its requests finish."
        case .idleClose(let process, let shortest, let longest):
            let (least, most) = (TimeSpan(nanoseconds: shortest), TimeSpan(nanoseconds: longest))
            let time = shortest == longest ? "\(least)" : "\(least) to \(most)"
            return
                "\(process) closes connections that have been idle for \(time), and the peer used one after that. Set the peer's idle timeout (connection pool, proxy or load balancer) below this "
                + "end's keep-alive timeout, or raise this end's. A request that fails this way can be retried if it is "
                + "idempotent."
        }
    }
}

extension EntryBuilder {
    /// Nil if there is only the catalogue's advice for the cause.
    func advice(_ judged: JudgedReset, _ process: Reset.Process?) -> Advice? {
        if let end = processEnd(judged.evidence.path, process, judged.observed.decision ?? judged.observed.origin),
            judged.verdict.traits.contains(.explainedByProcessEnd)
        {
            return .processEnded(isKilled: end.isKilled, signal: end.signal)
        }
        return judged.verdict.advice.map(Advice.text) ?? judged.end?.end.idleAdvice
    }

    /// How the owner of the socket ended, if that is what released it.
    func processEnd(_ path: KernelPath?, _ process: Reset.Process?, _ lead: Reference?) -> (
        isKilled: Bool, signal: UInt8?
    )? {
        guard let lead, let path, path.origin == .active, path.callers.contains(.exit), let process,
            process.role == .owner
        else { return nil }
        let ending = inventory.event(lead).ending
        let signal = ending?.process?.pid == process.pid ? ending?.signal : nil
        return (path.callers.contains(.killed), signal)
    }
}
