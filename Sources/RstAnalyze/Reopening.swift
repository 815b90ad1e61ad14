import Dispatch
import Glibc
import Synchronization

/// SIGHUP as the request to open files anew.
final class Reopening: Sendable {
    private let isRequested = Atomic<Bool>(false)
    private nonisolated(unsafe) let source: any DispatchSourceSignal

    init() {
        Glibc.signal(SIGHUP, SIG_IGN)
        source = DispatchSource.makeSignalSource(signal: SIGHUP, queue: DispatchQueue(label: "reopen"))
        source.setEventHandler { [weak self] in self?.isRequested.store(true, ordering: .relaxed) }
        source.resume()
    }

    deinit { source.cancel() }

    /// Whether there was one since this was asked the last time.
    func takeRequest() -> Bool { isRequested.exchange(false, ordering: .relaxed) }
}
