// SPDX-License-Identifier: Apache-2.0
#include "CLibBPF.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rst_object.h"

#define REASON_PREFIX "SK_RST_REASON_"
#define DROP_PREFIX "SKB_DROP_REASON_"

/*
 * Why TCP, a socket or a firewall drops a segment that came in (include/net/dropreason-core.h). Others are given for copies too,
 * which a packet socket has no room for.
 */
static const char *const drop_reasons[] = {
    "NO_SOCKET",
    "NETFILTER_DROP",
    "SOCKET_FILTER",
    "SOCKET_BACKLOG",
    "XFRM_POLICY",
    "IP_CSUM",
    "TCP_CSUM",
    "TCP_RESET",
    "TCP_INVALID_SEQUENCE",
    "TCP_INVALID_END_SEQUENCE",
    "TCP_INVALID_ACK_SEQUENCE",
    "TCP_INVALID_SYN",
    "TCP_OLD_SEQUENCE",
    "TCP_OVERWINDOW",
    "TCP_OLD_ACK",
    "TCP_TOO_OLD_ACK",
    "TCP_ACK_UNSENT_DATA",
    "TCP_FLAGS",
    "TCP_CLOSE",
    "TCP_LISTEN_OVERFLOW",
    "TCP_RFC7323_PAWS",
    "TCP_RFC7323_PAWS_ACK",
    "TCP_RFC7323_TW_PAWS",
    "TCP_RFC7323_TSECR",
    "TCP_MD5NOTFOUND",
    "TCP_MD5UNEXPECTED",
    "TCP_MD5FAILURE",
    "TCP_AUTH_HDR",
    "TCP_AONOTFOUND",
    "TCP_AOUNEXPECTED",
    "TCP_AOKEYNOTFOUND",
    "TCP_AOFAILURE",
    "TCP_MINTTL",
};

/* What the recorder does where the kernel refuses a hook. */
enum need {
	NEEDED,	 /* gives up */
	USEFUL,	 /* records without it, and says so */
	OPTIONAL /* the same; and does not load it where another hook reports the same, or the caller did not ask for it */
};

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

/* libbpf's last warning: the only place where it says why the verifier refused a program. */
static _Thread_local char last_warning[RSTBPF_MESSAGE_LENGTH];

static int keep_warning(enum libbpf_print_level level, const char *format, va_list arguments)
{
	size_t length;

	if (level != LIBBPF_WARN)
		return 0;
	vsnprintf(last_warning, sizeof(last_warning), format, arguments);
	length = strlen(last_warning);
	while (length && last_warning[length - 1] == '\n')
		last_warning[--length] = 0;
	return 0;
}

static void __attribute__((format(printf, 2, 3))) say(char *message, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, RSTBPF_MESSAGE_LENGTH, format, arguments);
	va_end(arguments);
}

static int explain(int error, char *message)
{
	switch (-error) {
	case EPERM:
	case EACCES:
		say(message, "loading BPF programs is not permitted (%s)",
		    last_warning[0] ? last_warning : strerror(-error));
		break;
	case ENOSYS:
		say(message, "this kernel is built without BPF (CONFIG_BPF_SYSCALL)");
		break;
	default:
		say(message, "%s%s%s", strerror(-error), last_warning[0] ? ": " : "", last_warning);
	}
	return error;
}

static struct btf *load_kernel_btf(int *error, char *message)
{
	struct btf *btf = btf__load_vmlinux_btf();

	if (btf)
		return btf;
	*error = errno ? -errno : -ENOENT;
	say(message, "this kernel has no BTF at /sys/kernel/btf/vmlinux (CONFIG_DEBUG_INFO_BTF): "
		     "kernel events cannot "
		     "be recorded on it");
	return NULL;
}

/* The number of arguments of a tracepoint, from `typedef void (*btf_trace_NAME)(void *, ...)`;
 * negative if none. */
static int tracepoint_arguments(const struct btf *btf, const char *name)
{
	char type_name[64];
	const struct btf_type *type;
	int id;

	snprintf(type_name, sizeof(type_name), "btf_trace_%s", name);
	id = btf__find_by_name_kind(btf, type_name, BTF_KIND_TYPEDEF);
	if (id < 0)
		return id;
	type = btf__type_by_id(btf, id);
	type = btf__type_by_id(btf, type->type);
	if (!type || !btf_is_ptr(type))
		return -EINVAL;
	type = btf__type_by_id(btf, type->type);
	if (!type || !btf_is_func_proto(type))
		return -EINVAL;
	return btf_vlen(type) - 1;
}

static const struct btf_type *find_enum(const struct rstbpf *self, const char *name)
{
	int id = btf__find_by_name_kind(self->kernel, name, BTF_KIND_ENUM);

	return id > 0 ? btf__type_by_id(self->kernel, id) : NULL;
}

/* The name of an enum's value, without the prefix that all have. */
static const char *name_in(const struct rstbpf *self, const struct btf_type *type, uint32_t number,
			   const char *prefix)
{
	const struct btf_enum *value;
	const char *name;

	if (!type)
		return NULL;
	value = btf_enum(type);
	for (int i = 0; i < btf_vlen(type); i++) {
		if ((uint32_t)value[i].val != number)
			continue;
		name = btf__name_by_offset(self->kernel, value[i].name_off);
		if (name && !strncmp(name, prefix, strlen(prefix)))
			return name + strlen(prefix);
		return name;
	}
	return NULL;
}

const char *rstbpf_reason_name(const struct rstbpf *self, uint32_t reason)
{
	return name_in(self, self->reasons, reason, REASON_PREFIX);
}

const char *rstbpf_drop_reason_name(const struct rstbpf *self, uint32_t reason)
{
	return name_in(self, self->drops, reason, DROP_PREFIX);
}

