/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is remembered of sockets, for the events that come later: the state before, whose it is, and who listens.
 *
 * inet_sock_set_state: connect(), listen() and close() run as the program whose socket it is.
 *
 * task_file: an iterator, run at the start and whenever user space asks. Who has which socket open.
 */
#ifndef SOCKETS_BPF_H
#define SOCKETS_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "rst_event.h"
#include "segment.bpf.h"
#include "scope.bpf.h"

#define IPPROTO_MPTCP 262
#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define PF_KTHREAD 0x00200000

/* include/net/tcp_states.h */
#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT 2
#define TCP_SYN_RECV 3
#define TCP_FIN_WAIT1 4
#define TCP_FIN_WAIT2 5
#define TCP_TIME_WAIT 6
#define TCP_CLOSE 7
#define TCP_CLOSE_WAIT 8
#define TCP_LAST_ACK 9
#define TCP_LISTEN 10
#define TCP_CLOSING 11
#define TCP_NEW_SYN_RECV 12

/* What is remembered of a socket between its state changes, by the address of its struct sock. */
struct socket_memory {
	__u64 owner_since_ns;
	__u64 owner_start_ns;
	__u64 owner_exec; /* self_exec_id: which of its programs it was */
	__u32 owner_pid;
	__u32 owner_uid;
	__u32 netns;
	__u32 peer;	 /* the peer's address, folded to 32 bits */
	__u16 peer_port; /* network order */
	__u8 current;
	__u8 previous;
	char owner_comm[RST_COMM_LENGTH]; /* of its thread group's leader */
	__u32 padding;
	__u64 begun_ns; /* when the connection was; 0 if the recorder had not begun by then */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct socket_memory);
} sockets SEC(".maps");

/* Who listened on a port, kept after the listener is gone: of several, who called listen() last. */
struct listener_memory {
	__u64 sock;
	__u64 start_ns; /* of the process */
	__u64 exec;
	__u64 since_ns;
	__u64 closed_ns;  /* 0 as long as it listens */
	__u8 address[16]; /* IPv4 as ::ffff:a.b.c.d */
	__u32 pid;
	__s32 device; /* 0 if it is bound to none */
	char comm[RST_COMM_LENGTH];
	__u16 family;
	__u8 any; /* of all addresses */
	__u8 v6only;
	__u32 uid;
};

struct listener_key {
	__u32 netns;
	__u16 port; /* network order */
	__u16 padding;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct listener_key);
	__type(value, struct listener_memory);
} listeners SEC(".maps");

/*
 * A member of a socket: without a call where the verifier knows the pointer, as it does the argument of a tracepoint that is
 * never NULL.
 */
#define READ_SOCK(known, sk, member) ((known) ? (sk)->member : BPF_CORE_READ(sk, member))

/*
 * Tells a socket from the one that had its memory before: the kernel gives a freed struct sock to the next socket, and
 * an event in between may have been missed.
 */
static __always_inline void identify(struct socket_memory *memory, struct sock *sk, bool known)
{
	__u32 peer[4] = {};

	if (READ_SOCK(known, sk, __sk_common.skc_family) == AF_INET6)
		BPF_CORE_READ_INTO(&peer, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr8);
	else
		peer[3] = READ_SOCK(known, sk, __sk_common.skc_daddr);
	memory->peer = peer[0] ^ peer[1] ^ peer[2] ^ peer[3];
	memory->peer_port = READ_SOCK(known, sk, __sk_common.skc_dport);
	memory->netns = known ? sk->__sk_common.skc_net.net->ns.inum
			      : BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
}

/* What is remembered of the very socket that `now` identifies, or NULL. */
static __always_inline struct socket_memory *recall_identified(const struct socket_memory *now,
							       struct sock *sk)
{
	__u64 key = (__u64)sk;
	struct socket_memory *memory = bpf_map_lookup_elem(&sockets, &key);

	if (!memory || now->netns != memory->netns)
		return 0;
	/* A listener's child is announced before it has its peer's address. */
	if (memory->current == TCP_SYN_RECV && !memory->peer_port)
		return memory;
	return now->peer == memory->peer && now->peer_port == memory->peer_port ? memory : 0;
}

static __always_inline struct socket_memory *recall(struct sock *sk)
{
	struct socket_memory now = {};

	identify(&now, sk, false);
	return recall_identified(&now, sk);
}

/* Which program the current process runs, counted from its start (self_exec_id). */
static __always_inline __u64 current_exec(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return BPF_CORE_READ(task, group_leader, self_exec_id);
}

