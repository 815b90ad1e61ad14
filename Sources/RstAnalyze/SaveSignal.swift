import Glibc
import Recorder

/// SIGUSR1 as the request to keep what a flight recorder has.
final class SaveSignal {
    private let handler: SignalHandler

    init(_ series: FileSeries) {
        handler = SignalHandler([SIGUSR1]) { _ in series.save(named: Self.name()) }
    }

    /// Of the directory that is made for it, `flight-20261120T232201Z`.
    static func name() -> String { "flight-\(compactTime())" }
}
