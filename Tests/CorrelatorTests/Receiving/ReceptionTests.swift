import KernelEvents
import NetworkTypes
import Testing

@testable import Correlator

/// A RST that was received is the one that was sent, and nobody is named who did not have the socket.
@Suite struct ReceptionTests {
    @Test func whatWasSentAndReceivedIsOneEntry() throws {
        var world = World()
        world.decide(at: 0)
        world.emit(at: 0.01)
        world.packet(at: 0.02)
        world.receive(at: 0.03)
        let report = world.report()
        let reset = try #require(report.resets.first)
        #expect(report.resets.count == 1)
        #expect(reset.outcome == .matched)
        #expect(reset.direction == .sent)
        #expect(reset.certainty == .proven)
        #expect(reset.receiver?.process?.pid == 9)
        #expect(reset.receiver?.error == "ECONNRESET")
        #expect(
            reset.evidence.contains {
                $0.fact == "received by curl (pid 9), in ESTABLISHED: ECONNRESET at its next read"
            })
    }

    @Test func ofAnUnknownSenderThePacketsTellTheCause() throws {
        var world = World()
        world.packet(at: 0)
        let before = try #require(world.report().resets.first)
        world.receive(at: 0.1)
        let report = world.report()
        let reset = try #require(report.resets.first)
        #expect(report.resets.count == 1)
        #expect(reset.direction == .received)
        #expect(reset.outcome == .wireOnly)
        #expect(reset.certainty != .proven)
        #expect(reset.cause == (before.cause == .unknown ? .received : before.cause))
        #expect(reset.process == nil)
        #expect(reset.receiver?.process?.comm == "curl")
    }

    @Test func whatOnlyItsReceptionTellsOfIsAnEntry() throws {
        var world = World()
        world.receive(at: 5)
        let reset = try #require(world.report().resets.first)
        #expect(reset.outcome == .kernelOnly)
        #expect(reset.direction == .received)
        #expect(reset.cause == .received)
        #expect(reset.certainty == .unknown)
        #expect(reset.seq == 1)
        #expect(reset.netns == 5)
        #expect(!reset.missing.isEmpty)
        #expect(reset.time == 1_000_005_000_000)
    }

    @Test func anotherNumberIsAnotherRST() {
        // Of two RSTs the second one is accepted: the first had not the number that was expected.
        var world = World()
        world.emit(at: 0, seq: 101)
        world.emit(at: 0.2, seq: 1)
        world.receive(at: 0.3)
        let resets = Array(world.report().resets)
        #expect(resets.count == 2)
        #expect(resets.map { $0.receiver != nil } == [false, true])
    }

    @Test func aConnectionAcceptsOneRST() {
        var world = World()
        for time in [0.0, 1.0, 2.0] { world.packet(at: time) }
        world.receive(at: 0.1)
        let resets = Array(world.report().resets)
        #expect(resets.count == 3)
        #expect(resets.map { $0.receiver != nil } == [true, false, false])
    }

    @Test func whatWasSentLaterWasNotReceived() {
        var world = World()
        world.receive(at: 0)
        world.emit(at: 0.5)
        let resets = Array(world.report().resets)
        #expect(resets.map(\.direction) == [.received, .sent])
    }

    @Test func inSynSentTheAcknowledgmentCounts() {
        var world = World()
        world.emit(at: 0, seq: 0)
        world.receive(at: 0.1, seq: 0, state: .synSent) {
            $0.reception?.errno = 111
            $0.reception?.wait = .call
        }
        let resets = Array(world.report().resets)
        #expect(resets.count == 1)
        #expect(
            resets.first?.receiver?.sentence == "received by curl (pid 9), in SYN_SENT: ECONNREFUSED from connect()")
    }

    /// Neither a connect() that does not block nor a send() in whose course the RST comes returns the error.
    @Test(arguments: [
        (TCPState.synSent, nil, "ECONNREFUSED for its connect()"),
        (.synSent, ResetEvent.Reception.Wait.epoll, "ECONNREFUSED for its connect(), epoll reports it"),
        (.closeWait, nil, "ECONNREFUSED in a call that is under way, or at its next write"),
    ])
    func whichCallFailsIsOnlySaidIfItIsKnown(
        _ state: TCPState, _ wait: ResetEvent.Reception.Wait?, _ effect: String
    ) throws {
        var world = World()
        world.receive(at: 0, state: state) {
            $0.reception?.errno = 111
            $0.reception?.wait = wait
        }
        let sentence = try #require(world.report().resets.first?.receiver?.sentence)
        #expect(sentence.contains(": \(effect)") && !sentence.contains("from connect()"))
    }

    @Test func twoRecordersOfOneHostTellOfOneReception() {
        var world = World()
        world.receive(at: 0)
        let report = world.report(others: [world])
        #expect(report.resets.count == 1)
    }

    @Test func nobodyLearnsOfItAfterTheProgramHasGone() throws {
        var world = World()
        world.emit(at: 0)
        world.receive(at: 0.1, state: .finWait1, pid: nil) { event in
            event.reception?.errno = nil
            event.reception?.wait = nil
            event.socket?.dead = true
            event.ending = ResetEvent.Ending(how: .exit, monotonic: 0)
            event.ending?.process = ResetEvent.Owner(pid: 12, comm: "wget")
        }
        let receiver = try #require(world.report().resets.first?.receiver)
        #expect(receiver.process?.role == .closer)
        #expect(
            receiver.sentence
                == "received by wget (pid 12), in FIN_WAIT1: no program learns of it, since the program had exited")
    }

    @Test func theSentenceTellsWhatWasUnderWay() throws {
        var world = World()
        world.emit(at: 0)
        world.receive(at: 0.1) { event in
            event.reception?.unacknowledged = 1448
            event.reception?.wait = .call
        }
        let receiver = try #require(world.report().resets.first?.receiver)
        #expect(
            receiver.sentence
                == "received by curl (pid 9), in ESTABLISHED: ECONNRESET in the call that it waits in, "
                + "1,448 bytes it had sent were not acknowledged")
    }

    @Test func whoReceivedItIsFoundByName() {
        var world = World()
        world.packet(at: 0)
        world.receive(at: 0.1)
        var report = world.report()
        var filter = ResetFilter()
        filter.pids = [9]
        report.keep(filter, words: [])
        #expect(report.resets.count == 1)
        filter.pids = [10]
        report.keep(filter, words: [])
        #expect(report.resets.isEmpty)
    }
}
