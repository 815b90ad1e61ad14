// SPDX-License-Identifier: Apache-2.0
#include "rstbpf.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int on_event(void *context, void *data, size_t size)
{
	struct rstbpf *self = context;

	if (size >= sizeof(struct rst_event)) {
		self->sink(self->context, data);
	} else if (size >= RST_EVENT_HEAD) {
		memcpy(&self->whole, data, RST_EVENT_HEAD);
		self->sink(self->context, &self->whole);
	}
	if (self->budget && !--self->budget)
		return -ECANCELED;
	return 0;
}

struct rstbpf *rstbpf_open(uint32_t ring_bytes, bool optional, bool ignored,
			   const struct rst_scope *scope, rstbpf_sink sink, void *context,
			   int *error, char message[RSTBPF_MESSAGE_LENGTH])
{
	struct rstbpf *self = calloc(1, sizeof(*self));

	message[0] = 0;
	if (!self) {
		*error = -ENOMEM;
		rstbpf_say(message, "out of memory");
		return NULL;
	}
	rstbpf_listen();
	self->sink = sink;
	self->context = context;
	self->least = optional ? OPTIONAL : USEFUL;
	self->ignored = ignored;
	if (scope)
		self->scope = *scope;
	self->kernel = rstbpf_kernel(error, message);
	if (!self->kernel)
		goto failed;
	self->reasons = rstbpf_enum(self, "sk_rst_reason");
	self->drops = rstbpf_enum(self, "skb_drop_reason");
	if (rstbpf_load(self, ring_bytes))
		goto failed_with_errno;
	self->counters = bpf_object__find_map_fd_by_name(self->object, "counters");
	self->ring = ring_buffer__new(bpf_object__find_map_fd_by_name(self->object, "events"),
				      on_event, self, NULL);
	if (!self->ring)
		goto failed_with_errno;
	return self;

failed_with_errno:
	*error = errno ? -errno : -EINVAL;
	rstbpf_explain(*error, message);
failed:
	rstbpf_close(self);
	return NULL;
}

void rstbpf_close(struct rstbpf *self)
{
	if (!self)
		return;
	rstbpf_detach_all(self);
	ring_buffer__free(self->ring);
	bpf_object__close(self->object);
	btf__free(self->kernel);
	free(self);
}

const struct rstbpf_hook *rstbpf_hook(const struct rstbpf *self, int index)
{
	return &self->hook[index];
}

int rstbpf_descriptor(const struct rstbpf *self)
{
	return ring_buffer__epoll_fd(self->ring);
}

int rstbpf_poll(struct rstbpf *self, int timeout_ms)
{
	return ring_buffer__poll(self->ring, timeout_ms);
}

int rstbpf_drain(struct rstbpf *self)
{
	int count;

	/* In a flood the ring is never empty, and libbpf would go on for as long as it lasts. */
	self->budget = RSTBPF_DRAIN;
	count = ring_buffer__consume(self->ring);
	self->budget = 0;
	return count == -ECANCELED ? RSTBPF_DRAIN : count;
}

int rstbpf_holders(struct rstbpf *self, rstbpf_holder_sink sink, void *context)
{
	/* The kernel hands over whole records: a read may be short, but never ends inside one. */
	struct rst_holder holders[1024];
	const struct bpf_link *link = rstbpf_iterator(self);
	int iterator, error = 0;
	ssize_t length;

	if (!link)
		return -ENOENT;
	iterator = bpf_iter_create(bpf_link__fd(link));
	if (iterator < 0)
		return iterator;
	while ((length = read(iterator, holders, sizeof(holders))) != 0) {
		if (length < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (length < 0) {
			error = -errno;
			break;
		}
		for (size_t i = 0; i < (size_t)length / sizeof(holders[0]); i++)
			sink(context, &holders[i]);
	}
	close(iterator);
	return error;
}

/* One counter, summed over all processors. */
static uint64_t counter(const struct rstbpf *self, uint32_t index, uint64_t *values, int cpus)
{
	uint64_t sum = 0;

	if (bpf_map_lookup_elem(self->counters, &index, values))
		return 0;
	for (int cpu = 0; cpu < cpus; cpu++)
		sum += values[cpu];
	return sum;
}

int rstbpf_count(const struct rstbpf *self, struct rstbpf_counts *counts)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t *values;

	memset(counts, 0, sizeof(*counts));
	if (cpus < 0)
		return cpus;
	values = calloc(cpus, sizeof(*values));
	if (!values)
		return -ENOMEM;
	counts->reserved = counter(self, RST_RESERVED, values, cpus);
	counts->no_room = counter(self, RST_LOST_EMIT, values, cpus) +
			  counter(self, RST_LOST_DECIDE, values, cpus) +
			  counter(self, RST_LOST_RECEIVE, values, cpus);
	counts->endings = counter(self, RST_ENDINGS, values, cpus);
	free(values);
	for (int i = 0; i < RSTBPF_HOOKS; i++) {
		struct bpf_prog_info info = {};
		uint32_t length = sizeof(info);

		if (self->program[i] && rstbpf_records(i) &&
		    !bpf_obj_get_info_by_fd(bpf_program__fd(self->program[i]), &info, &length))
			counts->recursion += info.recursion_misses;
	}
	return 0;
}

const char *rstbpf_library(void)
{
	return libbpf_version_string();
}

int rstbpf_probe(char message[RSTBPF_MESSAGE_LENGTH])
{
	int error = 0;
	struct rstbpf *self = rstbpf_open(1, false, false, NULL, NULL, NULL, &error, message);

	if (!self)
		return error;
	error = rstbpf_attach(self, message);
	rstbpf_close(self);
	return error;
}