static __always_inline bool is_full_socket(__u8 state)
{
	return state != TCP_TIME_WAIT && state != TCP_NEW_SYN_RECV;
}

/*
 * The program that calls; nobody where the kernel itself does (an MPTCP path manager that adds a subflow). A process that
 * has run another program since is still what it was when it had the socket.
 */
static __always_inline void set_current(struct socket_memory *memory)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct task_struct *leader;
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	__u64 exec;

	if (BPF_CORE_READ(task, flags) & PF_KTHREAD)
		return;
	leader = BPF_CORE_READ(task, group_leader);
	exec = BPF_CORE_READ(leader, self_exec_id);
	memory->owner_since_ns = bpf_ktime_get_ns();
	if (memory->owner_pid == pid && memory->owner_exec && memory->owner_exec != exec)
		return;
	memory->owner_pid = pid;
	memory->owner_uid = (__u32)bpf_get_current_uid_gid();
	memory->owner_exec = exec;
	memory->owner_start_ns = BPF_CORE_READ(leader, start_boottime);
	BPF_CORE_READ_STR_INTO(&memory->owner_comm, leader, comm);
}

static __always_inline bool is_mptcp(struct sock *sk)
{
	struct tcp_sock *tp = (struct tcp_sock *)sk;

	return bpf_core_field_exists(tp->is_mptcp) && BPF_CORE_READ_BITFIELD_PROBED(tp, is_mptcp);
}

static __always_inline struct listener_key listener_key_of(struct sock *sk)
{
	struct listener_key key = {};

	key.port = BPF_CORE_READ((struct inet_sock *)sk, inet_sport);
	key.netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	return key;
}

static __always_inline void remember_listener(struct sock *sk, const struct listener_key *key,
					      const struct socket_memory *memory, __u64 flags)
{
	struct listener_memory listener = {};

	listener.sock = (__u64)sk;
	listener.since_ns = memory->owner_since_ns;
	listener.pid = memory->owner_pid;
	listener.uid = memory->owner_uid;
	listener.exec = memory->owner_exec;
	listener.start_ns = memory->owner_start_ns;
	__builtin_memcpy(listener.comm, memory->owner_comm, RST_COMM_LENGTH);
	listener.device = BPF_CORE_READ(sk, __sk_common.skc_bound_dev_if);
	listener.family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (listener.family == AF_INET6) {
		BPF_CORE_READ_INTO(&listener.address, sk,
				   __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8);
		listener.any = !(*(__u64 *)listener.address | *(__u64 *)(listener.address + 8));
		listener.v6only = BPF_CORE_READ_BITFIELD_PROBED(sk, __sk_common.skc_ipv6only);
	} else {
		__u32 address = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);

		set_ipv4(listener.address, (const __u8 *)&address);
		listener.any = !address;
	}
	bpf_map_update_elem(&listeners, key, &listener, flags);
}

#include "endings.bpf.h"

/* The connection is over, which a RST or an ICMP error that was received may have done. */
static __always_inline void report_reception(struct sock *sk, int before);

