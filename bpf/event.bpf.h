/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A record for user space: the ring buffer that it goes through, and all that a hook can say of a segment, a socket, a process
 * and a stack.
 */
#ifndef EVENT_BPF_H
#define EVENT_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include "rst_event.h"
#include "segment.bpf.h"
#include "sockets.bpf.h"
#include "conntrack.bpf.h"

#define SOCK_DEAD_BIT 1UL
#define SOCK_LINGER_BIT (1UL << 4)

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 << 20); /* user space may set another size */
} events SEC(".maps");

/* Addresses and ports of the segment; `reversed` for the answer to it. */
static __always_inline void set_tuple(struct rst_event *e, const struct headers *h, bool reversed)
{
	__u8 *from = reversed ? e->dst : e->src;
	__u8 *to = reversed ? e->src : e->dst;
	__u16 sport = be16_at(h->tcp), dport = be16_at(h->tcp + 2);

	e->ip_version = ip_version(h);
	if (e->ip_version == 4) {
		set_ipv4(from, h->ip + 12);
		set_ipv4(to, h->ip + 16);
	} else {
		__builtin_memcpy(from, h->ip + 8, 16);
		__builtin_memcpy(to, h->ip + 24, 16);
	}
	e->sport = reversed ? dport : sport;
	e->dport = reversed ? sport : dport;
}

static __always_inline void set_owner(struct rst_event *e, const struct socket_memory *memory)
{
	e->owner_pid = memory->owner_pid;
	e->owner_uid = memory->owner_uid;
	e->owner_start_ns = memory->owner_start_ns;
	e->owner_since_ns = memory->owner_since_ns;
	__builtin_memcpy(e->owner_comm, memory->owner_comm, RST_COMM_LENGTH);
	if (memory->owner_exec && memory->owner_pid == bpf_get_current_pid_tgid() >> 32 &&
	    memory->owner_exec != current_exec())
		e->has |= RST_HAS_EXECUTED;
}

/* Whether the listener is bound to the address that the RST is sent from, and to the device of the segment. */
static __always_inline bool fits(const struct listener_memory *memory, const struct rst_event *e)
{
	const __u64 *bound = (const __u64 *)memory->address, *wanted = (const __u64 *)e->src;

	if (memory->device && memory->device != e->ifindex)
		return false;
	if (bound[0] == wanted[0] && bound[1] == wanted[1])
		return true;
	if (!memory->any)
		return false;
	return memory->family == AF_INET6 ? e->ip_version == 6 || !memory->v6only
					  : e->ip_version == 4;
}

/* Who listens, or did until shortly before, on the port that the RST is sent from. */
static __always_inline void set_listener(struct rst_event *e)
{
	struct listener_key key = {.netns = e->netns, .port = bpf_htons(e->sport)};
	struct listener_memory *memory = bpf_map_lookup_elem(&listeners, &key);

	if (!memory || !memory->pid)
		return;
	e->owner_pid = memory->pid;
	e->owner_uid = memory->uid;
	e->owner_start_ns = memory->start_ns;
	e->owner_since_ns = memory->since_ns;
	e->closed_ns = memory->closed_ns;
	e->listener_fits = fits(memory, e);
	__builtin_memcpy(e->owner_comm, memory->comm, RST_COMM_LENGTH);
	e->has |= RST_HAS_LISTENER;
}

static __always_inline __u64 cgroup_of(struct sock *sk)
{
	struct cgroup *cgroup;

	if (bpf_core_field_exists(sk->sk_cgrp_data.cgroup)) {
		cgroup = BPF_CORE_READ(sk, sk_cgrp_data.cgroup);
	} else {
		__u64 value = BPF_CORE_READ(sk, sk_cgrp_data.val);

		cgroup = value & 1 ? (void *)0 : (struct cgroup *)value;
	}
	return cgroup ? BPF_CORE_READ(cgroup, kn, id) : 0;
}

/*
 * The socket's own fields. Nothing beyond struct sock_common is there in request and time-wait
 * sockets (sk_fullsock() in include/net/sock.h), and a kernel-internal socket says nothing about an
 * application.
 */
