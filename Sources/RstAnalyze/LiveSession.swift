import ArgumentParser
import Correlator
import Glibc
import InputFiles
import KernelEvents
import Laboratory
import Logging
import Recorder
import Reporting

/// Shows RSTs as they settle, until something ends it.
struct LiveSession {
    let input: LiveInput
    let stop: StopConditions
    let filters: FilterOptions
    let text: LineOptions
    /// Stop after so many RSTs were shown.
    var count: Int?
    /// Show every line of a flood.
    var showsAll = false
    /// There is no capture: a RST without a packet is nothing special.
    var hidesOutcome = false
    /// A table in place, instead of lines.
    var showsTable = false
    /// Write lines of rst-record/1, for programs.
    var writesRecords = false
    /// Where these lines go; nil for standard output.
    var spool: Spool?
    /// Counts for Prometheus, and the file where they are written.
    var metrics: MetricsHub?
    var metricsFile: MetricsFile?
    /// Files are to be opened anew.
    var reopening: Reopening?
    /// Ends what writes, of which the rest is read then; nil if that goes on without an end.
    var end: (() -> Void)?

    /// What was shown.
    struct Totals {
        var resets = 0
        var causes: [Cause: Int] = [:]
    }

    /// Nanoseconds that nothing new must be read of a RST before it is shown.
    static let settlingTime: Int64 = 500_000_000
    /// Microseconds between two readings, and between two while much comes.
    private static let interval: UInt32 = 50_000
    private static let busyInterval: UInt32 = 25_000
    /// Judging all that came lately takes the longer the more that is: in between there is so many times the time that the last
    /// one took, at most so many nanoseconds.
    private static let restFactor: Int64 = 30
    private static let longestRest: Int64 = 400_000_000

    func run() throws -> Totals {
        signal(SIGPIPE, SIG_IGN)
        var output = try LiveOutput(self)
        defer { output.close() }
        var (session, totals) = (self, Totals())
        // What relative times count from.
        var span: (first: Int64, last: Int64)?
        func show(_ settled: LiveCorrelator.Settled, at now: Int64) throws {
            guard !settled.isEmpty else { return }
            var settled = settled
            span = span ?? settled.resets.span
            let filter = try filters.filter(span: span, own: input.namespaces, zone: text.tz)
            settled.resets.keep(filter)
            settled.corrections.keep(filter)
            totals.resets += settled.resets.count
            for row in settled.resets.rows { totals.causes[row.cause, default: 0] += 1 }
            metrics?.add(settled.resets)
            try output.show(settled, at: now)
        }
        var isEnding = false
        var nextLook = Int64.min
        do {
            while true {
                if !isEnding, stop.isStopped || count.map({ totals.resets >= $0 }) ?? false || output.isClosed {
                    guard let end else { break }
                    isEnding = true
                    end()
                }
                if let reopening, reopening.takeRequest() {
                    ServiceManager.notify("RELOADING=1")
                    try session.spool?.reopen()
                    session.metricsFile?.isDue = true
                    ServiceManager.notify("READY=1")
                }
                let now = clockNanoseconds(CLOCK_MONOTONIC)
                let hasRead = try input.read(at: now)
                for note in input.takeNotes() { log.warning("\(note)") }
                if now >= nextLook {
                    try show(input.settled(at: now), at: now)
                    let done = clockNanoseconds(CLOCK_MONOTONIC)
                    nextLook = done + min((done - now) * Self.restFactor, Self.longestRest)
                }
                try output.look(at: now)
                metrics?.set(eventsLost: input.eventsLost)
                try session.metricsFile?.write(at: now)
                if !hasRead, input.hasEnded { break }
                if hasRead, !input.isPaced { continue }
                usleep(hasRead ? Self.busyInterval : Self.interval)
            }
            while try input.read(at: clockNanoseconds(CLOCK_MONOTONIC)) {}
            let now = clockNanoseconds(CLOCK_MONOTONIC)
            try show(input.settled(at: nil), at: now)
            metrics?.set(eventsLost: input.eventsLost)
            try output.finish(at: now)
            try session.metricsFile?.write(at: nil)
        } catch let failure where failure is WriteFailure || failure is LiveInput.Failure {
            output.close()
            log.error("\(failure)")
            throw ExitCode(1)
        }
        return totals
    }
}
