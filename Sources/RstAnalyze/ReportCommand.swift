import ArgumentParser
import CLinux
import Correlator
import Glibc
import InputFiles
import Logging
import NetworkTypes
import Reporting

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Say who reset whom, why, how sure that is, and what to do.",
        discussion: """
            Takes any number of captures (pcap, pcapng) and event files in any order and tells them apart by content; a \
            directory means all files directly in it, - is standard input.

            First come the answers: RSTs with one explanation, the largest group first. Options that narrow the report may \
            be combined; one that is repeated takes either.
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

    @Argument(help: ArgumentHelp("Captures, event files, or directories with both.", valueName: "file"))
    var files: [String]

    @Option(help: "What to write: text or json (rst-report/1).")
    var format = Format.text

    @Option(
        name: [.customShort("o"), .customLong("output")],
        help: ArgumentHelp("Write to this file instead of standard output.", valueName: "file"))
    var output: String?

    @OptionGroup(title: "Narrowing")
    var filters: FilterOptions

    @OptionGroup(title: "Text")
    var text: TextOptions

    @Option(
        help: ArgumentHelp(
            """
            Exit with status 3 if there is a RST of this cause or category, or any; closed-port@proven counts only those \
            that are at least so sure, "abort-on-close>10" needs more than 10. Several with commas.
            """, valueName: "what"), transform: FailCondition.list)
    var failOn: [[FailCondition]] = []

    mutating func validate() throws {
        guard !files.isEmpty else { throw ValidationError("name a capture, an event file, or a directory with both.") }
    }

    func run() throws {
        // Otherwise glibc keeps blocks in its heap that are as large as one that was freed, and gives back the text of each
        // piece of the report only to ask for it anew.
        linux_set_heap(1 << 20, 16 << 20)
        text.tz.activate()
        let progress = ProgressLine()
        var loader = InputLoader { progress.update(done: $0, total: $1) }
        loader.load(files)
        progress.clear()
        guard loader.failures.isEmpty else {
            for failure in loader.failures { log.error("\(failure)") }
            throw ExitCode(1)
        }
        tellIgnored(loader.passedOver)
        var report = correlate(captures: loader.captures, recordings: loader.recordings)
        let filter = try filters.filter(
            span: report.resets.span, own: report.inputs.compactMap(\.netns), zone: text.tz)
        report.keep(filter, words: filters.typed)
        let isAlarming = tellWhatFails(report.resets)
        try write(report)
        var status: Int32 = 0
        if !report.isComplete {
            log.warning("the report is incomplete; see its warnings")
            status = 2
        }
        // What was found is found, whatever was lost.
        if isAlarming { status = 3 }
        // What is in memory goes with the process, at once and not piece by piece.
        withExtendedLifetime((loader, report)) { Glibc.exit(status) }
    }

    /// Names what a directory holds besides inputs: one of them may have been meant.
    private func tellIgnored(_ paths: [String]) {
        guard !paths.isEmpty else { return }
        let named = paths.prefix(Self.namedFiles).joined(separator: ", ")
        let others = paths.count > Self.namedFiles ? " and \(paths.count - Self.namedFiles) more" : ""
        log.info("ignored (not a capture or event file): \(named)\(others)")
    }

    private static let namedFiles = 3

    /// Says what of --fail-on there is.
    private func tellWhatFails(_ resets: ResetList) -> Bool {
        var isAlarming = false
        for condition in failOn.joined() {
            guard let (count, first) = condition.met(by: resets) else { continue }
            isAlarming = true
            let others = count == 1 ? "" : " and \((count - 1).grouped) more"
            log.warning(
                "--fail-on \(condition.typed): #\(first.id) \(first.tuple.source.text(port: first.tuple.sourcePort)) > \(first.tuple.destination.text(port: first.tuple.destinationPort)), \(first.cause.rawValue), \(first.certainty.rawValue)\(others)"
            )
        }
        return isAlarming
    }

    private func write(_ report: Report) throws {
        var descriptor = STDOUT_FILENO
        if let output {
            guard !report.inputs.contains(where: { isSameFile($0.file, output) }) else {
                log.error("cannot write \(output): it is one of the files that were read")
                throw ExitCode(1)
            }
            descriptor = open(output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
            guard descriptor >= 0 else {
                log.error("cannot write \(output): \(String(cString: strerror(errno)))")
                throw ExitCode(1)
            }
        }
        // A reader that has seen enough (head) is no failure of ours.
        signal(SIGPIPE, SIG_IGN)
        func put(_ bytes: [UInt8]) throws {
            guard writeAll(bytes, to: descriptor) else {
                if errno == EPIPE { throw ExitCode(0) }
                log.error("cannot write \(output ?? "standard output"): \(String(cString: strerror(errno)))")
                throw ExitCode(1)
            }
        }
        switch format {
        case .json:
            var renderer = JSONReport(tool: Version.tool)
            renderer.grouping = text.grouping
            renderer.order = text.sort
            renderer.top = text.top
            try renderer.render(report, to: put)
        case .text:
            var renderer = TextReport(options: text.text(for: descriptor))
            try renderer.render(report) { try put(Array($0.utf8)) }
        }
        if output != nil { close(descriptor) }
    }
}

/// False also where one of them is not there.
private func isSameFile(_ one: String, _ other: String) -> Bool {
    var (a, b) = (stat(), stat())
    return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino
        && a.st_mode & S_IFMT == S_IFREG
}
