// SPDX-License-Identifier: Apache-2.0
#include "CLibBPF.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rst_object.h"

#define REASON_PREFIX "SK_RST_REASON_"

enum {
	NET_DEV_QUEUE,
	TCP_SEND_RESET,
	INET_SOCK_SET_STATE,
	TCP_V4_SEND_RESET,
	TCP_V6_SEND_RESET,
	TASK_FILE
};

struct rstbpf {
	struct bpf_object *object;
	struct btf *kernel;
	const struct btf_type *reasons; /* enum sk_rst_reason, or NULL */
	struct bpf_program *program[RSTBPF_HOOKS];
	struct bpf_link *link[RSTBPF_HOOKS];
	struct rstbpf_hook hook[RSTBPF_HOOKS];
	struct ring_buffer *ring;
	int counters;
	struct rst_scope scope;
	rstbpf_sink sink;
	void *context;
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
		say(message,
		    "loading BPF programs is not permitted: run as root, or with CAP_BPF, "
		    "CAP_PERFMON and "
		    "CAP_NET_ADMIN (%s)",
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

static void find_reasons(struct rstbpf *self)
{
	int id = btf__find_by_name_kind(self->kernel, "sk_rst_reason", BTF_KIND_ENUM);

	if (id > 0)
		self->reasons = btf__type_by_id(self->kernel, id);
}

const char *rstbpf_reason_name(const struct rstbpf *self, uint32_t reason)
{
	const struct btf_enum *value;
	const char *name;

	if (!self->reasons)
		return NULL;
	value = btf_enum(self->reasons);
	for (int i = 0; i < btf_vlen(self->reasons); i++) {
		if ((uint32_t)value[i].val != reason)
			continue;
		name = btf__name_by_offset(self->kernel, value[i].name_off);
		if (name && !strncmp(name, REASON_PREFIX, strlen(REASON_PREFIX)))
			return name + strlen(REASON_PREFIX);
		return name;
	}
	return NULL;
}

static int is_optional(int hook)
{
	return hook == TCP_V4_SEND_RESET || hook == TCP_V6_SEND_RESET;
}

static int can_attach(const struct rstbpf *self, int hook)
{
	return !self->hook[hook].unneeded && !self->hook[hook].detail[0];
}

/* Which of the optional hooks tell more than the others do: those of a kernel that keeps silent about answers without a
 * socket. */
static void choose_optional(struct rstbpf *self, bool wanted, int arguments)
{
	for (int i = 0; i < RSTBPF_HOOKS; i++) {
		if (!is_optional(i))
			continue;
		self->hook[i].unneeded = !wanted || arguments != 2;
		if (self->hook[i].unneeded)
			continue;
		if (btf__find_by_name_kind(self->kernel, self->hook[i].name, BTF_KIND_FUNC) < 0)
			say(self->hook[i].detail, "this kernel's BTF has no function %s",
			    self->hook[i].name);
	}
}

/* Decides which programs this kernel can take, before any is loaded. */
static void choose_programs(struct rstbpf *self, bool optional, bool with_iterator)
{
	static const char *const names[RSTBPF_HOOKS] = {"net_dev_queue",       "tcp_send_reset",
							"inet_sock_set_state", "tcp_v4_send_reset",
							"tcp_v6_send_reset",   "task_file"};
	int arguments = tracepoint_arguments(self->kernel, "tcp_send_reset");
	const char *variant = arguments >= 3 ? "tcp_send_reset3" : "tcp_send_reset2";
	struct bpf_program *program;

	for (int i = 0; i < RSTBPF_HOOKS; i++)
		self->hook[i].name = names[i];
	self->hook[TCP_SEND_RESET].reason = arguments >= 3;
	choose_optional(self, optional, arguments);
	bpf_object__for_each_program(program, self->object)
	{
		const char *name = bpf_program__name(program);

		if (!strcmp(name, "net_dev_queue"))
			self->program[NET_DEV_QUEUE] = program;
		else if (!strcmp(name, variant) && arguments >= 2)
			self->program[TCP_SEND_RESET] = program;
		else if (!strcmp(name, "inet_sock_set_state") &&
			 tracepoint_arguments(self->kernel, "inet_sock_set_state") == 3)
			self->program[INET_SOCK_SET_STATE] = program;
		else if (!strcmp(name, "socket_holders") && with_iterator &&
			 btf__find_by_name_kind(self->kernel, "bpf_iter_task_file", BTF_KIND_FUNC) >
			     0)
			self->program[TASK_FILE] = program;
		else if (!strcmp(name, names[TCP_V4_SEND_RESET]) &&
			 can_attach(self, TCP_V4_SEND_RESET))
			self->program[TCP_V4_SEND_RESET] = program;
		else if (!strcmp(name, names[TCP_V6_SEND_RESET]) &&
			 can_attach(self, TCP_V6_SEND_RESET))
			self->program[TCP_V6_SEND_RESET] = program;
		else
			bpf_program__set_autoload(program, false);
	}
	for (int i = 0; i < RSTBPF_HOOKS; i++)
		if (!self->program[i] && !is_optional(i))
			say(self->hook[i].detail,
			    i == TASK_FILE
				? "this kernel does not take the iterator %s"
				: "this kernel has no tracepoint %s of a form that is known",
			    names[i]);
}

int rstbpf_attach(struct rstbpf *self, char message[RSTBPF_MESSAGE_LENGTH])
{
	int error = -ENOENT;

	/* The memory of states first, so that it knows what the other two ask it. */
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
	if (self->link[NET_DEV_QUEUE])
		return 0;
	say(message, "the hook net_dev_queue cannot be attached: %.400s",
	    self->hook[NET_DEV_QUEUE].detail);
	return error;
}

static int on_event(void *context, void *data, size_t size)
{
	struct rstbpf *self = context;

	if (size >= sizeof(struct rst_event))
		self->sink(self->context, data);
	return 0;
}

static uint32_t ring_size(uint32_t bytes)
{
	uint32_t size = (uint32_t)sysconf(_SC_PAGESIZE);

	while (size < bytes && size < 1U << 30)
		size <<= 1;
	return size;
}

/* Opens the object and loads what is wanted of it: 0, or -1 with errno. */
static int load(struct rstbpf *self, uint32_t ring_bytes, bool optional, bool with_iterator)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "rst_analyze");

