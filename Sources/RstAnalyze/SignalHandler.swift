import Dispatch
import Glibc

/// Has signals call a function instead of what they do by default, as long as it exists.
final class SignalHandler: Sendable {
    /// Not changed after `init`.
    private nonisolated(unsafe) let sources: [any DispatchSourceSignal]

    /// - Parameter body: called on a queue of its own with the number of the signal, once for signals that come together.
    init(_ numbers: [Int32], _ body: @escaping @Sendable (Int32) -> Void) {
        let queue = DispatchQueue(label: "signals")
        sources = numbers.map { number in
            Glibc.signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler { body(number) }
            source.resume()
            return source
        }
    }

    deinit { for source in sources { source.cancel() } }

    static func isIgnored(_ number: Int32) -> Bool {
        var action = sigaction()
        sigaction(number, nil, &action)
        // SIG_IGN is no function that could be compared with.
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
    }

    /// Ends the program by a signal, so that the parent process sees which one it was.
    static func endProgram(by number: Int32) {
        restore([number])
        kill(getpid(), number)
    }

    /// From now on the signals do what they do by default, at least in this thread: one that has had such a signal blocks all
    /// of them since, so that a signalfd gets them (`_dispatch_sigmask()` of libdispatch).
    static func restore(_ numbers: [Int32]) {
        var mask = sigset_t()
        sigemptyset(&mask)
        for number in numbers {
            signal(number, SIG_DFL)
            sigaddset(&mask, number)
        }
        pthread_sigmask(SIG_UNBLOCK, &mask, nil)
    }
}
