import Dispatch
import Glibc
import Recorder

/// SIGUSR1 as the request to keep what a flight recorder has.
final class SaveSignal {
    private let source: any DispatchSourceSignal

    init(_ series: FileSeries) {
        Glibc.signal(SIGUSR1, SIG_IGN)
        source = DispatchSource.makeSignalSource(signal: SIGUSR1, queue: DispatchQueue(label: "save"))
        source.setEventHandler { series.save(named: Self.name()) }
        source.resume()
    }

    deinit { source.cancel() }

    /// Of the directory that is made for it, `flight-20261120T232201Z`.
    static func name() -> String { "flight-\(compactTime())" }
}
