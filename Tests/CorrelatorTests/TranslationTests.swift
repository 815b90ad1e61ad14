import NetworkTypes
import PcapReader
import Testing

@testable import Correlator

/// Segments that were to be translated and were not.
@Suite struct TranslationTests {
    private static let service = IPAddress(ipv4: 0xc633_640a)

    /// The segment as the client sends it to the service.
    private func toService(_ segment: CapturedSegment) -> CapturedSegment {
        var copy = segment
        let old = segment.segment.tuple
        let tuple = FourTuple(
            source: old.source, sourcePort: old.sourcePort, destination: Self.service, destinationPort: 8080)
        copy.segment = with(segment.segment, tuple: tuple)
        return copy
    }

    private func with(_ segment: TCPSegment, tuple: FourTuple) -> TCPSegment {
        var copy = segment
        copy.tuple = tuple
        return copy
    }

    @Test(arguments: [true, false]) func aSynAckOfTheBackend(isAnswered: Bool) throws {
        var flow = Conversation()
        flow.send(.client, .syn) { if !isAnswered { $0.seq = 77 } }
        flow.send(.server, [.syn, .ack]) { $0.ack = 1001 }
        flow.answer(from: .client, to: flow.last)
        var segments = flow.segments
        segments[0] = toService(segments[0])
        let reset = try #require(resetList(ofCapture: segments).first)
        #expect(reset.cause == .unexpectedSynAck)
        let says = reset.evidence.contains {
            $0.fact
                == "packet 1 is the SYN that the SYN+ACK answers, to 198.51.100.10:8080: the answer was not translated back"
        }
        // Another initial sequence number is another connection.
        #expect(says == isAnswered)
    }

    @Test func dataOfAConnectionToTheService() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.client, [.psh, .ack], length: 10)
        flow.send(.server, [.psh, .ack], length: 500)
        flow.answer(from: .client, to: flow.last)
        var segments = flow.segments
        for place in [0, 2, 3] { segments[place] = toService(segments[place]) }
        // The SYN+ACK was translated.
        segments.remove(at: 1)
        for place in segments.indices { segments[place].number = place + 1 }
        let reset = try #require(resetList(ofCapture: segments).first)
        #expect(reset.cause == .staleConnection)
        #expect(reset.candidates.isEmpty)
        #expect(
            reset.evidence.contains {
                $0.fact.hasPrefix(
                    "in the connection to 198.51.100.10:8080 the same end expected exactly this segment (packet 3)")
            })
    }

    @Test func whatLiesFarBelowTheWindowIsInvalid() throws {
        func answered(below distance: UInt32) throws -> Reset {
            var flow = Conversation()
            flow.open()
            flow.send(.server, [.psh, .ack], length: 200_000)
            flow.send(.client, .ack)
            flow.send(.server, [.psh, .ack], length: 7) { $0.seq &-= distance }
            flow.answer(from: .client, to: flow.last)
            return try #require(flow.resets.first)
        }
        let far = try answered(below: 86_880)
        #expect(far.cause == .staleConnection)
        #expect(
            far.evidence.contains {
                $0.fact.contains(
                    "already acknowledged, 86,880 bytes below the window: conntrack finds such a segment INVALID")
            })
        // A repetition of what was just acknowledged is none of that.
        let near = try answered(below: 100)
        #expect(!near.evidence.contains { $0.fact.contains("INVALID") })
        #expect(near.evidence.contains { $0.fact.contains("it begins 100 bytes below the window") })
    }

    @Test func aSynThatWasForwardedIsToldByItsTTL() throws {
        var flow = Conversation()
        flow.send(.client, .syn) { $0.ttl = 63 }
        flow.send(.server, [.syn, .ack])
        flow.answer(from: .client, to: flow.last)
        let reset = try #require(flow.resets.first)
        #expect(reset.cause == .unexpectedSynAck)
        #expect(reset.evidence.contains { $0.fact.contains("refused by a host other than the one that sent the SYN") })
        #expect(reset.evidence.contains { $0.fact.contains("TTL 64, but 63") })
    }
}
