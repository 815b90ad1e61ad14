import CLibBPF
import KernelEvents
import NetworkTypes
import Testing

@testable import Recorder

/// The kernel ends a connection as if by a RST when data comes after a shutdown: that is not one that was received.
@Suite struct ReceptionQueueTests {
    private let event = ResetEvent(
        kind: .receive, hook: ResetEvent.receiveHook, monotonic: 1000,
        tuple: FourTuple(
            source: IPAddress(ipv4: 1), sourcePort: 1, destination: IPAddress(ipv4: 2), destinationPort: 2))

    private func record(_ kind: rst_event_kind, at time: UInt64, sock: UInt64, isAmbiguous: Bool = false) -> rst_event {
        var record = rst_event()
        record.kind = UInt8(kind.rawValue)
        record.mono_ns = time
        record.sock = sock
        record.received.may_be_abort = isAmbiguous ? 1 : 0
        return record
    }

    @Test func whatIsClearDoesNotWait() {
        var queue = ReceptionQueue(reportsDecisions: true)
        let result1 = queue.hold(event, record(RST_RECEIVE, at: 1000, sock: 7))
        #expect(!result1)
        let result2 = queue.settle(until: .max)
        #expect(result2.isEmpty)
    }

    @Test func aDecisionOnTheSameSocketExplainsIt() {
        var queue = ReceptionQueue(reportsDecisions: true)
        let result3 = queue.hold(event, record(RST_RECEIVE, at: 1000, sock: 7, isAmbiguous: true))
        #expect(result3)
        let result4 = queue.settle(by: record(RST_DECIDE, at: 2000, sock: 7))
        #expect(result4.isEmpty)
        let result5 = queue.settle(until: .max)
        #expect(result5.isEmpty)
    }

    @Test func aDecisionOnAnotherSocketDoesNot() {
        var queue = ReceptionQueue(reportsDecisions: true)
        let result6 = queue.hold(event, record(RST_RECEIVE, at: 1000, sock: 7, isAmbiguous: true))
        #expect(result6)
        let result7 = queue.settle(by: record(RST_DECIDE, at: 2000, sock: 8))
        #expect(result7.isEmpty)
        let result8 = queue.settle(by: record(RST_EMIT, at: 2000, sock: 0))
        #expect(result8.isEmpty)
        let result9 = queue.settle(by: record(RST_EMIT, at: 200_000_000, sock: 0))
        #expect(result9.map(\.event) == [event])
        let result10 = queue.settle(until: .max)
        #expect(result10.isEmpty)
    }

    @Test func withoutDecisionsNobodyCanTell() {
        var queue = ReceptionQueue(reportsDecisions: false)
        let result11 = queue.hold(event, record(RST_RECEIVE, at: 1000, sock: 7, isAmbiguous: true))
        #expect(result11)
        let result12 = queue.settle(until: .max)
        #expect(result12.isEmpty)
    }

    @Test(arguments: [
        ("woken_wake_function+0x0", ResetEvent.Reception.Wait.call), ("pollwake+0x0", .poll),
        ("ep_poll_callback", .epoll), ("io_poll_wake+0x0", .ioUring),
    ])
    func howItWaitsIsToldByWhatWakesIt(_ function: String, _ wait: ResetEvent.Reception.Wait) {
        #expect(ResetEvent.Reception.Wait(wakingFunction: function) == wait)
        #expect(ResetEvent.Reception.Wait(wakingFunction: "some_" + function) == nil)
    }
}

extension ReceptionQueue {
    fileprivate mutating func hold(_ event: ResetEvent, _ record: rst_event) -> Bool {
        withUnsafePointer(to: record) { hold(event, $0) }
    }

    fileprivate mutating func settle(by record: rst_event) -> [Held] {
        withUnsafePointer(to: record) { settle(by: $0) }
    }
}

@Suite struct WaitTests {
    typealias Wait = ResetEvent.Reception.Wait

    /// A socket is locked while send() sends what the RST answers, and send() returns its bytes all the same.
    @Test func aLockDoesNotShowWhichCallFails() {
        #expect(Wait(of: [], isLocked: true) == nil)
        #expect(Wait(of: [], isLocked: false) == .nobody)
        #expect(Wait(of: [.call], isLocked: true) == .call)
        #expect(Wait(of: [.epoll, .poll], isLocked: false) == .poll)
        #expect(Wait(of: [.epoll], isLocked: true) == .epoll)
        #expect(Wait(of: [nil], isLocked: false) == nil)
    }
}
