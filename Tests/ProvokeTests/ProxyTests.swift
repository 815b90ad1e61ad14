import Foundation
import Glibc
import Laboratory
import NetworkTypes
import Testing

@testable import Provoke

/// `provoke proxy` between sockets of this process.
@Suite(.serialized) struct ProxyTests {
    static let listening: [IPVersion: IPAddress] = [
        .v4: IPAddress(ipv4: 0x7f00_0001), .v6: IPAddress(high: 0, low: 1),
    ]

    struct Pair {
        let proxy: Provoker
        let client: TestClient
        let server: Socket
        /// Where the server listens.
        let port: UInt16

        init(_ version: IPVersion, _ arguments: [String]) throws {
            let listener = try Socket(family: version == .v4 ? AF_INET : AF_INET6)
            try listener.bind(Endpoint(ProxyTests.listening[version]!, 0))
            try listener.listen()
            port = try listener.local().port
            proxy = try Provoker(
                "proxy",
                ["--listen", "\(loopback[version]!):0", "--to", "\(try listener.local())"] + arguments)
            client = try TestClient(proxy.endpoint)
            server = try listener.accept()
        }

        func receive(_ count: Int) throws -> [UInt8] {
            var bytes: [UInt8] = []
            while bytes.count < count {
                try server.waitUntilReadable()
                var chunk = [UInt8](repeating: 0, count: 65_536)
                let some = recv(server.number, &chunk, min(chunk.count, count - bytes.count), 0)
                guard some > 0 else { break }
                bytes += chunk[..<some]
            }
            return bytes
        }

        /// 0 for the end of file, or the negative of an error.
        func serverEnd() throws -> Int32 {
            try server.waitUntilReadable()
            var byte: UInt8 = 0
            let count = recv(server.number, &byte, 1, 0)
            return count < 0 ? -errno : Int32(count)
        }
    }

    /// Many bytes in both directions at once, half-closed after each other.
    @Test(arguments: IPVersion.allCases)
    func everythingPassesUnchanged(_ version: IPVersion) throws {
        let pair = try Pair(version, [])
        let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        let sender = Thread { [socket = pair.client.socket.number] in
            bytes.withUnsafeBytes { raw in
                var done = 0
                while done < raw.count {
                    let count = Glibc.send(socket, raw.baseAddress! + done, raw.count - done, Int32(MSG_NOSIGNAL))
                    if count <= 0 { break }
                    done += count
                }
            }
            Glibc.shutdown(socket, Int32(SHUT_WR))
        }
        sender.start()
        #expect(try pair.receive(bytes.count) == bytes)
        #expect(try pair.serverEnd() == 0)
        // The client has ended its side: the server's still works.
        try pair.server.send(1000)
        #expect(try pair.client.read(1000).bytes.count == 1000)
        try pair.server.send(10)
        try pair.server.shutdown(SHUT_WR)
        let rest = try pair.client.read()
        #expect(rest.bytes.count == 10 && rest.end == .file)
        #expect(try pair.proxy.finish(interrupting: true).map(\.type) == ["end"])
    }

    @Test(arguments: IPVersion.allCases)
    func aResetPassesEitherWay(_ version: IPVersion) throws {
        let first = try Pair(version, [])
        try first.server.setLinger(seconds: 0)
        first.server.close()
        #expect(try first.client.read().end == .error(ECONNRESET))
        #expect(try first.proxy.finish(interrupting: true).map(\.type) == ["passed-on", "end"])

        let second = try Pair(version, [])
        try second.client.socket.setLinger(seconds: 0)
        second.client.socket.close()
        #expect(try second.serverEnd() == -ECONNRESET)
        #expect(try second.proxy.finish(interrupting: true).map(\.type) == ["passed-on", "end"])
    }

    @Test func whoCannotBeReachedResetsTheClient() throws {
        // A port that was free a moment ago.
        let listener = try Socket(family: AF_INET)
        try listener.bind(Endpoint(IPAddress(ipv4: 0x7f00_0001), 0))
        let target = try listener.local()
        let proxy = try Provoker("proxy", ["--listen", "127.0.0.1:0", "--to", "\(target)"])
        #expect(try TestClient(proxy.endpoint).read().end == .error(ECONNRESET))
        _ = try proxy.finish(interrupting: true)
    }

