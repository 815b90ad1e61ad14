import NetworkTypes
import PcapReader
import Testing

@testable import Correlator

@Suite struct ResetPayloadTests {
    private func payload(_ bytes: [UInt8], length: Int? = nil) -> ResetPayload? {
        ResetPayload(bytes, length: length ?? bytes.count)
    }

    /// The examples of draft-ietf-tcpm-rst-diagnostic-payload, and reason 4, whose number is that of bytes to come.
    @Test func reasonOfTheDraft() throws {
        #expect(try #require(payload([0x33, 0xaa, 0, 2, 0, 0, 0, 0])).cause == .staleConnection)
        #expect(try #require(payload([0x33, 0xaa, 0, 14, 0, 0, 0, 0])).cause == .idleTimeout)
        let vendor = try #require(payload([0x33, 0xaa, 0x04, 0xd2, 0, 0, 0x7e, 0xd9]))
        #expect(vendor.sentence.contains("reason 1234 of enterprise 32473"))
        #expect(vendor.cause == nil)
        #expect(try #require(payload([0x33, 0xaa, 0, 4, 0, 0, 0, 0])).sentence.hasSuffix("reason 4: ABORT process"))
        #expect(try #require(payload([0x33, 0xaa, 0, 4, 0, 0, 0, 9])).sentence.hasSuffix("reason 4 of enterprise 9"))
        #expect(try #require(payload([0x33, 0xaa, 0, 99, 0, 0, 0, 0])).sentence.hasSuffix("which is not registered"))
    }

    @Test func reasonOfEarlierDrafts() throws {
        let code = try #require(payload([0x30, 0x39, 0, 4, 0, 0, 0, 14]))
        #expect(code.cause == .idleTimeout)
        let vendor = try #require(payload([0x30, 0x39, 0, 8, 0, 0, 0x04, 0xde, 0, 0, 0x7e, 0xd9]))
        #expect(vendor.sentence.contains("reason 1246 of enterprise 32473"))
        let free = try #require(payload([0xf3, 0x17] + Array("zu viele Verbindungen für einen\u{9b}".utf8)))
        #expect(free.format == .diagnostic)
        #expect(free.sentence.hasSuffix("\"zu viele Verbindungen für einen \""))
    }

    /// Whose reason it is was not captured, and so not what it means.
    @Test func aReasonCutShortIsNoCause() throws {
        let cut = try #require(payload([0x33, 0xaa, 0, 14], length: 8))
        #expect(cut.sentence.contains("reason 14"))
        #expect(cut.cause == nil)
    }

    @Test func textOfAnAppliance() throws {
        let text = try #require(payload(Array("BIG-IP: [0x1a2b3c4:1234] Flow expired (sweeper)".utf8)))
        #expect(text.cause == .idleTimeout)
        #expect(text.sentence.contains("F5 BIG-IP"))
    }

    @Test(arguments: [
        [], [0x33], [0x33, 0xaa, 0, 1], [1, 2, 3, 4, 5, 6, 7, 8], [0x30, 0x39, 0xff, 0xff, 0xff, 0xff],
        [0x33, 0xaa, 0, 14, 0, 0, 0, 0, 0], [0x33, 0xaa, 0, 0, 0, 0, 0, 0], [0xf3, 0x17], [0x30, 0x39, 0, 4, 0, 0, 0],
        [0x30, 0x39, 0, 5, 0, 0, 0, 14],
    ])
    func damageIsNoReason(_ bytes: [UInt8]) {
        // Nothing traps, and nothing is made up.
        #expect(payload(bytes) == nil)
    }

    @Test func aStatedCauseGoesFirst() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.server, [.rst, .ack], length: 8)
        var capture = flow.capture
        capture.remarks.payloads = [4: [0x33, 0xaa, 0, 14, 0, 0, 0, 0]]
        let reset = try #require(correlate(captures: [capture], recordings: []).resets.first)
        #expect(reset.cause == .idleTimeout)
        #expect(reset.certainty == .inferred)
    }
}

@Suite struct AnnotationTests {
    @Test func commentsAndNamesStandBesideTheReset() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.server, [.rst, .ack])
        var capture = flow.capture
        capture.remarks.comments = [4: ["ask Bob", "or\nEve"], 3: ["of another packet"]]
        capture.summary.names = [
            "10.0.0.1": (0..<1000).map { "name\($0)" }, "10.0.0.2": ["client", "client"], "10.0.0.9": ["nobody"],
        ]
        let reset = try #require(correlate(captures: [capture], recordings: []).resets.first)
        #expect(
            reset.evidence.suffix(4) == [
                Fact("comment in the capture: ask Bob", from: .packet(4)),
                Fact("comment in the capture: or; Eve", from: .packet(4)),
                Fact("name in the capture: 10.0.0.1 is name0, name1, name2", from: .report),
                Fact("name in the capture: 10.0.0.2 is client", from: .report),
            ])
    }
}

