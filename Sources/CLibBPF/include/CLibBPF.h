/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A façade over libbpf and the embedded BPF programs.
 *
 * It exists because <linux/bpf.h> and <pcap/bpf.h> define the same struct, because Swift cannot
 * import libbpf's macros and variadic functions, and to have one convention for errors: 0, or a
 * negative errno with a sentence.
 */
#ifndef CLIBBPF_H
#define CLIBBPF_H

#include <stdbool.h>
#include <stdint.h>
#include "rst_event.h"

#define RSTBPF_HOOKS 8
#define RSTBPF_MESSAGE_LENGTH 512
#define RSTBPF_DRAIN 8192

/* What became of one hook. */
struct rstbpf_hook {
	const char *name;
	/* Optional hooks only: the kernel tells the same by another one, or the caller did not want it. */
	bool unneeded;
	bool attached;
	/* tcp_send_reset: the kernel passes the reason (>= 6.10). */
	bool reason;
	/* Why it is not attached; empty if it is. */
	char detail[RSTBPF_MESSAGE_LENGTH];
};

/* Counters since the hooks were attached. */
struct rstbpf_counts {
	/* Events that the ring buffer took: as many will be handed over. */
	uint64_t reserved;
	/* Events for which it had no room. */
	uint64_t no_room;
	/* Times that a program would have interrupted itself and was not run (recursion_misses, Linux >= 5.12). */
	uint64_t recursion;
	/* Ends of connections that were remembered, of which the last RST_ENDINGS_KEPT are at most. */
	uint64_t endings;
};

struct rstbpf;

typedef void (*rstbpf_sink)(void *context, const struct rst_event *event);

/*
 * Loads the programs. Returns NULL if that cannot be, with the error in *error (a negative errno) and a sentence in message.
 *
 * ring_bytes: the size of the ring buffer; rounded up to a power of two, at least a page.
 * optional: whether to attach hooks that not every kernel has, where they tell more.
 * ignored: whether to record RSTs without effect, for which a hook runs for every packet that is dropped.
 * scope: which events to hand over; NULL for all.
 */
struct rstbpf *rstbpf_open(uint32_t ring_bytes, bool optional, bool ignored,
			   const struct rst_scope *scope, rstbpf_sink sink, void *context,
			   int *error, char message[RSTBPF_MESSAGE_LENGTH]);

/*
 * Attaches the programs: from now on there are events. Returns 0, or a negative errno with a sentence in message if not even
 * net_dev_queue can be attached.
 */
int rstbpf_attach(struct rstbpf *self, char message[RSTBPF_MESSAGE_LENGTH]);

void rstbpf_close(struct rstbpf *self);

/* index: 0 to RSTBPF_HOOKS - 1. */
const struct rstbpf_hook *rstbpf_hook(const struct rstbpf *self, int index);

/* To wait with poll(2) for events, together with something else. */
int rstbpf_descriptor(const struct rstbpf *self);

/* Waits up to timeout_ms for events and hands them over. Returns their number, or a negative errno.
 */
int rstbpf_poll(struct rstbpf *self, int timeout_ms);

/* Hands over what is in the ring buffer now, at most RSTBPF_DRAIN events. Returns their number, or a negative errno. */
int rstbpf_drain(struct rstbpf *self);

typedef void (*rstbpf_holder_sink)(void *context, const struct rst_holder *holder);

/*
 * Hands over which process has which TCP socket open, once for each descriptor, in no order. Also makes the hooks know
 * the owners of sockets that are older than they. Returns 0, or a negative errno. Takes about 0.2 us for each open file
 * of the host.
 */
int rstbpf_holders(struct rstbpf *self, rstbpf_holder_sink sink, void *context);

/* No hook runs after this, but for those that run already; rstbpf_holders still works. */
void rstbpf_detach(struct rstbpf *self);

int rstbpf_count(const struct rstbpf *self, struct rstbpf_counts *counts);

/*
 * The running kernel's name for a reason number, without the enum's prefix ("TCP_ABORT_ON_CLOSE"),
 * from its BTF: the numbers moved between releases. NULL if it has none.
 */
const char *rstbpf_reason_name(const struct rstbpf *self, uint32_t reason);

/* The same of a reason to drop a packet (enum skb_drop_reason): "TCP_OLD_SEQUENCE". */
const char *rstbpf_drop_reason_name(const struct rstbpf *self, uint32_t reason);

/* The version of libbpf that is in use: "v1.1". */
const char *rstbpf_library(void);

/*
 * Whether this process may load BPF programs and the kernel has BTF: 0, or a negative errno and a
 * sentence that says what to do.
 */
int rstbpf_probe(char message[RSTBPF_MESSAGE_LENGTH]);

#endif
