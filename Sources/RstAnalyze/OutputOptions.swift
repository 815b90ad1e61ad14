import ArgumentParser
import Correlator
import Glibc
import HostFiles
import Logging
import Reporting

/// The report's format and destination.
struct OutputOptions: ParsableArguments {
    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

    @Option(help: "Output format: text or json (rst-report/1).")
    var format = Format.text

    @Option(
        name: [.customShort("o"), .customLong("output")],
        help: ArgumentHelp("Write the report to this file.", valueName: "file"))
    var output: String?

    /// Writes the report; on failure, logs why and throws the exit status.
    ///
    /// - Parameter standard: the descriptor to write to without `-o`.
    func write(_ report: Report, _ text: TextOptions, to standard: Int32) throws {
        var descriptor = standard
        if let output {
            guard !report.inputs.contains(where: { isSameFile($0.file, output) }) else {
                log.error("cannot write \(output): it is one of the files that were read")
                throw ExitCode(1)
            }
            descriptor = open(output.pathBytes, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
            guard descriptor >= 0 else {
                log.error("cannot write \(output): \(String(cString: strerror(errno)))")
                throw ExitCode(1)
            }
        }
        // A reader that has seen enough (head) is not a failure.
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

/// Also false if one of them does not exist.
private func isSameFile(_ one: String, _ other: String) -> Bool {
    var (a, b) = (stat(), stat())
    return stat(one.pathBytes, &a) == 0 && stat(other.pathBytes, &b) == 0 && a.st_dev == b.st_dev
        && a.st_ino == b.st_ino
        && a.st_mode & S_IFMT == S_IFREG
}
