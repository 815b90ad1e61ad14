import ArgumentParser
import CLinux
import Correlator
import Glibc
import HostFiles
import InputFiles
import Logging
import NetworkTypes
import Reporting

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Explain who reset whom, why, how sure that is, and what to do.",
        discussion: """
            Examples: rst-analyze report DIR
                      rst-analyze report --format html -o resets.html DIR

            Reads any number of captures (pcap, pcapng) and event files, in any order, and recognises them by their content. \
            A directory means all files directly in it (with -R, also those in its subdirectories); - is standard input.

            The answers come first: groups of RSTs with the same explanation, the largest first. Options that narrow the \
            report can be combined: RSTs must match all of them, but only one of the values of an option that is repeated.
            """)

    @Argument(help: ArgumentHelp("Captures, event files, or directories with both.", valueName: "file"))
    var files: [String] = []

    @Flag(name: [.customShort("R"), .long], help: "Read directories recursively.")
    var recursive = false

    @Flag(
        name: .shortAndLong,
        help: """
            Follow recordings that are still being written: print each RST once its verdict is settled, and the report at \
            the end (Ctrl-C).
            """)
    var follow = false

    @Option(
        help: ArgumentHelp(
            "Memory for connections without a RST where a capture can be read only once, as from a pipe: 256M, 1G.",
            valueName: "size"))
    var memory = MemorySize(bytes: InputLoader.defaultMemory)

    @OptionGroup
    var output: OutputOptions

    @OptionGroup(title: "Narrowing")
    var filters: FilterOptions

    @OptionGroup(title: "Text")
    var text: TextOptions

    @OptionGroup(title: "Pipelines")
    var gate: GateOptions

    mutating func validate() throws {
        guard !files.isEmpty else { throw ValidationError("name a capture, an event file, or a directory with both.") }
        try output.check(text)
        if follow, files.contains("-") || recursive {
            throw ValidationError("--follow cannot be combined with - or -R.")
        }
        if follow, output.format != .text || output.output != nil {
            throw ValidationError(
                "--follow writes text to standard output: it cannot be combined with --format or --output.")
        }
    }

    func run() throws {
        // Otherwise glibc raises its threshold and keeps such large blocks in its heap, and returns the memory of each piece
        // of the report to the system only to request it again.
        linux_set_heap(1 << 20, 16 << 20)
        text.tz.activate()
        let prepared = try gate.prepare()
        var isCut = false
        if follow {
            let input = LiveInput(files, settlingTime: LiveSession.settlingTime, memory: memory.bytes)
            var session = LiveSession(input: input, stop: StopConditions(), filters: filters, text: text.lines)
            session.showsAll = text.list
            log.info("following \(files.joined(separator: ", ")), Ctrl-C to stop")
            _ = try session.run()
            writeAll("\n", to: STDOUT_FILENO)
            isCut = tellDeleted(input.filesRead)
        }
        let progress = ProgressLine()
        let loader = InputLoader(memory: memory.bytes) { progress.update(done: $0, total: $1) }
        let loaded = withExtendedLifetime(PipedInput(files)) { loader.load(files, recursively: recursive) }
        progress.clear()
        guard loaded.failures.isEmpty else {
            for failure in loaded.failures { log.error("\(failure)") }
            throw ExitCode(1)
        }
        tellIgnored(loaded.passedOver)
        if !loaded.empty.isEmpty {
            log.warning(
                "empty, so that nothing was read from it: \(Self.names(loaded.empty)): still being written, or cut off")
        }
        try Destinations.check(
            [output.output, gate.junit].compactMap(\.self),
            read: loaded.files + gate.allow + [gate.expect].compactMap(\.self))
        var report = correlate(captures: loaded.captures, recordings: loaded.recordings)
        let filter = try filters.filter(
            span: report.span, own: report.inputs.compactMap(\.netns), zone: text.tz)
        report.keep(filter, words: filters.typed)
        let isAlarming = try gate.judge(report, prepared, zone: text.tz)
        try output.write(report, loaded, text, to: STDOUT_FILENO)
        var status: Int32 = 0
        if !report.isComplete {
            log.warning("the report is incomplete; see its warnings")
            status = 2
        }
        if isCut || !loaded.empty.isEmpty { status = 2 }
        // RSTs that were found count, whatever else was lost.
        if isAlarming { status = 3 }
        // Exiting frees all memory at once, instead of object by object.
        withExtendedLifetime((loaded, report)) { Glibc.exit(status) }
    }

    /// Logs which files were deleted since they were read: the report at the end lacks what was in them.
    ///
    /// - Returns: whether there are any.
    private func tellDeleted(_ paths: [String]) -> Bool {
        let gone = paths.filter { access($0.pathBytes, F_OK) != 0 }
        guard !gone.isEmpty else { return false }
        log.warning("deleted while it was followed: \(Self.names(gone)): the report lacks what was in it")
        return true
    }

    /// Logs which files of a directory were ignored: one of them may have been meant.
    private func tellIgnored(_ paths: [String]) {
        guard !paths.isEmpty else { return }
        log.info("ignored (not a capture or event file): \(Self.names(paths))")
    }

    private static func names(_ paths: [String]) -> String {
        let more = paths.count > namedFiles ? " and \(paths.count - namedFiles) more" : ""
        return paths.prefix(namedFiles).joined(separator: ", ") + more
    }

    private static let namedFiles = 3
}
