public import ArgumentParser
import Glibc
import Laboratory
import Logging
public import Provoke

struct ProvokeRunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run a command behind a router that breaks its connections.",
        usage: "rst-analyze provoke run --fault FAULT [--after TIME] [--to ADDRESS:PORT] [OPTIONS] -- COMMAND ...",
        discussion: """
            Needs root. COMMAND runs in a network namespace that the program makes, and finds a server in $PROVOKE_URL, \
            $PROVOKE_HOST and $PROVOKE_PORT behind a router. The server answers HTTP itself, or stands for --to, which is \
            reached from outside. Nothing else can be reached, and nothing outside is changed.

            FAULT: reject (netfilter answers with RSTs), inject (a program on the router forges RSTs to both ends), \
            forget-nat (the router masquerades and forgets its connections every --after, 1s), drop (in silence). At most 100 RSTs a \
            second.
            """)

    @Option(help: "What the router does: reject, inject, forget-nat, drop.")
    var fault: RoutedRun.Fault

    @Option(help: "When it begins, from the start of COMMAND. (default: at once)")
    var after: TimeLength?

    @Option(help: ArgumentHelp("What the server stands for.", valueName: "address:port"))
    var to: AddressAndPort?

    @Option(help: "IP version of the namespaces: 4 or 6.")
    var ip = 4

    @Option(
        name: .customLong("log"),
        help: ArgumentHelp("Write the log to this file instead of standard output.", valueName: "file"))
    var logFile: String?

    @Argument(parsing: .postTerminator, help: "Run this, and end when it ends.")
    var command: [String]

    func validate() throws {
        if ip != 4, ip != 6 { throw ValidationError("--ip must be 4 or 6") }
        if command.isEmpty { throw ValidationError("there is no COMMAND") }
    }

    func run() throws {
        guard geteuid() == 0 else {
            log.error("run makes network namespaces: it needs root")
            throw ExitCode(1)
        }
        var options = ProvokeOptions()
        options.rate = 1
        options.count = nil
        options.logFile = logFile
        options.command = []
        var settings = try options.settings(nil, When())
        settings.stopsAtCount = false
        var run: RoutedRun?
        try options.run(whileRunning: { loop, log, supervisor in
            let started = try RoutedRun(
                fault, settings, ipVersion: ip == 4 ? .v4 : .v6, to: to?.endpoint, loop: loop, log: log)
            run = started
            try started.begin(after: after?.nanoseconds ?? 0) {
                try supervisor.start(command, environment: variables(for: started.endpoint))
            }
        })
        withExtendedLifetime(run) {}
    }
}

extension RoutedRun.Fault: ExpressibleByArgument {}
