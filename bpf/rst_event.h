/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/*
 * The record that the BPF programs hand to user space: the only place where its layout is written.
 * Fixed widths, explicit padding, host byte order unless said otherwise.
 */
#ifndef RST_EVENT_H
#define RST_EVENT_H

#ifndef __bpf__
#include <stdint.h>
#endif

#define RST_STACK_FRAMES 64
#define RST_STACK_SHORT                                                                            \
	16 /* frames of a stack whose rest is in the event before it on the same CPU */
#define RST_COMM_LENGTH 16
#define RST_IFNAME_LENGTH 16

enum rst_event_kind {
	RST_EMIT = 1,
	RST_DECIDE = 2,
	RST_RECEIVE = 3,
	RST_IGNORE = 4, /* a RST that came had no effect */
	RST_FAIL = 5,	/* a connection ended by an error that no RST brought */
};

/* What rst_event.has says is filled in. */
enum rst_event_has {
	RST_HAS_SEGMENT =
	    1 << 0, /* seq, ack, flags: of the RST itself, or as TCP will write them */
	RST_HAS_SOCKET = 1 << 1,
	RST_HAS_PREVIOUS_STATE = 1 << 2,
	RST_HAS_TRIGGER = 1 << 3,
	RST_HAS_REASON = 1 << 4,
	RST_HAS_OWNER = 1 << 5,
	RST_HAS_TCP_SOCKET = 1 << 6, /* user_timeout_ms, linger2 */
	RST_HAS_LISTENER = 1 << 7, /* owner_*: who listened on the port, not who owns the socket */
	RST_HAS_STATE = 1 << 8,	   /* state, of any kind of socket: request and time-wait too */
	RST_HAS_ENTRY =
	    1
	    << 9, /* the decision comes from the entry of tcp_v4_send_reset or tcp_v6_send_reset */
	RST_HAS_SHORT_STACK =
	    1
	    << 10, /* the stack goes on like that of the last event on this CPU that has a longer one */
	RST_HAS_ENDING = 1 << 12, /* ending: how the connection had ended before */
	RST_HAS_EXECUTED =
	    1 << 13, /* the owner is the current process and runs another program since (execve) */
};

/* What ended a connection here, or began to. */
enum rst_ending_how {
	RST_ENDED_BY_CLOSE = 1,	      /* the last descriptor went: close(), exit, a signal */
	RST_ENDED_BY_SHUTDOWN = 2,    /* shutdown() */
	RST_ENDED_BY_DISCONNECT = 3,  /* connect() to AF_UNSPEC */
	RST_ENDED_WITH_LISTENER = 4,  /* nobody had accepted it when its listener went */
	RST_ENDED_BY_DESTRUCTION = 5, /* tcp_abort(): somebody else destroyed the socket */
	RST_ENDED_BY_RESET = 6,	      /* a RST came */
	RST_ENDED_BY_ERROR = 7,	      /* `error`: ETIMEDOUT for one */
};

/* What the programs count: index into the counters map. */
enum rst_counter {
	RST_LOST_EMIT = 0, /* events for which the ring buffer had no room */
	RST_LOST_DECIDE = 1,
	RST_RESERVED = 2, /* events that got room in it */
	RST_ENDINGS = 3,  /* ends of connections that were remembered */
	RST_LOST_RECEIVE = 4,
	RST_COUNTERS = 5,
};

/* How many ends of connections are remembered; beyond that the oldest are forgotten. */
#define RST_ENDINGS_KEPT 65536

/* A process as it was when it used a socket. */
struct rst_process {
	uint64_t start_ns; /* of its leader, CLOCK_BOOTTIME; 0 if there is no process */
	uint64_t cgroup;   /* id of its cgroup v2 */
	uint32_t pid;	   /* tgid */
	uint32_t tid;
	uint32_t uid;
	uint32_t parent_pid;
	char comm[RST_COMM_LENGTH];   /* of the thread group's leader */
	char thread[RST_COMM_LENGTH]; /* of the thread */
	char parent_comm[RST_COMM_LENGTH];
};

