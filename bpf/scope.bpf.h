/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is recorded, as user space asks for it: network namespaces, hosts, ports.
 *
 * It is asked before anything is reserved or remembered, so that what nobody wants takes no room from what is wanted.
 */
#ifndef SCOPE_BPF_H
#define SCOPE_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include "rst_event.h"
#include "segment.bpf.h"

/* Written before the programs are loaded: the verifier knows it, and removes what is not asked. */
const volatile struct rst_scope scope SEC(".rodata.scope") = {};

/* The addresses and ports of a connection's two ends. */
struct ends {
	__u64 address[2][2]; /* network order */
	__u16 port[2];	     /* host order */
};

static __always_inline bool is_wanted_netns(__u32 netns)
{
	if (!scope.netns_count)
		return true;
	for (__u32 i = 0; i < RST_SCOPE_NETNS && i < scope.netns_count; i++)
		if (scope.netns[i] == netns)
			return true;
	return false;
}

static __always_inline bool is_netns_of_socket_wanted(struct sock *sk)
{
	return !scope.netns_count ||
	       is_wanted_netns(BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum));
}

static __always_inline bool is_netns_of_device_wanted(struct sk_buff *skb)
{
	struct net_device *dev;

	if (!scope.netns_count)
		return true;
	dev = BPF_CORE_READ(skb, dev);
	/* Nobody can tell whose it is. */
	return !dev || is_wanted_netns(BPF_CORE_READ(dev, nd_net.net, ns.inum));
}

/* Of the lower half of an address: where IPv4 addresses differ from others, ::ffff:0:0/96. */
#define MAPPED_MASK bpf_cpu_to_be64(0xffffffff00000000ULL)
#define MAPPED bpf_cpu_to_be64(0x0000ffff00000000ULL)

static __always_inline bool is_in(const struct rst_prefix *prefix, const __u64 *address)
{
	if ((address[0] & prefix->mask[0]) != prefix->address[0] ||
	    (address[1] & prefix->mask[1]) != prefix->address[1])
		return false;
	/* A shorter prefix is of IPv6 addresses, and contains no IPv4 address: ::/0 is all of IPv6. */
	return (prefix->mask[1] & MAPPED_MASK) == MAPPED_MASK || address[0] ||
	       (address[1] & MAPPED_MASK) != MAPPED;
}

static __always_inline bool is_host_wanted(const struct ends *ends)
{
	for (__u32 i = 0; i < RST_SCOPE_HOSTS && i < scope.host_count; i++) {
		/* Member by member: the scope is volatile. */
		const struct rst_prefix prefix = {
		    .address = {scope.hosts[i].address[0], scope.hosts[i].address[1]},
		    .mask = {scope.hosts[i].mask[0], scope.hosts[i].mask[1]},
		};

		if (is_in(&prefix, ends->address[0]) || is_in(&prefix, ends->address[1]))
			return true;
	}
	return !scope.host_count;
}

static __always_inline bool is_port_wanted(const struct ends *ends)
{
	for (__u32 i = 0; i < RST_SCOPE_PORTS && i < scope.port_count; i++)
		if (ends->port[0] == scope.ports[i] || ends->port[1] == scope.ports[i])
			return true;
	return !scope.port_count;
}

static __always_inline bool asks_for_ends(void)
{
	return scope.host_count || scope.port_count;
}

static __always_inline bool is_segment_wanted(const struct headers *h)
{
	struct ends ends;

	if (!asks_for_ends())
		return true;
	if (ip_version(h) == 4) {
		set_ipv4((__u8 *)ends.address[0], h->ip + 12);
		set_ipv4((__u8 *)ends.address[1], h->ip + 16);
	} else {
		__builtin_memcpy(ends.address[0], h->ip + 8, 16);
		__builtin_memcpy(ends.address[1], h->ip + 24, 16);
	}
	ends.port[0] = be16_at(h->tcp);
	ends.port[1] = be16_at(h->tcp + 2);
	return is_host_wanted(&ends) && is_port_wanted(&ends);
}

static __always_inline bool is_connection_wanted(struct sock *sk)
{
	struct ends ends;

	if (!asks_for_ends())
		return true;
	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET6) {
		BPF_CORE_READ_INTO(&ends.address[0], sk,
				   __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8);
		BPF_CORE_READ_INTO(&ends.address[1], sk, __sk_common.skc_v6_daddr.in6_u.u6_addr8);
	} else {
		__u32 from = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		__u32 to = BPF_CORE_READ(sk, __sk_common.skc_daddr);

		set_ipv4((__u8 *)ends.address[0], (const __u8 *)&from);
		set_ipv4((__u8 *)ends.address[1], (const __u8 *)&to);
	}
	/* skc_num is 0 after CLOSE. */
	ends.port[0] = bpf_ntohs(BPF_CORE_READ((struct inet_sock *)sk, inet_sport));
	ends.port[1] = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	return is_host_wanted(&ends) && is_port_wanted(&ends);
}

/*
 * Of TCP's decision on a socket, a segment, or both. Where neither names the ends of the connection, it is wanted: nothing
 * is left out that may have been asked for.
 */
static __always_inline bool is_decision_wanted(struct sock *sk, struct sk_buff *skb)
{
	struct headers h;

	if (sk ? !is_netns_of_socket_wanted(sk) : skb && !is_netns_of_device_wanted(skb))
		return false;
	if (!asks_for_ends())
		return true;
	if (skb)
		return !read_headers(&h, skb) || is_segment_wanted(&h);
	return !sk || is_connection_wanted(sk);
}

#endif
