import Foundation
import Glibc
import Laboratory
import NetworkTypes
import Testing

@testable import Provoke

/// Every HOW and WHEN of `provoke server` on loopback: what the client's system calls get, and what the log says.
@Suite(.serialized) struct ServerTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let how: How
        let version: IPVersion
        var testDescription: String { "\(how.rawValue) \(version)" }

        static func all(_ hows: [How]) -> [Case] {
            hows.flatMap { how in IPVersion.allCases.map { Case(how: how, version: $0) } }
        }
    }

    /// What the client gets: an end of file first or not, and an error.
    static let expected: [(how: How, sawEndOfFile: Bool, error: Int32)] = [
        (.abortOnClose, false, ECONNRESET), (.lingerZero, false, ECONNRESET), (.disconnect, false, ECONNRESET),
        (.dataAfterClose, true, EPIPE), (.dataAfterShutdown, true, EPIPE), (.keepaliveRace, true, EPIPE),
        (.keepaliveTimeout, false, ECONNRESET), (.userTimeout, false, ECONNRESET), (.finWait2, true, EPIPE),
        (.listenerClosed, false, ECONNRESET),
    ]

    @Test(arguments: Case.all(expected.map(\.how)))
    func theClientGetsTheError(_ test: Case) throws {
        if let obstacle = test.how.obstacle(isRoot: isRoot) { try Test.cancel("\(obstacle)") }
        let expected = try #require(Self.expected.first { $0.how == test.how })
        let server = try Provoker(server: test.how, test.version, ["--pause", "50ms"])
        let client = try TestClient(server.endpoint)
        let got = try client.untilError()
        #expect(got.error == expected.error)
        // The RST that overtakes the first request is all that the client sees.
        #expect(got.sawEndOfFile == expected.sawEndOfFile)
        let log = try server.finish()
        #expect(server.process.terminationStatus == 0)
        try #require(log.map(\.type) == ["reset", "end"])
        #expect(log[0].how == test.how.rawValue)
        #expect(log[0].cause == test.how.cause)
        #expect(log[0].src == server.endpoint.address.description && log[0].srcPort == server.endpoint.port)
        #expect(log[0].dst == client.local.address.description && log[0].dstPort == client.local.port)
        #expect(log[1].resets == 1)
    }

    @Test(arguments: ["127.0.0.1", "0.0.0.0", "[::1]", "[::]"])
    func aClosedPortRefuses(_ address: String) throws {
        let version: IPVersion = address.contains(":") ? .v6 : .v4
        let server = try Provoker(
            "server",
            ["--listen", "\(address):0", "--how", "closed-port", "--when", "after=10ms", "--pause", "200ms"])
        let target = Endpoint(try #require(Endpoint(text: "\(loopback[version]!):0")).address, server.endpoint.port)
        var refused: [UInt16] = []
        try wait(for: "refusals") {
            let client = try Socket(family: version.family)
            try client.bind(Endpoint(target.address, 0))
            let port = try client.local().port
            do {
                try client.connect(to: target)
            } catch LabError.system(_, _, ECONNREFUSED) {
                refused.append(port)
            } catch LabError.system(_, _, ECONNRESET) {}
            client.close()
            return refused.count == 20
        }
        let log = try server.finish(interrupting: true)
        #expect(log.map(\.type).contains("closed"))
        let resets = log.filter { $0.type == "reset" }
        #expect(resets.allSatisfy { $0.cause == "closed-port" && $0.srcPort == target.port })
        // Exactly those that were refused; a port can occur twice.
        if isRoot { #expect(resets.compactMap(\.dstPort) == refused) }
    }

    @Test(arguments: IPVersion.allCases)
    func afterBytesReceived(_ version: IPVersion) throws {
        let server = try Provoker(server: .lingerZero, version, when: "received=10")
        let client = try TestClient(server.endpoint)
        // Anything but HTTP is answered chunk by chunk: 9 bytes are not enough for a reset.
        #expect(client.send([UInt8](repeating: 1, count: 9)) == nil)
        #expect(try client.read(19).bytes.starts(with: Array("HTTP/1.1 200 OK\r\n".utf8)))
        #expect(client.send([1]) == nil)
        #expect(try client.read().end == .error(ECONNRESET))
        #expect(try server.finish().map(\.type) == ["reset", "end"])
    }

    @Test(arguments: Case.all([.lingerZero, .abortOnClose]))
    func afterBytesSent(_ test: Case) throws {
        let server = try Provoker(server: test.how, test.version, when: "sent=100000")
        let client = try TestClient(server.endpoint)
        #expect(client.send() == nil)
        let got = try client.read()
        #expect(got.bytes.count == 100_000)
        #expect(got.end == .error(ECONNRESET))
        #expect(try server.finish().map(\.type) == ["reset", "end"])
    }

    @Test(arguments: IPVersion.allCases)
    func atTheSecondRequest(_ version: IPVersion) throws {
        let server = try Provoker(server: .abortOnClose, version, when: "request=2")
        let client = try TestClient(server.endpoint)
        #expect(client.send() == nil)
        let answer = try client.read(67)
        #expect(answer.end == nil)
        #expect(client.send() == nil)
        let rest = try client.read()
        #expect(rest.bytes.isEmpty && rest.end == .error(ECONNRESET))
        #expect(try server.finish().map(\.type) == ["reset", "end"])
    }

    @Test(arguments: IPVersion.allCases)
    func inTheMiddleOfATLSHandshake(_ version: IPVersion) throws {
        let server = try Provoker(server: .lingerZero, version, when: "tls")
        let client = try TestClient(server.endpoint)
        #expect(client.send([22, 3, 1, 0, 10, 1, 0]) == nil)
        // The server has seen only the first piece.
        usleep(50_000)
        #expect(client.send([UInt8](repeating: 0, count: 8)) == nil)
        let got = try client.read()
        // A part of a record: its head says how long it would be.
        #expect(got.bytes.starts(with: [22, 3, 3, 0, 122]) && got.bytes.count < 127)
        #expect(got.end == .error(ECONNRESET))
        #expect(try server.finish().map(\.type) == ["reset", "end"])
    }

    @Test(arguments: IPVersion.allCases)
    func afterATime(_ version: IPVersion) throws {
        let server = try Provoker(server: .lingerZero, version, when: "after=300ms")
        let client = try TestClient(server.endpoint)
        #expect(try client.read().end == .error(ECONNRESET))
        #expect(try server.finish().map(\.type) == ["reset", "end"])
    }

    @Test func everySecondConnection() throws {
        let server = try Provoker(server: .lingerZero, .v4, when: "request=1,every=2", count: nil)
        var errors: [Int32?] = []
        for _ in 0..<4 {
            let client = try TestClient(server.endpoint)
            #expect(client.send() == nil)
            if case .error(let error)? = try client.read(67).end { errors.append(error) } else { errors.append(nil) }
            client.socket.close()
        }
        #expect(errors == [nil, ECONNRESET, nil, ECONNRESET])
        #expect(try server.finish(interrupting: true).map(\.type) == ["reset", "reset", "end"])
        #expect(server.process.terminationStatus == 0)
    }

    @Test func aRateOfZeroResetsNothing() throws {
        let server = try Provoker(server: .lingerZero, .v4, count: nil, ["--rate", "0"])
        for _ in 0..<20 {
            let client = try TestClient(server.endpoint)
            #expect(client.send() == nil)
            #expect(try client.read(67).end == nil)
            client.socket.close()
        }
        #expect(try server.finish(interrupting: true).map(\.type) == ["end"])
    }

    /// Another answer, and several requests at once, in one segment.
    @Test func requestsAreAnsweredWithTheFile() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "rst-\(UUID().uuidString)")
        try Data("HTTP/1.1 204 No Content\r\n\r\n".utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let server = try Provoker(server: nil, .v4, count: nil, ["--respond", file.path])
        let client = try TestClient(server.endpoint)
        #expect(client.send(TestClient.request + TestClient.request + TestClient.request) == nil)
        #expect(client.send(Array("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab".utf8)) == nil)
        #expect(try client.read(3 * 27).bytes.count == 81)
        #expect(client.send([1]) == nil)
        try client.socket.shutdown(SHUT_WR)
        let last = try client.read()
        #expect(last.bytes.count == 27 && last.end == .file)
        _ = try server.finish(interrupting: true)
    }

    /// A client that ends the connection itself is reported, but does not count.
    @Test func whatTheClientEndsItselfIsMissed() throws {
        let server = try Provoker(server: .abortOnClose, .v4, when: "request=1")
        let early = try TestClient(server.endpoint)
        try early.socket.shutdown(SHUT_WR)
        #expect(try early.read().end == .file)
        let late = try TestClient(server.endpoint)
        #expect(late.send() == nil)
        #expect(try late.read().end == .error(ECONNRESET))
        #expect(try server.finish().map(\.type) == ["missed", "reset", "end"])
    }
}
