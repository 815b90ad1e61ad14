// SPDX-License-Identifier: Apache-2.0
#include "rstbpf.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "rst_object.h"

enum place { TRACEPOINT, FUNCTION, ITERATOR };

#define DECISION "tcp_send_reset"

/*
 * All hooks, in the order in which a recording lists them. They are attached from the last to the first, so that what remembers
 * sockets is in place before what asks about them.
 */
static const struct descriptor {
	const char *name; /* in recordings, and in the kernel's BTF */
	enum place place;
	enum need need;
	/* The hook's programs: the one whose number of arguments the tracepoint has is loaded. FUNCTION and ITERATOR have one. */
	struct {
		const char *name;
		int fewest, most;
	} program[2];
	/* OPTIONAL hooks: needed only if this tracepoint has that many arguments. */
	struct {
		const char *tracepoint;
		int fewest, most;
	} where;
	int reason_from; /* with so many arguments, the kernel passes the reason of the reset; 0: never */
	bool records;	 /* a run that was missed is an event that was lost */
	bool stays;	 /* can be used after the hooks were detached */
	bool of_ignored; /* only for RSTs without effect, which the caller may not ask for */
} descriptors[] = {
    {.name = "net_dev_queue",
     .place = TRACEPOINT,
     .need = NEEDED,
     .program = {{"net_dev_queue", 1, INT_MAX}},
     .records = true},
    {.name = DECISION,
     .place = TRACEPOINT,
     .need = NEEDED,
     .program = {{"tcp_send_reset2", 2, 2}, {"tcp_send_reset3", 3, INT_MAX}},
     .reason_from = 3,
     .records = true},
    {.name = "tcp_receive_reset",
     .place = TRACEPOINT,
     .need = USEFUL,
     .program = {{"tcp_receive_reset", 1, INT_MAX}},
     .records = true},
    {.name = "inet_sock_set_state",
     .place = TRACEPOINT,
     .need = NEEDED,
     .program = {{"inet_sock_set_state", 3, 3}}},
    {.name = "tcp_v4_send_reset",
     .place = FUNCTION,
     .need = OPTIONAL,
     .program = {{"tcp_v4_send_reset"}},
     .where = {DECISION, 2, 2},
     .records = true},
    {.name = "tcp_v6_send_reset",
     .place = FUNCTION,
     .need = OPTIONAL,
     .program = {{"tcp_v6_send_reset"}},
     .where = {DECISION, 2, 2},
     .records = true},
    {.name = "kfree_skb",
     .place = TRACEPOINT,
     .need = OPTIONAL,
     .program = {{"kfree_skb3", 3, 3}, {"kfree_skb4", 4, INT_MAX}},
     .where = {"kfree_skb", 3, INT_MAX},
     .records = true,
     .of_ignored = true},
    {.name = "task_file",
     .place = ITERATOR,
     .need = USEFUL,
     .program = {{"socket_holders"}},
     .stays = true},
};

_Static_assert(sizeof(descriptors) / sizeof(descriptors[0]) == RSTBPF_HOOKS, "RSTBPF_HOOKS");

/* Whether an optional hook reports what no other does on this kernel. */
static bool adds_something(const struct rstbpf *self, const struct descriptor *descriptor)
{
	int arguments;

	if (!descriptor->where.tracepoint)
		return true;
	arguments = rstbpf_tracepoint_arguments(self->kernel, descriptor->where.tracepoint);
	return arguments >= descriptor->where.fewest && arguments <= descriptor->where.most;
}

/* The name of the hook's program that this kernel can load; NULL, with `detail`, if there is none. */
static const char *fitting_program(const struct rstbpf *self, const struct descriptor *descriptor,
				   char *detail)
{
	const char *name = descriptor->program[0].name;
	char iterator[64];
	int arguments;

	switch (descriptor->place) {
	case TRACEPOINT:
		arguments = rstbpf_tracepoint_arguments(self->kernel, descriptor->name);
		for (int i = 0; i < 2 && descriptor->program[i].name; i++)
			if (arguments >= descriptor->program[i].fewest &&
			    arguments <= descriptor->program[i].most)
				return descriptor->program[i].name;
		rstbpf_say(detail, "this kernel has no tracepoint %s of a form that is known",
			   descriptor->name);
		return NULL;
	case FUNCTION:
		if (btf__find_by_name_kind(self->kernel, descriptor->name, BTF_KIND_FUNC) >= 0)
			return name;
		rstbpf_say(detail, "this kernel's BTF has no function %s", descriptor->name);
		return NULL;
	case ITERATOR:
		snprintf(iterator, sizeof(iterator), "bpf_iter_%s", descriptor->name);
		if (btf__find_by_name_kind(self->kernel, iterator, BTF_KIND_FUNC) > 0)
			return name;
		rstbpf_say(detail, "this kernel does not take the iterator %s", descriptor->name);
		return NULL;
	}
	return NULL;
}

/* Decides which programs to load, before any is: those that this kernel can take, of the hooks that are needed at most as little
 * as that. */
