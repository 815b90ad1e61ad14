import Dispatch
import Glibc
import Recorder

/// SIGUSR1 as the request to keep what a flight recorder has.
final class SaveSignal {
    private let handler: SignalHandler

    init(_ series: FileSeries) {
        handler = SignalHandler([SIGUSR1]) { _ in
            // Packets and events of this moment are still on their way.
            DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(250)) {
                series.save(named: Self.name())
            }
        }
    }

    /// Of the directory that is made for it, `flight-20261120T232201Z`.
    static func name() -> String { "flight-\(compactTime())" }
}