    /// Sides and ways: the one that is not reset gets a FIN.
    @Test(arguments: Proxy.Side.allCases, IPVersion.allCases)
    func theSideAskedForIsReset(_ side: Proxy.Side, _ version: IPVersion) throws {
        let pair = try Pair(version, ["--how", "linger-zero", "--side", side.rawValue, "--count", "1"])
        let end = try pair.client.read().end
        #expect(end == (side == .server ? .file : .error(ECONNRESET)))
        #expect(try pair.serverEnd() == (side == .client ? 0 : -ECONNRESET))
        pair.server.close()
        pair.client.socket.close()
        let log = try pair.proxy.finish()
        #expect(
            log.filter { $0.type == "reset" }.compactMap(\.side)
                == (side == .both ? ["client", "server"] : [side.rawValue]))
    }

    @Test(arguments: ServerTests.Case.all([.lingerZero, .abortOnClose]))
    func afterBytesOfARequest(_ test: ServerTests.Case) throws {
        let pair = try Pair(test.version, ["--how", test.how.rawValue, "--when", "received=5", "--count", "1"])
        #expect(pair.client.send(Array("12345".utf8)) == nil)
        // What is left unread of a close did not go on.
        #expect(try pair.receive(5).count == (test.how == .abortOnClose ? 4 : 5))
        #expect(try pair.client.read().end == .error(ECONNRESET))
        #expect(try pair.proxy.finish().map(\.type) == ["reset", "end"])
    }

    @Test(arguments: ServerTests.Case.all([.lingerZero, .disconnect]))
    func afterBytesOfAnAnswer(_ test: ServerTests.Case) throws {
        let pair = try Pair(test.version, ["--how", test.how.rawValue, "--when", "sent=70000", "--count", "1"])
        let answer = [UInt8](repeating: 7, count: 70_001)
        var done = 0
        while done < answer.count {
            let count = answer[done...].withUnsafeBytes { Glibc.send(pair.server.number, $0.baseAddress, $0.count, 0) }
            try #require(count > 0)
            done += count
        }
        let got = try pair.client.read()
        #expect(got.bytes.count == 70_000 && got.end == .error(ECONNRESET))
        #expect(try pair.proxy.finish().map(\.type) == ["reset", "end"])
    }

    @Test(arguments: ServerTests.Case.all([.lingerZero, .abortOnClose, .dataAfterClose, .dataAfterShutdown]))
    func atTheSecondRequest(_ test: ServerTests.Case) throws {
        let pair = try Pair(test.version, ["--how", test.how.rawValue, "--when", "request=2", "--count", "1"])
        #expect(pair.client.send() == nil)
        #expect(try pair.receive(TestClient.request.count) == TestClient.request)
        try pair.server.send(20)
        #expect(try pair.client.read(20).end == nil)
        let got = try pair.client.untilError()
        let isOrderly = test.how == .dataAfterClose || test.how == .dataAfterShutdown
        #expect(got.sawEndOfFile == isOrderly && got.error == (isOrderly ? EPIPE : ECONNRESET))
        #expect(try pair.proxy.finish().map(\.type) == ["reset", "end"])
    }

    @Test(arguments: IPVersion.allCases)
    func inATLSHandshakeAndAfterATime(_ version: IPVersion) throws {
        let handshake = try Pair(version, ["--how", "linger-zero", "--when", "tls", "--count", "1"])
        #expect(handshake.client.send([22, 3, 1, 0, 2, 1, 0]) == nil)
        #expect(try handshake.client.read().end == .error(ECONNRESET))
        #expect(try handshake.proxy.finish().map(\.type) == ["reset", "end"])

        let timed = try Pair(version, ["--how", "linger-zero", "--when", "after=50ms", "--count", "1"])
        #expect(try timed.client.read().end == .error(ECONNRESET))
        #expect(try timed.proxy.finish().map(\.type) == ["reset", "end"])
    }

    @Test(arguments: ServerTests.Case.all([.keepaliveTimeout, .userTimeout]))
    func silenceEndsInATimeout(_ test: ServerTests.Case) throws {
        let pair = try Pair(test.version, ["--how", test.how.rawValue, "--count", "1"])
        #expect(try pair.client.read().end == .error(ECONNRESET))
        #expect(try pair.proxy.finish().map(\.cause) == [test.how.cause, nil])
    }
}
