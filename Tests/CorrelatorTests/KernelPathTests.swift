import Testing

@testable import Correlator

@Suite struct KernelPathTests {
    /// As Linux 6.12 sends it: by the function that a bridge forwards with.
    @Test func aRejectOfABridgeIsNotForwarded() {
        let path = KernelPath(frames: [
            "__dev_queue_xmit+0x4bd", "br_dev_queue_push_xmit+0x150 [bridge]", "br_forward_finish+0x4d [bridge]",
            "nft_reject_bridge_eval+0xdf [nft_reject_bridge]", "nft_do_chain+0x102 [nf_tables]",
            "nft_do_chain_bridge+0x214 [nf_tables]", "br_handle_frame+0x269 [bridge]",
            "__netif_receive_skb_core.constprop.0+0x562", "handle_softirqs+0xcf",
        ])
        #expect(path.origin == .netfilter)
        #expect(path.netfilterHook == "BRIDGE")
    }

    @Test func whatABridgePassesOnIsForwarded() {
        let path = KernelPath(frames: [
            "__dev_queue_xmit+0x4bd", "br_dev_queue_push_xmit+0x150 [bridge]", "br_forward_finish+0x4d [bridge]",
            "__br_forward+0x10 [bridge]", "br_handle_frame_finish+0x200 [bridge]", "br_handle_frame+0x269 [bridge]",
            "handle_softirqs+0xcf",
        ])
        #expect(path.origin == .forwarded)
    }

    /// tc and BPF hand on what leaves before net_dev_queue sees it: who made it stands further out in the stack.
    @Test(arguments: [
        (["tcp_v4_send_reset+0x3d9", "tcp_v4_rcv+0x8c2"], KernelPath.Origin.passive),
        (["tcp_send_active_reset+0xf8", "__tcp_close+0x12b"], .active),
        (["nf_send_reset+0x400 [nf_reject_ipv4]", "nft_reject_inet_eval+0x51"], .netfilter),
        (["raw_sendmsg+0x400", "sock_sendmsg+0x20"], .userSpace), (["ip_forward+0x100", "ip_rcv+0x20"], .forwarded),
    ])
    func whatIsMirroredOnItsWayOutIsMadeHere(_ maker: [String], _ origin: KernelPath.Origin) {
        for redirect in [["tcf_mirred_to_dev+0x1ea", "tcf_mirred_act+0x19b"], ["skb_do_redirect+0x450"]] {
            let path = KernelPath(
                frames: redirect + ["__dev_queue_xmit+0x9a6", "ip_output+0x5f"] + maker + ["handle_softirqs+0x1"])
            #expect(path.origin == origin)
        }
    }

    /// A signal that is handled runs what close() had put off.
    @Test func aSignalAloneIsNoDeath() {
        let frames = [
            "tcp_send_active_reset+0x1", "__tcp_close+0x1", "__fput+0x1", "task_work_run+0x1", "get_signal+0x1",
        ]
        #expect(KernelPath(frames: frames + ["do_syscall_64+0x1"]).release == nil)
        let dying = frames + ["do_group_exit+0x1", "do_syscall_64+0x1"]
        #expect(KernelPath(frames: dying).release == "the process was killed")
    }

    /// What received the rejected segment does not forward what a rule sends, known or not.
    @Test(arguments: ["0xffffffffc0301234", "cleanup_module+0xa0c6 [other]", "nft_do_chain+0x198 [nf_tables]"])
    func anUnknownSenderBelowABridgeIsNotForwarded(_ frame: String) {
        let path = KernelPath(frames: [
            "__dev_queue_xmit+0x490", "br_dev_queue_push_xmit+0xaf [bridge]", frame, "br_handle_frame+0x261 [bridge]",
            "__netif_receive_skb_core.constprop.0+0x37f", "handle_softirqs+0xd7",
        ])
        #expect(path.origin == .unknown)
    }

