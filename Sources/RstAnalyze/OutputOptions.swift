import ArgumentParser
import Correlator
import Glibc
import HostFiles
import InputFiles
import Logging
import ReportDatabase
import Reporting

/// The report's format and destination.
struct OutputOptions: ParsableArguments {
    enum Format: String, ExpressibleByArgument, CaseIterable {
        case text, json, ndjson, csv, markdown, html, sqlite, pcapng
    }

    @Option(
        help: ArgumentHelp(
            """
            Output format: text, json (rst-report/1), ndjson (rst-record/1, one line per RST), csv, markdown (for tickets), \
            html (one file for a browser), sqlite (a database, with -o), or pcapng (the capture with a comment on each RST, for Wireshark).
            """, valueName: "format"))
    var format = Format.text

    @Option(
        name: [.customShort("o"), .customLong("output")],
        help: ArgumentHelp("Write the report to this file.", valueName: "file"))
    var output: String?

    @Option(
        help: ArgumentHelp(
            "With csv and ndjson: the fields to write, separated by commas (\"--fields help\" lists them).",
            valueName: "fields"))
    var fields: String?

    @Flag(help: "With pcapng: only the connections that have a RST.")
    var connections = false

    mutating func validate() throws {
        if fields == "help" {
            throw CleanExit.message("Fields: \(RecordTable.allFields.joined(separator: ", "))")
        }
        guard fields == nil || format == .csv || format == .ndjson else {
            throw ValidationError("--fields goes with --format csv or ndjson.")
        }
        guard format != .sqlite || output != nil else {
            throw ValidationError("--format sqlite writes a database: name a file with -o.")
        }
        guard !connections || format == .pcapng else {
            throw ValidationError("--connections goes with --format pcapng.")
        }
        for field in try chosenFields where !RecordTable.allFields.contains(field) {
            throw ValidationError(
                "\"\(field.printable)\" is not a field: "
                    + (nearest(field, among: RecordTable.allFields).map { "did you mean \($0)?" }
                        ?? "\"--fields help\" lists them."))
        }
    }

    /// Throws if the format does not have what is asked for.
    func check(_ text: TextOptions) throws {
        if text.grouping != nil, [.csv, .ndjson, .sqlite, .pcapng].contains(format) {
            throw ValidationError("--group-by goes with --format text, json, markdown or html.")
        }
    }

    private var chosenFields: [String] { get throws { try fields.map(parts) ?? [] } }

    /// Writes the report; on failure, logs why and throws the exit status.
    ///
    /// - Parameters:
    ///   - loaded: what it was made from.
    ///   - standard: the descriptor to write to without `-o`.
    func write(_ report: Report, _ loaded: LoadedInputs, _ text: TextOptions, to standard: Int32) throws {
        // Before the output is opened: it may be wrong.
        let copy = format == .pcapng ? try AnnotatedCopy(report, loaded.captures, onlyConnections: connections) : nil
        var file: OutputFile?
        if let output {
            guard format != .sqlite else { return try writeDatabase(report, output) }
            file = try logged { () throws(WriteFailure) in try OutputFile(output) }
        }
        let descriptor = file?.descriptor ?? standard
        if file == nil, format == .pcapng, isatty(descriptor) == 1 {
            log.error("a capture is not written to a terminal: name a file with -o, or redirect the output")
            throw ExitCode(1)
        }
        // A reader that has seen enough (head) is not a failure, and changes nothing of the status.
        struct ReaderGone: Error {}
        signal(SIGPIPE, SIG_IGN)
        func put(_ bytes: [UInt8]) throws {
            guard writeAll(bytes, to: descriptor) else {
                if errno == EPIPE { throw ReaderGone() }
                log.error("cannot write \(output ?? "standard output"): \(String(cString: strerror(errno)))")
                throw ExitCode(1)
            }
        }
        do {
            try render(report, copy, text, for: descriptor, to: put)
        } catch is ReaderGone {
            return
        }
        if let file { try logged(file.finish) }
        if [.csv, .ndjson, .pcapng].contains(format), !report.refusals.isEmpty {
            log.info(
                "not in this format: \(report.refusals.count.counted("connection")) ended by ICMP errors, not by RSTs")
        }
    }

    /// - Parameter copy: of the capture, for the format that needs one.
    private func render(
        _ report: Report, _ copy: AnnotatedCopy?, _ text: TextOptions, for descriptor: Int32,
        to put: ([UInt8]) throws -> Void
    ) throws {
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
        case .ndjson, .csv:
            let host = report.inputs.lazy.compactMap(\.host).first { !$0.isEmpty } ?? "-"
            let identity = RecordLines.Host(name: host, id: "", bootID: "", agent: Version.tool)
            try RecordTable(format == .csv ? .csv : .ndjson, host: identity, fields: chosenFields).render(
                report, to: put)
        case .markdown:
            try MarkdownReport(options: text.text(for: descriptor)).render(report) { try put(Array($0.utf8)) }
        case .html: try HTMLReport(tool: Version.tool, options: text.text(for: descriptor)).render(report, to: put)
        case .pcapng: try copy?.write(to: put)
        case .sqlite: break
        }
    }
}

extension OutputOptions {
    /// Replaces a file that is there, like all other formats.
    private func writeDatabase(_ report: Report, _ path: String) throws {
        guard Array(path.utf8CString) == path.pathBytes else {
            log.error("cannot write \(path): SQLite takes only names in UTF-8")
            throw ExitCode(1)
        }
        // What another program is writing, or left behind, would be taken for part of the new database.
        for suffix in ["-journal", "-wal"] where access((path + suffix).pathBytes, F_OK) == 0 {
            log.error(
                "cannot write \(path): \(path)\(suffix) shows that another program has it open, or had when it ended")
            throw ExitCode(1)
        }
        var status = stat()
        if lstat(path.pathBytes, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
            log.error("cannot write \(path): it is not a regular file")
            throw ExitCode(1)
        }
        // Whoever has the earlier one open keeps it, and no cut one takes its place.
        let temporary = "\(path).\(getpid()).tmp"
        unlink(temporary.pathBytes)
        do {
            try ReportDatabase(tool: Version.tool).write(report, to: temporary)
        } catch {
            unlink(temporary.pathBytes)
            log.error("cannot write \(path): \(error)")
            throw ExitCode(1)
        }
        guard rename(temporary.pathBytes, path.pathBytes) == 0 else {
            let reason = String(cString: strerror(errno))
            unlink(temporary.pathBytes)
            log.error("cannot write \(path): \(reason)")
            throw ExitCode(1)
        }
    }
}
