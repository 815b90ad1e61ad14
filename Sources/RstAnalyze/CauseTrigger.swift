import Correlator
import Dispatch
import Glibc
import InputFiles
import Logging
import Recorder
import Synchronization

/// Has a flight recorder keep what it has when a RST of a certain cause occurs.
///
/// It reads the files of the recording while they are written, as `report --follow` does, on a thread of its own: the recorder does
/// not wait for it, and where it does not keep up, files go before they are read, and it says so.
final class CauseTrigger: Sendable {
    private let series: FileSeries
    private let causes: Set<Cause>
    private let isStopping = Atomic<Bool>(false)
    private let done = DispatchGroup()
    private let state: Mutex<TriggerPace>

    /// Memory for connections without a RST, bytes.
    private static let memory = 24 << 20
    /// Microseconds between two readings.
    private static let interval: UInt32 = 100_000
    /// In between there is so many times the time that judging took, at most so many nanoseconds.
    private static let restFactor: Int64 = 30
    private static let longestRest: Int64 = 1_000_000_000

    init(_ series: FileSeries, _ causes: Set<Cause>) {
        self.series = series
        self.causes = causes
        state = Mutex(TriggerPace(span: series.limits.flight ?? 0))
        DispatchQueue(label: "trigger").async(group: done) { [self] in follow() }
    }

    /// Once the recorder has ended: whether what is left is to be kept.
    func finish() -> Bool {
        isStopping.store(true, ordering: .releasing)
        done.wait()
        return state.withLock(\.isWaiting)
    }

    private func follow() {
        let input = LiveInput(
            directory: series.directory, after: series.first - 1, settlingTime: LiveSession.settlingTime,
            memory: Self.memory)
        var nextLook = Int64.min
        do {
            while !isStopping.load(ordering: .acquiring) {
                let now = clockNanoseconds(CLOCK_MONOTONIC)
                while try input.read(at: now), !isStopping.load(ordering: .acquiring) {}
                if now >= nextLook {
                    look(at: input.settled(at: now), now)
                    let after = clockNanoseconds(CLOCK_MONOTONIC)
                    nextLook = after + min((after - now) * Self.restFactor, Self.longestRest)
                }
                for note in input.takeNotes() { log.warning("--trigger: \(note)") }
                usleep(Self.interval)
            }
            while try input.read(at: clockNanoseconds(CLOCK_MONOTONIC)) {}
            look(at: input.settled(at: nil), nil)
        } catch {
            log.warning("--trigger has ended: \(error)")
        }
    }

    /// - Parameter now: CLOCK_MONOTONIC; nil when nothing more comes.
    private func look(at settled: LiveCorrelator.Settled, _ now: Int64?) {
        let found = (settled.resets.rows + settled.corrections.rows).filter { causes.contains($0.cause) }
        let (isNews, isDue) = state.withLock { state in
            let isNews = !found.isEmpty && !state.isWaiting
            if !found.isEmpty { state.note() }
            return (isNews, now.map { state.isDue($0) } ?? false)
        }
        if isNews, let first = found.first {
            let more = found.count > 1 ? " and \(found.count - 1) more" : ""
            let delay = isDue || now == nil ? "" : ", kept once the time of --flight is over"
            log.info("--trigger: \(first.cause.rawValue)\(more)\(delay)")
        }
        if isDue { series.save(named: SaveSignal.name()) }
    }
}
