import Dispatch
import Glibc
import Synchronization

/// What ends a recording: a signal, a limit, or a command's end.
final class StopConditions: @unchecked Sendable {
    enum Reason: Equatable, Sendable {
        case signal(Int32)
        /// A time or a number of packets was reached, or nothing can be recorded any more.
        case limit
        case command
    }

    private let semaphore = DispatchSemaphore(value: 0)
    private let reason = Mutex<Reason?>(nil)
    /// What a signal does instead of ending a recording.
    private let instead = Mutex<(@Sendable (Int32) -> Void)?>(nil)
    /// Not changed after `init`.
    private var sources: [any DispatchSourceSignal] = []

    /// Those that end a recording.
    static let signals = [SIGINT, SIGTERM, SIGHUP]

    init() {
        let queue = DispatchQueue(label: "stop")
        for number in Self.signals {
            Glibc.signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler { [weak self] in
                guard let self else { return }
                if let handler = instead.withLock(\.self) { handler(number) } else { stop(.signal(number)) }
            }
            source.resume()
            sources.append(source)
        }
    }

    deinit { for source in sources { source.cancel() } }

    /// From now on a signal ends the program, after the body; for as long as this object is there.
    ///
    /// The sources stay those of the recording: new ones for the same signals do not fire.
    func endProgram(after body: @escaping @Sendable () -> Void) {
        instead.withLock {
            $0 = { number in
                body()
                // Whoever waits for the program is to see what ended it.
                Glibc.signal(number, SIG_DFL)
                kill(getpid(), number)
            }
        }
    }

    /// From now on the signals end the program, as they do before a recording.
    static func restoreSignals() {
        for number in signals { Glibc.signal(number, SIG_DFL) }
    }

    /// Only the first reason counts.
    func stop(_ why: Reason) {
        reason.withLock { $0 = $0 ?? why }
        semaphore.signal()
    }

    /// Something has asked to stop.
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
