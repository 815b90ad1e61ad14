import ArgumentParser
import Correlator
import Glibc
import InputFiles
import Recorder
import Reporting

/// Where a live session shows what settled: as lines, as records, as a table.
struct LiveOutput {
    private let input: LiveInput
    private let spool: Spool?
    private var lines: LiveText?
    private var records: RecordWriter?
    private var top: (table: TopTable, screen: TopScreen)?
    /// Nobody wants to see more: a key was pressed, or the terminal is gone.
    private(set) var isClosed = false

    init(_ session: LiveSession) throws {
        input = session.input
        spool = session.spool
        var options = session.text.text(for: STDOUT_FILENO)
        options.list = session.showsAll
        options.showsOutcome = !session.hidesOutcome
        // One line per RST for grep and awk.
        if isatty(STDOUT_FILENO) == 0 { options.width = 1000 }
        if session.writesRecords {
            let filter = try session.filters.filter(span: (0, 0), own: [0], zone: session.text.tz)
            records = RecordWriter(writesAll: session.showsAll, isFiltered: !filter.isEmpty)
        }
        if session.showsTable {
            top = (
                TopTable(at: clockNanoseconds(CLOCK_MONOTONIC)),
                TopScreen(STDOUT_FILENO, isUnicode: options.isUnicode)
            )
        } else if !session.writesRecords {
            lines = LiveText(options: options)
        }
    }

    /// - Parameter now: CLOCK_MONOTONIC.
    mutating func show(_ settled: LiveCorrelator.Settled, at now: Int64) throws {
        top?.table.add(settled.resets, at: now)
        try put(records?.text(of: settled, input, at: now) ?? [])
        try put(Array((lines?.lines(of: settled, at: now) ?? "").utf8))
    }

    /// Does what is due without anything new.
    mutating func look(at now: Int64) throws {
        try put(records?.more(input, at: now) ?? [])
        try put(Array((lines?.more(at: now) ?? "").utf8))
        if let health = records?.health(at: now, input, spool, isFinal: false) { try put(health) }
        try spool?.look(now: now)
        if top != nil {
            top!.table.eventsLost = input.eventsLost.values.reduce(0, +)
            isClosed = isClosed || top!.screen.readKeys(&top!.table) || !top!.screen.draw(&top!.table, at: now)
        }
    }

    /// What remains, when nothing more comes.
    mutating func finish(at now: Int64) throws {
        try put(records?.more(input, at: nil) ?? [])
        try put(Array((lines?.more(at: nil) ?? "").utf8))
        if let health = records?.health(at: now, input, spool, isFinal: true) { try put(health) }
        try spool?.complete()
        close()
    }

    /// Gives the terminal back.
    func close() { top?.screen.close() }

    private func put(_ bytes: [UInt8]) throws {
        guard !bytes.isEmpty else { return }
        if let spool, records != nil {
            try spool.write(bytes, now: clockNanoseconds(CLOCK_MONOTONIC), stamp: compactTime)
        } else if !writeAll(bytes, to: STDOUT_FILENO) {
            // Nobody reads it any more.
            throw ExitCode(0)
        }
    }
}
