import NetworkTypes
import PcapReader
import Testing

@testable import Correlator

@Suite struct InjectionTests {
    /// A request and its answer, with a RST in the name of the server in between.
    private func racing(_ adjust: (inout TCPSegment) -> Void, answers: Bool = true) -> Conversation {
        var flow = Conversation()
        flow.open()
        flow.send(.client, [.psh, .ack], length: 100)
        flow.send(.server, .rst, adjust: adjust)
        flow.time += 20_000_000
        if answers {
            flow.send(.server, .ack)
            flow.send(.server, [.psh, .ack], length: 500)
        }
        return flow
    }

    @Test func anotherTTLAndAnEndThatGoesOn() throws {
        let flow = racing {
            $0.ttl = 47
            $0.window = 0
            $0.ipID = 54321
        }
        let reset = try #require(flow.resets.first)
        #expect(reset.cause == .injected)
        #expect(reset.certainty == .inferred)
        #expect(reset.evidence.contains { $0.fact.contains("TTL 47, but 64") })
    }

    @Test func anotherTTLAloneIsNotEnough() throws {
        // A router that rejects has another distance than the end it speaks for.
        let flow = racing(
            {
                $0.ttl = 63
                $0.window = 0
                $0.ipID = 0
            }, answers: false)
        #expect(flow.resets.first?.cause != .injected)
    }

    @Test func aSynThatIsRefusedAndAccepted() throws {
        var flow = Conversation()
        flow.send(.client, .syn)
        flow.answer(from: .server, to: flow.last)
        flow.send(.server, [.syn, .ack])
        let reset = try #require(flow.resets.first)
        #expect(reset.cause == .injected)
        #expect(reset.evidence.contains { $0.fact.contains("packet 3 accepts the SYN") })
    }

    @Test func aSecondTryMayBeAccepted() throws {
        var flow = Conversation()
        flow.send(.client, .syn)
        let syn = flow.last
        flow.answer(from: .server, to: syn)
        flow.append(syn)
        flow.send(.server, [.syn, .ack])
        #expect(flow.resets.first?.cause == .connectionRefused)
    }

    @Test func knownStepsAreNamed() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.client, [.psh, .ack], length: 100)
        let next = flow.serverSeq
        for step in [0, 1460, 4380] as [UInt32] {
            flow.send(.server, [.rst, .ack]) {
                $0.seq = next &+ step
                $0.ttl = 90
                $0.window = 0
            }
        }
        #expect(flow.resets.map(\.cause) == [.injected, .injected, .injected])
    }

    /// Three RSTs in the name of the server, each so much further on than the one before.
    private func climbing(_ step: UInt32, ttl: UInt8) -> Conversation {
        var flow = Conversation()
        flow.open()
        flow.send(.client, [.psh, .ack], length: 100)
        let next = flow.serverSeq
        for number in 0..<3 as Range<UInt32> {
            flow.send(.server, [.rst, .ack]) {
                $0.seq = next &+ 7 &+ number &* step
                $0.ttl = ttl
                $0.window = 0
            }
        }
        return flow
    }

    @Test func aRowThatGoesUpIsASign() {
        let flow = climbing(9000, ttl: 90)
        #expect(flow.resets.map(\.cause) == [.injected, .injected, .injected])
        #expect(flow.resets.allSatisfy { $0.evidence.contains { $0.fact.contains("go up by 9000, 9000, ahead") } })
        // The same number again and again is a retransmission; and a row alone is not enough.
        #expect(climbing(0, ttl: 90).resets.allSatisfy { $0.cause != .injected })
        #expect(climbing(9000, ttl: 64).resets.allSatisfy { $0.cause != .injected })
    }

    /// tcpkill begins its row with the number that the segment it has seen acknowledges.
    @Test func aRowMayBeginWhereTheReceiverIs() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.server, [.psh, .ack], length: 100)
        flow.send(.client, .ack)
        flow.send(.client, [.psh, .ack], length: 100)
        let next = flow.serverSeq
        for number in 0..<3 as Range<UInt32> {
            flow.send(.server, .rst) {
                $0.seq = next &+ number &* 502
                $0.ttl = 90
                $0.window = 0
            }
        }
        #expect(flow.resets.map(\.cause) == [.injected, .injected, .injected])
        // A host that answers one segment after the other takes all its numbers from them.
        var answers = Conversation()
        answers.open()
        answers.send(.server, [.psh, .ack], length: 3000)
        var triggers: [TCPSegment] = []
        for acknowledged in [2000, 1000, 0] as [UInt32] {
            answers.send(.client, [.psh, .ack], length: 10) { $0.ack &-= acknowledged }
            triggers.append(answers.last)
        }
        for trigger in triggers { answers.answer(from: .server, to: trigger) }
        #expect(answers.resets.allSatisfy { $0.cause != .injected })
    }

    @Test func whatOneEndNeverSawWasMadeOnTheWay() throws {
        let (receiver, sender) = Self.onlyOneEndSees(clientTTL: 57)
        let report = correlate(
            captures: [receiver.capture(named: "receiver"), sender.capture(named: "sender")], recordings: [])
        #expect(report.resets.first?.cause == .injected)
        // A capture that lost packets proves nothing.
        var lossy = sender.capture(named: "sender")
        lossy.dropped = 3
        let other = correlate(captures: [receiver.capture(named: "receiver"), lossy], recordings: [])
        #expect(other.resets.first?.cause != .injected)
        // Nor does one whose filter left RSTs out, or may have: pcap does not tell of filters.
        for filter in ["tcp[tcpflags] & tcp-rst == 0", nil] {
            var filtered = sender.capture(named: "sender")
            filtered.filters = [filter]
            filtered.tellsOfFilters = filter != nil
            let report = correlate(captures: [receiver.capture(named: "receiver"), filtered], recordings: [])
            #expect(report.resets.first?.cause != .injected)
        }
        // Where no router is in between, both ends look like the one that is named: the RST may have been lost.
        let (near, far) = Self.onlyOneEndSees(clientTTL: 64)
        let lan = correlate(captures: [near.capture(named: "server"), far.capture(named: "client")], recordings: [])
        #expect(lan.resets.first?.cause != .injected)
    }

    /// A RST of the server in the first capture, and not in the second.
    ///
    /// - Parameter clientTTL: that of the client's segments where both were captured.
    private static func onlyOneEndSees(clientTTL: UInt8) -> (Conversation, Conversation) {
        var other = Conversation()
        other.send(.client, .syn) { $0.ttl = clientTTL }
        other.send(.server, [.syn, .ack])
        other.send(.client, .ack) { $0.ttl = clientTTL }
        other.send(.client, [.psh, .ack], length: 100) { $0.ttl = clientTTL }
        other.send(.server, [.psh, .ack], length: 100)
        var one = other
        one.send(.server, [.rst, .ack])
        // The other capture goes on.
        other.time += 500_000_000
        other.send(.server, .ack)
        return (one, other)
    }
}
