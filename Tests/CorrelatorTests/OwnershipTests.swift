import KernelEvents
import NetworkTypes
import Testing

@testable import Correlator

/// Who a report names, for one event with a stack, a task and a socket.
@Suite struct OwnershipTests {
    private let task = ResetEvent.Task(pid: 7, tid: 7, uid: 0, comm: "current", context: .process)
    private let owner = ResetEvent.Owner(pid: 8, comm: "owner")

    private func reset(
        _ stack: [String], owner: ResetEvent.Owner?, state: TCPState? = .established,
        adjust: (inout ResetEvent) -> Void = { _ in }
    ) throws -> Reset {
        var event = ResetEvent(
            kind: .decide, hook: ResetEvent.decideHook, monotonic: 5_000_000_000, tuple: World.tuple)
        event.seq = 1
        event.ack = 0
        event.flags = .rst
        event.stack = 1
        event.task = task
        event.state = state
        if state != nil {
            var socket = ResetEvent.Socket()
            socket.state = state
            socket.owner = owner
            event.socket = socket
        }
        adjust(&event)
        var recording = Recording()
        recording.stacks = [1: stack]
        recording.events = [event]
        return try #require(
            correlate(captures: [], recordings: [EventInput(file: "e", recording: recording)]).resets.first)
    }

    private static let closing = ["tcp_send_active_reset", "__tcp_close", "__fput", "do_syscall_64"]
    private static let keepalive = ["tcp_send_active_reset", "tcp_keepalive_timer", "handle_softirqs", "do_syscall_64"]
    private static let killing = ["tcp_send_active_reset", "tcp_abort", "tcp_diag_destroy", "do_syscall_64"]
    private static let worker = [
        "tcp_send_active_reset", "__tcp_close", "__fput", "delayed_fput", "kthread", "ret_from_fork",
    ]
    private static let refusing = ["tcp_v4_send_reset", "tcp_v4_rcv", "handle_softirqs", "do_syscall_64"]

    @Test func whoClosesIsTheOwnerWhoeverWasRemembered() throws {
        let reset = try reset(Self.closing, owner: owner)
        #expect(reset.process == Reset.Process(pid: 7, comm: "current", role: .owner))
        #expect(reset.owner == nil)
    }

    @Test(arguments: [keepalive, worker]) func whoOnlyRunsIsNeverNamed(_ stack: [String]) throws {
        #expect(try reset(stack, owner: owner).process == Reset.Process(pid: 8, comm: "owner", role: .owner))
        #expect(try reset(stack, owner: nil).process == nil)
    }

    @Test func aKillerAndAnOwnerAreTwo() throws {
        let reset = try reset(Self.killing, owner: owner)
        #expect(reset.process == Reset.Process(pid: 7, comm: "current", role: .killer))
        #expect(reset.owner == Reset.Process(pid: 8, comm: "owner", role: .owner))
        #expect(try self.reset(Self.killing, owner: nil).owner == nil)
    }

    @Test(arguments: ["0xffffffffc0309038", "bpf_prog_1_kill", "inet_diag_init"])
    func aKillerWithoutANameIsNoOwner(_ caller: String) throws {
        let reset = try reset(["tcp_send_active_reset", "tcp_abort", caller, "do_syscall_64"], owner: owner)
        #expect(reset.process?.role == .killer)
        #expect(reset.owner?.pid == 8)
    }

    @Test func withoutASocketItIsNobody() throws {
        let reset = try reset(Self.refusing, owner: nil, state: nil) {
            $0.trigger = ResetEvent.Trigger(flags: .syn, seq: 0, ack: 0, length: 0)
        }
        #expect(reset.process == Reset.Process(pid: nil, comm: nil, role: .none))
    }

    @Test(arguments: [
        (Int64(1_800_000_000), "until 3.2 s earlier"), (4_999_756_000, "until 244 µs earlier"),
        (4_500_000_000, "until 500 ms earlier"), (4_999_999_999, "until 1 ns earlier"),
        (5_000_000_001, "until a moment earlier"), (.min, "until 2562047 h 47 min earlier"),
    ])
    func aListenerThatIsGoneIsToldOf(_ closed: Int64, _ text: String) throws {
        let reset = try reset(Self.refusing, owner: nil, state: nil) {
            $0.listener = ResetEvent.Listener(pid: 812, comm: "nginx", since: nil, closed: closed)
        }
        #expect(reset.evidence.map(\.fact).contains("nginx (pid 812) listened on this port \(text)"))
    }

    @Test func aListenerThatIsThereIsToldOf() throws {
        let reset = try reset(Self.refusing, owner: nil, state: nil) {
            $0.listener = ResetEvent.Listener(pid: 812, comm: "nginx", since: 1)
        }
        #expect(
            reset.evidence.contains {
                $0.fact.hasPrefix("nginx (pid 812) called listen() on this port, and its socket is there, but")
            })
    }

    @Test func withoutAnOwnerInodeAndUserAreAllThereIs() throws {
        let reset = try reset(Self.keepalive, owner: nil) {
            $0.socket?.inode = 99
            $0.socket?.uid = 33
        }
        #expect(reset.evidence.map(\.fact).contains("the owner of the socket is unknown; inode 99, uid 33"))
    }

    @Test(arguments: [(Int32(1), ""), (2, ", and so had 1 other"), (4, ", and so had 3 others")])
    func howTheOwnerIsKnown(_ holders: Int32, _ others: String) throws {
        let reset = try reset(Self.keepalive, owner: ResetEvent.Owner(pid: 8, comm: "owner", holders: holders))
        #expect(reset.evidence.map(\.fact).contains("owner (pid 8) had the socket open\(others)"))
    }

    @Test func whereItLivesIsWhereTheSocketLives() throws {
        let reset = try reset(Self.killing, owner: owner) {
            $0.netns = 5
            $0.socket?.cgroupPath = "/system.slice/nginx.service"
            $0.task?.cgroupPath = "/user.slice/user-0.slice/session-1.scope"
        }
        #expect(reset.location?.netns == 5)
        #expect(reset.location?.cgroup == "/system.slice/nginx.service")
        #expect(reset.location?.identity.unit == "nginx.service")
    }

    @Test func theTaskSpeaksForASocketOnlyIfItIsTheOwner() throws {
        func place(_ stack: [String]) throws -> String? {
            try reset(stack, owner: nil) { $0.task?.cgroupPath = "/a.service" }.location?.cgroup
        }
        #expect(try place(Self.closing) == "/a.service")
        #expect(try place(Self.killing) == nil)
        #expect(try place(Self.keepalive) == nil)
    }

    /// Through a router's firewall: the packet's socket did not make the RST.
    @Test func aRejectedSegmentsSocketIsNotTheSender() throws {
        let stack = ["nf_send_reset", "nft_reject_inet_eval", "__ip_local_out", "tcp_sendmsg", "do_syscall_64"]
        let reset = try reset(stack, owner: owner) { $0.socket?.cgroupPath = "/a.service" }
        #expect(reset.process == nil)
        #expect(reset.location == nil)
    }
}
