import NetworkTypes
import PcapReader
import Testing

@testable import Correlator

/// What a socket was in when it was reset, as far as packets tell.
@Suite struct WireStateTests {
    private func candidates(_ flow: Conversation) throws -> [Cause] {
        let reset = try #require(flow.resets.last)
        return reset.candidates.isEmpty ? [reset.cause] : reset.candidates
    }

    private func facts(_ flow: Conversation) throws -> [String] {
        try #require(flow.resets.last).evidence.map(\.fact)
    }

    // MARK: - After a FIN

    /// `tcp_rcv_state_process()`: the acknowledgment of its FIN turns a closed socket into TIME_WAIT, for 60 s.
    @Test(arguments: [
        (Int64(1), Cause.dataAfterFullClose), (30, .dataAfterFullClose), (90, .staleConnectionAtListener),
    ])
    func anAcknowledgedFINLeavesTimeWait(_ seconds: Int64, _ cause: Cause) throws {
        var flow = Conversation()
        flow.open()
        flow.send(.server, [.fin, .ack])
        flow.send(.client, .ack)
        flow.time += seconds * 1_000_000_000
        flow.send(.client, [.psh, .ack], length: 30)
        flow.answer(from: .server, to: flow.last)
        #expect(try candidates(flow).first == cause)
    }

