import NetworkTypes
import PcapReader
import Testing

@testable import Correlator

/// Health checks, of which each RST is told.
@Suite struct RegularCheckTests {
    /// Connections of one client to one service, so many seconds apart.
    private func connections(_ gaps: [Double], _ body: (inout Conversation) -> Void) -> ResetList {
        var segments: [CapturedSegment] = []
        var time: Int64 = 1_000_000_000
        for (number, gap) in ([0] + gaps).enumerated() {
            time += Int64(gap * 1e9)
            var flow = Conversation()
            flow.clientPort = UInt16(40_000 + number * 3)
            flow.time = time
            body(&flow)
            for var segment in flow.segments {
                segment.number = segments.count + 1
                segments.append(segment)
            }
        }
        return resetList(ofCapture: segments)
    }

    private func areChecks(_ resets: ResetList) -> [Bool] {
        resets.map { $0.summary.contains("health check") && $0.evidence.contains { $0.fact.contains("health check") } }
    }

    private func request(_ flow: inout Conversation) {
        flow.open()
        flow.send(.client, [.psh, .ack], length: 80)
        flow.send(.server, [.psh, .ack], length: 200)
        flow.send(.client, .ack)
        flow.send(.client, [.rst, .ack])
    }

    @Test func checksWithoutData() {
        let resets = connections([5, 5.02, 4.98]) {
            $0.send(.client, .syn)
            $0.send(.server, [.syn, .ack])
            $0.send(.client, [.rst, .ack])
        }
        #expect(areChecks(resets) == [true, true, true, true])
        #expect(resets[0].summary.contains("one every 5.0 s"))
    }

    @Test func checksWithCompleteAnswers() {
        #expect(areChecks(connections([2, 2.01], request)) == [true, true, true])
    }

    /// Whatever stands behind it, it has no fixed period.
    @Test(arguments: [[2, 3.5], [0.4, 7, 1.1, 30], [2]]) func whatIsNotRegularIsNoCheck(_ gaps: [Double]) {
        #expect(areChecks(connections(gaps, request)).allSatisfy { !$0 })
    }

    /// A request that was not answered is no check that went well: three in a row may be a program that tries again.
    @Test func requestsWithoutAnswerAreNoCheck() {
        let resets = connections([2, 2]) {
            $0.open()
            $0.send(.client, [.psh, .ack], length: 80)
            $0.send(.server, .ack)
            $0.send(.client, [.rst, .ack])
        }
        #expect(areChecks(resets) == [false, false, false])
    }

    /// A service that resets its clients regularly checks nothing.
    @Test func aServiceChecksNothing() {
        let resets = connections([2, 2, 2]) {
            $0.open()
            $0.send(.server, [.rst, .ack])
        }
        #expect(areChecks(resets).allSatisfy { !$0 })
    }
}
