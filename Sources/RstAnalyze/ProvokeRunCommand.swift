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
            Needs root. COMMAND runs in a network namespace created for it and finds a server behind a router in \
            $PROVOKE_URL, $PROVOKE_HOST and $PROVOKE_PORT. The server answers HTTP itself, or forwards to --to outside. \
            Nothing else can be reached, and nothing outside is changed.

            FAULT: reject (netfilter answers with RSTs), inject (a program on the router forges RSTs to both ends), \
            forget-nat (the router masquerades and forgets its connections every --after, 1s), drop (silently).
            """)

    @Option(help: "What the router does: reject, inject, forget-nat, drop.")
    var fault: RoutedRun.Fault

    @Option(help: "When the fault starts, counted from the start of COMMAND. (default: at once)")
    var after: TimeLength?

    @Option(help: ArgumentHelp("Where the server forwards to.", valueName: "address:port"))
    var to: AddressAndPort?

    @Option(help: "IP version of the namespaces: 4 or 6.")
    var ip = 4

    @Option(help: ArgumentHelp("RSTs per second, at most 1000.", valueName: "n"))
    var perSecond = 100

    @Option(
        name: .customLong("log"),
        help: ArgumentHelp("Write the log to this file instead of standard output.", valueName: "file"))
    var logFile: String?

    @Argument(parsing: .postTerminator, help: "Run this command and exit when it does.")
    var command: [String]

    func validate() throws {
        guard perSecond >= 2, perSecond <= 1000 else { throw ValidationError("--per-second must be from 2 to 1000") }
        if ip != 4, ip != 6 { throw ValidationError("--ip must be 4 or 6") }
        if command.isEmpty { throw ValidationError("name the COMMAND to run after --") }
    }

    func run() throws {
        try Self.run(
            fault, after: after, to: to, ip: ip, perSecond: perSecond, logFile: logFile, command: command)
    }

    static func run(
        _ fault: RoutedRun.Fault, after: TimeLength?, to: AddressAndPort?, ip: Int, perSecond: Int, logFile: String?,
        command: [String]
    ) throws {
        guard geteuid() == 0 else {
            log.error("network namespaces need root")
            throw ExitCode(1)
        }
        let run = ProvokeRun(count: nil, logFile: logFile, command: command)
        let settings = try run.settings(nil, When())
        var routed: RoutedRun?
        try run.serve(whileRunning: { loop, log, supervisor in
            let started = try RoutedRun(
                fault, settings, ipVersion: ip == 4 ? .v4 : .v6, to: to?.endpoint, perSecond: perSecond, loop: loop,
                log: log)
            routed = started
            try started.begin(after: after?.nanoseconds ?? 0) {
                try supervisor.start(command, environment: variables(for: started.endpoint))
            }
        })
        withExtendedLifetime(routed) {}
    }
}

extension RoutedRun.Fault: ExpressibleByArgument {}
