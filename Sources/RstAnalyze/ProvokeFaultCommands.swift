import ArgumentParser
import Glibc
import Laboratory
import Logging
import Provoke

/// Options shared by `provoke inject` and `provoke reject`: behind a router of their own, or on an interface of this host.
struct FaultOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The service whose connections are reset; without --interface, where the server behind the router forwards to.",
            valueName: "address:port"))
    var to: AddressAndPort?

    @Option(help: ArgumentHelp("Reset connections that pass this existing interface.", valueName: "name"))
    var interface: String?

    @Flag(
        name: .customLong("i-own-this-network"),
        help: "Confirm --interface: it resets connections of other users and hosts, too.")
    var ownsNetwork = false

    @Option(help: "When to start. (default: at once)")
    var after: TimeLength?

    @Option(name: [.customShort("c"), .long], help: ArgumentHelp("Stop after N resets.", valueName: "n"))
    var count: Int?

    @OptionGroup var limits: FaultLimits

    @OptionGroup var watched: CommandOptions

    func validate() throws {
        if let count, count < 1 { throw ValidationError("--count must be at least 1") }
        guard interface == nil else {
            if to == nil { throw ValidationError("--interface needs --to, the service whose connections are reset") }
            if !ownsNetwork {
                throw ValidationError(
                    "--interface resets connections of other users and hosts: confirm with --i-own-this-network")
            }
            return
        }
        if ownsNetwork { throw ValidationError("--i-own-this-network needs --interface") }
        if watched.command.isEmpty {
            throw ValidationError("name a COMMAND to run behind a router, or an --interface")
        }
        if count != nil { throw ValidationError("--count needs --interface: behind a router, COMMAND runs to its end") }
    }

    func run(_ kind: InterfaceFault.Kind) throws {
        guard let interface, let to else {
            let fault: RoutedRun.Fault = kind == .reject ? .reject : .inject
            return try ProvokeRunCommand.run(
                fault, after: after, to: to, limits, watched)
        }
        guard geteuid() == 0 else {
            log.error("provoke \(kind.rawValue) --interface needs root")
            throw ExitCode(1)
        }
        let run = ProvokeRun(count: count, logFile: watched.logFile, command: watched.command)
        let settings = try run.settings(nil, When())
        var fault: InterfaceFault?
        defer { fault?.end() }
        try run.serve { loop, log in
            let started = try InterfaceFault(
                kind, settings, interface: interface, to: to.endpoint, perSecond: limits.perSecond, loop: loop, log: log
            )
            fault = started
            try started.begin(after: after?.nanoseconds ?? 0)
            return variables(for: to.endpoint)
        }
    }
}

private let discussionOfPlaces = """
    Needs root. Without --interface, COMMAND runs as with "provoke run", in a network namespace created for it, and finds a \
    server behind a router in $PROVOKE_URL, $PROVOKE_HOST and $PROVOKE_PORT. With --interface and --i-own-this-network, \
    connections to --to that pass that interface are reset, wherever they come from, until --count, SIGINT or the end of \
    COMMAND.
    """

struct ProvokeInjectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inject",
        abstract: "Forge RSTs to both ends of connections that pass by.",
        usage: """
            rst-analyze provoke inject [--after TIME] [--to ADDRESS:PORT] [OPTIONS] -- COMMAND ...
            rst-analyze provoke inject --interface NAME --i-own-this-network --to ADDRESS:PORT [OPTIONS] [-- COMMAND ...]
            """,
        discussion: """
            Examples: sudo rst-analyze provoke inject --after 2s -- my-client
                      sudo rst-analyze provoke inject --to 10.0.0.5:443 -- my-client

            Each end gets a RST with the sequence number that it expects next, as an intrusion detection system or a \
            censor sends it. An idle connection is left alone until its next segment.

            \(discussionOfPlaces)
            """)

    @OptionGroup var options: FaultOptions

    func run() throws { try options.run(.inject) }
}

struct ProvokeRejectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reject",
        abstract: "Reject segments to a service with RSTs from netfilter.",
        usage: """
            rst-analyze provoke reject [--after TIME] [--to ADDRESS:PORT] [OPTIONS] -- COMMAND ...
            rst-analyze provoke reject --interface NAME --i-own-this-network --to ADDRESS:PORT [OPTIONS] [-- COMMAND ...]
            """,
        discussion: """
            Examples: sudo rst-analyze provoke reject -- my-client
                      sudo rst-analyze provoke reject --to 10.0.0.5:443 -- my-client

            Segments to the service meet a rule "reject with tcp reset" and do not reach it, as with a firewall that was \
            changed while connections were open. The rules are removed when the program ends, even by SIGKILL.

            \(discussionOfPlaces)
            """)

    @OptionGroup var options: FaultOptions

    func run() throws { try options.run(.reject) }
}
