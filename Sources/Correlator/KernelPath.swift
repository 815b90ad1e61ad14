import KernelEvents

/// A kernel stack, read from the innermost frame outwards as far as the function that made the RST and its callers.
///
/// Over loopback the RST and the system call that provoked it share one stack: what is beyond the first interrupt frame
/// belongs to another task and is never used.
public final class KernelPath: Sendable {
    /// Frames as recorded, `symbol+0xoffset`, without those of the hook itself.
    public let frames: [String]
    /// The same, function names alone: no offset, no module, no compiler suffix.
    public let names: [String]
    /// What made the RST, and its index in `names`.
    public let origin: Origin
    public let originIndex: Int
    /// One past the last frame that belongs to the origin: the first frame of an interrupt, or the end.
    public let boundary: Int
    public let context: Context
    /// Which known functions are between the origin and the boundary.
    public let callers: Callers
    /// The function that made the RST and those that called it, as many as a sentence can hold: `a < b < c`.
    let leading: String
    /// The task belongs to the kernel and not to a program: a kworker that closes what a program had left to it.
    public let runsInKernelThread: Bool

    /// The function that made the RST.
    public enum Origin: Sendable, Equatable {
        /// `tcp_v4_send_reset`, `tcp_v6_send_reset`: an answer to a segment.
        case passive
        /// `tcp_send_active_reset`: this end aborted the connection.
        case active
        /// A REJECT rule of netfilter.
        case netfilter
        /// A raw socket, a packet socket or a tun device: user space wrote the segment.
        case userSpace
        /// The segment came from elsewhere and passes through.
        case forwarded
        /// No known function.
        case unknown
    }

    /// What the CPU was doing, as far as the stack shows.
    public enum Context: Sendable, Equatable { case process, softirq, hardirq, unknown }

    public struct Callers: OptionSet, Sendable {
        public let rawValue: UInt64
        public init(rawValue: UInt64) { self.rawValue = rawValue }
        private static func bit(_ position: UInt64) -> Callers { Callers(rawValue: 1 << position) }
        static let receive = bit(0)
        static let stateProcessing = bit(1)
        static let checkRequest = bit(2)
        static let close = bit(3)
        static let disconnect = bit(4)
        static let connect = bit(5)
        static let listenStop = bit(6)
        static let abort = bit(7)
        static let diagDestroy = bit(8)
        static let bpfProgram = bit(9)
        static let smc = bit(10)
        static let keepaliveTimer = bit(11)
        static let outOfResources = bit(12)
        static let mptcpFastclose = bit(13)
        static let mptcpReset = bit(14)
        static let mptcpSubflow = bit(15)
        static let xtables = bit(16)
        static let nftables = bit(17)
        static let tun = bit(18)
        static let closeSystemCall = bit(21)
        static let exit = bit(22)
        static let killed = bit(23)
        static let deferred = bit(24)
        static let input = bit(25)
        static let output = bit(26)
        static let forward = bit(27)
        static let prerouting = bit(28)
        static let ingress = bit(29)
        static let bridge = bit(30)
        static let mptcp = bit(31)
        static let egress = bit(33)
        static let redirected = bit(34)
        static let neighbour = bit(35)
        static let verdict = bit(36)
    }

