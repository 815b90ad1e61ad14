import KernelEvents
import NetworkTypes
import PcapReader
import Testing

@testable import Correlator

/// ICMP errors that end connections: neither RSTs nor more than what is known.
@Suite struct RefusalTests {
    /// The end that tries to connect comes first.
    private static let tuple = FourTuple(
        source: IPAddress(ipv4: 0x0a00_0002), sourcePort: 40_000, destination: IPAddress(ipv4: 0x0a00_0001),
        destinationPort: 80)
    private static let router = IPAddress(ipv4: 0x0a00_0009)

    private static func error(at milliseconds: Int64, flags: TCPFlags? = .syn, code: UInt8 = 13) -> ICMPError {
        ICMPError(
            packet: Int(milliseconds), time: 1_000_000_000_000 + milliseconds * 1_000_000, sender: router,
            isVersion6: false, type: 3, code: code, tuple: tuple, seq: 1, flags: flags)
    }

    private static func recording(
        failsAt milliseconds: Int64? = 5, hook: String = "attached", lost: Int = 0, state: TCPState = .synSent
    ) -> EventInput {
        var recording = Recording()
        recording.header = RecordingHeader()
        recording.header?.clock = ClockSample(monotonic: 0, realtime: 1_000_000_000_000, uncertainty: 0)
        recording.header?.marksClockSteps = true
        recording.header?.hooks = [.init(name: ResetEvent.receiveHook, status: hook)]
        if let milliseconds {
            var event = ResetEvent(
                kind: .fail, hook: ResetEvent.failHook, monotonic: milliseconds * 1_000_000, tuple: tuple.reversed)
            event.state = state
            event.reception = ResetEvent.Reception()
            event.reception?.errno = 113
            event.socket = ResetEvent.Socket()
            event.socket?.owner = ResetEvent.Owner(pid: 7, comm: "curl")
            recording.failures = [event]
        }
        recording.footer = RecordingFooter(monotonic: 1 << 40, events: 1, lost: lost, captured: 0, kernelDropped: 0)
        return EventInput(file: "e", recording: recording)
    }

    private static func report(_ errors: [ICMPError], _ recordings: [EventInput] = []) -> Report {
        var summary = CaptureSummary(
            format: CaptureFormat(container: .pcapng, byteOrder: .little, fractionalDigits: 9))
        summary.icmpErrors = errors
        return correlate(captures: [CaptureInput(file: "c", summary: summary, resets: [])], recordings: recordings)
    }

    @Test func theMessageIsThatOfTheKernelsEvent() throws {
        let report = Self.report([Self.error(at: 4)], [Self.recording()])
        let refusal = try #require(report.refusals.first)
        #expect(report.refusals.count == 1 && report.resets.isEmpty)
        #expect(refusal.certainty == .proven)
        #expect(refusal.error == "EHOSTUNREACH")
        #expect(refusal.process?.pid == 7)
        #expect(refusal.message?.sender == Self.router)
        #expect(
            refusal.sentence
                == "EHOSTUNREACH for curl (pid 7) in SYN_SENT: 10.0.0.9 sent ICMP administratively prohibited (type 3, code 13)"
        )
    }

    @Test func withoutAnEventOnlyAnAttemptEnds() {
        let repeated = [Self.error(at: 1), Self.error(at: 1001), Self.error(at: 3001)]
        let refusals = Self.report(repeated).refusals
        #expect(refusals.count == 1)
        #expect(refusals.first?.messages == 3 && refusals.first?.certainty == .inferred)
        #expect(Self.report([Self.error(at: 1, flags: .ack)]).refusals.isEmpty)
        #expect(Self.report([Self.error(at: 1, flags: nil)]).refusals.isEmpty)
        #expect(Self.report([Self.error(at: 1), Self.error(at: 200_000)]).refusals.count == 2)
    }

    @Test func whatMayHaveBeenAResetIsNotProven() {
        // Whoever does not see RSTs come takes their effect for that of ICMP.
        #expect(Self.report([], [Self.recording(hook: "failed")]).refusals.isEmpty)
        #expect(Self.report([], [Self.recording(lost: 1)]).refusals.map(\.certainty) == [.inferred])
        #expect(Self.report([Self.error(at: 4)], [Self.recording(lost: 1)]).refusals.map(\.certainty) == [.proven])
    }

    @Test func aMessageOfAnotherTimeIsAnotherEnd() {
        let refusals = Self.report([Self.error(at: 60_000)], [Self.recording()]).refusals
        #expect(refusals.map(\.certainty) == [.proven, .inferred])
        #expect(refusals.map { $0.message == nil } == [true, false])
    }

    @Test func whatIsEstablishedEndsLater() {
        let refusals = Self.report(
            [Self.error(at: 4, flags: .ack)], [Self.recording(failsAt: 900_000, state: .established)]
        )
        .refusals
        #expect(refusals.count == 1)
        #expect(refusals.first?.message?.code == 13)
    }
}
