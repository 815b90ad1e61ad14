import KernelEvents
import NetworkTypes
import Testing

@testable import Correlator

/// RSTs of a connection that was reset before.
@Suite struct FollowTests {
    private static let destroyed = ["tcp_send_active_reset", "tcp_abort", "tcp_diag_destroy", "do_syscall_64"]
    private static let noSocket = ["tcp_v4_send_reset", "tcp_v4_rcv", "handle_softirqs", "do_syscall_64"]

    private func event(_ stack: Int, at second: Int64, seq: UInt32, tuple: FourTuple = World.tuple) -> ResetEvent {
        var event = ResetEvent(
            kind: .decide, hook: ResetEvent.decideHook, monotonic: second * 1_000_000_000, tuple: tuple)
        event.seq = seq
        event.flags = stack == 1 ? [.rst, .ack] : .rst
        event.stack = stack
        if stack == 1 {
            event.state = .established
            var socket = ResetEvent.Socket()
            socket.state = .established
            socket.dead = false
            event.socket = socket
        } else {
            event.trigger = ResetEvent.Trigger(flags: [.psh, .ack], seq: 1, ack: seq, length: 5)
        }
        return event
    }

    private func report(_ events: [ResetEvent]) -> Report {
        var recording = Recording()
        recording.stacks = [1: Self.destroyed, 2: Self.noSocket]
        recording.events = events
        return correlate(captures: [], recordings: [EventInput(file: "e", recording: recording)])
    }

    @Test func laterAnswersFollowFromTheFirstReset() {
        let report = report([event(1, at: 1, seq: 5000), event(2, at: 3, seq: 5000), event(2, at: 4, seq: 4900)])
        #expect(report.resets.map(\.follows) == [nil, 1, 1])
        #expect(report.resets[1].summary.contains("had reset 2.0 s earlier (#1, socket-destroyed)"))
        let summary = ReportSummary(report)
        #expect(summary.byCause.map(\.cause) == [.socketDestroyed])
        #expect(summary.followUps == 2)
    }

    @Test func answersToSegmentsOfOneDeadConnectionAreOneStory() {
        let report = report([event(2, at: 1, seq: 5000), event(2, at: 2, seq: 5000)])
        #expect(report.resets.map(\.follows) == [nil, 1])
        #expect(report.resets.map(\.cause) == [.staleConnection, .staleConnection])
    }

    @Test func anotherConnectionDoesNotFollow() {
        // Other numbers: the ports were used again. The other direction: the other end reset.
        let report = report([
            event(1, at: 1, seq: 5000), event(2, at: 3, seq: 3_000_000_000),
            event(2, at: 4, seq: 5000, tuple: World.tuple.reversed),
        ])
        #expect(report.resets.map(\.follows) == [nil, nil, nil])
        #expect(ReportSummary(report).followUps == 0)
    }

    @Test func aResetOfASocketFollowsFromNone() {
        let report = report([event(1, at: 1, seq: 5000), event(1, at: 3, seq: 5000)])
        #expect(report.resets.map(\.follows) == [nil, nil])
    }
}