@Suite struct AcceptanceTests {
    private func acceptance(_ offset: UInt32) throws -> String? {
        var flow = Conversation()
        flow.open()
        flow.send(.server, [.psh, .ack], length: 100)
        flow.send(.client, .ack)
        flow.send(.server, [.rst, .ack]) { $0.seq &+= offset }
        return try #require(flow.resets.first).flow?.acceptance
    }

    /// The client's window is 500 bytes, not scaled.
    @Test func exactInWindowAndOutside() throws {
        #expect(try acceptance(0) == "accepted")
        #expect(try acceptance(1) == "challenged")
        #expect(try acceptance(499) == "challenged")
        #expect(try acceptance(500) == "ignored")
        #expect(try acceptance(.max) == "ignored")
    }

    @Test func inSynSentTheAckCounts() throws {
        var flow = Conversation()
        flow.send(.client, .syn)
        flow.send(.server, [.rst, .ack]) {
            $0.seq = 0
            $0.ack = 77
        }
        #expect(flow.resets.first?.flow?.acceptance == "ignored")
    }
}

@Suite struct ConnectionTableTests {
    @Test func countsAndRepetitions() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.client, [.psh, .ack], length: 100)
        var again = flow.last
        again.ipID &+= 50
        flow.time += 200_000_000
        flow.append(again)
        flow.send(.server, [.rst, .ack])
        let summary = try #require(flow.resets.first?.flow)
        #expect(summary.receiver.segments == 4)
        #expect(summary.receiver.bytes == 200)
        #expect(summary.receiver.retransmissions == 1)
        #expect(summary.opener == .receiver)
    }

    @Test func aSegmentCapturedTwiceCountsOnce() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.client, [.psh, .ack], length: 100)
        flow.time -= 999_000
        flow.append(flow.last)
        flow.send(.server, [.rst, .ack])
        #expect(flow.resets.first?.flow?.receiver.bytes == 100)
        #expect(flow.resets.first?.flow?.receiver.retransmissions == 0)
    }

    /// A mirror port shows each segment twice, on the way in and on the way out: the RST answers what it answers.
    @Test func aResetCapturedTwiceIsOneReset() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.server, [.fin, .ack])
        for length in [31, 57] as [UInt32] {
            flow.send(.client, [.psh, .ack], length: length)
            flow.answer(from: .server, to: flow.last)
        }
        let mirrored = flow.twice
        let resets = mirrored.resets
        #expect(resets.count == 4)
        for (once, places) in zip(flow.resets, [[0, 1], [2, 3]]) {
            for place in places {
                #expect(resets[place].cause == once.cause && resets[place].flow == once.flow)
                let isSecond = place == places[1]
                #expect(resets[place].evidence.contains { $0.fact.contains("it was captured twice") } == isSecond)
            }
        }
        #expect(resets[0].evidence.contains { $0.fact.contains("31 bytes of data") })
        #expect(resets[3].evidence.contains { $0.fact.contains("57 bytes of data") })
    }

    /// Each segment of a burst gets a RST of its own, and they are equal to the last bit.
    @Test func equalResetsAreNotOneByThemselves() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.client, [.psh, .ack], length: 10)
        let first = flow.last
        flow.send(.client, [.psh, .ack], length: 10)
        let second = flow.last
        flow.answer(from: .server, to: first)
        flow.time -= 999_000
        flow.answer(from: .server, to: second)
        #expect(flow.resets.count == 2)
        #expect(flow.resets.allSatisfy { !$0.evidence.contains { $0.fact.contains("captured twice") } })
        #expect(flow.resets[0].evidence.contains { $0.fact == "its sender sends 1 more RST" })
    }

    @Test func aNewConnectionBeginsWithItsSyn() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.server, [.rst, .ack])
        flow.send(.client, .syn) { $0.seq = 70_000 }
        flow.answer(from: .server, to: flow.last)
        let resets = flow.resets
        #expect(resets.map(\.cause) == [.lingerZero, .connectionRefused])
        #expect(resets[1].evidence.contains { $0.fact.contains("an earlier connection with the same ports was reset") })
        #expect(resets.map(\.connectionState) == ["RSTR", "REJ"])
    }

    @Test func whatFollowsIsCounted() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.server, [.rst, .ack])
        flow.send(.client, .ack)
        flow.send(.client, .ack)
        #expect(flow.resets.first?.flow?.receiverAfter == 2)
    }

    /// Nothing of it depends on how many RSTs there are.
    @Test func whatFollowsEachOfManyResetsIsCounted() throws {
        var flow = Conversation()
        flow.open()
        for _ in 0..<50 {
            flow.send(.server, .rst)
            flow.send(.client, .ack)
        }
        flow.send(.client, .rst)
        flow.send(.server, [.psh, .ack], length: 10)
        let resets = flow.resets
        try #require(resets.count == 51)
        #expect(resets.prefix(50).map { $0.flow?.receiverAfter } == (0..<50).map { 50 - $0 })
        #expect(resets.map { $0.flow?.senderAfter } == [Int?](repeating: 1, count: 50) + [0])
        #expect(resets[0].evidence.contains { $0.fact.contains("49 more RSTs") })
        #expect(resets[49].evidence.allSatisfy { !$0.fact.contains("more RST") })
        #expect(resets[49].evidence.contains { $0.fact.contains("the other end sends a RST too") })
        #expect(resets[50].evidence.allSatisfy { !$0.fact.contains("the other end sends a RST") })
    }

    /// A connection that ends with a RST and begins anew again and again: each is judged by what it had itself.
    @Test func eachOfManyConnectionsHasItsOwnEnd() throws {
        var flow = Conversation()
        for round in 0..<1500 {
            flow.send(.client, .syn) { $0.seq = UInt32(round) * 1000 }
            flow.send(.server, .rst)
            flow.send(.server, [.psh, .ack], length: 10)
        }
        let resets = flow.resets
        #expect(resets.count == 1500)
        #expect(resets.allSatisfy { $0.flow?.senderAfter == 1 && $0.flow?.receiverAfter == 0 })
    }
}

