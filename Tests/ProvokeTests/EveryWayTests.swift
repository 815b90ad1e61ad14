import Glibc
import Laboratory
import NetworkTypes
import Testing

@testable import Provoke

/// Every HOW of a connection at every WHEN, of a server and of a proxy.
@Suite(.serialized) struct EveryWayTests {
    /// Each WHEN with what a client does until it has come.
    enum Moment: String, CaseIterable, Sendable {
        case connect
        case received = "received=10"
        case sent = "sent=100"
        case request = "request=2"
        case tls
        case after = "after=100ms"

        /// What the client sends first, and after an answer to that.
        var requests: [[UInt8]] {
            switch self {
            case .connect, .after: []
            case .received: [[UInt8](repeating: 1, count: 10)]
            case .sent: [TestClient.request]
            case .request: [TestClient.request, TestClient.request]
            case .tls: [[22, 3, 1, 0, 2, 1, 0]]
            }
        }
    }

    /// All moments at once: some ways take seconds.
    @Test(arguments: ServerTests.Case.all(ServerTests.expected.map(\.how).filter { !$0.isOfListener }))
    func ofAServer(_ test: ServerTests.Case) throws {
        if let obstacle = test.how.obstacle(isRoot: isRoot) { try Test.cancel("\(obstacle)") }
        let expected = try #require(ServerTests.expected.first { $0.how == test.how })
        let moments: [Moment] = test.how == .keepaliveRace ? [.connect] : Moment.allCases
        let running = try moments.map { moment in
            let server = try Provoker(server: test.how, test.version, when: moment.rawValue, ["--pause", "50ms"])
            return (moment, server, try TestClient(server.endpoint))
        }
        for (moment, _, client) in running {
            for (number, request) in moment.requests.enumerated() {
                #expect(client.send(request) == nil, "\(moment)")
                if number + 1 < moment.requests.count { #expect(try client.read(67).end == nil, "\(moment)") }
            }
        }
        for (moment, server, client) in running {
            let got = try client.untilError()
            // What was sent meanwhile may meet the RST itself.
            let errors = expected.sawEndOfFile ? [EPIPE, ECONNRESET] : [ECONNRESET, EPIPE]
            #expect(errors.contains(got.error), "\(moment)")
            let log = try server.finish()
            #expect(log.map(\.type) == ["reset", "end"], "\(moment)")
            #expect(log.first?.cause == test.how.cause && log.first?.dstPort == client.local.port, "\(moment)")
        }
    }

    struct ProxyCase: Sendable, CustomTestStringConvertible {
        let moment: Moment
        let side: Proxy.Side
        let version: IPVersion
        var testDescription: String { "\(moment.rawValue) \(side.rawValue) \(version)" }

        static let all = Moment.allCases.flatMap { moment in
            Proxy.Side.allCases.flatMap { side in
                IPVersion.allCases.map { ProxyCase(moment: moment, side: side, version: $0) }
            }
        }
    }

    @Test(arguments: ProxyCase.all)
    func ofAProxy(_ test: ProxyCase) throws {
        let pair = try ProxyTests.Pair(
            test.version,
            ["--how", "linger-zero", "--when", test.moment.rawValue, "--side", test.side.rawValue, "--count", "1"])
        for (number, request) in test.moment.requests.enumerated() {
            #expect(pair.client.send(request) == nil)
            if number + 1 < test.moment.requests.count || test.moment == .sent {
                #expect(try pair.receive(request.count) == request)
                try pair.server.send(test.moment == .sent ? 100 : 20)
                if test.moment != .sent { #expect(try pair.client.read(20).end == nil) }
            }
        }
        // All that came before the moment was passed on, in both directions.
        let toClient = try pair.client.read()
        #expect(toClient.bytes.count == (test.moment == .sent ? 100 : 0))
        #expect(toClient.end == (test.side == .server ? .file : .error(ECONNRESET)))
        var end: Int32
        repeat { end = try pair.serverEnd() } while end > 0
        #expect(end == (test.side == .client ? 0 : -ECONNRESET))
        pair.server.close()
        pair.client.socket.close()
        let resets = try pair.proxy.finish().filter { $0.type == "reset" }
        #expect(
            resets.compactMap(\.side).sorted() == (test.side == .both ? ["client", "server"] : [test.side.rawValue]))
        for reset in resets {
            // Each RST goes from the proxy to that peer.
            #expect((reset.side == "client") == (reset.srcPort == pair.proxy.endpoint.port))
            #expect(reset.dstPort == (reset.side == "client" ? pair.client.local.port : pair.port))
        }
    }

    /// The server's end of a proxy, by each way that a proxy has.
    @Test(
        arguments: ServerTests.Case.all([.abortOnClose, .lingerZero, .disconnect, .dataAfterClose, .dataAfterShutdown]))
    func ofAProxyToItsServer(_ test: ServerTests.Case) throws {
        let pair = try ProxyTests.Pair(
            test.version, ["--how", test.how.rawValue, "--when", "received=5", "--side", "server", "--count", "1"])
        #expect(pair.client.send(Array("12345".utf8)) == nil)
        #expect(try pair.receive(1) == Array("1".utf8))
        // For a close to leave unread, or a socket that is closed to reset.
        var failure: Int32 = 0
        try wait(for: "error of the server's send") {
            failure = Glibc.send(pair.server.number, [1], 1, Int32(MSG_NOSIGNAL)) < 0 ? errno : 0
            return failure != 0
        }
        #expect(failure == ECONNRESET || failure == EPIPE)
        let log = try pair.proxy.finish()
        #expect(log.map(\.type) == ["reset", "end"])
        #expect(log.first?.side == "server" && log.first?.cause == test.how.cause)
    }

    /// After the last reset a COMMAND finds an ordinary server.
    @Test(arguments: ServerTests.Case.all([.listenerClosed, .closedPort, .lingerZero]))
    func afterTheCountAllIsWell(_ test: ServerTests.Case) throws {
        let server = try Provoker(
            "server",
            [
                "--listen", "\(loopback[test.version]!):0", "--how", test.how.rawValue, "--when",
                test.how == .closedPort ? "after=10ms" : "connect", "--pause", "50ms", "--count", "1", "--", "sleep",
                "60",
            ])
        var failures = 0
        try wait(for: "answer") {
            do {
                let client = try TestClient(server.endpoint)
                defer { client.socket.close() }
                if client.send() == nil, try client.read(67).end == nil { return failures > 0 }
            } catch LabError.system(_, _, ECONNREFUSED) {}
            failures += 1
            return false
        }
        for _ in 0..<20 {
            let client = try TestClient(server.endpoint)
            #expect(client.send() == nil)
            #expect(try client.read(67).end == nil)
            client.socket.close()
        }
        let log = try server.finish(interrupting: true)
        if isRoot || test.how != .closedPort { #expect(!log.filter { $0.type == "reset" }.isEmpty) }
    }
}
