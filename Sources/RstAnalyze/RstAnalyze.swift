import ArgumentParser
import Glibc
import HostFiles
import Logging
import Reporting

@main
struct RstAnalyze: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rst-analyze",
        abstract: "Finds out why each TCP RST was sent, by whom, and how sure that is.",
        discussion: """
            Record on the host that sends the resets, then read the report:

              rst-analyze record -i eth0 -o DIR
              rst-analyze report DIR

            or both at once, around a command: rst-analyze run -- COMMAND
            or as it happens: rst-analyze watch

            Exit status: 0 complete; 1 failed; 2 reported, but something was lost or damaged; 3 a --fail-on condition was \
            met or --expect found a difference; 64 usage error. With a COMMAND, the status is its own.
            """,
        version: Version.current,
        subcommands: [
            RecordCommand.self, ReportCommand.self, WatchCommand.self, RunCommand.self, ExplainCommand.self,
            AnonymizeCommand.self, DoctorCommand.self, SelftestCommand.self,
            ProvokeCommand.self, SelftestActorCommand.self,
        ])

    /// The parser takes it for an argument too many.
    private static func notACommand() -> ValidationError? {
        let commands = configuration.subcommands
        guard let typed = commandLineArguments().dropFirst().first, !typed.hasPrefix("-"), typed != "help",
            !commands.contains(where: { $0._commandName == typed })
        else { return nil }
        let shown = commands.filter { $0.configuration.shouldDisplay }.map { $0._commandName }
        let hint = nearest(typed, among: shown).map { "; did you mean \($0)?" } ?? "."
        return ValidationError("\"\(typed)\" is not a command\(hint)")
    }

    /// Unlike the parser's own, it keeps names of files that are not UTF-8.
    static func main() {
        // A file that reaches RLIMIT_FSIZE is a write error like any other, and not the end of a recording.
        signal(SIGXFSZ, SIG_IGN)
        do {
            var command = try parseAsRoot(Array(commandLineArguments().dropFirst()))
            try command.run()
        } catch {
            let code = exitCode(for: error)
            guard code == .validationFailure else { exit(withError: error) }
            // It repeats arguments, which may be names that somebody else chose.
            let lines = fullMessage(for: notACommand() ?? error).split(
                separator: "\n", omittingEmptySubsequences: false)
            writeAll(lines.map { String($0).printable + "\n" }.joined(), to: STDERR_FILENO)
            Glibc.exit(code.rawValue)
        }
    }
}

enum Version {
    static let current = "0.1.0"
    /// The name and version in recordings and reports.
    static let tool = "rst-analyze \(current)"
}

/// Messages for the user; they go to standard error, data to standard output.
let log: Logger = {
    LoggingSystem.bootstrap { _ in StandardErrorLog() }
    return Logger(label: "rst-analyze")
}()
