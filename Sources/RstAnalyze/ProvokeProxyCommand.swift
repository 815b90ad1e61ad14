public import ArgumentParser
import Glibc
import Laboratory
import Logging
public import Provoke

struct ProvokeProxyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "proxy",
        abstract: "Sit between a client and a server and reset either side.",
        usage:
            "rst-analyze provoke proxy --listen ADDRESS:PORT --to ADDRESS:PORT [--how HOW] [--when WHEN] [--side SIDE] [-- COMMAND ...]",
        discussion: """
            Examples: rst-analyze provoke proxy --listen 127.0.0.1:8080 --to 10.0.0.5:80
                      rst-analyze provoke proxy --listen [::1]:0 --to 10.0.0.5:80 --how linger-zero

            Forwards everything else unchanged, including half-closes and resets. Needs no root. HOW and WHEN are those of \
            "provoke server" that concern a single connection; received=N counts bytes from the client, sent=N bytes from \
            the server. A side that is not reset is closed with a FIN.

            COMMAND finds the proxy in $PROVOKE_URL, $PROVOKE_HOST and $PROVOKE_PORT.
            """)

    @Option(help: ArgumentHelp("Where to listen: 127.0.0.1:8080, [::1]:0.", valueName: "address:port"))
    var listen: AddressAndPort

    @Option(help: ArgumentHelp("Where to connect to.", valueName: "address:port"))
    var to: AddressAndPort

    @Option(help: "How to reset.")
    var how: How?

    @Option(help: ArgumentHelp("When to reset: connect, received=N, sent=N, request=N, tls, after=T; every=N."))
    var when = When()

    @Option(help: "Which side to reset: client, server or both.")
    var side = Proxy.Side.client

    @OptionGroup var options: ProvokeOptions

    func validate() throws {
        if let how, how.isOfListener || how == .keepaliveRace {
            throw ValidationError("--how \(how.rawValue) is for \"provoke server\"")
        }
    }

    func run() throws {
        let settings = try options.settings(how, when)
        var proxy: Proxy?
        try options.run.serve { loop, log in
            let started = try Proxy(
                settings, listen: listen.endpoint, to: to.endpoint, side: side, loop: loop, log: log)
            proxy = started
            return variables(for: started.endpoint)
        }
        withExtendedLifetime(proxy) {}
    }
}

extension Proxy.Side: ExpressibleByArgument {}
