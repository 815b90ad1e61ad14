import KernelEvents
import NetworkTypes
import Testing

@testable import Correlator

/// What a report says of a RST whose connection had ended here before.
@Suite struct ConnectionEndTests {
    private static let server = ResetEvent.Owner(pid: 812, comm: "nginx")
    private static let now: Int64 = 65_000_000_000

    private func ending(_ how: ResetEvent.Ending.How, by process: ResetEvent.Owner? = server) -> ResetEvent.Ending {
        var ending = ResetEvent.Ending(how: how, monotonic: Self.now - 5_000_000_000)
        ending.process = process
        ending.seq = 1000
        ending.state = .established
        return ending
    }

    /// An answer to a segment that acknowledges up to `ack`.
    private func reset(
        _ ending: ResetEvent.Ending?, ack: UInt32 = 1001, state: TCPState? = .timeWait,
        adjust: (inout ResetEvent) -> Void = { _ in }
    ) throws -> Reset {
        var event = ResetEvent(
            kind: .decide, hook: ResetEvent.decideHook, monotonic: Self.now, tuple: World.tuple)
        event.seq = ack
        event.ack = 0
        event.flags = .rst
        event.stack = 1
        event.task = ResetEvent.Task(pid: 7, tid: 7, uid: 0, comm: "bystander", context: .softirq)
        event.state = state
        event.trigger = ResetEvent.Trigger(flags: [.psh, .ack], seq: 1, ack: ack, length: 10)
        event.ending = ending
        adjust(&event)
        var recording = Recording()
        recording.stacks = [1: ["tcp_v4_send_reset", "tcp_v4_rcv", "handle_softirqs", "do_syscall_64"]]
        recording.events = [event]
        return try #require(
            correlate(captures: [], recordings: [EventInput(file: "e", recording: recording)]).resets.first)
    }

    @Test func whoClosedIsNamedWithTheSilenceBefore() throws {
        var ending = ending(.close)
        ending.idle = 5_000_000_000
        ending.cgroupPath = "/system.slice/nginx.service"
        let reset = try reset(ending)
        #expect(reset.cause == .dataAfterFullClose)
        #expect(reset.certainty == .proven)
        #expect(reset.process == Reset.Process(pid: 812, comm: "nginx", role: .closer))
        #expect(reset.summary.hasSuffix(": nginx (pid 812) closed it 5.0 s earlier, after 5.0 s without data."))
        #expect(reset.location?.identity.unit == "nginx.service")
        #expect(reset.end?.age == 5_000_000_000)
    }

    @Test func aConnectionThatNobodyHereEndedIsItsOwners() throws {
        var ending = ending(.timeout, by: nil)
        ending.owner = Self.server
        ending.errno = 110
        ending.unacknowledged = 10
        ending.userTimeout = 100
        let reset = try reset(ending, state: nil)
        #expect(reset.cause == .staleConnection)
        #expect(reset.process == Reset.Process(pid: 812, comm: "nginx", role: .owner))
        #expect(
            reset.summary.contains(
                "it had timed out 5.0 s earlier with 10 unacknowledged bytes, TCP_USER_TIMEOUT is 100 ms"))
    }

    @Test func whoDestroyedASocketIsItsKiller() throws {
        var ending = ending(.destroyed, by: ResetEvent.Owner(pid: 9, comm: "ss"))
        ending.owner = Self.server
        let reset = try reset(ending, state: nil)
        #expect(reset.process == Reset.Process(pid: 9, comm: "ss", role: .killer))
        #expect(reset.owner == Reset.Process(pid: 812, comm: "nginx", role: .owner))
    }

    @Test func aSignalIsCalledByItsName() throws {
        var ending = ending(.killed)
        ending.signal = 9
        #expect(try reset(ending).summary.contains("nginx (pid 812) was killed by SIGKILL 5.0 s earlier"))
        ending.signal = 62
        #expect(try reset(ending).summary.contains("was killed by signal 62"))
    }

    /// Another connection had the same addresses and ports before.
    @Test(arguments: [1002, 2000, 1001 &- (1 << 30) &- 1] as [UInt32])
    func whatTheSegmentAcknowledgesMustHaveBeenSent(_ ack: UInt32) throws {
        let reset = try reset(ending(.close), ack: ack)
        #expect(reset.process == nil)
        #expect(reset.end == nil)
    }

    @Test(arguments: [1001, 1000, 1, UInt32.max] as [UInt32])
    func whatItAcknowledgesMayBeLess(_ ack: UInt32) throws {
        #expect(try reset(ending(.close), ack: ack).process?.pid == 812)
    }

    @Test func anEndAfterTheResetIsNotItsCause() throws {
        var ending = ending(.close)
        ending.monotonic = Self.now + 1
        #expect(try reset(ending).end == nil)
    }

    @Test func withoutAnEndTheReportSaysWhatIsMissing() throws {
        let reset = try reset(nil)
        #expect(reset.process == nil)
        #expect(reset.summary.contains("closed"))
    }
}
