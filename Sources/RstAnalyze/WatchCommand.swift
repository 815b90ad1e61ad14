import ArgumentParser
import CLinux
import Correlator
import Dispatch
import Glibc
import HostFiles
import InputFiles
import KernelEvents
import Logging
import Recorder
import Reporting

struct WatchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch",
        abstract: "Print each RST as it happens: who reset whom, and why.",
        discussion: """
            Examples: rst-analyze watch
                      rst-analyze watch -i eth0 --port 443 --certainty proven

            Without -i, only the kernel's events are watched, which show what this host sends; with it, also RSTs that come \
            from elsewhere, judged by their packets. Nothing is written to disk. Needs root, which it gives up as far as it can \
            once the hooks are attached (docs/security.md).
            """)

    @Option(
        name: [.customShort("i"), .customLong("interface")],
        help: "Also capture on this interface; lo and any also work. Repeat for several.")
    var interfaces: [String] = []

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, ndjson }

    @Option(help: "Output format: text, or ndjson (rst-record/1, one JSON object per line).")
    var format = Format.text

    @Option(
        help: ArgumentHelp(
            "Write records to files in this directory instead, each renamed from .tmp when it is complete.",
            valueName: "dir"))
    var spool: String?

    @Option(help: ArgumentHelp("Complete a spool file when it reaches this size.", valueName: "size"))
    var spoolFileSize = MemorySize(bytes: Spool.Limits().fileSize)

    @Option(help: ArgumentHelp("Complete a spool file after this time at the latest.", valueName: "time"))
    var spoolFileTime = TimeLength(nanoseconds: Spool.Limits().fileTime)

    @Option(
        help: ArgumentHelp(
            "Limit the spool to this size: beyond it, the oldest files are deleted and counted.", valueName: "size"))
    var spoolSize = MemorySize(bytes: Spool.Limits().totalSize)

    @Option(
        help: ArgumentHelp(
            "Keep counts for Prometheus in this file, for node_exporter's textfile collector.",
            valueName: "file"))
    var metricsFile: String?

    @Option(
        help: ArgumentHelp(
            "Serve /metrics to Prometheus at this address (default: 127.0.0.1) and port: 9469, [::1]:9469.",
            valueName: "addr:port"))
    var metrics: MetricsServer.Address?

    @Flag(help: "Show a table by cause, process and peer with rates, refreshed in place.")
    var top = false

    @Option(
        help: ArgumentHelp("With -i, memory for connections without a RST: 24M, 1G.", valueName: "size"))
    var memory = MemorySize(bytes: 24 << 20)

    @Option(help: "Show a RST once nothing new has been seen of it for this long.")
    var settle = TimeLength(nanoseconds: LiveSession.settlingTime)

    @Option(help: "Stop after this time: 30s, 1m30s, 2h.")
    var duration: TimeLength?

    @Option(name: [.customShort("c"), .long], help: "Stop after this many RSTs.")
    var count: Int?

    @Option(help: "Size of the ring buffer for kernel events, in KiB.")
    var ringSize: UInt32 = 16_384

    @OptionGroup
    var containers: ContainerNameOptions

    @OptionGroup(title: "Privileges")
    var sandbox: SandboxOptions

    @OptionGroup(title: "Narrowing")
    var filters: FilterOptions

    @OptionGroup(title: "Text")
    var text: LineOptions

    @Flag(help: "Show every RST of a flood, not only the first of each kind.")
    var list = false

    func validate() throws {
        for words in filters.causes { try words.checkLive("--cause") }
        if let count, count < 1 { throw ValidationError("--count must be at least 1") }
        if top, format == .ndjson, spool == nil {
            throw ValidationError("--top and --format ndjson both want the terminal")
        }
        if settle.nanoseconds > 60_000_000_000 { throw ValidationError("--settle must be at most 60s") }
    }

    func run() throws {
        // What a flood needed goes back to the system.
        linux_set_heap(1 << 20, 4 << 20)
        linux_share_heaps(2)
        text.tz.activate()
        // A wrong filter is reported now.
        _ = try filters.filter(span: (0, 0), own: [0], zone: text.tz)
        if top, isatty(STDOUT_FILENO) == 0 { throw ValidationError("--top needs a terminal") }
        let counts = metrics != nil || metricsFile != nil ? MetricsHub() : nil
        if let owner = try sandbox.owner(), let spool, mkdir(spool.pathBytes, 0o700) == 0 {
            SandboxOptions.give(spool, to: owner)
        }
        let (files, server) = try open(counts)
        defer { server?.stop() }
        let (events, capture) = (try Pipe(), try Pipe())
        let names = interfaces.flatMap { ["-i", $0] }
        var options = try RecordingOptions.parse(names + ["--ring-size", "\(ringSize)"]).recorderOptions(
            capture: .descriptor(capture.writeEnd, name: "the capture"),
            events: .descriptor(events.writeEnd, name: "the events"))
        if interfaces.isEmpty { options.interfaces = [] }
        // Nothing is kept: what there is may tell why.
        options.payload = nil
        options.containerNames = !containers.noContainerNames
        // Without files, the end of the terminal ends the program as always.
        let reopening = files == nil && metricsFile == nil && metrics == nil ? nil : Reopening()
        let stop = StopConditions(reopening == nil ? StopConditions.signals : [SIGINT, SIGTERM])
        let ending: Ending
        do {
            let recorder = try Recorder(
                options, tell: { log.warning("\($0)") }, wantsToStop: { stop.stop(.limit) })
            for warning in recorder.warnings { log.warning("\(warning)") }
            ending = Ending(recorder)
        } catch {
            log.error("\(HostProbe.explain(error, captures: !options.interfaces.isEmpty))")
            throw ExitCode(1)
        }
        // The recorder has opened them for itself: their end is its end.
        events.closeWriteEnd()
        capture.closeWriteEnd()
        do {
            try sandbox.enter(
                options, directories: [spool, metricsFile.map(parentDirectory)].compactMap(\.self),
                others: [spool.map(parentDirectory)].compactMap(\.self))
        } catch {
            ending.begin()
            _ = ending.wait()
            throw error
        }
        let place = interfaces.isEmpty ? "kernel events" : "kernel events and \(interfaces.joined(separator: ", "))"
        log.info("watching \(place)\(options.scope.isEmpty ? "" : " of \(options.scope)"), Ctrl-C to stop")
        ServiceManager.notify("READY=1")
        if let duration { stop.after(nanoseconds: duration.nanoseconds) }
        var pipes = [(name: "events", descriptor: events.readEnd)]
        if !interfaces.isEmpty { pipes.append((name: "capture", descriptor: capture.readEnd)) }
        var session = LiveSession(
            input: LiveInput(pipes: pipes, settlingTime: settle.nanoseconds, memory: memory.bytes),
            stop: stop, filters: filters, text: text)
        session.count = count
        session.showsAll = list
        session.hidesOutcome = interfaces.isEmpty
        session.showsTable = top
        session.writesRecords = format == .ndjson || spool != nil
        session.spool = files
        session.metrics = counts
        session.metricsFile = metricsFile.flatMap { path in counts.map { MetricsFile(path, $0) } }
        session.reopening = reopening
        session.end = {
            ServiceManager.notify("STOPPING=1")
            ending.begin()
        }
        // Nobody reads packets where none are captured.
        if interfaces.isEmpty { capture.closeReadEnd() }
        let totals = try session.run()
        guard let summary = ending.wait() else { return }
        log.info(
            """
            \(totals.resets.counted("reset")) shown\(Self.causes(totals)); \(summary.events) kernel events, \
            \(summary.eventsLost) lost
            """)
        try RecordingSession.tellLosses(of: summary)
        if summary.packetsDropped > 0 || summary.eventsLost > 0 { throw ExitCode(2) }
    }

    /// Opens what is written to besides standard output.
    private func open(_ counts: MetricsHub?) throws -> (files: Spool?, server: MetricsServer?) {
        do {
            var limits = Spool.Limits()
            (limits.fileSize, limits.fileTime) = (spoolFileSize.bytes, spoolFileTime.nanoseconds)
            limits.totalSize = spoolSize.bytes
            let files = try spool.map { try Spool($0, limits) }
            guard let metrics, let counts else { return (files, nil) }
            do {
                let server = try MetricsServer(metrics) { counts.text() }
                log.info("metrics: http://\(server.place)/metrics")
                return (files, server)
            } catch {
                log.error("cannot listen on \(metrics.host), port \(metrics.port): \(error)")
                throw ExitCode(1)
            }
        } catch let failure as WriteFailure {
            log.error("\(failure)")
            throw ExitCode(1)
        }
    }

    /// `: 190 closed-port, 12 linger-zero`, the most first.
    private static func causes(_ totals: LiveSession.Totals) -> String {
        guard !totals.causes.isEmpty else { return "" }
        let sorted = totals.causes.sorted { a, b in
            a.value != b.value ? a.value > b.value : a.key.rawValue < b.key.rawValue
        }
        return ": " + sorted.map { "\($0.value) \($0.key.rawValue)" }.joined(separator: ", ")
    }
}