static __always_inline void set_socket(struct rst_event *e, struct sock *sk)
{
	struct socket_memory *memory;
	unsigned long flags;
	__u16 family;

	e->state = BPF_CORE_READ(sk, __sk_common.skc_state);
	e->has |= RST_HAS_STATE;
	if (!e->netns)
		e->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	if (!is_full_socket(e->state) ||
	    !BPF_CORE_READ_BITFIELD_PROBED(sk, __sk_common.skc_net_refcnt))
		return;
	e->has |= RST_HAS_SOCKET;
	e->cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	e->sock_uid = BPF_CORE_READ(sk, sk_uid.val);
	flags = BPF_CORE_READ(sk, __sk_common.skc_flags);
	e->dead = flags & SOCK_DEAD_BIT;
	e->linger = !!(flags & SOCK_LINGER_BIT);
	e->inode = BPF_CORE_READ(sk, sk_socket, file, f_inode, i_ino);
	if (!e->inode && bpf_core_field_exists(sk->sk_ino))
		e->inode = BPF_CORE_READ(sk, sk_ino);
	e->cgroup = cgroup_of(sk);
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if ((family != AF_INET && family != AF_INET6) ||
	    BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return;
	e->user_timeout_ms = BPF_CORE_READ((struct inet_connection_sock *)sk, icsk_user_timeout);
	e->linger2 = BPF_CORE_READ((struct tcp_sock *)sk, linger2);
	if (e->state == TCP_LISTEN) {
		e->accept_queue = BPF_CORE_READ(sk, sk_ack_backlog);
		e->accept_queue_limit = BPF_CORE_READ(sk, sk_max_ack_backlog);
	}
	e->has |= RST_HAS_TCP_SOCKET;
	memory = recall(sk);
	if (!memory)
		return;
	if (memory->previous) {
		/* A hook that fires before the state changes sees the current one; it is the
		 * previous one then. */
		e->previous_state =
		    memory->current == e->state ? memory->previous : memory->current;
		e->has |= RST_HAS_PREVIOUS_STATE;
	}
	if (memory->owner_pid) {
		set_owner(e, memory);
		e->has |= RST_HAS_OWNER;
	}
}

static __always_inline void set_task(struct rst_event *e)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct task_struct *task = (void *)bpf_get_current_task(), *leader, *parent;

	e->pid = id >> 32;
	e->tid = (__u32)id;
	e->uid = (__u32)bpf_get_current_uid_gid();
	e->task_cgroup = bpf_get_current_cgroup_id();
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	leader = BPF_CORE_READ(task, group_leader);
	parent = BPF_CORE_READ(leader, real_parent);
	e->start_ns = BPF_CORE_READ(leader, start_boottime);
	e->parent_pid = BPF_CORE_READ(parent, tgid);
	BPF_CORE_READ_STR_INTO(&e->leader_comm, leader, comm);
	BPF_CORE_READ_STR_INTO(&e->parent_comm, parent, comm);
}

/*
 * How the connection of the reset had ended before. Not for one that is alive: what is remembered then is of an earlier one
 * with its addresses and ports.
 */
static __always_inline void set_ending(struct rst_event *e)
{
	struct connection_key key = {.netns = e->netns};
	/* The RST that is received comes from the other end. */
	bool received = e->kind != RST_EMIT && e->kind != RST_DECIDE;
	struct rst_ending *ending;

	if ((e->has & RST_HAS_SOCKET) && e->state != TCP_LISTEN && e->state != TCP_CLOSE &&
	    !is_ending(e->state))
		return;
	__builtin_memcpy(key.local, received ? e->dst : e->src, sizeof(key.local));
	__builtin_memcpy(key.remote, received ? e->src : e->dst, sizeof(key.remote));
	key.local_port = received ? e->dport : e->sport;
	key.remote_port = received ? e->sport : e->dport;
	ending = bpf_map_lookup_elem(&endings, &key);
	if (!ending)
		return;
	__builtin_memcpy(&e->ending, ending, sizeof(e->ending));
	e->has |= RST_HAS_ENDING;
}

/* The last stack that was recorded on this CPU in full: of the decision or of the segment of one reset. */
struct last_stack {
	__u64 mono_ns; /* 0 if there is none */
	__u32 seq;
	__u32 ack;
	__u64 kind;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct last_stack);
} last_stacks SEC(".maps");

/* Far longer than TCP takes from the one to the other. */
#define ONE_RESET_NS 1000000

/*
 * Walking a stack is most of what a reset costs, and the decision and the segment of one reset are made by the same call: the
 * second is walked as far as the function that made the reset and some of its callers, and user space finds the rest in the
 * first. Should they be of two resets after all, one of them has a short stack.
 */
