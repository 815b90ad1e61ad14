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
            Examples: sudo rst-analyze provoke run --fault reject -- my-client
                      sudo rst-analyze provoke run --fault inject --after 2s -- my-client

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

    @OptionGroup var limits: FaultLimits

    @OptionGroup var watched: CommandOptions

    func validate() throws {
        if watched.command.isEmpty { throw ValidationError("name the COMMAND to run after --") }
    }

    func run() throws { try Self.run(fault, after: after, to: to, limits, watched) }

    static func run(
        _ fault: RoutedRun.Fault, after: TimeLength?, to: AddressAndPort?, _ limits: FaultLimits,
        _ watched: CommandOptions
    ) throws {
        guard geteuid() == 0 else {
            log.error("network namespaces need root")
            throw ExitCode(1)
        }
        let run = ProvokeRun(count: nil, logFile: watched.logFile, command: watched.command)
        let settings = try run.settings(nil, When())
        var routed: RoutedRun?
        try run.serve(whileRunning: { loop, log, supervisor in
            let started = try RoutedRun(
                fault, settings, ipVersion: limits.ip == 4 ? .v4 : .v6, to: to?.endpoint, perSecond: limits.perSecond,
                loop: loop,
                log: log)
            routed = started
            try started.begin(after: after?.nanoseconds ?? 0) {
                try supervisor.start(watched.command, environment: variables(for: started.endpoint))
            }
        })
        withExtendedLifetime(routed) {}
    }
}

extension RoutedRun.Fault: ExpressibleByArgument {}
