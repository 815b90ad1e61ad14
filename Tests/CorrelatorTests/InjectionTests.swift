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
        #expect(flow.resets.allSatisfy { $0.evidence.contains { $0.fact.contains("increase by 9000, 9000, ahead") } })
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
        lossy.summary.droppedBetweenPackets = 3
        let other = correlate(captures: [receiver.capture(named: "receiver"), lossy], recordings: [])
        #expect(other.resets.first?.cause != .injected)
        // Nor does one whose filter left RSTs out, or may have: pcap does not record filters.
        for filter in ["tcp[tcpflags] & tcp-rst == 0", nil] {
            var filtered = sender.capture(named: "sender")
            filtered.summary.interfaces[0].filter = filter
            filtered.summary.format.container = filter == nil ? .pcap : .pcapng
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

    /// A request of the client, 20 ms away from the server.
    private func distant(serverTTL: UInt8 = 52) -> Conversation {
        var flow = Conversation()
        flow.send(.client, .syn)
        flow.time += 19_000_000
        flow.send(.server, [.syn, .ack]) { $0.ttl = serverTTL }
        flow.send(.client, .ack)
        flow.send(.client, [.psh, .ack], length: 100)
        return flow
    }

    @Test func anAnswerFasterThanTheRoundTripIsASign() throws {
        var flow = distant()
        flow.time -= 900_000
        flow.send(.server, [.rst, .ack]) { $0.ttl = 52 }
        let alone = try #require(flow.resets.first)
        // One sign: a candidate, and said as one.
        #expect(alone.cause != .injected && alone.candidates.contains(.injected))
        #expect(
            alone.evidence.contains {
                $0.fact.contains(
                    "it comes 100 µs after what it answers, but the round trip from here to that end takes 20 ms")
            })
        var other = distant()
        other.time -= 900_000
        other.send(.server, [.rst, .ack]) { $0.ttl = 53 }
        #expect(other.resets.first?.cause == .injected)
        // What was acknowledged before may have been received long ago.
        var late = distant()
        late.time += 20_000_000
        late.send(.server, .ack) { $0.ttl = 52 }
        late.send(.server, [.rst, .ack]) { $0.ttl = 52 }
        #expect(late.resets.first?.candidates.contains(.injected) == false)
    }

    @Test func oneHopAloneIsNoSign() throws {
        var flow = distant()
        flow.time += 20_000_000
        flow.send(.server, [.rst, .ack]) { $0.ttl = 53 }
        let reset = try #require(flow.resets.first)
        #expect(reset.cause != .injected && !reset.candidates.contains(.injected))
        #expect(!reset.evidence.contains { $0.fact.contains("does not fit the end") })
        #expect(
            reset.evidence.contains { $0.fact.contains("TTL 53, but 52") && $0.fact.contains("the path has changed") })
    }

    @Test func aRuleOnARouterIsNoInjector() throws {
        // The answer of a kernel, one hop nearer than the end, to data that was sent once.
        var flow = distant(serverTTL: 63)
        flow.answer(from: .server, to: flow.last)
        let reset = try #require(flow.resets.first)
        #expect(reset.cause == .netfilterReject)
        #expect(!reset.candidates.contains(.injected))
        // Where what it answers had gone unanswered before, the end had gone.
        var gone = distant(serverTTL: 63)
        for _ in 0..<2 {
            gone.time += 200_000_000
            gone.append(gone.last)
        }
        gone.answer(from: .server, to: gone.last)
        let stale = try #require(gone.resets.first)
        #expect([.staleConnection, .staleConnectionAtListener].contains(stale.cause))
        #expect(stale.candidates.contains(.netfilterReject))
    }

    @Test func severalTTLsInAMoment() throws {
        var flow = distant()
        flow.time += 20_000_000
        for number in 0..<3 as Range<UInt8> {
            flow.send(.server, [.rst, .ack]) {
                $0.ttl = 98 + number
                $0.window = UInt16(number)
            }
            flow.time -= 900_000
        }
        #expect(flow.resets.map(\.cause) == [.injected, .injected, .injected])
        // A router shows one RST twice.
        var routed = distant()
        routed.time += 20_000_000
        routed.send(.server, [.rst, .ack]) { $0.ttl = 52 }
        var again = routed.last
        again.ttl = 51
        routed.time -= 900_000
        routed.append(again)
        #expect(routed.resets.allSatisfy { $0.cause != .injected })
    }

    @Test func aCopiedIdentificationCountsOnlyWhereIdentificationsCount() throws {
        func refused(_ adjust: (inout TCPSegment) -> Void) -> Conversation {
            var flow = distant()
            let request = flow.last
            flow.time += 20_000_000
            flow.send(.server, .rst) {
                $0.ttl = 50
                $0.window = 0
                $0.ipID = request.ipID
                adjust(&$0)
            }
            flow.time += 30_000_000
            flow.send(.server, [.psh, .ack], length: 10) { $0.ttl = 52 }
            return flow
        }
        let copied = refused { _ in }
        #expect(copied.resets.first?.cause == .injected)
        #expect(copied.resets.first?.evidence.contains { $0.fact.contains("copied from packet 4") } == true)
        #expect(refused { $0.ipID = 0 }.resets.first?.evidence.contains { $0.fact.contains("copied") } == false)
        // An end whose segments all have the same one is not copied from.
        var constant = Conversation()
        constant.send(.client, .syn) { $0.ipID = 1 }
        constant.send(.server, [.syn, .ack]) { $0.ipID = 1 }
        constant.send(.client, [.psh, .ack], length: 10) { $0.ipID = 1 }
        constant.send(.server, .rst) {
            $0.ipID = 1
            $0.window = 0
        }
        #expect(constant.resets.first?.evidence.contains { $0.fact.contains("copied") } == false)
    }

    @Test func whatTheEndHadTakenItDoesNotDeny() throws {
        var flow = Conversation()
        flow.open()
        flow.send(.client, [.psh, .ack], length: 10)
        let number = flow.serverSeq
        flow.send(.server, [.psh, .ack], length: 20)
        flow.send(.client, .ack)
        flow.send(.server, .rst) {
            $0.seq = number
            $0.ttl = 65
            $0.window = 8192
            $0.ipID = 1
        }
        let reset = try #require(flow.resets.first)
        #expect(reset.cause == .injected)
        #expect(
            reset.evidence.contains { $0.fact.contains("it refuses packet 4, which that end had accepted (packet 5)") })
    }

    @Test func nothingIsResetAfterTheOtherEndsReset() throws {
        func reset(ttl: UInt8, after seconds: Int64) throws -> Reset {
            var flow = distant()
            flow.time += 20_000_000
            flow.send(.server, [.fin, .ack]) { $0.ttl = 52 }
            flow.send(.client, .ack)
            flow.send(.client, [.rst, .ack])
            flow.time += seconds * 1_000_000_000
            flow.send(.server, [.rst, .ack]) { $0.ttl = ttl }
            return try #require(flow.resets.last)
        }
        #expect(try reset(ttl: 255, after: 16).cause == .injected)
        // Two RSTs may cross.
        #expect(try reset(ttl: 52, after: 0).candidates.contains(.injected) == false)
    }

    @Test func anInjectorIsKnownFromThenOn() throws {
        // The first two show themselves, the others follow in their row while the end is silent.
        var flow = distant(serverTTL: 64)
        for step in [0, 12503, 0, 0] as [UInt32] {
            let next = flow.serverSeq
            flow.send(.server, .rst) {
                $0.seq = next &+ step
                $0.ttl = 70
                $0.window = 10240
                $0.ipID = 40_000
            }
        }
        #expect(flow.resets.map(\.cause) == [.injected, .injected, .injected, .injected])
        // The client that answers later data is no injector: but what has ended its connection may be.
        flow.time += 1_000_000_000
        flow.send(.server, [.psh, .ack], length: 10)
        flow.answer(from: .client, to: flow.last)
        let answer = try #require(flow.resets.last)
        #expect(answer.cause == .staleConnection)
        #expect(answer.candidates.contains(.injected))
    }

    @Test func aHeaderThatNoStackSendsProvesNothing() throws {
        var flow = distant()
        flow.send(.server, [.rst, .fin, .urg]) { $0.ttl = 200 }
        let reset = try #require(flow.resets.first)
        #expect(reset.cause == .unknown && reset.candidates.isEmpty)
        #expect(reset.evidence.contains { $0.fact.contains("its flags are FRU") })
    }

    @Test func anAnswerOfOldLinuxHasAnIdentificationFromElsewhere() throws {
        var flow = distant()
        for _ in 0..<4 {
            flow.send(.server, [.psh, .ack], length: 10) { $0.ttl = 52 }
            flow.send(.client, .ack)
        }
        flow.send(.server, [.fin, .ack]) { $0.ttl = 52 }
        flow.send(.client, [.psh, .ack], length: 10)
        let data = flow.last
        flow.time += 20_000_000
        flow.send(.server, .rst) {
            $0.seq = data.ack
            $0.ttl = 52
            $0.window = 0
            $0.ipID = 50_000
        }
        #expect(
            flow.resets.first?.evidence.contains { $0.fact.contains("counts on") || $0.fact.contains("does not fit") }
                == false)
    }

    @Test(arguments: [
        (UInt16(0), true, UInt8(64), "as Linux answers a segment"), (4711, true, 64, "as Linux answered before 4.19"),
        (4711, false, 64, "not Linux"), (4711, true, 128, "fits Windows (nmap"),
        (4711, false, 128, "fits Windows XP and 2003"),
        (0, true, 128, "fits no stack"),
    ])
    func aHeaderFitsStacks(_ id: UInt16, _ isWhole: Bool, _ ttl: UInt8, _ says: String) throws {
        var flow = Conversation()
        flow.send(.client, .syn)
        flow.answer(from: .server, to: flow.last)
        var segments = flow.segments
        segments[1].segment.ipID = id
        segments[1].segment.dontFragment = isWhole
        segments[1].segment.ttl = ttl
        var input = flow.capture
        input.resets = [segments[1]]
        input.connections.table = ConnectionTable(segments)
        let reset = try #require(correlate(captures: [input], recordings: []).resets.first)
        #expect(reset.evidence.contains { $0.fact.contains(says) }, "\(reset.evidence.map(\.fact))")
    }

    @Test func equalResetsAreCounted() throws {
        var flow = Conversation()
        for _ in 0..<40 {
            flow.send(.client, .rst) { $0.window = 8192 }
            flow.time += 59_999_000_000
        }
        let last = try #require(flow.resets.last)
        #expect(last.evidence.contains { $0.fact == "39 equal RSTs before, one every 60.0 s" })
        // A row ends where another RST comes between.
        flow.send(.client, .rst) { $0.seq = 1 }
        flow.send(.client, .rst) { $0.window = 8192 }
        #expect(flow.resets.last?.evidence.contains { $0.fact.contains("equal RST") } == false)
    }

    @Test func numbersOfTwoConnectionsAreNotSubtracted() throws {
        var flow = Conversation()
        flow.send(.client, .syn) { $0.seq = 3_000_000_000 }
        flow.send(.server, .ack) { $0.ack = 2_800_000_000 }
        flow.answer(from: .client, to: flow.last)
        let reset = try #require(flow.resets.first)
        #expect(reset.cause == .badAckInHandshake)
        #expect(!reset.evidence.contains { $0.fact.contains("not been acknowledged") })
    }

    @Test(arguments: [Int64.min, Int64.max]) func aTimeBeyondTheRangeIsTaken(_ time: Int64) throws {
        var flow = distant()
        flow.send(.server, [.rst, .ack])
        var input = flow.capture
        input.resets[0].time = time
        var told = input
        told.connections.table = ConnectionTable()
        let reset = try #require(correlate(captures: [told], recordings: []).resets.first)
        #expect(reset.evidence.contains { $0.fact.contains("outside the years 1677 to 2262") })
        #expect(correlate(captures: [input], recordings: []).resets.count == 1)
    }
}