static void choose_programs(struct rstbpf *self, enum need least)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, self->object)
	    bpf_program__set_autoload(program, false);
	for (int i = 0; i < RSTBPF_HOOKS; i++) {
		const struct descriptor *descriptor = &descriptors[i];
		struct rstbpf_hook *hook = &self->hook[i];
		const char *name;

		hook->name = descriptor->name;
		if (hook->detail[0]) /* refused before */
			continue;
		hook->unneeded = descriptor->need == OPTIONAL &&
				 (self->least < OPTIONAL || !adds_something(self, descriptor) ||
				  (descriptor->of_ignored && !self->ignored));
		if (hook->unneeded || descriptor->need > least)
			continue;
		name = fitting_program(self, descriptor, hook->detail);
		hook->reason = descriptor->reason_from &&
			       rstbpf_tracepoint_arguments(self->kernel, descriptor->name) >=
				   descriptor->reason_from;
		if (!name)
			continue;
		self->program[i] = bpf_object__find_program_by_name(self->object, name);
		bpf_program__set_autoload(self->program[i], true);
	}
}

static uint32_t ring_size(uint32_t bytes)
{
	uint32_t size = (uint32_t)sysconf(_SC_PAGESIZE);

	while (size < bytes && size < 1U << 30)
		size <<= 1;
	return size;
}

/* Opens the object and loads the hooks that are needed as little as that: 0, or -1 with errno. */
static int load(struct rstbpf *self, uint32_t ring_bytes, enum need least)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "rst_analyze");
	uint64_t drops[RST_DROP_REASONS / 64];

	self->object = bpf_object__open_mem(rst_object, rst_object_size, &options);
	if (!self->object)
		return -1;
	choose_programs(self, least);
	bpf_map__set_max_entries(bpf_object__find_map_by_name(self->object, "events"),
				 ring_size(ring_bytes));
	if (bpf_map__set_initial_value(bpf_object__find_map_by_name(self->object, ".rodata.scope"),
				       &self->scope, sizeof(self->scope)))
		return -1;
	rstbpf_wanted_drops(self, drops);
	if (bpf_map__set_initial_value(bpf_object__find_map_by_name(self->object, ".rodata.drops"),
				       drops, sizeof(drops)))
		return -1;
	return bpf_object__load(self->object) ? -1 : 0;
}

/* After a failure: does without the hooks that are needed as little as that. */
static void give_up(struct rstbpf *self, enum need refused)
{
	int error = errno;
	const char *warning = rstbpf_last_warning();

	for (int i = 0; i < RSTBPF_HOOKS; i++)
		if (self->program[i] && descriptors[i].need == refused)
			rstbpf_say(self->hook[i].detail, "the kernel refuses %s: %s%s%.400s",
				   descriptors[i].place == FUNCTION ? "fentry" : "it",
				   strerror(error), *warning ? ": " : "", warning);
	bpf_object__close(self->object);
	self->object = NULL;
	memset(self->program, 0, sizeof(self->program));
	rstbpf_listen();
}

/* One program that is refused makes the whole object fail: without the least needed ones, it may load. 0, or -1 with errno. */
int rstbpf_load(struct rstbpf *self, uint32_t ring_bytes)
{
	for (enum need least = self->least; load(self, ring_bytes, least); least--) {
		if (least == NEEDED)
			return -1;
		give_up(self, least);
	}
	return 0;
}

int rstbpf_attach(struct rstbpf *self, char message[RSTBPF_MESSAGE_LENGTH])
{
	int error = -ENOENT;

	for (int i = RSTBPF_HOOKS - 1; i >= 0; i--) {
		if (!self->program[i])
			continue;
		rstbpf_listen();
		self->link[i] = bpf_program__attach(self->program[i]);
		self->hook[i].attached = self->link[i] != NULL;
		error = errno ? -errno : -EINVAL;
		if (!self->link[i])
			rstbpf_explain(error, self->hook[i].detail);
	}
	if (self->link[0])
		return 0;
	rstbpf_say(message, "the hook %s cannot be attached: %.400s", descriptors[0].name,
		   self->hook[0].detail);
	return error;
}

static void detach(struct rstbpf *self, int hook)
{
	bpf_link__destroy(self->link[hook]);
	self->link[hook] = NULL;
}

void rstbpf_detach(struct rstbpf *self)
{
	for (int i = 0; i < RSTBPF_HOOKS; i++)
		if (!descriptors[i].stays)
			detach(self, i);
}

void rstbpf_detach_all(struct rstbpf *self)
{
	for (int i = 0; i < RSTBPF_HOOKS; i++)
		detach(self, i);
}

bool rstbpf_records(int hook)
{
	return descriptors[hook].records;
}

const struct bpf_link *rstbpf_iterator(const struct rstbpf *self)
{
	for (int i = 0; i < RSTBPF_HOOKS; i++)
		if (descriptors[i].place == ITERATOR)
			return self->link[i];
	return NULL;
}
