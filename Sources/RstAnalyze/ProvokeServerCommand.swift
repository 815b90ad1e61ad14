import ArgumentParser
import Glibc
import Laboratory
import Logging
import Provoke

struct ProvokeServerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "server",
        abstract: "Run a server that resets its clients.",
        usage: "rst-analyze provoke server --listen ADDRESS:PORT [--how HOW] [--when WHEN] [OPTIONS] [-- COMMAND ...]",
        discussion: """
            Examples: rst-analyze provoke server --listen 127.0.0.1:8080 --how linger-zero
                      rst-analyze provoke server --listen 127.0.0.1:0 --how abort-on-close -- my-client

            HOW:
            \(How.allCases.map { "  \($0.rawValue): \($0.summary)" }.joined(separator: "\n"))

            WHEN: connect (default), received=N bytes of a request, sent=N bytes of an answer, request=N (after the \
            Nth request, before its answer), tls (in the middle of a handshake), after=TIME; and every=N for every Nth \
            connection only: --when request=2,every=3. Without --how, no connection is reset.

            COMMAND finds the server in $PROVOKE_URL, $PROVOKE_HOST and $PROVOKE_PORT. With port 0, the kernel chooses a port.
            """)

    @Option(help: ArgumentHelp("Where to listen: 127.0.0.1:8080, [::1]:0.", valueName: "address:port"))
    var listen: AddressAndPort

    @Option(help: "How to reset.")
    var how: How?

    @Option(help: ArgumentHelp("When to reset: connect, received=N, sent=N, request=N, tls, after=T; every=N."))
    var when = When()

    @Option(help: ArgumentHelp("Answer each request with the contents of this file.", valueName: "file"))
    var respond: String?

    @Option(
        help:
            "How long the port stays closed (closed-port), or a connection stays idle before it is closed (keepalive-race)."
    )
    var pause = TimeLength(argument: "1s")!

    @OptionGroup var options: ProvokeOptions

    func validate() throws {
        guard let how else { return }
        switch (how, when.moment) {
        case (.closedPort, .elapsed), (.closedPort, .connected), (.listenerClosed, .elapsed),
            (.listenerClosed, .connected), (.acceptQueueOverflow, .connected), (.keepaliveRace, .connected):
            break
        case (.closedPort, _), (.listenerClosed, _), (.acceptQueueOverflow, _), (.keepaliveRace, _):
            throw ValidationError(
                "--how \(how.rawValue) cannot be combined with --when \(when)")
        default: break
        }
        if how.isOfListener, when.every != 1 || options.rate != 1 {
            throw ValidationError(
                "--how \(how.rawValue) concerns all connections: it cannot be combined with every=N or --rate")
        }
    }

    func run() throws {
        var settings = try options.settings(how, when)
        settings.message = try respond.map(contents)
        settings.pause = pause.nanoseconds
        var server: AnyObject?
        try options.run.serve { loop, log in
            let endpoint: Endpoint
            if let how, how.isOfListener {
                let started = try ListenerServer(settings, how: how, listen: listen.endpoint, loop: loop, log: log)
                (server, endpoint) = (started, started.endpoint)
            } else {
                let started = try ResetServer(settings, listen: listen.endpoint, loop: loop, log: log)
                (server, endpoint) = (started, started.endpoint ?? listen.endpoint)
            }
            return variables(for: endpoint)
        }
        withExtendedLifetime(server) {}
    }
}
