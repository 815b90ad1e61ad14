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

    /// Nanoseconds that nothing new must be read of a RST before it is shown.
    static let settlingTime: Int64 = 500_000_000
    /// Microseconds between two looks.
    private static let interval: UInt32 = 50_000

    /// - Returns: how many RSTs were shown.
    func run() throws -> Int {
        var lines = LiveText(options: text.text(for: STDOUT_FILENO))
        signal(SIGPIPE, SIG_IGN)
        var shown = 0
        func show(_ resets: [Reset]) throws {
            guard !resets.isEmpty else { return }
            var list = ResetList(resets)
            list.keep(try filters.filter(span: list.span, own: [], zone: text.tz))
            guard !list.isEmpty else { return }
            shown += list.count
            guard writeAll(lines.lines(of: list), to: STDOUT_FILENO) else { throw ExitCode(0) }
        }
        do {
            while !stop.isStopped {
                let now = clockNanoseconds(CLOCK_MONOTONIC)
                let hasRead = try input.read(at: now)
                try show(input.settled(at: now))
                if let count, shown >= count { return shown }
                if !hasRead, input.hasEnded { break }
                if !hasRead { usleep(Self.interval) }
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
