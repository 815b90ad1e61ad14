import NetworkTypes
import PcapReader
import Testing

@testable import Correlator

@Suite struct WireVerdictTests {
    @Test func aRefusedSynIsClosedPortOrReject() throws {
        var flow = Conversation()
        flow.send(.client, .syn)
        flow.answer(from: .server, to: flow.last)
        let reset = try #require(flow.resets.first)
        #expect(reset.cause == .connectionRefused)
        #expect(reset.candidates == [.closedPort, .netfilterReject])
        #expect(reset.certainty == .inferred)
        #expect(reset.connectionState == "REJ")
        #expect(reset.flow?.acceptance == "accepted")
    }

    @Test func unreadDataComesBeforeLinger() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.client, [.psh, .ack], length: 10)
        flow.send(.server, .ack)
        flow.send(.server, [.rst, .ack])
        let reset = try #require(flow.resets.first)
        #expect(reset.candidates == [.abortOnClose, .lingerZero])
        #expect(reset.connectionState == "RSTR")
        #expect(reset.flow?.receiver.bytes == 10)
    }

    /// A classic pcap does not say that only SYN, FIN and RST were captured; the numbers of the RST do.
    @Test func numbersThatMovedOnAreNoSilence() throws {
        var flow = Conversation()
        flow.send(.client, .syn)
        flow.send(.server, [.syn, .ack])
        flow.time += 64_000_000_000
        flow.send(.client, [.rst, .ack]) { $0.ack &+= 638_000 }
        let reset = try #require(flow.resets.first)
        #expect(reset.cause != .idleTimeout)
        #expect(!reset.evidence.contains { $0.fact.contains("nothing was sent") })
    }

    /// 63 s is nobody's idle limit: a program may have ended with data unread.
    @Test func aSilenceThatFitsNoLimitMayBeAProgram() throws {
        func candidates(after silence: Int64) throws -> [Cause] {
            var flow = Conversation()
            flow.open()
            flow.send(.server, [.psh, .ack], length: 12)
            flow.send(.client, .ack)
            flow.time += silence * 1_000_000_000
            flow.send(.client, [.rst, .ack])
            return try #require(flow.resets.first).candidates
        }
        #expect(try candidates(after: 63) == [.idleTimeout, .abortOnClose])
        #expect(try candidates(after: 350).isEmpty)
    }

    /// An orphan whose FIN nobody acknowledges is given up: what comes later meets no socket, or a listener.
    @Test func anAcknowledgmentLongAfterTheFINSpeaksOfNoOption() throws {
        func candidates(after pause: Int64) throws -> [Cause] {
            var flow = Conversation()
            flow.open()
            flow.send(.server, [.fin, .ack])
            flow.time += pause * 1_000_000_000
            flow.send(.client, .ack)
            flow.answer(from: .server, to: flow.last)
            let reset = try #require(flow.resets.first)
            return reset.candidates.isEmpty ? [reset.cause] : reset.candidates
        }
        #expect(try candidates(after: 0) == [.linger2Expired])
        #expect(try candidates(after: 12) == [.staleConnectionAtListener, .staleConnection])
    }

    @Test func aSynLongAfterTheHandshakeIsRefused() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.client, [.psh, .ack], length: 100)
        flow.send(.server, [.psh, .ack], length: 200)
        flow.time += 300_000_000_000
        flow.send(.client, .syn) { $0.seq = 900_000 }
        flow.answer(from: .server, to: flow.last)
        let reset = try #require(flow.resets.first)
        #expect(reset.cause == .connectionRefused)
        #expect(reset.flow?.acceptance == "accepted")
    }

    /// Data and a FIN come together after the sender's FIN was acknowledged: it is the data that TIME_WAIT refuses.
    @Test func dataBeforeTheLastFINIsWhatIsRefused() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.server, [.fin, .ack])
        flow.send(.client, .ack)
        flow.send(.client, [.psh, .ack], length: 31)
        let data = flow.last
        flow.send(.client, [.fin, .ack])
        flow.answer(from: .server, to: data)
        let reset = try #require(flow.resets.first)
        #expect(reset.cause == .dataAfterFullClose)
        #expect(reset.evidence.contains { $0.fact.contains("31 bytes of data") && $0.from == .packet(6) })
        #expect(!reset.evidence.contains { $0.fact.contains("no data was lost") })
    }

    /// shutdown(SHUT_WR), and close() without reading what came after it: Linux ends such a socket with a RST of its own,
    /// while an answer to late data has no ACK.
    @Test(arguments: [false, true])
    func aHalfClosedSocketWithUnreadDataIsAborted(isAcknowledged: Bool) throws {
        var flow = Conversation()
        flow.open()
        flow.send(.client, [.psh, .ack], length: 100)
        flow.send(.client, [.fin, .ack])
        flow.send(.server, [.psh, .ack], length: 480)
        if isAcknowledged { flow.send(.client, .ack) }
        flow.send(.client, [.rst, .ack])
        #expect(try #require(flow.resets.first).cause == .abortOnClose)
    }

    /// Data that meets a socket whose FIN is not acknowledged yet, as a forged FIN makes it happen.
    @Test func aFINThatIsNotAcknowledgedKeepsTheSocket() throws {
        var flow = Conversation()
        flow.open()
        let acknowledged = flow.clientSeq
        flow.send(.server, [.fin, .ack])
        flow.send(.client, [.fin, .ack])
        flow.send(.server, [.psh, .ack], length: 700) {
            $0.seq &-= 1
            $0.ack = acknowledged
        }
        flow.answer(from: .client, to: flow.last)
        let reset = try #require(flow.resets.first)
        #expect(reset.candidates == [.dataAfterClose, .staleConnection])
        // The RST has ended the socket: what comes then meets none.
        flow.send(.server, [.psh, .ack], length: 10) { $0.ack = acknowledged }
        flow.answer(from: .client, to: flow.last)
        #expect(flow.resets[1].cause == .staleConnection)
    }

    /// What was sent before the RST comes before it: then its number is an old one.
    @Test func aNumberThatMayBeOldIsNotCalledExact() throws {
        var flow = Conversation()
        flow.open()
        let start = flow.serverSeq
        flow.send(.server, [.psh, .ack], length: 100)
        flow.send(.server, [.rst, .ack]) { $0.seq = start }
        #expect(try #require(flow.resets.first).flow?.acceptance == "unknown")
    }

    @Test func withoutDataNothingWasUnread() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.server, [.rst, .ack])
        let reset = try #require(flow.resets.first)
        #expect(reset.cause == .lingerZero)
        #expect(!reset.candidates.contains(.abortOnClose))
    }

    @Test func dataThatCrossesTheFinIsDataAfterClose() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.server, [.fin, .ack])
        let acknowledged = flow.serverSeq &- 1
        flow.send(.client, [.psh, .ack], length: 10) { $0.ack = acknowledged }
        flow.answer(from: .server, to: flow.last)
        #expect(flow.resets.first?.cause == .dataAfterClose)
    }

    @Test func segmentsAfterBothFinsBelongToNothing() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.server, [.fin, .ack])
        flow.send(.client, [.fin, .ack])
        flow.send(.server, .ack)
        flow.send(.client, .ack)
        flow.answer(from: .server, to: flow.last)
        let reset = try #require(flow.resets.first)
        #expect(reset.candidates == [.staleConnectionAtListener, .staleConnection])
        #expect(reset.evidence.contains { $0.fact.contains("no data was lost") })
    }

    /// A rule that rejects an open connection: the host it speaks for knows of it.
    @Test func aRejectOfAnOpenConnectionIsACandidate() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.client, [.psh, .ack], length: 10)
        flow.answer(from: .server, to: flow.last)
        flow.time += 50_000_000
        flow.send(.server, [.psh, .ack], length: 10)
        let reset = try #require(flow.resets.first)
        #expect(reset.candidates.contains(.netfilterReject))
    }

    @Test func aConnectionThatIsForgottenIsStale() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.client, [.psh, .ack], length: 10)
        flow.answer(from: .server, to: flow.last)
        #expect(flow.resets.first?.candidates == [.staleConnectionAtListener, .staleConnection])
        // The client's port is its own: nobody can listen there.
        var other = Conversation()
        other.open()
        other.send(.server, [.psh, .ack], length: 10)
        other.answer(from: .client, to: other.last)
        #expect(other.resets.first?.cause == .staleConnection)
        #expect(other.resets.first?.candidates == [])
    }

    @Test func unansweredProbesAreAKeepaliveTimeout() throws {
        var flow = Conversation()
        flow.open()
        for _ in 0..<3 {
            flow.time += 75_000_000_000
            let probe = flow.serverSeq &- 1
            flow.send(.server, .ack) { $0.seq = probe }
            // The probe takes no sequence number.
            flow.send(.server, .ack) { $0.seq = probe &+ 1 }
        }
        flow.time += 75_000_000_000
        flow.send(.server, [.rst, .ack])
        let reset = try #require(flow.resets.first)
        #expect(reset.candidates == [.keepaliveTimeout, .userTimeout])
        #expect(reset.flow?.sender.keepaliveProbes == 3)
    }

    /// Nothing but probes was captured: that they look back is seen from the RST alone.
    @Test(arguments: [1, 4])
    func aRSTTellsThatTheSegmentsBeforeItWereProbes(_ count: Int) {
        var flow = Conversation()
        let next = flow.serverSeq
        for _ in 0..<count {
            flow.send(.server, .ack) { $0.seq = next &- 1 }
            flow.time += 1_000_000_000
        }
        flow.send(.server, [.rst, .ack]) { $0.seq = next }
        #expect(flow.resets.first?.cause == .keepaliveTimeout)
        // The end of data that went by uncaptured would be further on; an answer would have ended the row.
        var other = Conversation()
        other.send(.server, .ack) { $0.seq = next &- 500 }
        other.send(.server, [.rst, .ack]) { $0.seq = next }
        #expect(other.resets.first?.cause != .keepaliveTimeout)
        var answered = Conversation()
        answered.send(.server, .ack) { $0.seq = next &- 1 }
        answered.send(.client, .ack)
        answered.send(.server, [.rst, .ack]) { $0.seq = next }
        #expect(answered.resets.first?.cause != .keepaliveTimeout)
    }

    /// An idle connection that is older than the capture: the first segment of it is a probe.
    @Test func probesAreRecognisedWithoutAHandshake() throws {
        var flow = Conversation()
        let next = flow.serverSeq
        flow.send(.server, .ack) { $0.seq = next &- 1 }
        flow.send(.client, .ack) { $0.ack = next }
        flow.time += 75_000_000_000
        flow.send(.server, .ack) { $0.seq = next &- 1 }
        flow.time += 75_000_000_000
        flow.send(.server, [.rst, .ack]) { $0.seq = next }
        #expect(flow.resets.first?.candidates == [.keepaliveTimeout, .userTimeout])
    }

    @Test(arguments: [(61, true), (350, true), (30, false)])
    func silenceIsAnIdleTimeout(_ seconds: Int, _ isIdle: Bool) throws {
        var flow = Conversation()
        flow.open()
        flow.send(.client, [.psh, .ack], length: 10)
        flow.send(.server, [.psh, .ack], length: 10)
        flow.send(.client, .ack)
        flow.time += Int64(seconds) * 1_000_000_000
        flow.send(.server, [.rst, .ack])
        let reset = try #require(flow.resets.first)
        #expect((reset.cause == .idleTimeout) == isIdle)
        #expect(reset.evidence.contains { $0.fact.contains("NLB") } == (seconds == 350))
    }

    @Test func aRestartedClientMeetsAHalfOpenConnection() throws {
        var flow = Conversation()
        flow.open()
        let expected = flow.clientSeq
        flow.send(.client, .syn) { $0.seq = 90_000 }
        flow.send(.server, .ack) { $0.ack = expected }
        flow.answer(from: .client, to: flow.last)
        let reset = try #require(flow.resets.first)
        #expect(reset.cause == .badAckInHandshake)
        #expect(reset.evidence.contains { $0.fact.contains("half-open") })
    }

    @Test func theLastAckOfAHandshakeCanBeRefused() throws {
        var flow = Conversation()
        flow.open()
        flow.answer(from: .server, to: flow.last)
        #expect(flow.resets.first?.cause == .acceptQueueOverflow)
        #expect(flow.resets.first?.candidates == [.acceptQueueOverflow, .staleConnectionAtListener])
    }

    @Test func nothingAroundItIsUnknown() throws {
        var flow = Conversation()
        flow.send(.server, [.rst, .ack])
        let reset = try #require(flow.resets.first)
        #expect(reset.cause == .unknown)
        #expect(reset.certainty == .unknown)
        #expect(reset.evidence.contains { $0.fact.hasPrefix("missing: ") })
    }

    @Test func aCaptureThatCouldNotBeReadAgainSaysSo() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.server, [.rst, .ack])
        var capture = flow.capture
        capture.connections = CapturedConnections()
        let reset = try #require(correlate(captures: [capture], recordings: []).resets.first)
        #expect(reset.cause == .unknown)
        #expect(reset.evidence.contains { $0.fact.contains("could not be read a second time") })
    }

    /// Whatever the packets are, they prove nothing, and never trap.
    @Test func nothingOnAWireIsProven() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            var flow = Conversation()
            for _ in 0..<Int.random(in: 1...12, using: &generator) {
                let end: Conversation.End = Bool.random(using: &generator) ? .client : .server
                flow.send(
                    end, TCPFlags(rawValue: UInt16.random(in: 0...63, using: &generator)),
                    length: [0, 1, 10, .max].randomElement(using: &generator)!
                ) {
                    if Bool.random(using: &generator) { $0.seq = .random(in: 0...UInt32.max, using: &generator) }
                    if Bool.random(using: &generator) { $0.ack = .random(in: 0...UInt32.max, using: &generator) }
                    $0.window = .random(in: 0...UInt16.max, using: &generator)
                    $0.ttl = .random(in: 0...255, using: &generator)
                }
                flow.time =
                    Bool.random(using: &generator) ? flow.time : [.min, .max, 0].randomElement(using: &generator)!
                if flow.time > .max - 10_000_000 { flow.time -= 100_000_000 }
            }
            flow.send(.server, .rst)
            for reset in flow.resets {
                #expect(reset.certainty != .proven)
                #expect(reset.candidates.count <= WireScore.maximumCandidates)
            }
        }
    }
}
