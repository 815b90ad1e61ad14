import Foundation
import Glibc
import Laboratory
import NetworkTypes
import Testing

@testable import Provoke

/// What needs no root works without it, even on kernels that do not allow socket filters to ordinary users.
@Suite(.serialized) struct OrdinaryUserTests {
    private static let prefix =
        isRoot ? ["/usr/bin/setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"] : []

    /// The program may be in a directory that only root can enter.
    private static let canRun: Bool = {
        let process = Process()
        let words = prefix + [program, "--version"]
        process.executableURL = URL(filePath: words[0])
        process.arguments = Array(words.dropFirst())
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }()

    @Test(
        .enabled(if: canRun),
        arguments: [
            How.abortOnClose, .lingerZero, .disconnect, .dataAfterClose, .dataAfterShutdown, .keepaliveRace,
            .listenerClosed,
        ])
    func resetsWithoutRoot(_ how: How) throws {
        let server = try Provoker(
            "server", ["--listen", "127.0.0.1:0", "--how", how.rawValue, "--count", "1", "--pause", "50ms"],
            prefix: Self.prefix)
        let expected = try #require(ServerTests.expected.first { $0.how == how })
        let got = try TestClient(server.endpoint).untilError()
        #expect(got.error == expected.error)
        let log = try server.finish()
        #expect(log.map(\.type) == ["reset", "end"] && log.first?.cause == how.cause)
        #expect(server.process.terminationStatus == 0)
    }

    @Test(.enabled(if: canRun)) func aClosedPortRefusesWithoutRoot() throws {
        let server = try Provoker(
            "server",
            ["--listen", "127.0.0.1:0", "--how", "closed-port", "--when", "after=10ms", "--pause", "100ms", "-c", "2"],
            prefix: Self.prefix)
        #expect(try server.finish().map(\.type) == ["closed", "open", "closed", "open", "end"])
        #expect(server.process.terminationStatus == 0)
    }

    @Test(.enabled(if: canRun), arguments: [How.keepaliveTimeout, .userTimeout, .finWait2])
    func whatCannotBeDoneIsSaidAtOnce(_ how: How) throws {
        let process = Process()
        let words =
            Self.prefix + [
                program, "provoke", "client", "--to", "127.0.0.1:9", "--how", how.rawValue, "--log", "/dev/null",
            ]
        process.executableURL = URL(filePath: words[0])
        process.arguments = Array(words.dropFirst())
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 1)
    }
}