/* The drop reasons that are asked for, as this kernel numbers them. */
static void set_wanted_drops(const struct rstbpf *self, uint64_t wanted[RST_DROP_REASONS / 64])
{
	memset(wanted, 0, RST_DROP_REASONS / 8);
	for (uint32_t reason = 0; reason < RST_DROP_REASONS; reason++) {
		const char *name = rstbpf_drop_reason_name(self, reason);

		for (size_t i = 0; name && i < sizeof(drop_reasons) / sizeof(drop_reasons[0]); i++)
			if (!strcmp(name, drop_reasons[i]))
				wanted[reason / 64] |= 1ULL << reason % 64;
	}
}

/* Whether an optional hook reports what no other does on this kernel. */
static bool adds_something(const struct rstbpf *self, const struct descriptor *descriptor)
{
	int arguments;

	if (!descriptor->where.tracepoint)
		return true;
	arguments = tracepoint_arguments(self->kernel, descriptor->where.tracepoint);
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
		arguments = tracepoint_arguments(self->kernel, descriptor->name);
		for (int i = 0; i < 2 && descriptor->program[i].name; i++)
			if (arguments >= descriptor->program[i].fewest &&
			    arguments <= descriptor->program[i].most)
				return descriptor->program[i].name;
		say(detail, "this kernel has no tracepoint %s of a form that is known",
		    descriptor->name);
		return NULL;
	case FUNCTION:
		if (btf__find_by_name_kind(self->kernel, descriptor->name, BTF_KIND_FUNC) >= 0)
			return name;
		say(detail, "this kernel's BTF has no function %s", descriptor->name);
		return NULL;
	case ITERATOR:
		snprintf(iterator, sizeof(iterator), "bpf_iter_%s", descriptor->name);
		if (btf__find_by_name_kind(self->kernel, iterator, BTF_KIND_FUNC) > 0)
			return name;
		say(detail, "this kernel does not take the iterator %s", descriptor->name);
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
		hook->reason =
		    descriptor->reason_from &&
		    tracepoint_arguments(self->kernel, descriptor->name) >= descriptor->reason_from;
		if (!name)
			continue;
		self->program[i] = bpf_object__find_program_by_name(self->object, name);
		bpf_program__set_autoload(self->program[i], true);
	}
}

int rstbpf_attach(struct rstbpf *self, char message[RSTBPF_MESSAGE_LENGTH])
{
	int error = -ENOENT;

	for (int i = RSTBPF_HOOKS - 1; i >= 0; i--) {
		if (!self->program[i])
			continue;
		last_warning[0] = 0;
		self->link[i] = bpf_program__attach(self->program[i]);
		self->hook[i].attached = self->link[i] != NULL;
		error = errno ? -errno : -EINVAL;
		if (!self->link[i])
			explain(error, self->hook[i].detail);
	}
	if (self->link[0])
		return 0;
	say(message, "the hook %s cannot be attached: %.400s", descriptors[0].name,
	    self->hook[0].detail);
	return error;
}

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
	set_wanted_drops(self, drops);
	if (bpf_map__set_initial_value(bpf_object__find_map_by_name(self->object, ".rodata.drops"),
				       drops, sizeof(drops)))
		return -1;
	return bpf_object__load(self->object) ? -1 : 0;
}

/* After a failure: does without the hooks that are needed as little as that. */
static void give_up(struct rstbpf *self, enum need refused)
{
	int error = errno;

	for (int i = 0; i < RSTBPF_HOOKS; i++)
		if (self->program[i] && descriptors[i].need == refused)
			say(self->hook[i].detail, "the kernel refuses %s: %s%s%.400s",
			    descriptors[i].place == FUNCTION ? "fentry" : "it", strerror(error),
			    last_warning[0] ? ": " : "", last_warning);
	bpf_object__close(self->object);
	self->object = NULL;
	memset(self->program, 0, sizeof(self->program));
	last_warning[0] = 0;
}

/* One program that is refused makes the whole object fail: without the least needed ones, it may load. 0, or -1 with errno. */
static int load_most(struct rstbpf *self, uint32_t ring_bytes)
{
	for (enum need least = self->least; load(self, ring_bytes, least); least--) {
		if (least == NEEDED)
			return -1;
		give_up(self, least);
	}
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
		say(message, "out of memory");
		return NULL;
	}
	libbpf_set_print(keep_warning);
	last_warning[0] = 0;
	self->sink = sink;
	self->context = context;
	self->least = optional ? OPTIONAL : USEFUL;
	self->ignored = ignored;
	if (scope)
		self->scope = *scope;
	self->kernel = load_kernel_btf(error, message);
	if (!self->kernel)
		goto failed;
	self->reasons = find_enum(self, "sk_rst_reason");
	self->drops = find_enum(self, "skb_drop_reason");
	if (load_most(self, ring_bytes))
		goto failed_with_errno;
	self->counters = bpf_object__find_map_fd_by_name(self->object, "counters");
	self->ring = ring_buffer__new(bpf_object__find_map_fd_by_name(self->object, "events"),
				      on_event, self, NULL);
	if (!self->ring)
		goto failed_with_errno;
	return self;

failed_with_errno:
	*error = errno ? -errno : -EINVAL;
	explain(*error, message);
failed:
	rstbpf_close(self);
	return NULL;
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

void rstbpf_close(struct rstbpf *self)
{
	if (!self)
		return;
	for (int i = 0; i < RSTBPF_HOOKS; i++)
		detach(self, i);
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
	const struct bpf_link *link = NULL;
	int iterator, error = 0;
	ssize_t length;

	for (int i = 0; i < RSTBPF_HOOKS; i++)
		if (descriptors[i].place == ITERATOR)
			link = self->link[i];
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

		if (self->program[i] && descriptors[i].records &&
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
