import Correlator
import Foundation
import InputFiles
import Testing

/// Which cause leads, and what is said, on captures without kernel events in fixtures/packets, whose READMEs justify it.
@Suite struct PacketStateTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let packet: Int
        let cause: Cause
        /// Part of the decisive fact.
        let says: String?

        init(_ name: String, _ packet: Int, _ cause: Cause, _ says: String? = nil) {
            self.name = name
            self.packet = packet
            self.cause = cause
            self.says = says
        }

        var testDescription: String { "\(name), packet \(packet)" }
    }

    private static let cases = [
        Case("accept-queue-was-not-full", 5, .staleConnectionAtListener, "15.5 s without a packet before packet 4"),
        Case("answer-of-an-older-linux", 6, .dataAfterClose),
        Case("answer-to-what-was-not-captured", 24, .dataAfterClose),
        Case("closed-window-and-a-timer", 17, .lingerZero, "probed the other end's closed window 3 times"),
        Case("conntrack-entry-deleted", 9, .staleConnectionAtListener, "the port was open"),
        Case("data-after-close-one-sided", 4, .dataAfterClose),
        Case("handshake-that-timed-out", 9, .userTimeout, "sent its SYN 7 times"),
        Case("keepalive-every-75-s", 25, .keepaliveTimeout, "nothing was sent for 75.2 s before the RST"),
        Case("keepalive-race", 10, .dataAfterClose, "its sender closed 5.0 s after the last packet before its FIN"),
        Case("keepalive-race", 12, .staleConnectionAtListener),
        Case("load-balancer-forgot-after-15-min", 5, .idleTimeout, "903 s without a packet before packet 4"),
        Case("rst-that-nobody-heeds", 3, .staleConnection, "the RST had no effect: the other end goes on 126 s later"),
        Case("served-port-no-handshake-captured", 7, .staleConnectionAtListener),
        Case("served-port-refuses-late-data", 17, .staleConnectionAtListener, "the port was open"),
        Case("time-wait-answers", 20, .dataAfterFullClose, "only a TIME_WAIT entry was left"),
        Case("tls-alert-then-rst", 12, .abortOnClose, "a fatal TLS alert: unknown_ca"),
    ]

    private static func resets(of name: String) throws -> ResetList {
        let folder = FixtureTests.fixtures.appending(path: "packets/\(name)")
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        let capture = try #require(files.first { $0.hasPrefix("capture.") })
        let loaded = InputLoader().load([folder.appending(path: capture).path])
        #expect(loaded.failures.isEmpty)
        return correlate(captures: loaded.captures, recordings: []).resets
    }

    @Test(arguments: cases)
    func leads(_ expected: Case) throws {
        let all = try Self.resets(of: expected.name)
        let reset = try #require(all.first { $0.sightings.contains { $0.packet == expected.packet } })
        #expect(reset.cause == expected.cause)
        if let says = expected.says { #expect(reset.evidence.contains { $0.fact.contains(says) }) }
    }

    /// No idle limit is named where the clock jumps, nor for the interval of probes.
    @Test func noLimitIsMadeUp() throws {
        for reset in try Self.resets(of: "no-silence-but-a-clock-that-jumps") {
            #expect(reset.cause != .idleTimeout && !reset.candidates.contains(.idleTimeout))
            #expect(!reset.evidence.contains { $0.fact.contains("nothing was sent") })
        }
        for reset in try Self.resets(of: "keepalive-every-75-s") {
            #expect(!reset.evidence.contains { $0.fact.contains("nginx") })
        }
    }
}
