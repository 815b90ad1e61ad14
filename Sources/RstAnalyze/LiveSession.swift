import ArgumentParser
import Correlator
import Glibc
import InputFiles
import Logging
import Recorder
import Reporting

/// Prints RSTs as they settle, until something ends it.
struct LiveSession {
    let input: LiveInput
    let stop: StopConditions
    let filters: FilterOptions
    let text: TextOptions
    /// Stop after so many RSTs were shown.
    var count: Int?
    /// There is no capture: a RST without a packet is nothing special.
    var hidesOutcome = false
    /// Ends what writes, of which the rest is read then; nil if that goes on without an end.
    var end: (() -> Void)?

    /// Nanoseconds that nothing new must be read of a RST before it is shown.
    static let settlingTime: Int64 = 500_000_000
    /// Microseconds between two looks.
    private static let interval: UInt32 = 50_000

    /// - Returns: how many RSTs were shown.
    func run() throws -> Int {
        var options = text.text(for: STDOUT_FILENO)
        options.showsOutcome = !hidesOutcome
        // One line per RST for grep and awk.
        if isatty(STDOUT_FILENO) == 0 { options.width = 1000 }
        var lines = LiveText(options: options)
        signal(SIGPIPE, SIG_IGN)
        var shown = 0
        // What relative times count from.
        var span: (first: Int64, last: Int64)?
        func show(_ resets: [Reset]) throws {
            guard !resets.isEmpty else { return }
            var list = ResetList(resets)
            span = span ?? list.span
            list.keep(try filters.filter(span: span, own: [], zone: text.tz))
            guard !list.isEmpty else { return }
            shown += list.count
            guard writeAll(lines.lines(of: list), to: STDOUT_FILENO) else { throw ExitCode(0) }
        }
        var isEnding = false
        do {
            while true {
                if !isEnding, stop.isStopped || count.map({ shown >= $0 }) ?? false {
                    guard let end else { break }
                    isEnding = true
                    end()
                }
                let now = clockNanoseconds(CLOCK_MONOTONIC)
                let hasRead = try input.read(at: now)
                try show(input.settled(at: now))
                if hasRead { continue }
                if input.hasEnded { break }
                usleep(Self.interval)
            }
            while try input.read(at: clockNanoseconds(CLOCK_MONOTONIC)) {}
            try show(input.settled(at: nil))
        } catch let failure as LiveInput.Failure {
            log.error("\(failure)")
            throw ExitCode(1)
        }
        return shown
    }
}
