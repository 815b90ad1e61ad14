import KernelEvents
import NetworkTypes
import PcapReader
import Testing

@testable import Correlator

/// Kernels up to 6.9 without fentry: an answer to a segment that met no full socket has an emitted RST and no decision.
@Suite struct AnswersWithoutSocketTests {
    private static let server = Endpoint(address: IPAddress(ipv4: 0x0a00_0001), port: 80)
    private static let client = Endpoint(address: IPAddress(ipv4: 0x0a00_0002), port: 40000)

    private struct Endpoint {
        let address: IPAddress
        let port: UInt16
        func to(_ other: Endpoint) -> FourTuple {
            FourTuple(source: address, sourcePort: port, destination: other.address, destinationPort: other.port)
        }
    }

    /// A capture and the events of a kernel.
    private struct Old {
        var segments: [CapturedSegment] = []
        var recording = Recording()
        var dropped = 0
        var filter: String?

        init(hooks: [RecordingHeader.Hook]? = nil) {
            var header = RecordingHeader()
            header.clock = ClockSample(monotonic: 0, realtime: 0, uncertainty: 10)
            header.hooks =
                hooks ?? [
                    RecordingHeader.Hook(name: ResetEvent.emitHook, status: "attached"),
                    RecordingHeader.Hook(name: ResetEvent.decideHook, status: "attached", reason: false),
                ]
            recording.header = header
            recording.footer = RecordingFooter(monotonic: 0, events: 1, lost: 0, captured: 0, kernelDropped: 0)
            recording.stacks = [1: ["tcp_v4_send_reset", "tcp_v4_rcv", "handle_softirqs"]]
        }

        mutating func segment(
            _ tuple: FourTuple, _ flags: TCPFlags, seq: UInt32, ack: UInt32 = 0, length: UInt32 = 0, at time: Int64
        ) {
            var segment = TCPSegment(tuple: tuple)
            segment.flags = flags
            segment.seq = seq
            segment.ack = ack
            segment.payloadLength = length
            segments.append(
                CapturedSegment(
                    segment: segment, number: segments.count + 1, offset: 0, time: time * 1_000_000_000, interface: 0))
        }

        /// The RST of the server: on the wire and emitted.
        mutating func answer(_ flags: TCPFlags, seq: UInt32, ack: UInt32, at time: Int64) {
            let tuple = server.to(client)
            segment(tuple, flags, seq: seq, ack: ack, at: time)
            var event = ResetEvent(
                kind: .emit, hook: ResetEvent.emitHook, monotonic: time * 1_000_000_000, tuple: tuple)
            event.seq = seq
            event.ack = ack
            event.flags = flags
            event.ipID = 0
            event.stack = 1
            recording.events.append(event)
        }

        func verdict() throws -> Reset {
            var capture = CaptureInput(
                file: "c", packets: segments.count, interfaces: [nil], filter: filter,
                resets: segments.filter { $0.segment.flags.contains(.rst) })
            capture.summary.droppedBetweenPackets = UInt64(dropped)
            let events = EventInput(file: "e", recording: recording)
            capture.connections.table = ConnectionTable(segments)
            let resets = correlate(captures: [capture], recordings: [events]).resets
            try #require(resets.count == 1)
            return resets[0]
        }
    }

    private static let up = server.to(client), down = client.to(server)

    /// SYN, SYN+ACK; the sequence numbers are 101 and 501 then.
    private static func connected() -> Old {
        var old = Old()
        old.segment(down, .syn, seq: 100, at: 1)
        old.segment(up, [.syn, .ack], seq: 500, ack: 101, at: 1)
        return old
    }

    @Test func aSynInTheCaptureSuggestsAClosedPort() throws {
        var old = Old()
        old.segment(Self.down, .syn, seq: 100, at: 1)
        old.answer([.rst, .ack], seq: 0, ack: 101, at: 1)
        let reset = try old.verdict()
        #expect(reset.cause == .closedPort)
        #expect(reset.certainty == .inferred)
        #expect(reset.candidates == [.closedPort, .dataAfterFullClose])
        #expect(reset.evidence.contains { $0.from == .packet(1) && $0.fact.contains("flags S,") })
    }

    @Test func withoutTheSegmentNothingIsChosen() throws {
        var refused = Old()
        refused.answer([.rst, .ack], seq: 0, ack: 101, at: 1)
        #expect(try refused.verdict().cause == .unknown)
        #expect(try refused.verdict().candidates == [.closedPort, .straySegment, .dataAfterFullClose])
        var stale = Old()
        stale.answer(.rst, seq: 501, ack: 0, at: 1)
        #expect(try stale.verdict().certainty == .unknown)
        #expect(try stale.verdict().candidates == [.staleConnection, .unexpectedSynAck, .dataAfterFullClose])
    }

    @Test func dataOnAConnectionThatWasNeverClosedIsStale() throws {
        var old = Self.connected()
        old.segment(Self.down, [.psh, .ack], seq: 101, ack: 501, length: 10, at: 2)
        old.answer(.rst, seq: 501, ack: 0, at: 2)
        let reset = try old.verdict()
        #expect(reset.cause == .staleConnection)
        #expect(reset.certainty == .inferred)
        #expect(reset.candidates.isEmpty)
        // Where packets are missing, the FIN may be among them.
        old.dropped = 1
        #expect(try old.verdict().cause == .unknown)
        #expect(try old.verdict().candidates == [.staleConnection, .dataAfterFullClose])
    }

