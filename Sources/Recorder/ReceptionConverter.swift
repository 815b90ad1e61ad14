import CLibBPF
import KernelEvents
import NetworkTypes

extension EndingConverter {
    /// What a RST that was received found, and who waits in a call on the socket.
    ///
    /// - Parameter waits: how the waiters wait, as far as it is known.
    mutating func reception(
        _ record: UnsafePointer<rst_event>, _ waits: (ResetEvent.Reception.Wait?, ResetEvent.Reception.Wait?)
    ) -> (reception: ResetEvent.Reception, waiter: (pid: Int32, comm: String)?) {
        let raw = record.pointee.received
        var reception = ResetEvent.Reception()
        let state = TCPState(rawValue: record.pointee.state)
        reception.unacknowledged = raw.unacknowledged
        reception.unread = raw.unread
        reception.idle =
            state == .synSent
            ? nil : ticks.nanoseconds(raw.idle_jiffies, at: raw.jiffies, monotonic: record.pointee.mono_ns)
        reception.age =
            raw.since_ns == 0 || raw.since_ns > record.pointee.mono_ns
            ? nil : Int64(clamping: record.pointee.mono_ns - raw.since_ns)
        let isFailure = Int(record.pointee.kind) == Int(RST_FAIL.rawValue)
        // Nobody gets the error of a socket that its program has let go of; but without it a failure is none.
        if record.pointee.dead == 0 || isFailure { reception.errno = raw.error == 0 ? nil : raw.error }
        guard record.pointee.dead == 0 else { return (reception, nil) }
        let waiters = [(waits.0, raw.waiters.0), (waits.1, raw.waiters.1)].filter { $0.1.function != 0 }
        reception.wait = ResetEvent.Reception.Wait(of: waiters.map(\.0), isLocked: raw.in_call != 0)
        let caller = waiters.first { $0.0 == .call && $0.1.pid != 0 }?.1
        return (reception, caller.map { (Int32(bitPattern: $0.pid), String(kernelArray: $0.comm)) })
    }
}

extension ResetEvent.Reception.Wait {
    /// How the program waits for a socket; nil if that is not known.
    ///
    /// - Parameters:
    ///   - waits: of those who wait, as far as it is known.
    ///   - isLocked: a call is under way. Over `lo` and veth, the RST that answers a segment comes before send() returns, which
    ///     then succeeds all the same; recv() fails.
    init?(of waits: [Self?], isLocked: Bool) {
        let order: [Self] = [.call, .poll, .ioUring, .epoll]
        if let known = order.first(where: { waits.contains($0) }) {
            self = known
        } else if waits.isEmpty, !isLocked {
            self = .nobody
        } else {
            return nil
        }
    }

    /// By the function that wakes whoever waits (`wait_queue_entry.func`); nil for one that is not known.
    ///
    /// - Parameter name: `pollwake+0x0`.
    init?(wakingFunction name: String) {
        switch name.prefix(while: { $0 != "+" && $0 != "." }) {
        case "woken_wake_function", "autoremove_wake_function", "default_wake_function": self = .call
        case "pollwake": self = .poll
        case "ep_poll_callback": self = .epoll
        case "io_poll_wake", "io_async_wake", "io_poll_double_wake": self = .ioUring
        default: return nil
        }
    }
}

/// RSTs that seem to have been received, until it is known that they were.
///
/// The kernel ends a connection on which data came after a shutdown as if it had received a RST, and answers with one of its own:
/// then TCP's decision on the same socket follows at once (tcp_rcv_state_process()).
struct ReceptionQueue {
    /// Whether TCP's decisions are recorded: without them nobody can tell.
    let reportsDecisions: Bool
    private var waiting: [Held] = []

    struct Held {
        let event: ResetEvent
        let record: rst_event
    }

    /// Nanoseconds after which a decision on the socket is another one: an interrupt may come in between.
    static let patience: UInt64 = 100_000_000

    init(reportsDecisions: Bool) { self.reportsDecisions = reportsDecisions }

    /// Whether the RST has to wait, or is none.
    mutating func hold(_ event: ResetEvent, _ record: UnsafePointer<rst_event>) -> Bool {
        guard record.pointee.received.may_be_abort != 0 else { return false }
        if reportsDecisions { waiting.append(Held(event: event, record: record.pointee)) }
        return true
    }

    /// Takes out what the record explains, and hands over what it comes too late for.
    mutating func settle(by record: UnsafePointer<rst_event>) -> [Held] {
        guard !waiting.isEmpty else { return [] }
        if Int(record.pointee.kind) == Int(RST_DECIDE.rawValue), record.pointee.sock != 0 {
            waiting.removeAll { held in
                held.record.sock == record.pointee.sock && record.pointee.mono_ns >= held.record.mono_ns
                    && record.pointee.mono_ns - held.record.mono_ns <= Self.patience
            }
        }
        return settle(until: Int64(clamping: record.pointee.mono_ns))
    }

    /// Hands over what is older than the time by more than a decision takes.
    mutating func settle(until time: Int64) -> [Held] {
        guard !waiting.isEmpty else { return [] }
        let limit = UInt64(clamping: time)
        func isSettled(_ held: Held) -> Bool {
            limit > held.record.mono_ns && limit - held.record.mono_ns > Self.patience
        }
        let settled = waiting.filter(isSettled)
        waiting.removeAll(where: isSettled)
        return settled
    }
}