	self->object = bpf_object__open_mem(rst_object, rst_object_size, &options);
	if (!self->object)
		return -1;
	choose_programs(self, optional, with_iterator);
	bpf_map__set_max_entries(bpf_object__find_map_by_name(self->object, "events"),
				 ring_size(ring_bytes));
	if (bpf_map__set_initial_value(bpf_object__find_map_by_name(self->object, ".rodata.scope"),
				       &self->scope, sizeof(self->scope)))
		return -1;
	return bpf_object__load(self->object) ? -1 : 0;
}

static void unload(struct rstbpf *self)
{
	bpf_object__close(self->object);
	self->object = NULL;
	memset(self->program, 0, sizeof(self->program));
	last_warning[0] = 0;
}

/* The hooks that must be, and no more: 0, or -1 with errno. */
static int load_again(struct rstbpf *self, uint32_t ring_bytes)
{
	unload(self);
	self->hook[TASK_FILE].detail[0] = 0;
	return load(self, ring_bytes, false, false);
}

/* Once more, where the reason may be a hook that need not be: 0, or -1 with errno. */
static int load_without_optional(struct rstbpf *self, uint32_t ring_bytes)
{
	char detail[RSTBPF_MESSAGE_LENGTH];
	int error = errno, tried[RSTBPF_HOOKS];

	if (!self->program[TCP_V4_SEND_RESET] && !self->program[TCP_V6_SEND_RESET])
		return -1;
	say(detail, "the kernel refuses fentry: %s%s%.400s", strerror(error),
	    last_warning[0] ? ": " : "", last_warning);
	for (int i = 0; i < RSTBPF_HOOKS; i++)
		tried[i] = is_optional(i) && self->program[i];
	unload(self);
	if (load(self, ring_bytes, false, true))
		return -1;
	for (int i = 0; i < RSTBPF_HOOKS; i++) {
		if (!tried[i])
			continue;
		self->hook[i].unneeded = false;
		say(self->hook[i].detail, "%s", detail);
	}
	return 0;
}

struct rstbpf *rstbpf_open(uint32_t ring_bytes, bool optional, const struct rst_scope *scope,
			   rstbpf_sink sink, void *context, int *error,
			   char message[RSTBPF_MESSAGE_LENGTH])
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
	if (scope)
		self->scope = *scope;
	self->kernel = load_kernel_btf(error, message);
	if (!self->kernel)
		goto failed;
	find_reasons(self);
	/* One program that is refused makes the whole object fail: the optional hooks and the iterator can be done without. */
	if (load(self, ring_bytes, optional, true) &&
	    !(optional && !load_without_optional(self, ring_bytes)) && load_again(self, ring_bytes))
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
		if (i != TASK_FILE)
			detach(self, i);
}

void rstbpf_close(struct rstbpf *self)
{
	if (!self)
		return;
	rstbpf_detach(self);
	detach(self, TASK_FILE);
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
	return ring_buffer__consume(self->ring);
}

int rstbpf_holders(struct rstbpf *self, rstbpf_holder_sink sink, void *context)
{
	/* The kernel hands over whole records: a read may be short, but never ends inside one. */
	struct rst_holder holders[1024];
	int iterator, error = 0;
	ssize_t length;

	if (!self->link[TASK_FILE])
		return -ENOENT;
	iterator = bpf_iter_create(bpf_link__fd(self->link[TASK_FILE]));
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
			  counter(self, RST_LOST_DECIDE, values, cpus);
	counts->endings = counter(self, RST_ENDINGS, values, cpus);
	free(values);
	for (int i = 0; i < RSTBPF_HOOKS; i++) {
		struct bpf_prog_info info = {};
		uint32_t length = sizeof(info);

		if (self->program[i] && i != INET_SOCK_SET_STATE && i != TASK_FILE &&
		    !bpf_obj_get_info_by_fd(bpf_program__fd(self->program[i]), &info, &length))
			counts->recursion += info.recursion_misses;
	}
	return 0;
}

int rstbpf_probe(char message[RSTBPF_MESSAGE_LENGTH])
{
	int error = 0;
	struct rstbpf *self = rstbpf_open(1, false, NULL, NULL, NULL, &error, message);

	if (!self)
		return error;
	error = rstbpf_attach(self, message);
	rstbpf_close(self);
	return error;
}
