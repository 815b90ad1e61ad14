import Glibc
import Synchronization

/// SIGHUP as the request to open files anew.
final class Reopening: Sendable {
    private final class Request: Sendable {
        let isMade = Atomic<Bool>(false)
    }

    private let request: Request
    private let handler: SignalHandler

    init() {
        let request = Request()
        self.request = request
        handler = SignalHandler([SIGHUP]) { _ in request.isMade.store(true, ordering: .relaxed) }
    }

    /// Whether there was one since this was asked the last time.
    func takeRequest() -> Bool { request.isMade.exchange(false, ordering: .relaxed) }
}
