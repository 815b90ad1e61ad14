import NetworkTypes
import PcapReader
import Testing

@testable import Correlator

/// Connections with the same addresses and ports, one after the other.
@Suite struct SuccessiveConnectionTests {
    /// A connection with data that neither end closes.
    private func leftOpen() -> Conversation {
        var flow = Conversation()
        flow.open()
        flow.send(.client, [.psh, .ack], length: 100)
        flow.send(.server, [.psh, .ack], length: 200)
        flow.time += 500_000_000_000
        return flow
    }

    /// The same ends, with other initial sequence numbers: below those before, or above.
    private func openAgain(_ flow: inout Conversation, _ step: UInt32, showing shown: [TCPFlags]) {
        let all: [(Conversation.End, TCPFlags)] = [(.client, .syn), (.server, [.syn, .ack]), (.client, .ack)]
        var next = flow
        for (number, (end, flags)) in all.enumerated() {
            next.send(end, flags) { segment in
                if number < 2 { segment.seq &+= step }
                if number == 0 { segment.ipID = 3 }
            }
            if shown.contains(flags) { flow.append(next.last) }
            flow.adopt(next)
        }
    }

    @Test(
        arguments: [UInt32(900_000), 0 &- 900_000],
        [[TCPFlags.syn, [.syn, .ack], .ack], [.syn, [.syn, .ack]], [.syn, .ack], [[.syn, .ack]]])
    func aSecondConnectionHasAHistoryOfItsOwn(_ step: UInt32, _ shown: [TCPFlags]) throws {
        var flow = leftOpen()
        let first = flow.segments.count
        openAgain(&flow, step, showing: shown)
        flow.send(.client, [.psh, .ack], length: 10)
        flow.send(.server, [.psh, .ack], length: 20)
        flow.time += 300_000_000
        flow.send(.server, [.rst, .ack])
        let reset = try #require(flow.resets.first)
        let side = try #require(reset.flow?.receiver)
        // The second connection's alone.
        #expect(side.bytes == 10)
        #expect(reset.flow?.sender.bytes == 20)
        #expect(reset.flow?.unacknowledged == 20)
        #expect(side.retransmissions == 0)
        let earlier = try #require(reset.evidence.first { $0.fact.contains("an earlier connection") })
        #expect(earlier.fact.contains("was never closed"))
        #expect(earlier.from == .packet(first))
    }

    /// Each RST is judged by its own connection.
    @Test func theFirstKeepsItsOwnHistory() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.client, [.psh, .ack], length: 100)
        flow.send(.server, [.rst, .ack])
        flow.time += 1_000_000_000
        openAgain(&flow, 70_000, showing: [.syn, [.syn, .ack], .ack])
        flow.send(.client, [.psh, .ack], length: 5)
        flow.time += 1_000_000_000
        openAgain(&flow, 70_000, showing: [.syn, [.syn, .ack], .ack])
        flow.send(.client, [.psh, .ack], length: 7)
        flow.send(.server, [.rst, .ack])
        let resets = flow.resets
        #expect(resets.map { $0.flow?.receiver.bytes } == [100, 7])
        #expect(resets.map { $0.flow?.receiverAfter } == [0, 0])
        #expect(try #require(resets.last).evidence.contains { $0.fact.contains("was never closed") })
    }

    /// A SYN that a host refuses or questions belongs to no connection yet.
    @Test func aSYNThatIsRefusedOpensNothing() throws {
        var flow = leftOpen()
        flow.send(.client, .syn) { $0.seq &+= 500_000 }
        flow.answer(from: .server, to: flow.last)
        let reset = try #require(flow.resets.first)
        #expect(reset.cause == .connectionRefused)
        #expect(!reset.evidence.contains { $0.fact.contains("does not have all segments") })
    }

    /// The end has forgotten its connection and opens it anew; the other one asks back, and is told so.
    @Test func aHalfOpenConnectionIsOne() throws {
        var flow = leftOpen()
        let ack = flow.clientSeq
        flow.send(.client, .syn) { $0.seq &-= 500_000 }
        let again = flow.last
        flow.send(.server, .ack) { $0.ack = ack }
        flow.answer(from: .client, to: flow.last)
        #expect(try #require(flow.resets.first).cause == .badAckInHandshake)
        flow.time += 1_000_000_000
        flow.append(again)
        flow.send(.server, [.syn, .ack]) {
            $0.seq &+= 77_000
            $0.ack = again.seq &+ 1
        }
        flow.send(.client, .ack)
        flow.send(.server, [.rst, .ack])
        let reset = try #require(flow.resets.last)
        #expect(reset.flow?.sender.resets == 0 && reset.flow?.receiver.bytes == 0)
        #expect(reset.evidence.contains { $0.fact.contains("an earlier connection with the same ports was reset") })
    }

    /// A load balancer or a SYN cookie may answer one SYN twice.
    @Test func twoAnswersToOneSYNAreOneConnection() throws {
        var flow = Conversation()
        flow.send(.client, .syn)
        flow.send(.server, [.syn, .ack])
        flow.send(.server, [.syn, .ack]) { $0.seq &+= 300_000 }
        flow.send(.client, .ack)
        flow.send(.server, [.rst, .ack])
        let reset = try #require(flow.resets.first)
        #expect(reset.flow?.receiver.segments == 2)
        #expect(!reset.evidence.contains { $0.fact.contains("an earlier connection") })
    }
}
