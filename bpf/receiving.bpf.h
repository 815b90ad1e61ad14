/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The end that receives a RST.
 *
 * tcp_receive_reset: TCP accepts a RST, and the socket is as the RST found it. The error that its program will get is known a
 * moment later, when inet_sock_set_state reports that the connection is over (tcp_reset() in net/ipv4/tcp_input.c): only then
 * there is an event. A RST that finds the socket closed has no effect, and is none. Where the connection is over with an error
 * and no RST was received, ICMP brought the error.
 */
#ifndef RECEIVING_BPF_H
#define RECEIVING_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "rst_event.h"
#include "sockets.bpf.h"
#include "event.bpf.h"

#define SOCK_DONE_BIT (1UL << 1)
#define RCV_SHUTDOWN 1

/* RSTs that are being received: by the address of the struct sock, from the one hook to the other. */
struct reception {
	__u64 mono_ns;
	__u32 rcv_nxt;
	__u32 snd_nxt;
	struct rst_received received;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct reception);
} receptions SEC(".maps");

/* Those who wait for something to happen on the socket. */
static __always_inline void set_waiters(struct rst_received *received, struct sock *sk)
{
	struct socket_wq *wq = BPF_CORE_READ(sk, sk_wq);
	struct list_head *head, *next;
	struct wait_queue_entry *entry;
	struct task_struct *task, *leader;

	if (!wq)
		return;
	head = (void *)wq + bpf_core_field_offset(struct socket_wq, wait) +
	       bpf_core_field_offset(struct wait_queue_head, head);
	next = BPF_CORE_READ(head, next);
#pragma unroll
	for (int i = 0; i < RST_WAITERS; i++) {
		struct rst_waiter *waiter = &received->waiters[i];

		if (!next || next == head)
			return;
		entry = (void *)next - bpf_core_field_offset(struct wait_queue_entry, entry);
		waiter->function = (__u64)BPF_CORE_READ(entry, func);
		/* Whether it is a task, user space knows by the function; reading fails if it is none. */
		task = BPF_CORE_READ(entry, private);
		leader = BPF_CORE_READ(task, group_leader);
		waiter->pid = BPF_CORE_READ(task, tgid);
		waiter->uid = BPF_CORE_READ(task, cred, uid.val);
		waiter->start_ns = BPF_CORE_READ(leader, start_boottime);
		BPF_CORE_READ_STR_INTO(&waiter->comm, leader, comm);
		next = BPF_CORE_READ(next, next);
	}
}

/*
 * Errors that ICMP brings (icmp_err_convert[] in net/ipv4/icmp.c, icmpv6_err_convert() in net/ipv6/icmp.c). One that a signal, a
 * program or a timer causes is none of them.
 */
static __always_inline bool is_of_icmp(int error)
{
	switch (error) {
	case 13:  /* EACCES */
	case 64:  /* ENONET */
	case 71:  /* EPROTO */
	case 90:  /* EMSGSIZE */
	case 92:  /* ENOPROTOOPT */
	case 95:  /* EOPNOTSUPP */
	case 101: /* ENETUNREACH */
	case 111: /* ECONNREFUSED */
	case 112: /* EHOSTDOWN */
	case 113: /* EHOSTUNREACH */
		return true;
	default:
		return false;
	}
}