    @Test func theOriginIsReadFromTheInnermostFrameOutwards() {
        // Over loopback the close() that sent data and the RST that answers it share one stack.
        let path = KernelPath(frames: [
            "bpf_prog_1234_net_dev_queue+0x1 [bpf]", "bpf_trace_run1+0xed", "__dev_queue_xmit+0x486", "ip_output+0x5f",
            "tcp_v4_send_reset+0x3d9", "tcp_v4_rcv+0x8c2", "ip_protocol_deliver_rcu+0x28", "handle_softirqs+0xcd",
            "do_softirq.part.0+0x3b", "__local_bh_enable_ip+0x64", "tcp_send_active_reset+0xf8", "__tcp_close+0x12b",
            "entry_SYSCALL_64_after_hwframe+0x76",
        ])
        #expect(path.origin == .passive)
        #expect(path.context == .softirq)
        #expect(path.frames.first == "__dev_queue_xmit+0x486")
        #expect(!path.callers.contains(.close))
        #expect(path.callers.contains(.receive))
    }

    @Test(arguments: [
        ("tcp_v4_rcv+0x1a/0x20 [mod]", "tcp_v4_rcv"), ("__tcp_close.isra.0+0x1", "__tcp_close"),
        ("tcp_check_req.part.12.constprop.3+0x0", "tcp_check_req"), ("tcp_abort.cold", "tcp_abort"), ("", ""),
        ("0xffffffff81000000", "0xffffffff81000000"),
    ])
    func suffixesGo(_ frame: String, _ name: String) {
        #expect(KernelPath.functionName(frame) == name)
    }

    @Test func aStackThatWasCutTellsNoContext() {
        let path = KernelPath(frames: ["tcp_send_active_reset+0xf8", "__tcp_close+0x12b"])
        #expect(path.origin == .active)
        #expect(path.context == .unknown)
    }

    @Test func anEmptyStackIsUnknown() {
        let path = KernelPath(frames: [])
        #expect(path.origin == .unknown)
        #expect(path.context == .unknown)
        #expect(path.essential.isEmpty)
    }

    @Test(arguments: [
        (["nf_send_reset", "reject_tg", "ipt_do_table", "nf_hook_slow", "ip_local_deliver", "ip_rcv"], "INPUT"),
        (["nf_send_reset", "nft_reject_inet_eval", "nf_hook_slow", "ip_forward"], "FORWARD"),
        (["nf_send_reset", "nft_reject_inet_eval", "nf_hook_slow", "ip_rcv"], "PREROUTING"),
        (["nf_send_reset", "nft_reject_ipv4_eval", "nf_hook_slow", "__ip_local_out", "ip_local_out"], "OUTPUT"),
        (["nft_reject_netdev_eval", "nft_do_chain", "nf_hook_slow", "__netif_receive_skb_core"], "INGRESS"),
        (["nf_send_reset", "reject_tg", "nf_hook_slow", "br_nf_forward_ip", "__br_forward"], "FORWARD"),
    ])
    func theNetfilterHookIsTheInnermost(_ frames: [String], _ hook: String) {
        let path = KernelPath(frames: frames)
        #expect(path.origin == .netfilter)
        #expect(path.netfilterHook == hook)
    }

    /// `ip_forward` calls the output function last and leaves no frame; a reset of our own is never taken for it.
    @Test func straightFromReceiveToOutputIsForwarding() {
        let forwarded = KernelPath(frames: [
            "__dev_queue_xmit+0x1", "ip_finish_output2+0x1", "ip_output+0x5f", "__netif_receive_skb_one_core+0x8d",
            "process_backlog+0x83", "handle_softirqs+0x1",
        ])
        #expect(forwarded.origin == .forwarded)
        let icmp = KernelPath(frames: [
            "__dev_queue_xmit+0x1", "ip_output+0x5f", "icmp_push_reply+0x1", "__netif_receive_skb_one_core+0x8d",
        ])
        #expect(icmp.origin == .unknown)
    }
}
