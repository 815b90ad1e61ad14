import ArgumentParser
import Recorder

/// How a recording is divided into files, and which of them are kept.
struct RotationOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Go on to the next pair of files, capture-000001.pcapng and events-000001.jsonl, when one has this size: 100M, 1G.",
            valueName: "size"))
    var rotateSize: MemorySize?

    @Option(help: ArgumentHelp("Go on to the next pair of files after this time.", valueName: "time"))
    var rotateTime: TimeLength?

    @Option(help: ArgumentHelp("Keep this many pairs of files, and delete the oldest.", valueName: "n"))
    var keep: Int?

    @Option(
        help: ArgumentHelp("Delete the oldest pairs of files when all together would exceed this.", valueName: "size"))
    var totalSize: MemorySize?

    @Option(
        help: ArgumentHelp(
            """
            Flight recorder: keep only this much of the past. SIGUSR1 moves what there is into a directory in DIR; so does \
            a COMMAND that fails; if COMMAND succeeds, it is deleted.
            """, valueName: "time"))
    var flight: TimeLength?

    @Option(
        help: ArgumentHelp(
            """
            With --flight, do the same when a RST of one of these causes or categories occurs; RSTs within the time of \
            --flight after that are kept together once it is over.
            """, valueName: "causes"), transform: CauseWords.init)
    var trigger: [CauseWords] = []

    enum Compression: String, ExpressibleByArgument, CaseIterable { case zstd }

    @Option(help: "Compress the events: zstd. Their file is then called events.jsonl.zst.")
    var compress: Compression?

    /// Whether the oldest files are deleted while recording goes on.
    var isBounded: Bool { keep != nil || totalSize != nil || flight != nil }

    /// Of the smallest file, bytes: a header of a host with many interfaces and rules should fit.
    private static let smallest = 64 << 10

    func validate() throws {
        for words in trigger { try words.checkLive("--trigger") }
        if let rotateSize, rotateSize.bytes < Self.smallest {
            throw ValidationError("--rotate-size must be at least 64K")
        }
        if let rotateTime, rotateTime.nanoseconds < 1_000_000_000 {
            throw ValidationError("--rotate-time must be at least 1s")
        }
        if let keep {
            if keep < 2 { throw ValidationError("--keep must be at least 2") }
            if rotateSize == nil, rotateTime == nil {
                throw ValidationError("--keep needs --rotate-size or --rotate-time")
            }
        }
        if let totalSize {
            if totalSize.bytes < 16 * Self.smallest { throw ValidationError("--total-size must be at least 1M") }
            if let rotateSize, rotateSize.bytes > totalSize.bytes / 4 {
                throw ValidationError("--total-size must be at least 4 times --rotate-size")
            }
        }
        if !trigger.isEmpty, flight == nil { throw ValidationError("--trigger needs --flight") }
        if !trigger.isEmpty, compress != nil {
            throw ValidationError("--trigger and --compress cannot be combined: events are read while they are written")
        }
        if let flight, flight.nanoseconds < 1_000_000_000 { throw ValidationError("--flight must be at least 1s") }
    }

    /// Nil if the recording is not divided.
    var limits: FileSeries.Limits? {
        guard rotateSize != nil || rotateTime != nil || totalSize != nil || flight != nil else { return nil }
        var limits = FileSeries.Limits()
        limits.fileSize = rotateSize?.bytes ?? totalSize.map { $0.bytes / 16 }
        limits.fileTime = rotateTime?.nanoseconds ?? flight.map { max(1_000_000_000, $0.nanoseconds / 10) }
        limits.keep = keep
        limits.totalSize = totalSize?.bytes
        limits.flight = flight?.nanoseconds
        limits.compresses = compress != nil
        return limits
    }
}
