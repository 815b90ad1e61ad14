/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tcp_v4_send_reset, tcp_v6_send_reset: up to 6.9 tcp_send_reset does not tell of answers to segments that met no socket or a
 * time-wait socket; where the kernel has fentry, the entries of the two functions do.
 */
#ifndef ANSWERING_BPF_H
#define ANSWERING_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include "rst_event.h"
#include "segment.bpf.h"
#include "scope.bpf.h"
#include "event.bpf.h"

/* Far longer than building an answer takes: an interrupt may come in between. */
#define PENDING_ANSWER_NS 100000000ULL

/* The segment that a function which answers with a reset was called for, while it builds the answer on this CPU. */
struct pending_answer {
	__u64 mono_ns; /* 0 if there is none */
	__u64 skb;
	struct sock *sk; /* none, or one that is not full */
	struct headers headers;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pending_answer);
} pending_answers SEC(".maps");

/*
 * A reset that is the pending answer of this CPU: the decision that tcp_send_reset does not report. Only now is it certain
 * that an answer is sent at all. The address and port of one end may have been translated meanwhile; sequence numbers are
 * not.
 */
static __always_inline void emit_decision(void *ctx, const struct headers *h)
{
	__u32 zero = 0, expected;
	struct pending_answer *pending = bpf_map_lookup_elem(&pending_answers, &zero);
	__u16 trigger_flags, flags = tcp_flags(h->tcp);
	struct rst_event *e;
	__u64 age;

	if (!pending || !pending->mono_ns)
		return;
	trigger_flags = tcp_flags(pending->headers.tcp);
	age = bpf_ktime_get_ns() - pending->mono_ns;
	if (age > PENDING_ANSWER_NS || ip_version(&pending->headers) != ip_version(h))
		return;
	if (be16_at(h->tcp) != be16_at(pending->headers.tcp + 2) &&
	    be16_at(h->tcp + 2) != be16_at(pending->headers.tcp))
		return;
	if (trigger_flags & TCP_ACK) {
		if (flags != TCP_RST || be32_at(h->tcp + 4) != be32_at(pending->headers.tcp + 8))
			return;
	} else {
		expected = be32_at(pending->headers.tcp + 4) + !!(trigger_flags & TCP_SYN) +
			   !!(trigger_flags & TCP_FIN) + pending->headers.payload;
		if (flags != (TCP_RST | TCP_ACK) || be32_at(h->tcp + 4) ||
		    be32_at(h->tcp + 8) != expected)
			return;
	}
	e = reserve(RST_DECIDE, RST_LOST_DECIDE);
	if (!e)
		return;
	e->mono_ns = pending->mono_ns;
	e->skb = pending->skb;
	if (pending->sk)
		set_socket(e, pending->sk);
	set_entrance(e, (void *)pending->skb);
	set_tuple(e, &pending->headers, true);
	set_answer(e, &pending->headers);
	if (!pending->sk)
		set_listener(e);
	e->has |= RST_HAS_ENTRY;
	set_ending(e);
	set_task(e);
	set_stack(e, ctx);
	pending->mono_ns = 0;
	bpf_ringbuf_submit(e, 0);
}

/* (sk, skb) both up to 6.9. */
static __always_inline int note_pending_answer(__u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	struct sk_buff *skb = (void *)ctx[1];
	__u32 zero = 0;
	struct pending_answer *pending = bpf_map_lookup_elem(&pending_answers, &zero);

	if (!pending)
		return 0;
	pending->mono_ns = 0;
	/* tcp_send_reset tells of the full ones. */
	if (sk && is_full_socket(BPF_CORE_READ(sk, __sk_common.skc_state)))
		return 0;
	if (!is_decision_wanted(sk, skb) || !read_headers(&pending->headers, skb))
		return 0;
	pending->sk = sk;
	pending->skb = (__u64)skb;
	pending->mono_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("fentry/tcp_v4_send_reset")
int tcp_v4_send_reset(__u64 *ctx)
{
	return note_pending_answer(ctx);
}

SEC("fentry/tcp_v6_send_reset")
int tcp_v6_send_reset(__u64 *ctx)
{
	return note_pending_answer(ctx);
}

#endif
