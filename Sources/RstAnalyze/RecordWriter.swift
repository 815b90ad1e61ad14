import Correlator
import Glibc
import InputFiles
import KernelEvents
import Laboratory
import Recorder
import Reporting

/// Writes records of RSTs, and of the recorder's health.
struct RecordWriter {
    private let writesAll: Bool
    private let isFiltered: Bool
    private var records: LiveRecords?
    private var resets = 0
    private var eventsLost = 0
    private var lastHealth: Int64?
    /// Times of RSTs that no health record has counted yet, and up to when the last one counted.
    private var uncounted: [Int64] = []
    private var countedTo: Int64?

    /// Nanoseconds from one health record to the next.
    private static let interval: Int64 = 10_000_000_000
    /// Nanoseconds after which the record of a RST has been written: the longest settling time is a minute, and usually half a
    /// second. What comes later still is counted later, and makes the count of its own time too low.
    private static let countingDelay: Int64 = 6_000_000_000

    /// - Parameter writesAll: see `LiveRecords`.
    init(writesAll: Bool, isFiltered: Bool) { (self.writesAll, self.isFiltered) = (writesAll, isFiltered) }

    /// The lines; the host is known once the recorder has begun.
    mutating func text(of settled: LiveCorrelator.Settled, _ input: LiveInput, at now: Int64) -> [UInt8] {
        resets += settled.resets.count
        for row in settled.resets.rows { uncounted.append(row.time) }
        prepare(input)
        return records?.lines(of: settled, at: now) ?? []
    }

    /// See `LiveRecords`.
    mutating func more(_ input: LiveInput, at now: Int64?) -> [UInt8] { records?.more(at: now) ?? [] }

    /// Nil if it is not yet time for one.
    mutating func health(at now: Int64, _ input: LiveInput, _ spool: Spool?, isFinal: Bool) -> [UInt8]? {
        prepare(input)
        guard let records, let begun = lastHealth ?? input.header?.since?.hooks,
            isFinal || now - begun >= Self.interval
        else { return nil }
        let lost = input.eventsLost.values.reduce(0, +)
        let time = clockNanoseconds(CLOCK_REALTIME)
        let counted = count(to: isFinal ? time : time - Self.countingDelay, since: time - (now - begun))
        defer {
            lastHealth = now
            eventsLost = lost
            resets = 0
        }
        return records.line(
            of: RecordLines.Health(
                time: time, monotonic: now, covered: max(0, now - begun),
                addresses: input.addresses, eventsLost: lost - eventsLost, resets: resets,
                filesDropped: spool?.filesDropped, isFiltered: isFiltered,
                counted: counted))
    }

    /// Counts the RSTs up to a time that were not counted yet.
    private mutating func count(to: Int64, since begun: Int64) -> RecordLines.Health.Counted {
        let from = countedTo ?? begun
        // The clock may have been set back.
        let end = max(from, to)
        let total = uncounted.count
        uncounted.removeAll { $0 <= end }
        countedTo = end
        return RecordLines.Health.Counted(from: from, to: end, resets: total - uncounted.count)
    }

    private mutating func prepare(_ input: LiveInput) {
        guard records == nil, let header = input.header else { return }
        let host = RecordLines.Host(
            name: header.host, id: Self.machineID, bootID: header.bootID, agent: header.tool)
        records = LiveRecords(RecordLines(host: host), writesAll: writesAll)
    }

    /// machine-id(5).
    private static var machineID: String {
        guard let bytes = File.bytes("/etc/machine-id") else { return "" }
        return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }
}
