import NetworkTypes
import PcapReader
import Testing

@testable import Correlator

/// How connections end in the middle of an exchange without a RST.
@Suite struct UnfinishedTests {
    private static let second: Int64 = 1_000_000_000

    /// - Parameter silence: seconds from the last segment to the end of the capture.
    private func kinds(_ silence: Int64 = 60, _ body: (inout Conversation) -> Void) -> [UnfinishedConnections.Kind] {
        var flow = Conversation()
        body(&flow)
        let unfinished = UnfinishedConnections(ConnectionTable(flow.segments), end: flow.time + silence * Self.second)
        #expect(unfinished.connections == 1)
        return unfinished.groups.map(\.kind)
    }

    private func exchange(_ flow: inout Conversation) {
        flow.open()
        flow.send(.client, [.psh, .ack], length: 100)
        flow.send(.server, [.psh, .ack], length: 100)
        flow.send(.client, .ack)
    }

    private func close(_ flow: inout Conversation) {
        flow.send(.client, [.fin, .ack])
        flow.send(.server, [.fin, .ack])
        flow.send(.client, .ack)
    }

    @Test func whatEndsInOrderIsNotCounted() {
        #expect(
            kinds {
                exchange(&$0); close(&$0)
            } == [])
        #expect(kinds { exchange(&$0) } == [])
        // The service closes after its answer, and the client later.
        #expect(
            kinds { flow in
                exchange(&flow)
                flow.send(.server, [.fin, .ack])
                flow.send(.client, [.fin, .ack])
            } == [])
    }

    @Test(arguments: [(Int64(60), true), (1, false)]) func dataIsNeverAcknowledged(_ silence: Int64, _ isCounted: Bool)
    {
        let kinds = kinds(silence) { flow in
            exchange(&flow)
            for number in 0..<4 {
                flow.send(.client, [.psh, .ack], length: 50) { if number > 0 { $0.seq &-= 50 } }
                flow.time += Self.second << number
            }
        }
        #expect(kinds == (isCounted ? [.unacknowledged] : []))
    }

    /// The capture may have lost what followed.
    @Test func dataThatIsSentOnceProvesNothing() {
        #expect(
            kinds {
                exchange(&$0); $0.send(.client, [.psh, .ack], length: 50)
            } == [])
    }

    @Test func aServiceClosesWithoutAnAnswer() {
        let kinds = kinds(0) { flow in
            exchange(&flow)
            flow.send(.client, [.psh, .ack], length: 100)
            flow.send(.server, [.fin, .ack])
            flow.send(.client, [.fin, .ack])
            flow.send(.server, .ack)
        }
        #expect(kinds == [.closedUnanswered])
    }

    /// Nobody answers a TLS alert, the unbind of LDAP, or what comes with a FIN.
    @Test(arguments: [TCPSegment.LastWord.alert, .unanswered]) func aLastWordNeedsNoAnswer(_ word: TCPSegment.LastWord)
    {
        #expect(
            kinds { flow in
                exchange(&flow)
                flow.send(.client, [.psh, .ack], length: 31) { $0.last = word }
                flow.send(.server, [.fin, .ack])
            } == [])
        #expect(
            kinds { flow in
                exchange(&flow)
                flow.send(.client, [.psh, .fin, .ack], length: 31)
                flow.send(.server, [.fin, .ack])
            } == [])
    }

    @Test func anUnansweredSYN() {
        #expect(
            kinds { flow in
                for number in 0..<3 {
                    flow.send(.client, .syn) { if number > 0 { $0.seq &-= 1 } }
                    flow.time += Self.second << number
                }
            } == [.neverAnswered])
    }

    @Test func aWindowThatStaysClosed() {
        #expect(
            kinds { flow in
                exchange(&flow)
                flow.send(.server, [.psh, .ack], length: 1000)
                flow.send(.client, .ack) { $0.window = 0 }
                for _ in 0..<2 {
                    flow.time += Self.second
                    let expected = flow.serverSeq
                    flow.send(.server, .ack) { $0.seq = expected &- 1 }
                    flow.send(.client, .ack) { $0.window = 0 }
                    flow.setServerSeq(expected)
                }
            } == [.windowClosed])
    }
}
