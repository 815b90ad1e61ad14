/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How connections ended here, for the resets that come after: their segments meet a time-wait socket, a listener or
 * nothing, and none of these knows whose connection it was.
 *
 * inet_sock_set_state remembers the end while the socket is there: who closed it, or what else ended it.
 */
#ifndef ENDINGS_BPF_H
#define ENDINGS_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "rst_event.h"
#include "segment.bpf.h"

#define PF_EXITING 0x00000004
#define EPIPE 32
#define ECONNABORTED 103
#define ECONNRESET 104
#define ECONNREFUSED 111

/* A connection as this end has it. */
struct connection_key {
	__u8 local[16]; /* network order; IPv4 as ::ffff:a.b.c.d */
	__u8 remote[16];
	__u32 netns;
	__u16 local_port; /* host order */
	__u16 remote_port;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, RST_ENDINGS_KEPT);
	__type(key, struct connection_key);
	__type(value, struct rst_ending);
} endings SEC(".maps");

/* Larger than a program's stack has room for beside the rest. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct rst_ending);
} new_ending SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, RST_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

static __always_inline void count(__u32 index)
{
	__u64 *counter = bpf_map_lookup_elem(&counters, &index);

	if (counter)
		*counter += 1;
}

/* In these states the end had begun already. */
static __always_inline bool is_ending(int state)
{
	return state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2 || state == TCP_CLOSING ||
	       state == TCP_LAST_ACK;
}

static __always_inline bool is_connected(int state)
{
	return state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT || state == TCP_SYN_SENT ||
	       is_ending(state);
}

/* tcp_close_state() sets a state that stays as it is, too: then shutdown() had come before close(). */
static __always_inline bool is_let_go(int before, int after)
{
	return after == TCP_LAST_ACK || (after == TCP_FIN_WAIT1 && !is_ending(before)) ||
	       (before == after && is_ending(after));
}

static __always_inline void set_connection(struct connection_key *key, struct sock *sk)
{
	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET6) {
		BPF_CORE_READ_INTO(&key->local, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8);
		BPF_CORE_READ_INTO(&key->remote, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr8);
	} else {
		__u32 local = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		__u32 remote = BPF_CORE_READ(sk, __sk_common.skc_daddr);

		set_ipv4(key->local, (const __u8 *)&local);
		set_ipv4(key->remote, (const __u8 *)&remote);
	}
	/* skc_num is 0 after CLOSE. */
	key->local_port = bpf_ntohs(BPF_CORE_READ((struct inet_sock *)sk, inet_sport));
	key->remote_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	key->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
}

/* The current process; none where the kernel itself runs. */
static __always_inline void set_process(struct rst_process *process, struct task_struct *task)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct task_struct *parent = BPF_CORE_READ(leader, real_parent);

	process->pid = id >> 32;
	process->tid = (__u32)id;
	process->uid = (__u32)bpf_get_current_uid_gid();
	process->cgroup = bpf_get_current_cgroup_id();
	process->start_ns = BPF_CORE_READ(leader, start_boottime);
	process->parent_pid = BPF_CORE_READ(parent, tgid);
	BPF_CORE_READ_STR_INTO(&process->comm, leader, comm);
	BPF_CORE_READ_STR_INTO(&process->parent_comm, parent, comm);
	bpf_get_current_comm(process->thread, sizeof(process->thread));
}

/* The last descriptor of the socket is gone (__fput), and nobody can call anything on it any more. */
static __always_inline bool is_closing(struct sock *sk)
{
	struct file *file = BPF_CORE_READ(sk, sk_socket, file);

	if (!file)
		return true;
	/* file_ref_put(): FILE_REF_DEAD is negative, and one reference is 0. */
	if (bpf_core_field_exists(file->f_ref))
		return BPF_CORE_READ(file, f_ref.refcnt.counter) < 0;
	return BPF_CORE_READ(file, f_count.counter) <= 0;
}

/*
 * A program that calls something on the socket has it locked; softirqs and timers keep their hands off it meanwhile. What
 * came in the meantime is done before the lock is let go, on behalf of whoever sent it.
 */
static __always_inline bool is_locked(struct sock *sk)
{
	return BPF_CORE_READ(sk, sk_lock.owned) != 0;
}

