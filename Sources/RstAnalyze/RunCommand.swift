import ArgumentParser
import Correlator
import Glibc
import HostFiles
import InputFiles
import Logging
import Recorder

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run a command, and explain the RSTs that occur meanwhile.",
        usage: "rst-analyze run [-i INTERFACE ...] [--fail-on WHAT] [OPTIONS] -- COMMAND ...",
        discussion: """
            Examples: sudo rst-analyze run -- make test
                      sudo rst-analyze run --fail-on abort-on-close --netns own -- make test

            Records while COMMAND runs, then writes the report to standard error, since standard output belongs to the \
            command, or with -o to a file. Needs root, as record does.

            The exit status is that of COMMAND (127: not found, 126: cannot be run, 128+N: killed by signal N), but 3 if a \
            --fail-on condition is met or --expect finds a difference, and 2 if COMMAND succeeded, one of these options \
            was given, and something was lost.
            """)

    @OptionGroup(title: "What to record")
    var recording: RecordingOptions

    @OptionGroup(title: "Report")
    var output: OutputOptions

    @OptionGroup(title: "Text")
    var text: TextOptions

    @OptionGroup(title: "Pipelines")
    var gate: GateOptions

    @Option(help: ArgumentHelp("Keep the recording in this new directory.", valueName: "dir"))
    var keep: String?

    @Argument(parsing: .postTerminator, help: "The command, after --.")
    var command: [String]

    func validate() throws {
        try output.check(text)
        if command.isEmpty { throw ValidationError("name the command to run after --") }
    }

    func run() throws {
        text.tz.activate()
        let prepared = try gate.prepare()
        let outputs = [output.output, gate.junit].compactMap(\.self)
        try Destinations.check(outputs, read: gate.allow + [gate.expect].compactMap(\.self))
        try Destinations.checkPlaces(outputs)
        let program = try ChildCommand.locate(command[0])
        var scratch: Scratch?
        if let keep {
            guard mkdir(keep.pathBytes, 0o700) == 0 else { throw cannotCreate(keep) }
        } else {
            scratch = Scratch()
            guard scratch != nil else { throw cannotCreate("a directory for temporary files") }
        }
        defer { withExtendedLifetime(scratch) {} }
        let directory = keep ?? scratch?.path ?? "."
        var session = RecordingSession(
            try recording.recorderOptions(
                capture: .file("\(directory)/capture.pcapng"), events: .file("\(directory)/events.jsonl")),
            duration: recording.duration)
        session.command = (program, command)
        let stop = StopConditions()
        defer { withExtendedLifetime(stop) {} }
        let outcome: RecordingSession.Result
        do {
            outcome = try session.run(until: stop)
        } catch {
            // Only if it is empty.
            if let keep { rmdir(keep.pathBytes) }
            throw error
        }
        // A user who interrupts the report does not want it.
        let temporary = scratch?.path
        stop.endProgram { if let temporary { Scratch.removeTree(temporary) } }
        try RecordingSession.tellLosses(of: outcome.summary)

        let loaded = InputLoader().load([directory])
        guard loaded.failures.isEmpty else {
            for failure in loaded.failures { log.error("\(failure)") }
            throw ExitCode(1)
        }
        let report = correlate(captures: loaded.captures, recordings: loaded.recordings)
        try output.write(report, loaded, text, to: STDERR_FILENO)
        let isAlarming = try gate.judge(report, prepared, zone: text.tz)
        if isAlarming { throw ExitCode(3) }
        if let status = outcome.commandStatus, status != 0 { throw ExitCode(status) }
        if !report.isComplete {
            log.warning("the report is incomplete; see its warnings")
            if gate.isAsked { throw ExitCode(2) }
        }
    }

    private func cannotCreate(_ path: String) -> ExitCode {
        log.error("cannot create \(path): \(String(cString: strerror(errno)))")
        return ExitCode(1)
    }
}
