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
}