    /// A capture that takes no FIN says nothing about closing.
    @Test func aFilterThatLeavesFINsOutDecidesNothing() throws {
        var old = Self.connected()
        old.segment(Self.down, [.fin, .ack], seq: 101, ack: 501, at: 2)
        old.answer(.rst, seq: 501, ack: 0, at: 2)
        old.filter = "tcp[tcpflags] & (tcp-syn|tcp-rst) != 0"
        #expect(try old.verdict().candidates == [.staleConnection, .dataAfterFullClose])
        old.filter = "tcp[tcpflags] & (tcp-syn|tcp-fin|tcp-rst) != 0"
        #expect(try old.verdict().cause == .staleConnection)
    }

    @Test func dataOfAnUnknownPastMayMeetATimeWaitSocket() throws {
        var old = Old()
        old.segment(Self.down, [.psh, .ack], seq: 101, ack: 501, length: 10, at: 2)
        old.answer(.rst, seq: 501, ack: 0, at: 2)
        #expect(try old.verdict().candidates == [.staleConnection, .dataAfterFullClose])
        // A time-wait socket does not answer what brings nothing new.
        var scan = Old()
        scan.segment(Self.down, .ack, seq: 101, ack: 501, at: 2)
        scan.answer(.rst, seq: 501, ack: 0, at: 2)
        #expect(try scan.verdict().cause == .staleConnection)
        #expect(try scan.verdict().candidates.isEmpty)
    }

    @Test func dataAfterAnAcknowledgedFINPointsToTimeWait() throws {
        var old = Self.connected()
        old.segment(Self.up, [.fin, .ack], seq: 501, ack: 101, at: 2)
        old.segment(Self.down, .ack, seq: 101, ack: 502, at: 2)
        old.segment(Self.down, [.psh, .ack], seq: 101, ack: 502, length: 10, at: 3)
        old.answer(.rst, seq: 502, ack: 0, at: 3)
        let reset = try old.verdict()
        #expect(reset.cause == .dataAfterFullClose)
        #expect(reset.certainty == .inferred)
        #expect(reset.candidates == [.dataAfterFullClose, .staleConnection])
    }

    /// After a minute the time-wait socket is gone, and after the other end's FIN it acknowledges.
    @Test(arguments: [(70, false), (3, true)])
    func aTimeWaitSocketThatCannotHaveAnsweredIsNoCandidate(_ time: Int64, _ otherEnded: Bool) throws {
        var old = Self.connected()
        old.segment(Self.up, [.fin, .ack], seq: 501, ack: 101, at: 2)
        if otherEnded { old.segment(Self.down, [.fin, .ack], seq: 101, ack: 502, at: 2) }
        old.segment(Self.down, [.psh, .ack], seq: 102, ack: 502, length: 10, at: time)
        old.answer(.rst, seq: 502, ack: 0, at: time)
        #expect(try old.verdict().cause == .staleConnection)
        #expect(try old.verdict().candidates.isEmpty)
    }

    @Test func whereEventsWereLostSilenceMeansNothing() throws {
        for damage in 0..<4 {
            var old = Self.connected()
            old.segment(Self.down, [.psh, .ack], seq: 101, ack: 501, length: 10, at: 2)
            old.answer(.rst, seq: 501, ack: 0, at: 2)
            switch damage {
            case 0: old.recording.footer?.lost = 1
            case 1: old.recording.footer = nil
            case 2: old.recording.losses = [Loss(monotonic: 0, place: "ring", count: 1)]
            default: old.recording.damagedLines = 1
            }
            #expect(try old.verdict().cause == .unknown)
            #expect(try old.verdict().candidates.isEmpty)
        }
    }

    @Test func aKernelThatTellsOfAllAnswersIsNotSilent() throws {
        let entries = ResetEvent.entryHooks.map { RecordingHeader.Hook(name: $0, status: "attached") }
        for hooks in [
            [RecordingHeader.Hook(name: ResetEvent.decideHook, status: "attached", reason: true)],
            [RecordingHeader.Hook(name: ResetEvent.decideHook, status: "attached", reason: false)] + entries,
            [RecordingHeader.Hook(name: ResetEvent.decideHook, status: "failed", reason: false)],
        ] {
            var old = Old(hooks: hooks)
            old.segment(Self.down, .syn, seq: 100, at: 1)
            old.answer([.rst, .ack], seq: 0, ack: 101, at: 1)
            #expect(try old.verdict().cause == .unknown)
            #expect(try old.verdict().candidates.isEmpty)
        }
    }

    @Test func timesAtTheEndOfTheWorldDoNotTrap() throws {
        var old = Self.connected()
        old.segment(Self.up, [.fin, .ack], seq: 501, ack: 101, at: 2)
        old.segment(Self.down, [.psh, .ack], seq: 101, ack: 502, length: .max, at: 3)
        old.answer(.rst, seq: 502, ack: 0, at: 3)
        old.segments[2].time = .min
        old.segments[3].time = .max
        old.segments[4].time = .max
        let wire = WireEvidence(
            old.segments[4], flow: ConnectionTable(old.segments).context(ofPacket: old.segments[4].number))
        #expect(wire.trigger?.number == 4)
        #expect(wire.timeWaitChance(isComplete: true) == .excluded)
    }

    @Test func theEntryOfTheFunctionProves() throws {
        var old = Old()
        old.answer([.rst, .ack], seq: 0, ack: 101, at: 1)
        var decision = old.recording.events[0]
        decision.kind = .decide
        decision.hook = ResetEvent.entryHooks[0]
        decision.trigger = ResetEvent.Trigger(flags: .syn, seq: 100, ack: 0, length: 0)
        old.recording.events.insert(decision, at: 0)
        let reset = try old.verdict()
        #expect(reset.cause == .closedPort)
        #expect(reset.certainty == .proven)
    }
}