@Suite struct ClockOffsetTests {
    @Test(arguments: [0, 3_600_000_000_000, -250_000_000] as [Int64])
    func bothDirectionsGiveTheOffset(_ offset: Int64) throws {
        var near = Conversation()
        near.open()
        near.send(.client, [.psh, .ack], length: 10)
        near.send(.server, [.rst, .ack])
        // The far observer sees what the client sends 2 ms later, and what the server sends 2 ms before.
        let far = near.segments.map { segment -> CapturedSegment in
            var copy = segment
            let fromClient = segment.segment.tuple.source == Conversation.client
            copy.time += offset + (fromClient ? 2_000_000 : -2_000_000)
            return copy
        }
        var other = CaptureInput(
            file: "far", packets: far.count, interfaces: ["eth0"],
            resets: far.filter { $0.segment.flags.contains(.rst) })
        other.connections = CapturedConnections(ConnectionTable(far))
        let report = correlate(captures: [near.capture(named: "near"), other], recordings: [])
        let clock = try #require(report.clocks.first)
        #expect(clock.offset == offset)
        #expect(clock.delay == 2_000_000)
        #expect(clock.segments == 5)
        // However far the clocks are apart, it is one RST.
        #expect(report.resets.count == 1)
        #expect(report.resets[0].sightings.count == 2)
    }
}

@Suite struct FindingTests {
    @Test func aScanIsOneFinding() throws {
        var captures: [CapturedSegment] = []
        for port in 0..<40 as Range<UInt16> {
            var segment = TCPSegment(
                tuple: FourTuple(
                    source: Conversation.server, sourcePort: 1000 + port, destination: Conversation.client,
                    destinationPort: 50000))
            segment.flags = [.rst, .ack]
            segment.ack = 77
            captures.append(
                CapturedSegment(
                    segment: segment, number: Int(port) + 1, offset: 0, time: Int64(port) * 100_000_000, interface: 0))
        }
        var input = CaptureInput(file: "scan", packets: 40, interfaces: [nil], resets: captures)
        input.connections = CapturedConnections(ConnectionTable(captures))
        let report = correlate(captures: [input], recordings: [])
        #expect(report.resets.count == 40)
        let finding = try #require(report.findings.first)
        #expect(report.findings.count == 1)
        #expect(finding.kind == .scan)
        #expect(finding.count == 40)
        #expect(finding.perThousandSeconds == 10_000)
        #expect(finding.destinations == [Finding.EndpointCount(address: Conversation.client, port: 50000, count: 40)])
        #expect(finding.sources == [Finding.EndpointCount(address: Conversation.server, port: nil, count: 40)])
    }

    @Test func aDeadBackendIsOneFinding() throws {
        var all: [CapturedSegment] = []
        for client in 0..<5 as Range<UInt16> {
            var flow = Conversation()
            flow.clientPort = 40000 + client
            flow.send(.client, .syn)
            flow.answer(from: .server, to: flow.last)
            all += flow.segments.map {
                var copy = $0
                copy.number += Int(client) * 2
                return copy
            }
        }
        var input = CaptureInput(
            file: "backend", packets: 10, interfaces: [nil], resets: all.filter { $0.segment.flags.contains(.rst) })
        input.connections = CapturedConnections(ConnectionTable(all))
        let report = correlate(captures: [input], recordings: [])
        #expect(report.findings.map(\.kind) == [.endpoint])
        #expect(report.findings.first?.count == 5)
    }
}