    /// - Parameter frames: innermost first, as events.jsonl has them.
    public init(frames recorded: [String]) {
        let bare = recorded.map(Self.functionName)
        let start = Self.hookFrames(bare)
        frames = Array(recorded[start...])
        names = Array(bare[start...])
        let irq = names.firstIndex { Self.interruptContext($0) != nil }
        boundary = irq ?? names.count
        if let irq {
            context = Self.interruptContext(names[irq]) ?? .unknown
        } else if names.last.map(Self.isOutermost) == true {
            context = .process
        } else {
            // The stack was cut before its root: an interrupt may stand beyond.
            context = .unknown
        }
        var found = Origin.unknown
        var index = 0
        for (position, name) in names[..<boundary].enumerated() {
            guard let origin = Self.origins[name] ?? Self.originByPrefix(name) else { continue }
            // The first one, but what was made here may have been mirrored, redirected or bridged on its way out.
            if found == .unknown || Self.makesSegments(origin, name) {
                found = origin
                index = position
            }
            if found != .forwarded { break }
        }
        // A segment that a rule sends, or a function without a name, is not passed on by what received another segment.
        if found == .forwarded, names[..<index].contains(where: Self.mayMakeSegments) {
            found = .unknown
            index = 0
        }
        if found == .unknown, let passing = Self.forwardingFrame(names[..<boundary]) {
            found = .forwarded
            index = passing
        }
        origin = found
        originIndex = index
        callers = Self.callers(of: found, in: names[index..<boundary])
        // Thousands of RSTs share a path: what each of them needs is computed once.
        leading = names[index..<min(boundary, index + 4)].joined(separator: " < ")
        runsInKernelThread =
            names.contains("kthread") && !names.contains("io_wq_worker") && !names.contains("io_sq_thread")
    }

    /// The frames outside of the function that made the RST, with their offsets: what the segment and the decision on it,
    /// which are seen at two places of that function, have in common. Nil where the origin is not known.
    var callSite: ArraySlice<String>? {
        switch origin {
        case .passive, .active: frames[min(originIndex + 1, boundary)..<boundary]
        case .netfilter, .userSpace, .forwarded, .unknown: nil
        }
    }

    /// The segment was released by another task, so that the stack says nothing about who had made it or passed it on: it
    /// waited for the link address of the next hop, or for a program's verdict (NFQUEUE).
    var hasWaited: Bool { origin == .unknown && !callers.isDisjoint(with: [.neighbour, .verdict]) }

    /// The function that called the one that made the RST.
    var caller: String? { originIndex + 1 < boundary ? names[originIndex + 1] : nil }

    /// The frames from the origin to the boundary, which are of interest to people.
    public var essential: ArraySlice<String> {
        origin == .unknown ? frames[...] : frames[originIndex..<max(boundary, originIndex)]
    }

    // MARK: - Reading frames

    /// `tcp_v4_rcv+0x1a/0x20 [mod]` -> `tcp_v4_rcv`; `.isra.N`, `.part.N`, `.constprop.N`, `.cold` go as well.
    static func functionName(_ frame: String) -> String {
        var name = frame[...]
        if let end = name.firstIndex(where: { $0 == "+" || $0 == " " }) { name = name[..<end] }
        if let dot = name.firstIndex(of: "."), dot != name.startIndex { name = name[..<dot] }
        return String(name)
    }

    /// How many frames at the start belong to the tracepoint and the BPF program, not to the kernel's work.
    private static func hookFrames(_ names: [String]) -> Int {
        let last = names.prefix(6).lastIndex {
            $0.hasPrefix("bpf_trace_run") || $0.hasPrefix("__traceiter_") || $0.hasPrefix("__bpf_trace_")
                || $0.hasPrefix("trace_event_raw_event_")
        }
        return last.map { $0 + 1 } ?? 0
    }

    private static func interruptContext(_ name: String) -> Context? {
        switch ResetEvent.Task.Context.interrupt(name) {
        case .softirq: .softirq
        case .hardirq: .hardirq
        case .process, nil: nil
        }
    }

    private static func isOutermost(_ name: String) -> Bool {
        name.hasPrefix("entry_SYSCALL") || name.hasPrefix("ret_from_fork") || name.hasPrefix("el0")
            || name.hasPrefix("entry_SYSENTER") || name.hasPrefix("entry_INT80") || name == "do_syscall_64"
            || name == "kthread" || name == "ret_fast_syscall" || name == "invoke_syscall"
    }