static __always_inline void set_stack(struct rst_event *e, void *ctx)
{
	__u32 zero = 0;
	struct last_stack *last = bpf_map_lookup_elem(&last_stacks, &zero);
	long size;

	if (last && last->mono_ns && (e->has & RST_HAS_SEGMENT) && last->kind != e->kind &&
	    last->seq == e->seq && last->ack == e->ack &&
	    e->mono_ns - last->mono_ns < ONE_RESET_NS) {
		last->mono_ns = 0;
		size = bpf_get_stack(ctx, e->stack, 8 * RST_STACK_SHORT, 0);
		if (size == 8 * RST_STACK_SHORT)
			e->has |= RST_HAS_SHORT_STACK;
	} else {
		size = bpf_get_stack(ctx, e->stack, sizeof(e->stack), 0);
		if (last) {
			last->mono_ns = size > 0 ? e->mono_ns : 0;
			last->seq = e->seq;
			last->ack = e->ack;
			last->kind = e->kind;
		}
	}
	e->stack_frames = size > 0 ? size / 8 : 0;
}

static __always_inline struct rst_event *reserve(__u8 kind, __u32 lost)
{
	/* What is received has no stack, and leaves that room to others. */
	struct rst_event *e = bpf_ringbuf_reserve(
	    &events,
	    kind == RST_EMIT || kind == RST_DECIDE ? sizeof(struct rst_event) : RST_EVENT_HEAD, 0);

	if (!e) {
		count(lost);
		return e;
	}
	count(RST_RESERVED);
	/* All but the stack: what is not written would be kernel memory of somebody else. */
	__builtin_memset(e, 0, RST_EVENT_HEAD);
	e->mono_ns = bpf_ktime_get_ns();
	e->cpu = bpf_get_smp_processor_id();
	e->kind = kind;
	return e;
}

/* The answer that tcp_v4_send_reset() and tcp_v6_send_reset() build to the segment (RFC 9293,
 * section 3.10.7.1). */
static __always_inline void set_answer(struct rst_event *e, const struct headers *h)
{
	__u16 flags = tcp_flags(h->tcp);
	__u32 seq = be32_at(h->tcp + 4);

	e->has |= RST_HAS_SEGMENT | RST_HAS_TRIGGER;
	e->trigger_flags = flags;
	e->trigger_seq = seq;
	e->trigger_ack = be32_at(h->tcp + 8);
	e->trigger_length = h->payload;
	if (flags & TCP_ACK) {
		e->flags = TCP_RST;
		e->seq = e->trigger_ack;
	} else {
		e->flags = TCP_RST | TCP_ACK;
		e->ack = seq + !!(flags & TCP_SYN) + !!(flags & TCP_FIN) + h->payload;
	}
}

/* Where the segment that provoked a reset came in. */
static __always_inline void set_entrance(struct rst_event *e, struct sk_buff *skb)
{
	struct net_device *dev = BPF_CORE_READ(skb, dev);

	if (dev) {
		e->ifindex = BPF_CORE_READ(dev, ifindex);
		BPF_CORE_READ_STR_INTO(&e->ifname, dev, name);
		if (!e->netns)
			e->netns = BPF_CORE_READ(dev, nd_net.net, ns.inum);
	}
	set_conntrack(&e->conntrack, skb, dev,
		      BPF_CORE_READ(skb, protocol) == bpf_htons(ETH_P_IPV6) ? 6 : 4);
}

static __always_inline void set_tuple_of_socket(struct rst_event *e, struct sock *sk)
{
	struct tcp_sock *tp = (struct tcp_sock *)sk;

	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET6) {
		BPF_CORE_READ_INTO(&e->src, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8);
		BPF_CORE_READ_INTO(&e->dst, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr8);
		e->ip_version = 6;
	} else {
		__u32 from = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		__u32 to = BPF_CORE_READ(sk, __sk_common.skc_daddr);

		set_ipv4(e->src, (const __u8 *)&from);
		set_ipv4(e->dst, (const __u8 *)&to);
		e->ip_version = 4;
	}
	/* skc_num is 0 after CLOSE. */
	e->sport = bpf_ntohs(BPF_CORE_READ((struct inet_sock *)sk, inet_sport));
	e->dport = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	/* As tcp_send_active_reset() writes them, unless the peer's window is in the way
	 * (tcp_acceptable_seq). */
	e->seq = BPF_CORE_READ(tp, snd_nxt);
	e->ack = BPF_CORE_READ(tp, rcv_nxt);
	e->flags = TCP_RST | TCP_ACK;
	e->has |= RST_HAS_SEGMENT;
}

#endif
