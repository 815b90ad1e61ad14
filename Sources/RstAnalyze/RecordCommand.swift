import ArgumentParser
import Glibc
import HostFiles
import Logging
import NetworkTypes
import Recorder

struct RecordCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "record",
        abstract: "Record RSTs on the wire along with the kernel's reasons for them.",
        usage: "rst-analyze record -i INTERFACE [-i ...] [-o DIR] [OPTIONS] [-- COMMAND ...]",
        discussion: """
            Examples: sudo rst-analyze record -i eth0 -o DIR --duration 30s
                      sudo rst-analyze record -i any -o DIR --port 443 -- make test

            Writes capture.pcapng and events.jsonl into DIR, until SIGINT or SIGTERM, --duration, --count, or the end \
            of COMMAND. Interfaces and --filter restrict the capture only; --netns, --host and --port restrict the \
            capture and the kernel's events. Needs root, or CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, CAP_NET_RAW and \
            CAP_SYSLOG.

            The exit status is that of COMMAND (127: not found, 126: cannot be run, 128+N: killed by signal N). When the \
            recorder is ended by a signal, it ends COMMAND and its process group with the same signal, and 5 seconds \
            later with SIGKILL; when it ends for another reason, with SIGTERM.

            Files and directories are made for the owner alone. Symbolic links, pipes and devices in their place are \
            refused. If a file is deleted or truncated meanwhile, recording goes on in a new one, and what was in it counts as \
            lost.

            Once everything is open and COMMAND runs, the recorder gives up the privileges that it no longer needs, for good \
            (docs/security.md); COMMAND keeps those of the caller.

            By default the capture holds only TCP segments with SYN, FIN or RST, over IPv4 and IPv6. That leaves out data \
            and pure acknowledgments, TCP inside tunnels, and IPv6 segments with a hop-by-hop header. The kernel's events \
            name the cause without them, but a RST that this host did not send can only be judged by such packets. Use \
            --full to capture everything, or --filter for a filter of your own.
            """)

    @OptionGroup(title: "What to record")
    var recording: RecordingOptions

    @Option(
        name: [.customShort("o"), .customLong("output")],
        help: ArgumentHelp("Directory for the two files. (default: rst-<UTC time>)", valueName: "dir"))
    var output: String?

    @Option(help: ArgumentHelp("The capture's path, instead of DIR/capture.pcapng.", valueName: "file"))
    var capture: String?

    @Option(
        help: ArgumentHelp("The events' path, instead of DIR/events.jsonl; - is standard output.", valueName: "file"))
    var events: String?

    @Flag(help: "Replace an existing recording.")
    var force = false

    @OptionGroup(title: "Dividing a long recording")
    var rotation: RotationOptions

    @OptionGroup(title: "Privileges")
    var sandbox: SandboxOptions

    @Option(name: [.customShort("c"), .long], help: "Stop after this many packets.")
    var count: Int?

    @Option(help: ArgumentHelp("Create this file once recording has begun.", valueName: "path"))
    var readyFile: String?

    @Argument(parsing: .postTerminator, help: "Run this command, and stop when it ends.")
    var command: [String] = []

    func validate() throws {
        if let count, count < 1 { throw ValidationError("--count must be at least 1") }
        if rotation.limits != nil, capture != nil || events != nil {
            throw ValidationError("--capture and --events name one file each: a divided recording needs -o")
        }
        if events == "-", !command.isEmpty {
            throw ValidationError("--events - cannot be combined with COMMAND, which has the same standard output")
        }
    }

    func run() throws {
        let owner = try sandbox.owner()
        let (directory, isNew) = try outputDirectory()
        if isNew, let owner { SandboxOptions.give(directory, to: owner) }
        // A reader of the events that is gone is reported as a failure, and must not cost the end of the capture.
        if events == "-" { signal(SIGPIPE, SIG_IGN) }
        let outcome: RecordingSession.Result
        do {
            outcome = try record(in: directory, for: owner)
        } catch {
            // A recorder that cannot begin leaves nothing behind; a directory that is not empty stays.
            if isNew { rmdir(directory.pathBytes) }
            throw error
        }
        StopConditions.restoreSignals()
        let isIncomplete = try conclude(outcome)
        // The caller wants the command's own status.
        if let status = outcome.commandStatus, status != 0 { throw ExitCode(status) }
        if isIncomplete { throw ExitCode(2) }
    }

    private func record(in directory: String, for owner: FileOwner?) throws -> RecordingSession.Result {
        let program = try command.first.map(ChildCommand.locate)
        let paths = (
            capture: capture ?? "\(directory)/capture.pcapng",
            events: events ?? "\(directory)/events.jsonl\(rotation.compress == nil ? "" : ".zst")"
        )
        let events = paths.events == "-" ? RecordingOutput.standardOutput : .file(paths.events)
        var options = try recording.recorderOptions(capture: .file(paths.capture), events: events)
        options.packetLimit = count
        options.compressesEvents = rotation.compress != nil
        options.owner = owner
        if let limits = rotation.limits {
            options.series = FileSeries(in: directory, limits) { log.info("\($0)") }
        } else if !force {
            try refuseToReplace([paths.capture] + (paths.events == "-" ? [] : [paths.events]))
        }
        var session = RecordingSession(options, duration: recording.duration)
        session.readyFile = readyFile
        session.triggers = Set(rotation.trigger.flatMap(\.causes))
        let (all, isDivided, runsCommand) = (options, options.series != nil, program != nil)
        let folders = [paths.capture, paths.events].filter { $0 != "-" }.map(parentDirectory)
        session.confine = {
            try sandbox.enter(
                all, directories: isDivided ? [directory] : [], others: folders, runsCommand: runsCommand)
        }
        if let program { session.command = (program, command) }
        return try session.run()
    }

    private func refuseToReplace(_ paths: [String]) throws {
        for path in paths {
            var status = stat()
            guard lstat(path.pathBytes, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size > 0 else {
                continue
            }
            log.error("\(path) exists: use another directory, or --force to replace it")
            throw ExitCode(1)
        }
    }

    /// Makes the directory if it is not there. Others may not read what is recorded.
    private func outputDirectory() throws -> (path: String, isNew: Bool) {
        if output == nil, capture != nil, events != nil { return (".", false) }
        if let output {
            let isNew = mkdir(output.pathBytes, 0o700) == 0
            guard isNew || errno == EEXIST else { throw cannotCreate(output) }
            return (output, isNew)
        }
        // Two recorders may start in the same second.
        let name = "rst-\(compactTime())"
        for number in 1...1000 {
            let directory = number == 1 ? name : "\(name)-\(number)"
            if mkdir(directory.pathBytes, 0o700) == 0 { return (directory, true) }
            guard errno == EEXIST else { throw cannotCreate(directory) }
        }
        throw cannotCreate(name)
    }

    private func cannotCreate(_ path: String) -> ExitCode {
        log.error("cannot create \(path): \(String(cString: strerror(errno)))")
        return ExitCode(1)
    }

    /// Logs what was recorded; returns true if something is missing from it.
    private func conclude(_ outcome: RecordingSession.Result) throws -> Bool {
        let summary = outcome.summary
        // Files of a series may be gone by now.
        func what(_ count: Int, _ noun: String, _ path: String) -> String {
            if outcome.isDiscarded { return "\(count) \(noun) recorded and deleted, since COMMAND did not fail" }
            return rotation.isBounded
                ? "\(count) \(noun) recorded, the latest in \(path)" : "\(count) \(noun) in \(path)"
        }
        let dropped = summary.packetsDropped - summary.packetsDeleted
        let lost = summary.eventsLost - summary.eventsDeleted
        log.info("\(what(summary.packets, "packets", summary.capturePath)), \(dropped) dropped by the kernel")
        log.info("\(what(summary.events, "kernel events", summary.eventsPath)), \(lost) lost")
        if summary.packetsDeleted + summary.eventsDeleted > 0 {
            log.warning(
                """
                \(summary.packetsDeleted) packets and \(summary.eventsDeleted) events were in files that were deleted or \
                truncated
                """)
        }
        try RecordingSession.tellLosses(of: summary)
        return summary.packetsDropped > 0 || summary.eventsLost > 0 || !summary.interfacesMissing.isEmpty
    }
}

/// `20261120T232201Z`.
func compactTime() -> String { UTCTime(nanoseconds: clockNanoseconds(CLOCK_REALTIME)).compact }