/* How a connection ended here: remembered after its socket is gone. */
struct rst_ending {
	uint64_t mono_ns;	 /* bpf_ktime_get_ns */
	uint64_t jiffies;	 /* at that time */
	struct rst_process by;	 /* who ended it; none if nobody did here */
	uint64_t owner_start_ns; /* of the owner, as in rst_process */
	uint32_t owner_pid;	 /* whose socket it had been until then; 0 if not known */
	uint32_t owner_uid;
	char owner_comm[RST_COMM_LENGTH];
	uint32_t idle_jiffies; /* since data was sent or received */
	uint32_t write_seq;    /* the next sequence number of this end: that of its FIN */
	uint32_t
	    unacknowledged; /* bytes that the program had sent and the peer had not acknowledged */
	uint32_t user_timeout_ms;
	uint16_t error;	 /* sk_err when it was over, if there was one */
	uint8_t how;	 /* enum rst_ending_how */
	uint8_t state;	 /* before */
	uint8_t exiting; /* by.pid was about to exit */
	uint8_t signal;	 /* that ended it; 0 if it exited of its own accord */
	uint8_t padding[2];
};

/* What rst_conntrack.has says is filled in. */
enum rst_conntrack_has {
	RST_CONNTRACK_HAS_SEGMENT = 1 << 0, /* info; without it, this kernel has no conntrack */
	RST_CONNTRACK_HAS_HOOK = 1 << 1,    /* hook */
	RST_CONNTRACK_HAS_ENTRY = 1 << 2,   /* the segment has an entry */
	RST_CONNTRACK_HAS_TUPLES = 1 << 3,  /* original, reply */
};

/* Addresses as in rst_event, ports in host order. */
struct rst_conntrack_tuple {
	uint8_t src[16];
	uint8_t dst[16];
	uint16_t sport;
	uint16_t dport;
};

/* What connection tracking has of the segment that provoked a reset. */
struct rst_conntrack {
	uint64_t hook; /* the function at conntrack's place in PREROUTING; 0 if there is none */
	struct rst_conntrack_tuple original;
	struct rst_conntrack_tuple reply;
	uint8_t info; /* enum ip_conntrack_info; 7: untracked by a rule */
	uint8_t has;  /* enum rst_conntrack_has */
	uint8_t padding[6];
};

/* How many of those who wait for a socket are looked at. */
#define RST_WAITERS 2

/* An entry of the queue of those who wait for something to happen on a socket. */
struct rst_waiter {
	uint64_t function; /* what wakes it; 0 if there is nobody */
	uint64_t start_ns; /* of the process, as in rst_process */
	uint32_t pid;	   /* tgid of entry.private, which is a task only for some functions */
	uint32_t uid;
	char comm[RST_COMM_LENGTH]; /* of the thread group's leader */
};

/* What a RST that was received found. */
struct rst_received {
	struct rst_waiter waiters[RST_WAITERS];
	uint64_t jiffies; /* at that time */
	uint64_t
	    since_ns; /* when the connection was begun here; 0 if it is older than the recorder */
	uint32_t idle_jiffies;	 /* since data was sent or received */
	uint32_t unacknowledged; /* bytes that were sent and not acknowledged */
	uint32_t unread;	 /* bytes that were received and not read */
	uint16_t error;		 /* sk_err */
	uint8_t in_call;	 /* somebody has the socket locked: a system call is under way */
	uint8_t
	    may_be_abort; /* data after a shutdown has the same effect: tcp_send_reset follows then */
};

/* Where a RST had no effect. */
struct rst_ignored {
	uint64_t location; /* in the kernel's code */
};

/* How many drop reasons are told apart (enum skb_drop_reason has fewer; those of subsystems are beyond). */
#define RST_DROP_REASONS 256

