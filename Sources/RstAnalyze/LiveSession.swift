import ArgumentParser
import Correlator
import Glibc
import InputFiles
import KernelEvents
import Laboratory
import Logging
import Recorder
import Reporting

/// Prints RSTs as they settle, until something ends it.
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
    /// Write lines of rst-record/1, for programs.
    var writesRecords = false
    /// Where counts for Prometheus are written; nil for nowhere.
    var metricsFile: String?
    /// Where these lines go; nil for standard output.
    var spool: Spool?
    /// Ends what writes, of which the rest is read then; nil if that goes on without an end.
    var end: (() -> Void)?

    /// Nanoseconds that nothing new must be read of a RST before it is shown.
    static let settlingTime: Int64 = 500_000_000
    /// Microseconds between two looks.
    private static let interval: UInt32 = 50_000

    /// - Returns: how many RSTs were shown.
    func run() throws -> Int {
        var options = text.text(for: STDOUT_FILENO)
        options.list = showsAll
        options.showsOutcome = !hidesOutcome
        // One line per RST for grep and awk.
        if isatty(STDOUT_FILENO) == 0 { options.width = 1000 }
        var lines = LiveText(options: options)
        signal(SIGPIPE, SIG_IGN)
        var metrics = metricsFile.map { MetricsFile($0) }
        var records = writesRecords ? RecordWriter() : nil
        var shown = 0
        func put(_ bytes: [UInt8]) throws {
            if let spool, writesRecords {
                if !bytes.isEmpty {
                    try spool.write(bytes, now: clockNanoseconds(CLOCK_MONOTONIC), stamp: compactTime)
                }
                return
            }
            guard bytes.isEmpty || writeAll(bytes, to: STDOUT_FILENO) else { throw ExitCode(0) }
        }
        // What relative times count from.
        var span: (first: Int64, last: Int64)?
        func show(_ resets: [Reset]) throws {
            guard !resets.isEmpty else { return }
            var list = ResetList(resets)
            span = span ?? list.span
            list.keep(try filters.filter(span: span, own: [], zone: text.tz))
            guard !list.isEmpty else { return }
            shown += list.count
            metrics?.add(list)
            try put(records?.text(of: list, input) ?? Array(lines.lines(of: list).utf8))
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
                if let health = records?.health(at: now, input, spool, isFinal: false) { try put(health) }
                try spool?.look(now: now)
                try metrics?.write(at: now, eventsLost: input.eventsLost)
                if hasRead { continue }
                if input.hasEnded { break }
                usleep(Self.interval)
            }
            while try input.read(at: clockNanoseconds(CLOCK_MONOTONIC)) {}
            try show(input.settled(at: nil))
            let now = clockNanoseconds(CLOCK_MONOTONIC)
            if let health = records?.health(at: now, input, spool, isFinal: true) { try put(health) }
            try spool?.complete()
            try metrics?.write(at: nil, eventsLost: input.eventsLost)
        } catch let failure where failure is WriteFailure || failure is LiveInput.Failure {
            log.error("\(failure)")
            throw ExitCode(1)
        }
        return shown
    }
}

/// Writes records of RSTs, and of the recorder's health.
private struct RecordWriter {
    private var lines: RecordLines?
    private var resets = 0
    private var eventsLost = 0
    private var lastHealth: Int64?

    /// Nanoseconds from one health record to the next.
    private static let interval: Int64 = 10_000_000_000

    /// The lines; the host is known once the recorder has begun.
    mutating func text(of list: ResetList, _ input: LiveInput) -> [UInt8] {
        resets += list.count
        return writer(input)?.lines(of: list) ?? []
    }

    /// Nil if it is not yet time for one.
    mutating func health(at now: Int64, _ input: LiveInput, _ spool: Spool?, isFinal: Bool) -> [UInt8]? {
        guard let lines = writer(input), let begun = lastHealth ?? input.header?.since?.hooks,
            isFinal || now - begun >= Self.interval
        else { return nil }
        defer {
            lastHealth = now
            eventsLost = input.eventsLost
            resets = 0
        }
        return lines.line(
            of: RecordLines.Health(
                time: clockNanoseconds(CLOCK_REALTIME), monotonic: now, covered: max(0, now - begun),
                addresses: input.addresses, eventsLost: input.eventsLost - eventsLost, resets: resets,
                filesDropped: spool?.filesDropped))
    }

    private mutating func writer(_ input: LiveInput) -> RecordLines? {
        if lines == nil, let header = input.header {
            lines = RecordLines(
                host: RecordLines.Host(
                    name: header.host, id: Self.machineID, bootID: header.bootID, agent: header.tool))
        }
        return lines
    }

    /// machine-id(5).
    private static var machineID: String {
        guard let bytes = File.bytes("/etc/machine-id") else { return "" }
        return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }
}
