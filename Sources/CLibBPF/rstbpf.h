/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of this library share. */
#ifndef RSTBPF_H
#define RSTBPF_H

#include "CLibBPF.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>

/* What the recorder does where the kernel refuses a hook. */
enum need {
	NEEDED,	 /* gives up */
	USEFUL,	 /* records without it, and says so */
	OPTIONAL /* the same; and does not load it where another hook reports the same, or the caller did not ask for it */
};

struct rstbpf {
	struct bpf_object *object;
	struct btf *kernel;
	const struct btf_type *reasons; /* enum sk_rst_reason, or NULL */
	const struct btf_type *drops;	/* enum skb_drop_reason, or NULL */
	struct bpf_program *program[RSTBPF_HOOKS];
	struct bpf_link *link[RSTBPF_HOOKS];
	struct rstbpf_hook hook[RSTBPF_HOOKS];
	struct ring_buffer *ring;
	int counters;
	enum need least; /* the least needed hooks that the caller wants */
	bool ignored;	 /* it asks for RSTs without effect */
	struct rst_scope scope;
	rstbpf_sink sink;
	void *context;
	struct rst_event whole; /* a record without a stack, with an empty one */
	unsigned int budget;	/* records that are handed over until rstbpf_drain returns */
};

/* messages.c: what went wrong, for people. */

/* Forgets what libbpf has warned of before, and keeps what it warns of from now on. */
void rstbpf_listen(void);
/* libbpf's last warning, empty if there is none: the only place where it says why the verifier refused a program. */
const char *rstbpf_last_warning(void);
void __attribute__((format(printf, 2, 3))) rstbpf_say(char *message, const char *format, ...);
/* Says what a negative errno means here; returns it. */
int rstbpf_explain(int error, char *message);

/* kernel.c: what the kernel's BTF says of it. */

struct btf *rstbpf_kernel(int *error, char *message);
/* The number of arguments of a tracepoint; negative if there is none. */
int rstbpf_tracepoint_arguments(const struct btf *btf, const char *name);
const struct btf_type *rstbpf_enum(const struct rstbpf *self, const char *name);
/* The drop reasons that are asked for, as this kernel numbers them. */
void rstbpf_wanted_drops(const struct rstbpf *self, uint64_t wanted[RST_DROP_REASONS / 64]);

/* hooks.c: which programs are loaded and attached. */

/* Loads as many hooks as the kernel takes: 0, or -1 with errno. */
int rstbpf_load(struct rstbpf *self, uint32_t ring_bytes);
/* Whether a run of this hook that was missed is an event that was lost. */
bool rstbpf_records(int hook);
/* The iterator over open files; NULL if it is not attached. */
const struct bpf_link *rstbpf_iterator(const struct rstbpf *self);
void rstbpf_detach_all(struct rstbpf *self);

#endif
