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
        #expect(refusals.map(\.certainty) == [.inferred, .inferred])
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

    /// What the same capture has of the connection that a message is about.
    struct InACapture: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let ends: Int
        let messages: @Sendable (inout Conversation) -> [ICMPError]

        /// A message about the latest segment of the client, or about one with another number.
        static func message(
            after conversation: Conversation, seq: UInt32? = nil, flags: TCPFlags? = .syn
        ) -> ICMPError {
            let segment = conversation.segments.last { $0.segment.tuple.source == Conversation.client }
            return ICMPError(
                packet: conversation.segments.count + 1, time: conversation.time, sender: router, isVersion6: false,
                type: 3, code: 1,
                tuple: FourTuple(
                    source: Conversation.client, sourcePort: 40_000, destination: Conversation.server,
                    destinationPort: 80),
                seq: seq ?? segment?.segment.seq ?? 0, flags: flags)
        }

        /// Room for the number of the message.
        static func skip(_ conversation: inout Conversation) {
            conversation.send(.client, .syn) {
                $0.seq = 1000
                $0.tuple = FourTuple(
                    source: Conversation.client, sourcePort: 1, destination: router, destinationPort: 2)
            }
        }

        static func repeatSyn(_ conversation: inout Conversation, seq: UInt32 = 1000) {
            conversation.send(.client, .syn) { $0.seq = seq }
        }

        static let all: [InACapture] = [
            InACapture(testDescription: "a SYN, refused", ends: 1) { talk in
                talk.send(.client, .syn)
                return [message(after: talk)]
            },
            InACapture(testDescription: "a SYN, quoted as RFC 792 wants it", ends: 1) { talk in
                talk.send(.client, .syn)
                return [message(after: talk, flags: nil)]
            },
            InACapture(testDescription: "another number", ends: 0) { talk in
                talk.send(.client, .syn)
                return [message(after: talk, seq: 77)]
            },
            InACapture(testDescription: "the SYN is sent again, and nothing comes", ends: 0) { talk in
                talk.send(.client, .syn)
                let first = message(after: talk)
                skip(&talk)
                repeatSyn(&talk)
                return [first]
            },
            InACapture(testDescription: "the SYN is sent again, and refused again", ends: 1) { talk in
                talk.send(.client, .syn)
                let first = message(after: talk)
                skip(&talk)
                repeatSyn(&talk)
                return [first, message(after: talk)]
            },
            InACapture(testDescription: "a connection in spite of the message", ends: 0) { talk in
                talk.send(.client, .syn)
                let first = message(after: talk)
                skip(&talk)
                talk.send(.server, [.syn, .ack])
                talk.send(.client, .ack)
                return [first]
            },
            InACapture(testDescription: "the same in a capture of SYN, FIN and RST", ends: 0) { talk in
                talk.send(.client, .syn)
                let first = message(after: talk)
                skip(&talk)
                talk.send(.server, [.syn, .ack])
                return [first]
            },
            InACapture(testDescription: "an answer too late", ends: 1) { talk in
                talk.send(.client, .syn)
                let first = message(after: talk)
                skip(&talk)
                talk.send(.server, [.syn, .ack])
                talk.send(.client, .rst) { $0.seq = 1001 }
                return [first]
            },
            InACapture(testDescription: "the next attempt with its port connects", ends: 1) { talk in
                talk.send(.client, .syn)
                let first = message(after: talk)
                skip(&talk)
                repeatSyn(&talk, seq: 900_000)
                talk.send(.server, [.syn, .ack])
                talk.send(.client, .ack)
                return [first]
            },
            InACapture(testDescription: "a segment of an open connection", ends: 0) { talk in
                talk.open()
                talk.send(.client, .ack, length: 5)
                return [message(after: talk, flags: nil), message(after: talk, flags: .ack)]
            },
        ]
    }

    @Test(arguments: InACapture.all) func anAttemptEndsUnlessTheCaptureShowsMore(_ one: InACapture) {
        #expect(
            Self.capture([], one.messages).refusals.map(\.certainty) == Array(repeating: .inferred, count: one.ends))
    }

    @Test(arguments: [80, 81] as [UInt16]) func aConditionLeavesThemOutAndSaysSo(_ port: UInt16) {
        var report = Self.report([], [Self.recording()])
        var filter = ResetFilter()
        filter.ports = [port...port]
        report.keep(filter, words: ["--port \(port)"])
        #expect(report.refusals.count == (port == 80 ? 1 : 0))
        #expect(report.selection?.refusals == (port == 80 ? 0 : 1))
    }

    @Test func aMessageThatTheKernelIgnoredIsNotThatOfItsEvent() {
        func refusals(seq: UInt32) -> [ICMPRefusal] {
            Self.capture([Self.recording()]) { talk in
                talk.time = 1_000_000_000_000
                talk.send(.client, .syn)
                return [InACapture.message(after: talk, seq: seq)]
            }
            .refusals
        }
        #expect(refusals(seq: 1000).map { $0.message == nil } == [false])
        #expect(refusals(seq: 77).map { $0.message == nil } == [true])
    }

    private static func capture(
        _ recordings: [EventInput] = [], _ messages: (inout Conversation) -> [ICMPError]
    ) -> Report {
        var conversation = Conversation()
        var summary = CaptureSummary(
            format: CaptureFormat(container: .pcapng, byteOrder: .little, fractionalDigits: 9))
        summary.icmpErrors = messages(&conversation)
        var capture = CaptureInput(file: "c", summary: summary, resets: [])
        capture.connections = CapturedConnections(ConnectionTable(conversation.segments))
        return correlate(captures: [capture], recordings: recordings)
    }

    /// The kernel gives each message its error (icmp_err_convert in net/ipv4/icmp.c).
    @Test func aMessageOfAnotherErrorDidNotEndIt() throws {
        let report = Self.report([Self.error(at: 3, code: 3)], [Self.recording()])
        let refusal = try #require(report.refusals.first)
        #expect(report.refusals.count == 1 && refusal.message == nil && refusal.errno == 113)
        let lossy = Self.report([Self.error(at: 3, code: 3)], [Self.recording(lost: 1)])
        #expect(lossy.refusals.first { $0.errno != nil }?.certainty == .inferred)
    }

    /// No ICMP message brings the error of a RST.
    @Test(arguments: [104, 32, 110, 103] as [UInt16])
    func anErrorThatNoMessageBringsIsNone(errno: UInt16) {
        var recording = Self.recording(state: .established)
        recording.recording.failures[0].reception?.errno = errno
        #expect(Self.report([Self.error(at: 4, flags: .ack)], [recording]).refusals.allSatisfy { $0.errno == nil })
    }

    /// A connection whose route is gone ends with the same errors, and without any message.
    @Test func whatMayHaveBeenARouteIsNotProven() {
        let refusals = Self.report([], [Self.recording(state: .established)]).refusals
        #expect(refusals.map(\.certainty) == [.inferred])
        #expect(refusals.first?.sentence.contains("no route") == true)
        var refused = Self.recording()
        refused.recording.failures[0].reception?.errno = 111
        #expect(Self.report([], [refused]).refusals.map(\.certainty) == [.proven])
    }

    /// A message that quotes a number which was never sent has no effect.
    @Test func aForgedMessageDidNotEndIt() {
        var recording = Self.recording()
        recording.recording.failures[0].ack = 70_000
        #expect(Self.report([Self.error(at: 4)], [recording]).refusals.first { $0.errno != nil }?.message == nil)
        recording.recording.failures[0].ack = 2
        #expect(Self.report([Self.error(at: 4)], [recording]).refusals.map { $0.message != nil } == [true])
    }

    /// Two recorders of one host, or the same file twice.
    @Test func twoRecordersOfOneHostTellOfOneEnd() {
        func recording(_ file: String, boot: String) -> EventInput {
            var input = Self.recording()
            input.file = file
            input.recording.header?.bootID = boot
            return input
        }
        #expect(Self.report([], [recording("a", boot: "1"), recording("b", boot: "1")]).refusals.count == 1)
        #expect(Self.report([], [recording("a", boot: "1"), recording("b", boot: "2")]).refusals.count == 2)
        #expect(Self.report([], [recording("a", boot: ""), recording("b", boot: "")]).refusals.count == 2)
    }
}