    /// Data that acknowledges the FIN itself meets the socket still.
    @Test func dataThatAcknowledgesTheFINMeetsTheSocket() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.server, [.fin, .ack])
        flow.send(.client, [.psh, .ack], length: 30)
        let data = flow.last
        flow.send(.client, [.fin, .ack])
        flow.answer(from: .server, to: data)
        #expect(try candidates(flow).first == .dataAfterClose)
    }

    /// With the first RST the socket was gone.
    @Test func whatComesAfterARSTMeetsNoSocketAnyMore() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.server, [.fin, .ack])
        flow.send(.client, [.psh, .ack], length: 30) { $0.ack &-= 1 }
        flow.answer(from: .server, to: flow.last)
        #expect(try candidates(flow).first == .dataAfterClose)
        flow.send(.client, .ack)
        flow.answer(from: .server, to: flow.last)
        #expect(try candidates(flow) == [.staleConnectionAtListener, .staleConnection])
    }

    /// A download that is stopped: each segment on its way is refused, and for one reason.
    @Test func aBurstIsRefusedForOneReason() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.client, [.psh, .ack], length: 80)
        flow.send(.client, [.fin, .ack])
        for _ in 0..<3 {
            flow.send(.server, .ack, length: 1460) { $0.ack &-= 1 }
            flow.answer(from: .client, to: flow.last)
        }
        let resets = flow.resets
        #expect(resets.count == 3)
        #expect(resets.allSatisfy { $0.cause == .dataAfterClose })
    }

    /// Only SYN, FIN and RST were captured: an acknowledgment is put off for 40 ms at most.
    @Test(arguments: [(Int64(1), Cause.dataAfterClose), (60, .dataAfterFullClose)])
    func timeTellsOfAnAcknowledgmentThatAFilterLeftOut(_ milliseconds: Int64, _ cause: Cause) throws {
        var flow = Conversation()
        flow.send(.client, .syn)
        flow.send(.server, [.syn, .ack])
        flow.send(.server, [.fin, .ack])
        flow.time += milliseconds * 1_000_000
        flow.send(.server, .rst) { $0.window = 0 }
        let table = ConnectionTable(flow.segments)
        let reset = try #require(flow.segments.last)
        let evidence = WireEvidence(
            reset, flow: table.context(ofPacket: reset.number),
            filter: CaptureFilter("tcp[tcpflags] & (tcp-syn|tcp-fin|tcp-rst) != 0")
        )
        #expect(judge(evidence).cause == cause)
    }

    @Test func aClosedWindowHoldsTheFINBack() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.server, [.psh, .ack], length: 1000)
        flow.send(.client, .ack) { $0.window = 0 }
        flow.send(.client, [.psh, .ack], length: 10) { $0.window = 0 }
        flow.answer(from: .server, to: flow.last)
        #expect(try candidates(flow).first == .dataAfterClose)
    }

    // MARK: - What its numbers tell

    /// Each of several answers has its own segment, as their numbers tell: the last of all segments is not that of the first.
    @Test func anAnswerBelongsToTheSegmentThatItsNumbersName() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.server, [.fin, .ack])
        let segments: [(UInt32, UInt32)] = [(10, 1), (20, 1), (30, 0), (40, 0)]
        for (length, back) in segments { flow.send(.client, [.psh, .ack], length: length) { $0.ack &-= back } }
        let refused = flow.segments.suffix(4).map(\.segment)
        for segment in refused { flow.answer(from: .server, to: segment) }
        let answered = flow.resets.map { reset in
            reset.evidence.compactMap { fact -> Int? in
                guard fact.fact.hasPrefix("answers a segment"), case .packet(let number) = fact.from else { return nil }
                return number
            }.first
        }
        #expect(answered == [5, 6, 7, 8])
    }

    /// Data that the RST does not acknowledge had not come when it was sent: nobody left it unread.
    @Test func dataThatCrossesTheRSTWasNotUnread() throws {
        var flow = Conversation()
        flow.open()
        let ack = flow.clientSeq
        flow.send(.client, [.psh, .ack], length: 50)
        flow.send(.server, [.rst, .ack]) { $0.ack = ack }
        #expect(try candidates(flow).first == .lingerZero)
        #expect(try !candidates(flow).contains(.abortOnClose))
    }

    /// The second request crossed the RST; the first was answered.
    @Test func whatCrossesTheRSTNeedsNoAnswer() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.client, [.psh, .ack], length: 50)
        flow.send(.server, [.psh, .ack], length: 500)
        flow.send(.client, .ack)
        flow.time += 30_000_000
        let ack = flow.clientSeq
        flow.send(.client, [.psh, .ack], length: 50)
        flow.send(.server, [.rst, .ack]) { $0.ack = ack }
        #expect(try candidates(flow).first == .lingerZero)
    }

    // MARK: - The form of the RST

    /// Linux answers so, and ends no connection with it.
    @Test func aRSTWithoutACKIsNoAbort() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.client, [.psh, .ack], length: 10)
        flow.send(.server, .ack)
        flow.time += 20_000_000_000
        flow.send(.server, .rst) { $0.window = 0 }
        let named = try candidates(flow)
        #expect(!named.contains(.lingerZero) && !named.contains(.abortOnClose) && !named.contains(.socketDestroyed))
    }

    /// Windows 2003 gives the acknowledgment number without the flag; an answer has 0 there.
    @Test func anAcknowledgmentWithoutFlagIsAnAbort() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.client, [.psh, .ack], length: 10)
        flow.send(.server, .ack)
        flow.time += 2_000_000_000
        let next = flow.clientSeq
        flow.send(.server, .rst) {
            $0.window = 0
            $0.ack = next
        }
        #expect(try candidates(flow) == [.abortOnClose, .lingerZero])
    }

    /// One direction only: the acknowledgment has moved on since the FIN.
    @Test func lateDataShowsInTheAcknowledgment() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.client, [.fin, .ack])
        flow.send(.client, [.rst, .ack]) {
            $0.ack &+= 41
            $0.window = 0
        }
        let all = flow.segments.filter { $0.segment.tuple.sourcePort == flow.clientPort }
        let table = ConnectionTable(all)
        let reset = try #require(all.last)
        let evidence = WireEvidence(reset, flow: table.context(ofPacket: reset.number))
        #expect(judge(evidence).cause == .dataAfterClose)
    }

    // MARK: - Unread, on purpose, or killed

    @Test func anAnswerToEverythingIsAnEvenTie() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.client, [.psh, .ack], length: 10)
        flow.send(.server, [.psh, .ack], length: 10)
        flow.send(.client, .ack)
        flow.send(.client, [.rst, .ack])
        #expect(try candidates(flow) == [.lingerZero, .abortOnClose])
    }

    /// Long after the exchange nothing prompted it: somebody may have killed the socket.
    @Test func aSocketMayBeKilledInMidConnection() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.client, [.psh, .ack], length: 10)
        flow.send(.server, [.psh, .ack], length: 10)
        flow.send(.client, .ack)
        flow.time += 150_000_000
        flow.send(.client, [.rst, .ack])
        #expect(try candidates(flow).contains(.socketDestroyed))
    }

    /// Closing throws what was not read away, and the RST announces the window that this makes.
    @Test func aWindowThatOpensShowsUnreadData() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.client, [.psh, .ack], length: 10)
        flow.send(.server, [.psh, .ack], length: 20_000)
        flow.send(.client, .ack) { $0.window = 380 }
        flow.send(.client, [.rst, .ack]) { $0.window = 443 }
        #expect(try candidates(flow).first == .abortOnClose)
    }

    @Test func aMessageThatNeedsNoAnswerIsNoSignOfUnreadData() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.client, [.psh, .ack], length: 40)
        flow.send(.server, [.psh, .ack], length: 40)
        flow.send(.client, [.psh, .ack], length: 7) { $0.last = .unanswered }
        flow.send(.server, [.rst, .ack])
        #expect(try candidates(flow) == [.lingerZero, .abortOnClose])
    }

    @Test func aFatalAlertIsNamed() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.client, [.psh, .ack], length: 400)
        flow.send(.server, [.psh, .ack], length: 7) { $0.fatalAlert = 48 }
        flow.send(.server, [.rst, .ack])
        #expect(try candidates(flow).first == .abortOnClose)
        #expect(try facts(flow).contains { $0.hasSuffix("fatal TLS alert: unknown_ca") })
    }

    // MARK: - Silence

    @Test func theSilenceBeforeARefusedSegmentIsTold() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.client, [.psh, .ack], length: 10)
        flow.send(.server, [.psh, .ack], length: 10)
        flow.time += 903_000_000_000
        flow.send(.client, [.psh, .ack], length: 10)
        flow.answer(from: .server, to: flow.last)
        #expect(try candidates(flow).contains(.idleTimeout))
        #expect(try facts(flow).contains { $0.hasPrefix("903 s without a packet before packet 6, which it answers") })
    }

    @Test func theSilenceBeforeAFINIsTold() throws {
        var flow = Conversation()
        flow.open()
        flow.time += 5_000_000_000
        flow.send(.server, [.fin, .ack])
        flow.send(.client, [.psh, .ack], length: 10)
        flow.answer(from: .server, to: flow.last)
        #expect(try facts(flow).contains { $0.hasPrefix("its sender closed 5.0 s after") })
    }

    @Test func aClockThatRunsBackwardsShowsNoSilence() throws {
        var flow = Conversation()
        flow.open()
        flow.time -= 900_000_000_000
        flow.send(.server, [.rst, .ack])
        let reset = try #require(flow.resets.first)
        #expect(reset.cause != .idleTimeout)
        #expect(reset.flow?.silence == nil)
    }

    // MARK: - Counts

    @Test func aProbeOfAClosedWindowIsNoKeepalive() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.server, [.psh, .ack], length: 1000)
        flow.send(.client, .ack) { $0.window = 0 }
        flow.send(.server, .ack) { $0.seq &-= 1 }
        flow.send(.server, [.rst, .ack]) { $0.seq &+= 1 }
        let reset = try #require(flow.resets.first)
        #expect(reset.flow?.sender.keepaliveProbes == 0)
        #expect(
            reset.evidence.contains { $0.fact == "the sender of the RST probed the other end's closed window 1 time" })
    }

    /// A byte that was not acknowledged is sent again; one that was is a keepalive probe, and no data.
    @Test(arguments: [false, true])
    func aByteThatIsSentAgain(isAcknowledged: Bool) throws {
        var flow = Conversation()
        flow.open()
        flow.send(.client, [.psh, .ack], length: 1)
        if isAcknowledged { flow.send(.server, .ack) }
        flow.send(.client, .ack, length: 1) { $0.seq &-= 1 }
        flow.send(.client, [.rst, .ack])
        let sender = try #require(flow.resets.first?.flow?.sender)
        #expect(sender.keepaliveProbes == (isAcknowledged ? 1 : 0))
        #expect(sender.retransmissions == (isAcknowledged ? 0 : 1))
        #expect(sender.bytes == (isAcknowledged ? 1 : 2))
    }

    // MARK: - Rare causes

    @Test func anAcceptQueueRefusesInTime() throws {
        var flow = Conversation()
        flow.send(.client, .syn)
        flow.send(.server, [.syn, .ack])
        flow.send(.client, .ack)
        var late = flow
        flow.answer(from: .server, to: flow.last)
        #expect(try candidates(flow).first == .acceptQueueOverflow)
        late = Conversation()
        late.send(.client, .syn)
        late.send(.server, [.syn, .ack])
        late.send(.client, .rst) { $0.window = 0 }
        late.time += 15_000_000_000
        late.send(.client, .ack)
        late.answer(from: .server, to: late.last)
        #expect(try candidates(late).first == .staleConnectionAtListener)
    }

    @Test func aHandshakeTimesOut() throws {
        var flow = Conversation()
        flow.send(.client, .syn)
        let first = flow.serverSeq
        for _ in 0..<4 {
            flow.send(.server, [.syn, .ack]) { $0.seq = first }
            flow.time += 7_000_000_000
        }
        flow.send(.server, [.rst, .ack])
        let reset = try #require(flow.resets.first)
        #expect(reset.cause == .userTimeout)
        #expect(reset.summary.contains("handshake"))
        #expect(!reset.candidates.contains(.lingerZero))
    }

    /// Linux gives up without a RST what is not acknowledged: a program reset here.
    @Test func retransmissionsOfLinuxEndWithoutARST() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.server, [.psh, .ack], length: 10)
        for _ in 0..<4 {
            flow.time += 2_000_000_000
            flow.send(.server, [.psh, .ack], length: 10) { $0.seq &-= 10 }
        }
        flow.send(.server, [.rst, .ack])
        #expect(try candidates(flow).first == .lingerZero)
    }

    @Test func aRSTWithoutEffectIsSaidSo() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.server, .rst) {
            $0.seq &+= 900_000
            $0.window = 0
        }
        flow.time += 2_000_000_000
        flow.send(.client, [.psh, .ack], length: 10)
        #expect(try facts(flow).contains { $0.hasPrefix("the RST had no effect") })
    }
}