/// A pipe between the recorder and who watches.
private final class Pipe {
    private(set) var readEnd: Int32
    private(set) var writeEnd: Int32

    private static let size: Int32 = 1 << 20

    init() throws {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            log.error("cannot make a pipe: \(String(cString: strerror(errno)))")
            throw ExitCode(1)
        }
        (readEnd, writeEnd) = (ends[0], ends[1])
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        // As much as there may be; with less the recorder waits sooner.
        _ = fcntl(readEnd, 1031 /* F_SETPIPE_SZ */, Self.size)
    }

    deinit {
        closeReadEnd()
        closeWriteEnd()
    }

    func closeWriteEnd() {
        if writeEnd >= 0 { close(writeEnd) }
        writeEnd = -1
    }

    func closeReadEnd() {
        if readEnd >= 0 { close(readEnd) }
        readEnd = -1
    }
}

/// Ends the recorder while what it writes is still read.
// Used by one thread before `begin` and after `wait`, and by another in between.
private final class Ending: @unchecked Sendable {
    private var recorder: Recorder?
    private var summary: RecordingSummary?
    private let done = DispatchGroup()

    init(_ recorder: consuming Recorder) { self.recorder = recorder }

    func begin() {
        DispatchQueue(label: "ending").async(group: done) { [self] in
            summary = recorder?.stop()
            // With it goes the last that can write into the pipes.
            recorder = nil
        }
    }

    /// Nil if it was not ended.
    func wait() -> RecordingSummary? {
        done.wait()
        return summary
    }
}