SEC("tp_btf/inet_sock_set_state")
int inet_sock_set_state(__u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	int before = (int)ctx[1], after = (int)ctx[2];
	__u64 key = (__u64)sk;
	struct socket_memory now = {}, fresh = {}, *memory;
	struct listener_key port = {};
	struct listener_memory *listener;

	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	identify(&now, sk, true);
	if (!is_wanted_netns(now.netns))
		return 0;
	memory = recall_identified(&now, sk);
	/* connect(), listen() and the birth of a listener's child begin a life. */
	if (memory && after != TCP_SYN_SENT && after != TCP_LISTEN && before != TCP_LISTEN)
		fresh = *memory;
	if (after == TCP_SYN_SENT || (before == TCP_LISTEN && after == TCP_SYN_RECV))
		fresh.begun_ns = bpf_ktime_get_ns();
	if (after == TCP_CLOSE)
		report_reception(sk, before);
	fresh.peer = now.peer;
	fresh.peer_port = now.peer_port;
	fresh.netns = now.netns;
	fresh.previous = before;
	fresh.current = after;
	port.netns = now.netns;
	port.port = BPF_CORE_READ((struct inet_sock *)sk, inet_sport);
	if (after == TCP_SYN_SENT || after == TCP_LISTEN) {
		/* connect() and listen() run as the caller, never in an interrupt. */
		set_current(&fresh);
		if (after == TCP_LISTEN)
			remember_listener(sk, &port, &fresh, BPF_ANY);
	} else if (is_let_go(before, after)) {
		/*
		 * Only close() and shutdown() lead here (tcp_close_state), so whoever runs had the
		 * socket, which the listener that it inherited its owner from need not have. But
		 * MPTCP shuts its subflows down whenever it sees fit, in a softirq too.
		 */
		if (!is_mptcp(sk)) {
			remember_letting_go(sk, &fresh, before);
			set_current(&fresh);
		}
	} else if (after == TCP_CLOSE && is_connected(before)) {
		remember_end(sk, &fresh, before);
	} else if ((before == TCP_SYN_RECV || after == TCP_SYN_RECV) && !fresh.owner_pid) {
		/* A child of a listener: until somebody is seen to have it, it is that program's. */
		listener = bpf_map_lookup_elem(&listeners, &port);
		if (listener) {
			fresh.owner_pid = listener->pid;
			fresh.owner_uid = listener->uid;
			fresh.owner_exec = listener->exec;
			fresh.owner_start_ns = listener->start_ns;
			fresh.owner_since_ns = listener->since_ns;
			__builtin_memcpy(fresh.owner_comm, listener->comm, RST_COMM_LENGTH);
		}
	}
	if (before == TCP_LISTEN && after == TCP_CLOSE) {
		listener = bpf_map_lookup_elem(&listeners, &port);
		if (listener && listener->sock == (__u64)sk)
			listener->closed_ns = bpf_ktime_get_ns();
	}
	bpf_map_update_elem(&sockets, &key, &fresh, BPF_ANY);
	return 0;
}

/* A socket that is older than the recorder: its owner is who has it open. */
static __always_inline void remember_holder(struct sock *sk, const struct rst_holder *holder,
					    __u64 exec)
{
	struct socket_memory fresh = {}, *memory;
	struct listener_key port = {};
	__u64 key = (__u64)sk;

	memory = recall(sk);
	if (memory && memory->owner_pid)
		return;
	if (memory)
		fresh = *memory;
	identify(&fresh, sk, false);
	fresh.current = BPF_CORE_READ(sk, __sk_common.skc_state);
	fresh.owner_pid = holder->pid;
	fresh.owner_uid = holder->uid;
	fresh.owner_exec = exec;
	fresh.owner_start_ns = holder->start_ns;
	fresh.owner_since_ns = bpf_ktime_get_ns();
	__builtin_memcpy(fresh.owner_comm, holder->comm, RST_COMM_LENGTH);
	bpf_map_update_elem(&sockets, &key, &fresh, memory ? BPF_ANY : BPF_NOEXIST);
	if (fresh.current != TCP_LISTEN)
		return;
	/* Since when it listens, nobody knows. */
	fresh.owner_since_ns = 0;
	port = listener_key_of(sk);
	remember_listener(sk, &port, &fresh, BPF_NOEXIST);
	/* Closed meanwhile, and the hook that would have noted it found nothing to note it in. */
	if (BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_LISTEN)
		bpf_map_delete_elem(&listeners, &port);
}

/* Runs when user space reads it, once for every file that any task has open. */
SEC("iter/task_file")
int socket_holders(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task, *leader;
	struct file *file = ctx->file;
	struct rst_holder holder = {};
	struct socket *socket;
	struct sock *sk;
	__u16 family, protocol;

	if (!task || !file)
		return 0;
	if ((BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	/* A file of O_PATH has the mode of a socket and is none. */
	if (!socket || BPF_CORE_READ(socket, file) != file)
		return 0;
	sk = BPF_CORE_READ(socket, sk);
	if (!sk)
		return 0;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	protocol = BPF_CORE_READ(sk, sk_protocol);
	if ((family != AF_INET && family != AF_INET6) ||
	    (protocol != IPPROTO_TCP && protocol != IPPROTO_MPTCP))
		return 0;
	holder.inode = BPF_CORE_READ(file, f_inode, i_ino);
	holder.pid = BPF_CORE_READ(task, tgid);
	holder.uid = BPF_CORE_READ(task, cred, uid.val);
	leader = BPF_CORE_READ(task, group_leader);
	holder.start_ns = BPF_CORE_READ(leader, start_boottime);
	BPF_CORE_READ_STR_INTO(&holder.comm, leader, comm);
	if (protocol == IPPROTO_TCP && is_netns_of_socket_wanted(sk))
		remember_holder(sk, &holder, BPF_CORE_READ(leader, self_exec_id));
	bpf_seq_write(ctx->meta->seq, &holder, sizeof(holder));
	return 0;
}

#endif