struct rst_event {
	uint64_t mono_ns;	 /* bpf_ktime_get_ns */
	uint64_t skb;		 /* kernel address; 0 if none */
	uint64_t cookie;	 /* 0 until somebody asked the kernel for one */
	uint64_t inode;		 /* of the socket's file; 0 if none */
	uint64_t cgroup;	 /* id of the socket's cgroup v2 */
	uint64_t owner_since_ns; /* when owner_pid made the socket what it is */
	uint64_t task_cgroup;	 /* id of the current task's cgroup v2 */
	uint64_t closed_ns;	 /* RST_HAS_LISTENER: when it was closed; 0 if it is not */
	uint8_t src[16];	 /* network order; IPv4 as ::ffff:a.b.c.d */
	uint8_t dst[16];
	uint32_t seq;
	uint32_t ack;
	uint32_t trigger_seq;
	uint32_t trigger_ack;
	uint32_t trigger_length; /* TCP payload, bytes */
	uint32_t netns;		 /* inode number of the network namespace */
	int32_t ifindex;
	uint32_t cpu;
	uint32_t pid; /* process (tgid), 0 in the idle task */
	uint32_t tid;
	uint32_t uid;
	uint32_t sock_uid;
	uint32_t owner_pid;
	uint32_t
	    reason; /* enum sk_rst_reason of the running kernel; of RST_IGNORE, enum skb_drop_reason */
	uint32_t user_timeout_ms;
	int32_t linger2;       /* jiffies; -1 is off */
	uint32_t stack_frames; /* how many of stack[] are valid */
	uint32_t accept_queue; /* of a listener: connections that wait to be accepted */
	uint32_t accept_queue_limit;
	uint16_t sport;
	uint16_t dport;
	uint16_t flags; /* the low nine bits: FIN is bit 0 */
	uint16_t window;
	uint16_t ip_id;
	uint16_t trigger_flags;
	uint16_t has; /* enum rst_event_has */
	uint8_t ttl;
	uint8_t kind;		/* enum rst_event_kind */
	uint8_t state;		/* TCP state at the hook */
	uint8_t previous_state; /* before the last change */
	uint8_t dead;		/* SOCK_DEAD */
	uint8_t ip_version;	/* 4 or 6 */
	uint8_t
	    listener_fits; /* RST_HAS_LISTENER: its address, version and device are the segment's */
	uint8_t linger;	   /* SOCK_LINGER */
	uint8_t padding[6];
	char ifname[RST_IFNAME_LENGTH];
	char comm[RST_COMM_LENGTH];
	char owner_comm[RST_COMM_LENGTH];
	char leader_comm[RST_COMM_LENGTH]; /* of the current task's thread group */
	char parent_comm[RST_COMM_LENGTH];
	uint64_t start_ns;	 /* of the current process, as in rst_process */
	uint64_t owner_start_ns; /* of owner_pid; 0 if not known */
	uint32_t parent_pid;
	uint32_t owner_uid;
	struct rst_ending ending;
	union {
		struct rst_conntrack conntrack; /* RST_DECIDE */
		struct rst_received received;	/* RST_RECEIVE, RST_FAIL */
		struct rst_ignored ignored;	/* RST_IGNORE */
	};
	uint64_t sock; /* address of the struct sock; 0 if none */
	uint64_t stack
	    [RST_STACK_FRAMES]; /* innermost first; only part of RST_EMIT's and RST_DECIDE's records */
};

/* Bytes of an event without its stack. */
#define RST_EVENT_HEAD __builtin_offsetof(struct rst_event, stack)

/* A process that has a TCP socket open: what the iterator over all files writes. */
struct rst_holder {
	uint64_t inode; /* of the socket's file */
	uint32_t pid;	/* process (tgid) */
	uint32_t uid;
	uint64_t start_ns;	    /* as in rst_process */
	char comm[RST_COMM_LENGTH]; /* of the thread group's leader */
};

#define RST_SCOPE_NETNS 64
#define RST_SCOPE_HOSTS 16
#define RST_SCOPE_PORTS 16

/* Addresses that begin with the same bits: address & mask. */
struct rst_prefix {
	uint64_t address[2]; /* network order; IPv4 as ::ffff:a.b.c.d */
	uint64_t mask[2];
};

/* Which events are recorded: those that fit one of each list. An empty list asks for nothing. */
struct rst_scope {
	uint32_t netns_count;
	uint32_t host_count;
	uint32_t port_count;
	uint32_t padding;
	uint32_t netns[RST_SCOPE_NETNS];	  /* inode numbers */
	struct rst_prefix hosts[RST_SCOPE_HOSTS]; /* of either end */
	uint16_t ports[RST_SCOPE_PORTS];	  /* of either end, host order */
};

#ifdef __cplusplus
static_assert(sizeof(struct rst_scope) ==
		  16 + 4 * RST_SCOPE_NETNS + 32 * RST_SCOPE_HOSTS + 2 * RST_SCOPE_PORTS,
	      "ABI");
static_assert(sizeof(struct rst_holder) == 40, "ABI");
static_assert(sizeof(struct rst_conntrack) == 88, "ABI");
static_assert(sizeof(struct rst_received) == 112, "ABI");
static_assert(sizeof(struct rst_event) == 576 + 8 * RST_STACK_FRAMES, "ABI");
#else
_Static_assert(sizeof(struct rst_scope) ==
		   16 + 4 * RST_SCOPE_NETNS + 32 * RST_SCOPE_HOSTS + 2 * RST_SCOPE_PORTS,
	       "the ABI has changed");
_Static_assert(sizeof(struct rst_holder) == 40, "the ABI has changed");
_Static_assert(sizeof(struct rst_conntrack) == 88, "the ABI has changed");
_Static_assert(sizeof(struct rst_received) == 112, "the ABI has changed");
_Static_assert(sizeof(struct rst_event) == 576 + 8 * RST_STACK_FRAMES, "the ABI has changed");
#endif

#endif
