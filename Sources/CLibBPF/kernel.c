// SPDX-License-Identifier: Apache-2.0
#include "rstbpf.h"

#include <stdio.h>
#include <string.h>

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

struct btf *rstbpf_kernel(int *error, char *message)
{
	struct btf *btf = btf__load_vmlinux_btf();

	if (btf)
		return btf;
	*error = errno ? -errno : -ENOENT;
	rstbpf_say(message,
		   "this kernel has no BTF at /sys/kernel/btf/vmlinux (CONFIG_DEBUG_INFO_BTF): "
		   "kernel events cannot be recorded on it");
	return NULL;
}

/* They are those of `typedef void (*btf_trace_NAME)(void *, ...)`, without the first. */
int rstbpf_tracepoint_arguments(const struct btf *btf, const char *name)
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

const struct btf_type *rstbpf_enum(const struct rstbpf *self, const char *name)
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

void rstbpf_wanted_drops(const struct rstbpf *self, uint64_t wanted[RST_DROP_REASONS / 64])
{
	memset(wanted, 0, RST_DROP_REASONS / 8);
	for (uint32_t reason = 0; reason < RST_DROP_REASONS; reason++) {
		const char *name = rstbpf_drop_reason_name(self, reason);

		for (size_t i = 0; name && i < sizeof(drop_reasons) / sizeof(drop_reasons[0]); i++)
			if (!strcmp(name, drop_reasons[i]))
				wanted[reason / 64] |= 1ULL << reason % 64;
	}
}
