import ArgumentParser
import Dispatch
import Glibc
import Logging
import Recorder

struct RecordCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "record",
        abstract: "Record RSTs on the wire along with the kernel's reasons for them.",
        usage: "rst-analyze record -i INTERFACE [-i ...] [-o DIR] [OPTIONS] [-- COMMAND ...]",
        discussion: """
            Writes capture.pcapng and events.jsonl into DIR, until SIGINT or SIGTERM, --duration, --count, or the end \
            of COMMAND. Interfaces and filter restrict the capture; the kernel's events are those of the whole host. Needs \
            root, or CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, CAP_NET_RAW and CAP_SYSLOG.

            By default the capture holds TCP segments with SYN, FIN or RST, of IPv4 and IPv6. That leaves out data and \
            pure acknowledgments, TCP inside tunnels, and IPv6 segments behind a hop-by-hop header: the kernel's events \
            name the cause without them, but what the packets alone could tell about a RST that this host did not send \
            is in them. Use --full to capture everything, or --filter for a filter of your own.
            """)

    @Option(
        name: [.customShort("i"), .customLong("interface")],
        help: "Interface to capture on, also lo and any. Repeat for several. (default: any)")
    var interfaces: [String] = []

    @Option(
        name: [.customShort("o"), .customLong("output")],
        help: ArgumentHelp("Directory for the two files. (default: rst-<UTC time>)", valueName: "dir"))
    var output: String?

    @Option(help: ArgumentHelp("The capture's path, instead of DIR/capture.pcapng.", valueName: "file"))
    var capture: String?

    @Option(help: ArgumentHelp("The events' path, instead of DIR/events.jsonl.", valueName: "file"))
    var events: String?

    @Option(help: ArgumentHelp("Capture what this pcap-filter(7) expression accepts.", valueName: "expression"))
    var filter: String?

    @Flag(help: "Capture every packet.")
    var full = false

    @Option(help: "Stop after this time: 500ms, 30s, 5m, 1h.")
    var duration: TimeLength?

    @Option(name: [.customShort("c"), .long], help: "Stop after so many packets.")
    var count: Int?

    @Option(name: [.customShort("s"), .long], help: "Bytes to keep of each packet.")
    var snaplen: Int32 = 262_144

    @Option(name: [.customShort("B"), .long], help: "libpcap's buffer for each interface, KiB.")
    var bufferSize: Int32 = 16_384

    @Option(help: "Ring buffer for kernel events, KiB.")
    var ringSize: UInt32 = 32_768

    @Option(help: ArgumentHelp("Create this file once everything is recorded.", valueName: "path"))
    var readyFile: String?

    @Argument(parsing: .postTerminator, help: "Run this, and stop when it ends.")
    var command: [String] = []

    func validate() throws {
        if full, filter != nil { throw ValidationError("--full and --filter exclude each other") }
        if let count, count < 1 { throw ValidationError("--count is at least 1") }
        // Cooked v2, IPv6 and TCP with all options are 120 bytes.
        if snaplen < 128 { throw ValidationError("--snaplen is at least 128: less does not hold the headers") }
        if bufferSize < 64 || bufferSize > 2_000_000 { throw ValidationError("--buffer-size is 64 to 2000000 KiB") }
        if ringSize < 4 || ringSize > 1 << 20 { throw ValidationError("--ring-size is 4 to 1048576 KiB") }
    }

    func run() throws {
        let directory = try outputDirectory()
        let names = interfaces.isEmpty ? ["any"] : interfaces
        var options = RecorderOptions(
            interfaces: names.map { RecorderOptions.Interface(name: $0) },
            capturePath: capture ?? "\(directory)/capture.pcapng", eventsPath: events ?? "\(directory)/events.jsonl")
        options.filter = full ? "" : filter ?? RecorderOptions.defaultFilter
        options.snaplen = snaplen
        options.captureBuffer = bufferSize * 1024
        options.ringBuffer = ringSize * 1024
        options.packetLimit = count
        options.tool = Version.tool

        let stop = StopConditions()
        let recorder: Recorder
        do {
            recorder = try Recorder(options, wantsToStop: stop.signal)
        } catch {
            log.error("\(error)")
            throw ExitCode(1)
        }
        for warning in recorder.warnings { log.warning("\(warning)") }
        if let duration { stop.after(nanoseconds: duration.nanoseconds) }
        if let readyFile { try createReadyFile(readyFile) }
        if command.isEmpty {
            log.info("recording on \(names.joined(separator: ", ")), Ctrl-C to stop")
        } else if let problem = stop.afterCommand(command) {
            _ = recorder.stop()
            log.error("\(problem)")
            throw ExitCode(1)
        }
        stop.wait()
        let summary = recorder.stop()
        try conclude(summary, options)
    }

    private func outputDirectory() throws -> String {
        if output == nil, capture != nil, events != nil { return "." }
        if let output {
            guard mkdir(output, 0o755) == 0 || errno == EEXIST else { throw cannotCreate(output) }
            return output
        }
        // Two recorders may begin in one second.
        let name = "rst-\(compactTime())"
        for number in 1...1000 {
            let directory = number == 1 ? name : "\(name)-\(number)"
            if mkdir(directory, 0o755) == 0 { return directory }
            guard errno == EEXIST else { throw cannotCreate(directory) }
        }
        throw cannotCreate(name)
    }

    private func cannotCreate(_ path: String) -> ExitCode {
        log.error("cannot create \(path): \(String(cString: strerror(errno)))")
        return ExitCode(1)
    }

    /// `20261120T232201Z`.
    private func compactTime() -> String {
        var now = time(nil)
        var parts = tm()
        gmtime_r(&now, &parts)
        var buffer = [CChar](repeating: 0, count: 32)
        strftime(&buffer, buffer.count, "%Y%m%dT%H%M%SZ", &parts)
        return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    private func createReadyFile(_ path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw cannotCreate(path) }
        close(descriptor)
    }

    private func conclude(_ summary: RecordingSummary, _ options: RecorderOptions) throws {
        log.info(
            "\(summary.packets) packets in \(options.capturePath), \(summary.packetsDropped) dropped by the kernel")
        log.info("\(summary.events) kernel events in \(options.eventsPath), \(summary.eventsLost) lost")
        if summary.packetsDropped > 0 {
            log.warning("packets were dropped: try a larger --buffer-size, or a narrower --filter")
        }
        if summary.eventsLost > 0, summary.failure == nil {
            log.warning("kernel events were lost: try a larger --ring-size")
        }
        if let failure = summary.failure {
            log.error("\(failure)")
            throw ExitCode(1)
        }
        if summary.packetsDropped > 0 || summary.eventsLost > 0 { throw ExitCode(2) }
    }
}
