import Correlator
import Glibc
import Recorder
import Reporting
import Synchronization

/// Counts for Prometheus, for whoever asks: a file, and whoever scrapes.
final class MetricsHub: Sendable {
    private let metrics = Mutex(Metrics(version: Version.current))

    func add(_ resets: ResetList) {
        let now = clockNanoseconds(CLOCK_REALTIME)
        metrics.withLock { $0.add(resets, at: now) }
    }

    func set(eventsLost: [String: Int]) { metrics.withLock { $0.eventsLost = eventsLost } }

    func text() -> String {
        let now = clockNanoseconds(CLOCK_REALTIME)
        return metrics.withLock { $0.text(at: now) }
    }
}