/*
 * - by_current: the current task has the socket, or destroys it.
 * - goes_on: the connection is not over yet.
 */
static __always_inline void remember_ending(struct sock *sk, const struct socket_memory *memory,
					    int before, __u32 error, bool by_current, bool goes_on)
{
	struct tcp_sock *tp = (struct tcp_sock *)sk;
	struct connection_key key = {};
	struct rst_ending *ending;
	struct task_struct *task;
	__u32 zero = 0, flags, sent, received;

	ending = bpf_map_lookup_elem(&new_ending, &zero);
	if (!ending)
		return;
	__builtin_memset(ending, 0, sizeof(*ending));
	ending->mono_ns = bpf_ktime_get_ns();
	ending->jiffies = bpf_jiffies64();
	ending->owner_pid = memory->owner_pid;
	ending->owner_uid = memory->owner_uid;
	ending->owner_start_ns = memory->owner_start_ns;
	__builtin_memcpy(ending->owner_comm, memory->owner_comm, RST_COMM_LENGTH);
	ending->write_seq = BPF_CORE_READ(tp, write_seq);
	ending->unacknowledged = ending->write_seq - BPF_CORE_READ(tp, snd_una);
	ending->user_timeout_ms =
	    BPF_CORE_READ((struct inet_connection_sock *)sk, icsk_user_timeout);
	sent = (__u32)ending->jiffies - BPF_CORE_READ(tp, lsndtime);
	received = (__u32)ending->jiffies -
		   BPF_CORE_READ((struct inet_connection_sock *)sk, icsk_ack.lrcvtime);
	ending->idle_jiffies = sent < received ? sent : received;
	ending->state = before;
	ending->error = error;
	if (error == ECONNABORTED)
		ending->how = RST_ENDED_BY_DESTRUCTION;
	else if (error == ECONNRESET || error == EPIPE || error == ECONNREFUSED)
		ending->how = RST_ENDED_BY_RESET;
	else if (error)
		ending->how = RST_ENDED_BY_ERROR;
	else if (!BPF_CORE_READ(sk, sk_socket))
		ending->how = RST_ENDED_WITH_LISTENER;
	else if (is_closing(sk))
		ending->how = RST_ENDED_BY_CLOSE;
	else
		ending->how = goes_on ? RST_ENDED_BY_SHUTDOWN : RST_ENDED_BY_DISCONNECT;
	if (by_current) {
		task = (void *)bpf_get_current_task();
		flags = BPF_CORE_READ(task, flags);
		if (!(flags & PF_KTHREAD)) {
			set_process(&ending->by, task);
			ending->exiting = !!(flags & PF_EXITING);
			if (ending->exiting)
				ending->signal = BPF_CORE_READ(task, exit_code) & 0x7f;
		}
	}
	set_connection(&key, sk);
	bpf_map_update_elem(&endings, &key, ending, BPF_ANY);
	count(RST_ENDINGS);
}

/* close() or shutdown() of a connection whose end the peer has yet to see. */
static __always_inline void remember_letting_go(struct sock *sk, const struct socket_memory *memory,
						int before)
{
	if (is_locked(sk))
		remember_ending(sk, memory, before, 0, true, true);
}

/* The connection is over. */
static __always_inline void remember_end(struct sock *sk, const struct socket_memory *memory,
					 int before)
{
	__u32 error = BPF_CORE_READ(sk, sk_err);
	struct socket *socket = BPF_CORE_READ(sk, sk_socket);
	bool locked = is_locked(sk);
	struct connection_key key = {};
	struct rst_ending *ending;

	if (is_ending(before) && !(locked && socket && !error && is_closing(sk))) {
		/* A program had closed it already. */
		if (!error)
			return;
		set_connection(&key, sk);
		ending = bpf_map_lookup_elem(&endings, &key);
		if (ending)
			ending->error = error;
		return;
	}
	if (before == TCP_SYN_SENT && error) /* there never was one */
		return;
	/* Without a socket nobody has accepted it: its listener goes, and whoever closes that runs. */
	if (!error && !locked && socket)
		return;
	remember_ending(sk, memory, before, error,
			(!error || error == ECONNABORTED) && !is_mptcp(sk), false);
}

#endif