    private static let origins: [String: Origin] = [
        "tcp_v4_send_reset": .passive, "tcp_v6_send_reset": .passive,
        "tcp_send_active_reset": .active,
        "nf_send_reset": .netfilter, "nf_send_reset6": .netfilter,
        "reject_tg": .netfilter, "reject_tg6": .netfilter,
        "raw_sendmsg": .userSpace, "rawv6_sendmsg": .userSpace,
        "packet_sendmsg": .userSpace, "packet_snd": .userSpace, "tpacket_snd": .userSpace,
        "packet_sendmsg_spkt": .userSpace,
        "ip_forward": .forwarded, "ip_forward_finish": .forwarded,
        "ip6_forward": .forwarded, "ip6_forward_finish": .forwarded,
        "br_handle_frame": .forwarded, "br_handle_frame_finish": .forwarded, "br_flood": .forwarded,
        "nf_flow_offload_ip_hook": .forwarded, "nf_flow_offload_ipv6_hook": .forwarded,
        "skb_do_redirect": .forwarded, "tcf_mirred_act": .forwarded, "tcf_mirred_to_dev": .forwarded,
        "tun_get_user": .userSpace,
    ]

    /// Whether what such a function sends was made by this host; what a tun device brings may come from another one.
    private static func makesSegments(_ origin: Origin, _ name: String) -> Bool {
        switch origin {
        case .passive, .active, .netfilter: true
        case .userSpace: name != "tun_get_user"
        case .forwarded, .unknown: false
        }
    }

    private static func mayMakeSegments(_ name: String) -> Bool {
        name.hasPrefix("0x") || name.hasPrefix("nft_do_chain") || name == "cleanup_module" || name == "init_module"
            || ["ipt_do_table", "ip6t_do_table", "ebt_do_table"].contains(name)
    }

    /// Where a received segment goes out again and no transport or firewall function stands between: `ip_forward` and
    /// its kin call the output function last and leave no frame of their own.
    private static func forwardingFrame(_ names: ArraySlice<String>) -> Int? {
        guard let received = names.firstIndex(where: { $0.hasPrefix("__netif_receive_skb") || $0 == "ip_rcv" }),
            received > names.startIndex,
            names[..<received].allSatisfy({ name in passing.contains { name.hasPrefix($0) } })
        else { return nil }
        return received - 1
    }

    /// What functions between receiving and sending are called when nothing but forwarding goes on.
    private static let passing = [
        "__dev_queue_xmit", "dev_queue_xmit", "dev_hard_start_xmit", "vlan_dev", "neigh_", "ip_finish_output",
        "__ip_finish_output", "ip_output", "ip_mc_output", "ip6_finish_output", "__ip6_finish_output", "ip6_output",
        "dst_output", "ip_rcv", "ipv6_rcv", "ip6_rcv", "nf_hook", "ip_sublist_rcv", "ip6_sublist_rcv", "ip_list_rcv",
        "ipv6_list_rcv", "br_dev_xmit", "br_dev_queue_push_xmit",
    ]

    private static func originByPrefix(_ name: String) -> Origin? {
        if name.hasPrefix("nft_reject_") || name.hasPrefix("nf_reject_skb_") { return .netfilter }
        // A bridge's reject leaves by it as well.
        if name == "br_forward_finish" { return nil }
        if name.hasPrefix("br_forward") || name.hasPrefix("__br_forward") || name.hasPrefix("ovs_") {
            return .forwarded
        }
        return nil
    }

    private static func callers(of origin: Origin, in names: ArraySlice<String>) -> Callers {
        var callers: Callers = []
        for name in names {
            callers.formUnion(caller(name))
            // A passive reset is the answer to one segment: the entry of that segment ends its story.
            if origin == .passive, callers.contains(.receive) { break }
            // Where a rule stood is said by the innermost hook.
            if origin == .netfilter, !callers.isDisjoint(with: Self.netfilterHooks) { break }
        }
        return callers
    }

