import ArgumentParser
import Glibc
import Laboratory
import Logging
import Provoke

struct ProvokeClientCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "client",
        abstract: "Run a client that resets its server, or vanishes.",
        usage: "rst-analyze provoke client --to ADDRESS:PORT --how HOW [--when WHEN] [OPTIONS]",
        discussion: """
            Examples: rst-analyze provoke client --to 127.0.0.1:8080 --how linger-zero
                      rst-analyze provoke client --to 127.0.0.1:8080 --how abort-on-close

            HOW: those of "provoke server" for a connection, and
              vanish: the socket disappears silently; the server's next segment is answered with a RST (root).
              silence: neither sends nor hears anything for --pause, like a host that lost power.
              send-after-close: waits for the server's FIN, then sends data; the server resets.

            WHEN: connect (default), sent=N bytes of the request, received=N bytes of the answer, after=TIME. Opens --count \
            connections (1), at most --per-second. The exit status is 1 if one of them could not be reset.
            """)

    @Option(help: ArgumentHelp("Where to connect to.", valueName: "address:port"))
    var to: AddressAndPort

    @Option(help: "How to reset.")
    var how: String

    @Option(help: ArgumentHelp("When: connect, sent=N, received=N, after=T."))
    var when = When()

    @Option(help: ArgumentHelp("Send the contents of this file instead of a small HTTP request.", valueName: "file"))
    var send: String?

    @Option(help: "How long --how silence lasts.")
    var pause = TimeLength(argument: "10s")!

    @Option(help: ArgumentHelp("Connections per second, at most 1000.", valueName: "n"))
    var perSecond = 10.0

    @Option(name: [.customShort("c"), .long], help: ArgumentHelp("Number of connections.", valueName: "n"))
    var count = 1

    @Option(
        name: .customLong("log"),
        help: ArgumentHelp("Write the log to this file instead of standard output.", valueName: "file"))
    var logFile: String?

    private var way: ResetClient.Way? {
        switch how {
        case "vanish": .vanish
        case "silence": .silence
        case "send-after-close": .sendAfterClose
        default: How(rawValue: how).flatMap { $0.isOfListener || $0 == .keepaliveRace ? nil : .reset($0) }
        }
    }

    func validate() throws {
        guard way != nil else { throw ValidationError("--how \(how) is not available for a client") }
        guard perSecond > 0, perSecond <= 1000 else {
            throw ValidationError("--per-second must be greater than 0 and at most 1000")
        }
        guard count >= 1 else { throw ValidationError("--count must be at least 1") }
        switch when.moment {
        case .request, .hello:
            throw ValidationError("--when \(when.moment == .hello ? "tls" : "request=N") is not available for a client")
        default: break
        }
    }

    func run() throws {
        guard let way else { return }
        if way == .silence, let obstacle = SocketFilter.obstacle {
            log.error("--how silence needs \(obstacle)")
            throw ExitCode(1)
        }
        if way == .vanish, geteuid() != 0 {
            log.error("vanish takes a socket away from the kernel (TCP_REPAIR): it needs root")
            throw ExitCode(1)
        }
        let run = ProvokeRun(count: count, logFile: logFile, command: [])
        var settings = try run.settings(way.how, when)
        settings.message = try send.map(contents)
        settings.pause = pause.nanoseconds
        var client: ResetClient?
        var resets: ResetLog?
        try run.serve { loop, log in
            let started = ResetClient(
                settings, way, name: how, to: to.endpoint, perSecond: perSecond, loop: loop, log: log)
            client = started
            resets = log
            started.begin()
            return []
        }
        withExtendedLifetime(client) {}
        if let resets, resets.misses > 0 { throw ExitCode(1) }
    }
}