/* The socket as the RST found it, or, if none was received, as it is now. */
static __always_inline void set_reception(struct reception *reception, struct sock *sk, __u8 state)
{
	struct tcp_sock *tp = (struct tcp_sock *)sk;
	struct rst_received *received = &reception->received;
	__u32 sent, got;

	reception->mono_ns = bpf_ktime_get_ns();
	reception->rcv_nxt = BPF_CORE_READ(tp, rcv_nxt);
	reception->snd_nxt = BPF_CORE_READ(tp, snd_nxt);
	received->jiffies = bpf_jiffies64();
	sent = (__u32)received->jiffies - BPF_CORE_READ(tp, lsndtime);
	got = (__u32)received->jiffies -
	      BPF_CORE_READ((struct inet_connection_sock *)sk, icsk_ack.lrcvtime);
	received->idle_jiffies = sent < got ? sent : got;
	if (state != TCP_SYN_SENT) {
		received->unacknowledged = reception->snd_nxt - BPF_CORE_READ(tp, snd_una);
		/* The FIN has a number, and is no byte. */
		if (is_ending(state) && state != TCP_FIN_WAIT2 && received->unacknowledged &&
		    reception->snd_nxt == BPF_CORE_READ(tp, write_seq))
			received->unacknowledged--;
		received->unread = reception->rcv_nxt - BPF_CORE_READ(tp, copied_seq);
		if (received->unread && BPF_CORE_READ(sk, __sk_common.skc_flags) & SOCK_DONE_BIT)
			received->unread--;
	}
	received->in_call = is_locked(sk);
	set_waiters(received, sk);
}

SEC("tp_btf/tcp_receive_reset")
int tcp_receive_reset(__u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	struct reception reception = {};
	__u64 key = (__u64)sk;
	__u8 state;

	if (!is_netns_of_socket_wanted(sk) || !is_connection_wanted(sk))
		return 0;
	state = BPF_CORE_READ(sk, __sk_common.skc_state);
	set_reception(&reception, sk, state);
	reception.received.may_be_abort = (state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2) &&
					  BPF_CORE_READ(sk, sk_shutdown) & RCV_SHUTDOWN;
	bpf_map_update_elem(&receptions, &key, &reception, BPF_ANY);
	return 0;
}

static __always_inline void report(__u8 kind, struct sock *sk, const struct reception *reception,
				   int error)
{
	struct rst_event *e = reserve(kind, RST_LOST_RECEIVE);
	struct socket_memory *memory;
	__u8 local[16];
	__u16 port;

	if (!e)
		return;
	e->mono_ns = reception->mono_ns;
	e->sock = (__u64)sk;
	__builtin_memcpy(&e->received, &reception->received, sizeof(e->received));
	e->received.error = error;
	set_socket(e, sk);
	set_tuple_of_socket(e, sk);
	/* The tuple is that of the RST. */
	__builtin_memcpy(local, e->src, sizeof(local));
	__builtin_memcpy(e->src, e->dst, sizeof(local));
	__builtin_memcpy(e->dst, local, sizeof(local));
	port = e->sport;
	e->sport = e->dport;
	e->dport = port;
	e->has &= ~RST_HAS_SEGMENT;
	e->seq = reception->rcv_nxt;
	e->ack = reception->snd_nxt;
	e->flags = 0;
	memory = recall(sk);
	if (memory)
		e->received.since_ns = memory->begun_ns;
	set_ending(e);
	bpf_ringbuf_submit(e, 0);
}

/*
 * What a segment or a timer does to a connection while no program has its socket locked. An error that a program has not asked for
 * stays with the socket, and is no reason for what the program does later.
 */
static __always_inline bool is_ended_from_outside(struct sock *sk, int before)
{
	return !is_locked(sk) && (before == TCP_SYN_SENT || before == TCP_SYN_RECV ||
				  before == TCP_ESTABLISHED || before == TCP_CLOSE_WAIT);
}

static __always_inline void report_reception(struct sock *sk, int before)
{
	__u64 key = (__u64)sk;
	struct reception *reception = bpf_map_lookup_elem(&receptions, &key);
	int error = BPF_CORE_READ(sk, sk_err);
	struct reception fresh = {};
	__u8 kind = RST_RECEIVE;

	if (!reception) {
		if (!is_of_icmp(error) || !is_ended_from_outside(sk, before) ||
		    !is_connection_wanted(sk))
			return;
		set_reception(&fresh, sk, before);
		kind = RST_FAIL;
	}
	report(kind, sk, reception ? reception : &fresh, error);
	if (reception)
		bpf_map_delete_elem(&receptions, &key);
}

#endif