    static let netfilterHooks: Callers = [.input, .output, .forward, .prerouting, .ingress, .bridge, .egress]

    private static let known: [String: Callers] = [
        "tcp_v4_rcv": .receive, "tcp_v6_rcv": .receive, "__release_sock": .receive,
        "tcp_v4_do_rcv": .stateProcessing, "tcp_v6_do_rcv": .stateProcessing,
        "tcp_check_req": .checkRequest,
        "__tcp_close": .close, "tcp_close": .close,
        "tcp_disconnect": .disconnect,
        "__inet_stream_connect": .connect,
        "inet_csk_listen_stop": .listenStop, "inet_child_forget": .listenStop,
        "mptcp_subflow_queue_clean": [.listenStop, .mptcp], "mptcp_check_listen_stop": [.listenStop, .mptcp],
        "__mptcp_unaccepted_force_close": [.listenStop, .mptcp],
        "tcp_abort": .abort,
        "tcp_diag_destroy": .diagDestroy,
        "bpf_iter_run_prog": .bpfProgram, "bpf_sock_destroy": .bpfProgram,
        "tcp_keepalive_timer": .keepaliveTimer,
        "tcp_out_of_resources": .outOfResources,
        "mptcp_do_fastclose": [.mptcpFastclose, .mptcp],
        "mptcp_subflow_reset": [.mptcpReset, .mptcp], "mptcp_worker": [.mptcpReset, .mptcp],
        "reject_tg": .xtables, "reject_tg6": .xtables,
        "tun_get_user": .tun, "tun_chr_write_iter": .tun, "tun_sendmsg": .tun,
        "__x64_sys_close": .closeSystemCall, "__do_sys_close": .closeSystemCall,
        "__se_sys_close": .closeSystemCall, "__arm64_sys_close": .closeSystemCall,
        "do_exit": .exit, "do_group_exit": .exit,
        "get_signal": .killed,
        "delayed_fput": .deferred,
        "ip_local_deliver": .input, "ip6_input": .input,
        "__ip_local_out": .output, "__ip6_local_out": .output, "ip6_xmit": .output, "ip_local_out": .output,
        "ip_forward": .forward, "ip6_forward": .forward,
        "ip_rcv": .prerouting, "ipv6_rcv": .prerouting, "ip_list_rcv": .prerouting, "ipv6_list_rcv": .prerouting,
        "__netif_receive_skb_core": .ingress, "__netif_receive_skb_list_core": .ingress,
        "nf_hook_ingress": .ingress,
        "__dev_queue_xmit": .egress,
        "skb_do_redirect": .redirected, "tcf_mirred_act": .redirected, "tcf_mirred_to_dev": .redirected,
        "__neigh_update": .neighbour, "neigh_update": .neighbour,
        "nf_reinject": .verdict, "nfqnl_reinject": .verdict, "nfqnl_recv_verdict": .verdict,
        "nfqnl_recv_verdict_batch": .verdict,
        "br_handle_frame": .bridge, "br_handle_frame_finish": .bridge, "br_pass_frame_up": .bridge,
        "__br_forward": .bridge,
    ]

    private static func caller(_ name: String) -> Callers {
        if let callers = known[name] { return callers }
        // br_netfilter calls the hooks of IP for bridged packets.
        if name.hasPrefix("br_nf_forward") { return .forward }
        if name.hasPrefix("br_nf_pre_routing") { return .prerouting }
        if name.hasPrefix("br_nf_local_in") { return .input }
        if name.hasPrefix("nft_reject_") { return .nftables }
        if name.hasPrefix("smc_") { return .smc }
        if name.hasPrefix("subflow_") { return [.mptcpSubflow, .mptcp] }
        if name.hasPrefix("mptcp_") || name.hasPrefix("__mptcp_") { return .mptcp }
        if name.hasPrefix("bpf_prog_") { return .bpfProgram }
        return []
    }
}
