/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * RSTs that reached this host and had no effect.
 *
 * kfree_skb: a packet is dropped, and from Linux 5.17 on the kernel says why. It runs for every packet that is dropped, so the
 * reason is tested before anything is read: those that TCP, its socket or a firewall give, which user space has looked up in the
 * kernel's BTF, since their numbers move from release to release.
 */
#ifndef IGNORING_BPF_H
#define IGNORING_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "rst_event.h"
#include "segment.bpf.h"
#include "scope.bpf.h"
#include "sockets.bpf.h"
#include "event.bpf.h"

/* Which reasons are wanted: a bit for each. */
const volatile __u64 drop_reasons[RST_DROP_REASONS / 64] SEC(".rodata.drops") = {};

#define SKB_DST_PTRMASK (~1UL)

/* TCP takes the device off a segment that it has found a socket for; the route it came by stays longer. */
static __always_inline struct net_device *device_of(struct sk_buff *skb)
{
	struct net_device *dev = BPF_CORE_READ(skb, dev);
	struct dst_entry *dst;

	if (dev)
		return dev;
	dst = (void *)(BPF_CORE_READ(skb, _skb_refdst) & SKB_DST_PTRMASK);
	return dst ? BPF_CORE_READ(dst, dev) : 0;
}

static __always_inline void ignore(struct sk_buff *skb, const struct headers *h, __u64 location,
				   __u32 reason, struct sock *sk)
{
	struct net_device *dev = device_of(skb);
	struct rst_event *e;
	__u32 netns = 0;

	if (sk)
		netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	else if (dev)
		netns = BPF_CORE_READ(dev, nd_net.net, ns.inum);
	if ((netns && !is_wanted_netns(netns)) || !is_segment_wanted(h))
		return;
	e = reserve(RST_IGNORE, RST_LOST_RECEIVE);
	if (!e)
		return;
	e->skb = (__u64)skb;
	e->netns = netns;
	e->ifindex = BPF_CORE_READ(skb, skb_iif);
	if (dev && BPF_CORE_READ(dev, ifindex) == e->ifindex)
		BPF_CORE_READ_STR_INTO(&e->ifname, dev, name);
	set_tuple(e, h, false);
	e->seq = be32_at(h->tcp + 4);
	e->ack = be32_at(h->tcp + 8);
	e->flags = tcp_flags(h->tcp);
	e->window = be16_at(h->tcp + 14);
	e->ttl = ip_version(h) == 4 ? h->ip[8] : h->ip[7];
	e->ip_id = ip_version(h) == 4 ? be16_at(h->ip + 4) : 0;
	e->reason = reason;
	e->has |= RST_HAS_SEGMENT | RST_HAS_REASON;
	e->ignored.location = location;
	if (sk)
		set_socket(e, sk);
	set_ending(e);
	bpf_ringbuf_submit(e, 0);
}

static __always_inline int drop(__u64 *ctx, struct sock *sk)
{
	struct sk_buff *skb = (void *)ctx[0];
	__u64 reason = ctx[2];
	struct headers h;

	if (reason >= RST_DROP_REASONS || !(drop_reasons[reason / 64] >> reason % 64 & 1))
		return 0;
	/* What was dropped on its way out never came in. */
	if (!skb->skb_iif)
		return 0;
	if (read_reset(&h, skb))
		ignore(skb, &h, ctx[1], (__u32)reason, sk);
	return 0;
}

/* (skb, location, reason): Linux 5.17 to 6.10. */
SEC("tp_btf/kfree_skb")
int kfree_skb3(__u64 *ctx)
{
	return drop(ctx, 0);
}

/* (skb, location, reason, rx_sk): from 6.11. */
SEC("tp_btf/kfree_skb")
int kfree_skb4(__u64 *ctx)
{
	struct sock *sk = 0;

	/* NULL or not: as in decide(). */
	bpf_probe_read_kernel(&sk, sizeof(sk), ctx + 3);
	return drop(ctx, sk);
}

#endif
