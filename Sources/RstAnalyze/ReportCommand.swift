public import ArgumentParser
import CLinux
public import Correlator
import Glibc
import InputFiles
import Logging
import Reporting

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Say for each RST why it was sent.",
        discussion: """
            Takes any number of captures (pcap, pcapng) and event files in any order and tells them apart by content; a \
            directory stands for the files in it.
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

    @Option(name: .customLong("cause"), help: "Show only RSTs of this cause. Repeat for several.")
    var causes: [Cause] = []

    @Option(help: "Exit with status 3 if there is a RST of this cause. Repeat for several.")
    var failOn: [Cause] = []

    @Flag(name: .shortAndLong, help: "Add the evidence and the kernel path of each RST.")
    var verbose = false

    func run() throws {
        // Otherwise glibc keeps blocks in its heap that are as large as one that was freed, and gives back the text of each
        // piece of the report only to ask for it anew.
        linux_set_heap(1 << 20, 16 << 20)
        let progress = ProgressLine()
        var loader = InputLoader { progress.update(done: $0, total: $1) }
        loader.load(files)
        progress.clear()
        guard loader.failures.isEmpty else {
            for failure in loader.failures { log.error("\(failure)") }
            throw ExitCode(1)
        }
        tellPassedOver(loader.passedOver)
        var report = correlate(captures: loader.captures, recordings: loader.recordings)
        let isAlarming = !failOn.isEmpty && report.resets.heads.contains { failOn.contains($0.cause) }
        if !causes.isEmpty {
            let all = report.resets.count
            report.resets.keep { causes.contains($0.cause) }
            log.info("\(report.resets.count) of \(all) resets have a cause that was asked for")
            report.findings = findings(in: report.resets)
        }
        try write(report)
        var status: Int32 = 0
        if !report.isComplete {
            log.warning("something was lost or damaged: the report says what")
            status = 2
        }
        // What was found is found, whatever was lost.
        if isAlarming { status = 3 }
        // What is in memory goes with the process, at once and not piece by piece.
        withExtendedLifetime((loader, report)) { Glibc.exit(status) }
    }

    /// Names what a directory holds besides inputs: one of them may have been meant.
    private func tellPassedOver(_ paths: [String]) {
        guard !paths.isEmpty else { return }
        let named = paths.prefix(Self.namedFiles).joined(separator: ", ")
        let others = paths.count > Self.namedFiles ? " and \(paths.count - Self.namedFiles) more" : ""
        log.info("passed over, neither captures nor events: \(named)\(others)")
    }

    private static let namedFiles = 3

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
            try renderer.render(report, to: put)
        case .text:
            var options = TextReport.Options()
            options.verbose = verbose
            options.color = isatty(descriptor) == 1 && getenv("NO_COLOR") == nil
            var renderer = TextReport(options: options)
            try renderer.render(report) { try put(Array($0.utf8)) }
        }
        if output != nil { close(descriptor) }
    }
}

extension Cause: ExpressibleByArgument {}

/// False also where one of them is not there.
private func isSameFile(_ one: String, _ other: String) -> Bool {
    var (a, b) = (stat(), stat())
    return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino
        && a.st_mode & S_IFMT == S_IFREG
}

extension Report {
    /// Whether everything that was recorded is in the report.
    var isComplete: Bool {
        losses.isEmpty && inputs.allSatisfy { $0.damageCount == 0 && !$0.undecoded.contains(where: \.isLoss) }
    }
}
