import Dispatch
import Glibc
import Synchronization

/// What ends a recording: a signal, a limit, or a command's end.
final class StopConditions: @unchecked Sendable {
    enum Reason: Equatable, Sendable {
        case signal(Int32)
        /// A time or a number of packets was reached, or nothing more can be recorded.
        case limit
        case command
    }

    private let semaphore = DispatchSemaphore(value: 0)
    private let reason = Mutex<Reason?>(nil)
    /// What a signal does once it no longer ends a recording.
    private let instead = Mutex<(@Sendable (Int32) -> Void)?>(nil)
    /// Not changed after `init`.
    private var handler: SignalHandler?

    /// The signals that end a recording.
    static let signals = [SIGINT, SIGTERM, SIGHUP]

    /// - Parameter numbers: the signals that end it.
    init(_ numbers: [Int32] = signals) {
        // Swift's runtime may have it print a backtrace instead, after which the program goes on.
        if !SignalHandler.isIgnored(SIGQUIT) { Glibc.signal(SIGQUIT, SIG_DFL) }
        handler = SignalHandler(numbers) { [weak self] number in
            guard let self else { return }
            if let handler = instead.withLock(\.self) { handler(number) } else { stop(.signal(number)) }
        }
    }

    /// From now on a signal runs the body and then ends the program, as long as this object exists.
    ///
    /// The dispatch sources of the recording are kept: new ones for the same signals do not fire.
    func endProgram(after body: @escaping @Sendable () -> Void) {
        instead.withLock {
            $0 = { number in
                body()
                SignalHandler.endProgram(by: number)
            }
        }
    }

    /// From now on the signals end the program by default, as before a recording.
    static func restoreSignals() {
        SignalHandler.restore(signals)
    }

    /// Only the first reason counts.
    func stop(_ why: Reason) {
        reason.withLock { $0 = $0 ?? why }
        semaphore.signal()
    }

    /// Whether something has requested a stop.
    var isStopped: Bool { reason.withLock { $0 != nil } }

    func wait() -> Reason {
        semaphore.wait()
        return reason.withLock(\.self) ?? .limit
    }

    func after(nanoseconds: Int64) {
        DispatchQueue.global().asyncAfter(deadline: .now() + .nanoseconds(Int(nanoseconds))) { [weak self] in
            self?.stop(.limit)
        }
    }
}
