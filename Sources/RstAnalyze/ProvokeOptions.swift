public import ArgumentParser
import Glibc
import Laboratory
import Logging
import NetworkTypes
public import Provoke

/// The subcommands of `provoke`.
struct ProvokeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "provoke",
        abstract: "Reset connections on demand, to test clients and servers.",
        discussion: """
            Examples: rst-analyze provoke server --listen 127.0.0.1:8080 --how linger-zero
                      rst-analyze provoke proxy --listen 127.0.0.1:8080 --to 10.0.0.5:80

            Logs one line of JSON per reset to standard output (rst-provoke/1), with the cause that a report of a \
            recording made at the same time should name. Runs until --count, SIGINT or SIGTERM, or until COMMAND exits, \
            and then has its exit status.
            """,
        subcommands: [
            ProvokeServerCommand.self, ProvokeProxyCommand.self, ProvokeClientCommand.self, ProvokeRunCommand.self,
            ProvokeInjectCommand.self, ProvokeRejectCommand.self,
        ])
}

/// An address and a port: `127.0.0.1:8080`, `[::1]:8080`.
struct AddressAndPort: ExpressibleByArgument, Equatable {
    let endpoint: Endpoint

    init?(argument: String) {
        guard let colon = argument.lastIndex(of: ":"), let port = UInt16(argument[argument.index(after: colon)...])
        else { return nil }
        var name = argument[..<colon]
        if name.hasPrefix("["), name.hasSuffix("]") {
            name = name.dropFirst().dropLast()
        } else if name.contains(":") {
            return nil
        }
        if name == "localhost" { name = "127.0.0.1" }
        guard let address = IPAddress(name) else { return nil }
        endpoint = Endpoint(address, port)
    }
}

extension How: ExpressibleByArgument {}

/// Reads words separated by commas: a moment, and `every=N`.
extension When: ExpressibleByArgument {
    public var defaultValueDescription: String { description }

    public init?(argument: String) {
        self.init()
        var hasMoment = false
        for word in argument.split(separator: ",", omittingEmptySubsequences: false) {
            let parts = word.split(separator: "=", maxSplits: 1)
            guard let name = parts.first else { return nil }
            let value = parts.count > 1 ? String(parts[1]) : nil
            let number = value.flatMap { Int($0) }.flatMap { $0 > 0 && $0 <= 1 << 40 ? $0 : nil }
            if name == "every" {
                guard let number else { return nil }
                every = number
                continue
            }
            guard !hasMoment else { return nil }
            hasMoment = true
            switch (name, value, number) {
            case ("connect", nil, _): moment = .connected
            case ("tls", nil, _): moment = .hello
            case ("received", _, let number?): moment = .received(number)
            case ("sent", _, let number?): moment = .sent(number)
            case ("request", _, let number?): moment = .request(number)
            case ("after", let value?, _):
                guard let time = TimeLength(argument: value) else { return nil }
                moment = .elapsed(time.nanoseconds)
            default: return nil
            }
        }
    }
}

/// Where all subcommands write their log, and what they run.
struct CommandOptions: ParsableArguments {
    @Option(
        name: .customLong("log"),
        help: ArgumentHelp("Write the log to this file instead of standard output.", valueName: "file"))
    var logFile: String?

    @Argument(parsing: .postTerminator, help: "Run this command and exit when it does.")
    var command: [String] = []
}

/// How often `provoke run`, `inject` and `reject` send RSTs, and in which namespaces.
struct FaultLimits: ParsableArguments {
    @Option(help: ArgumentHelp("RSTs per second, at most 1000.", valueName: "n"))
    var perSecond = 100

    @Option(help: "IP version of the namespaces, where some are made: 4 or 6.")
    var ip = 4

    func validate() throws {
        guard perSecond >= 2, perSecond <= 1000 else { throw ValidationError("--per-second must be from 2 to 1000") }
        if ip != 4, ip != 6 { throw ValidationError("--ip must be 4 or 6") }
    }
}

/// Options shared by the subcommands that open or accept connections.
struct ProvokeOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Fraction of the connections to reset, 0 to 1.", valueName: "p"))
    var rate = 1.0

    @Option(name: [.customShort("c"), .long], help: ArgumentHelp("Stop after N resets.", valueName: "n"))
    var count: Int?

    @OptionGroup var watched: CommandOptions

    func validate() throws {
        guard rate >= 0, rate <= 1 else { throw ValidationError("--rate must be from 0 to 1") }
        if let count, count < 1 { throw ValidationError("--count must be at least 1") }
    }

    /// The settings that the options request; throws if this process cannot do that here.
    func settings(_ how: How?, _ when: When) throws -> Settings {
        var settings = try run.settings(how, when)
        settings.rate = rate
        return settings
    }

    var run: ProvokeRun { ProvokeRun(count: count, logFile: watched.logFile, command: watched.command) }
}

/// The variables that tell COMMAND where to connect to.
func variables(for endpoint: Endpoint) -> [(String, String)] {
    let endpoint = endpoint.reachable
    let host = endpoint.address.description
    return [
        ("PROVOKE_HOST", host), ("PROVOKE_PORT", "\(endpoint.port)"), ("PROVOKE_URL", "http://\(endpoint)/"),
    ]
}
