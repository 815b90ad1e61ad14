// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hooks of rst-analyze.
 *
 * net_dev_queue: a segment with RST goes into a device. Its own bytes, and the stack that built it.
 *
 * tcp_send_reset: TCP decided to reset. The socket, the segment that provoked it, the reason.
 *
 * tcp_receive_reset (receiving.bpf.h): a RST was accepted. The socket that it ended, and who had it.
 *
 * kfree_skb (ignoring.bpf.h): a RST that came had no effect, and why.
 *
 * What these two tell of sockets beyond their own fields is remembered in sockets.bpf.h, by two programs more. None of them
 * needs a kprobe or fentry, which some kernels lack.
 *
 * tcp_v4_send_reset, tcp_v6_send_reset (answering.bpf.h): up to 6.9, what tcp_send_reset does not tell of.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include "rst_event.h"
#include "segment.bpf.h"
#include "scope.bpf.h"
#include "event.bpf.h"
#include "answering.bpf.h"
#include "receiving.bpf.h"
#include "ignoring.bpf.h"

static __always_inline void emit(void *ctx, struct sk_buff *skb, const struct headers *h)
{
	struct rst_event *e = reserve(RST_EMIT, RST_LOST_EMIT);
	struct net_device *dev;
	struct sock *sk;

	if (!e)
		return;
	e->skb = (__u64)skb;
	dev = BPF_CORE_READ(skb, dev);
	e->ifindex = BPF_CORE_READ(dev, ifindex);
	e->netns = BPF_CORE_READ(dev, nd_net.net, ns.inum);
	BPF_CORE_READ_STR_INTO(&e->ifname, dev, name);
	set_tuple(e, h, false);
	e->seq = be32_at(h->tcp + 4);
	e->ack = be32_at(h->tcp + 8);
	e->flags = tcp_flags(h->tcp);
	e->window = be16_at(h->tcp + 14);
	e->ttl = ip_version(h) == 4 ? h->ip[8] : h->ip[7];
	e->ip_id = ip_version(h) == 4 ? be16_at(h->ip + 4) : 0;
	e->has |= RST_HAS_SEGMENT;
	sk = BPF_CORE_READ(skb, sk);
	if (sk)
		set_socket(e, sk);
	set_ending(e);
	set_task(e);
	set_stack(e, ctx);
	bpf_ringbuf_submit(e, 0);
}

/* Runs for every packet that any device sends. */
SEC("tp_btf/net_dev_queue")
int net_dev_queue(__u64 *ctx)
{
	struct sk_buff *skb = (void *)ctx[0];
	struct headers h;

	if (!read_reset(&h, skb) || !is_netns_of_device_wanted(skb))
		return 0;
	/* Of what the answer is to, the addresses may be others. */
	emit_decision(ctx, &h);
	if (is_segment_wanted(&h))
		emit(ctx, skb, &h);
	return 0;
}

static __always_inline int decide(void *ctx, bool has_reason, __u32 reason)
{
	struct rst_event *e;
	struct headers h;
	struct sock *sk = 0;
	struct sk_buff *skb = 0;

	/*
	 * Either may be NULL, and verifiers from 6.3 to 6.12 take them for never NULL and remove a
	 * test of the pointer: read them as numbers.
	 */
	bpf_probe_read_kernel(&sk, sizeof(sk), ctx);
	bpf_probe_read_kernel(&skb, sizeof(skb), (__u64 *)ctx + 1);
	if (!is_decision_wanted(sk, skb))
		return 0;
	e = reserve(RST_DECIDE, RST_LOST_DECIDE);
	if (!e)
		return 0;
	e->skb = (__u64)skb;
	e->sock = (__u64)sk;
	if (sk)
		set_socket(e, sk);
	if (skb) {
		set_entrance(e, skb);
		if (read_headers(&h, skb)) {
			set_tuple(e, &h, true);
			set_answer(e, &h);
		}
	} else if (e->has & RST_HAS_TCP_SOCKET) {
		set_tuple_of_socket(e, sk);
	}
	if (!sk)
		set_listener(e);
	if (has_reason) {
		e->reason = reason;
		e->has |= RST_HAS_REASON;
	}
	set_ending(e);
	set_task(e);
	set_stack(e, ctx);
	bpf_ringbuf_submit(e, 0);
	return 0;
}

/* (sk, skb): up to 6.9. User space loads this one or the next, as the kernel's BTF says. */
SEC("tp_btf/tcp_send_reset")
int tcp_send_reset2(__u64 *ctx)
{
	return decide(ctx, false, 0);
}

/* (sk, skb, reason): from 6.10. */
SEC("tp_btf/tcp_send_reset")
int tcp_send_reset3(__u64 *ctx)
{
	return decide(ctx, true, (__u32)ctx[2]);
}

/* The stack, ring buffer and tracing helpers are for GPL-compatible programs only. */
char LICENSE[] SEC("license") = "GPL";
