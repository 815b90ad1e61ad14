/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What connection tracking has of the segment that provoked a reset, and whether it is at work where the segment came in.
 *
 * An entry that the segment has says how its addresses were translated. A segment without one, where conntrack looks at all
 * that comes in, is INVALID to it, and is delivered untranslated: nf_conntrack_in() in net/netfilter/nf_conntrack_core.c
 * takes the entry off again.
 */
#ifndef CONNTRACK_BPF_H
#define CONNTRACK_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include "rst_event.h"
#include "segment.bpf.h"

#define NF_INET_PRE_ROUTING 0
#define NF_IP_PRI_CONNTRACK -200
#define NFCT_INFO_MASK 7UL
#define CONNTRACK_HOOKS 16

static __always_inline void set_conntrack_tuple(struct rst_conntrack_tuple *to,
						struct nf_conntrack_tuple *from, __u8 version)
{
	__u8 src[16] = {}, dst[16] = {};

	BPF_CORE_READ_INTO(&src, from, src.u3.all);
	BPF_CORE_READ_INTO(&dst, from, dst.u3.all);
	if (version == 4) {
		set_ipv4(to->src, src);
		set_ipv4(to->dst, dst);
	} else {
		__builtin_memcpy(to->src, src, 16);
		__builtin_memcpy(to->dst, dst, 16);
	}
	to->sport = bpf_ntohs(BPF_CORE_READ(from, src.u.all));
	to->dport = bpf_ntohs(BPF_CORE_READ(from, dst.u.all));
}

/* The function that is called with the priority of conntrack for all that comes in; user space knows its name. */
static __always_inline __u64 conntrack_hook(struct net *net, __u8 version, bool *is_known)
{
	struct nf_hook_entries *entries;
	struct nf_hook_ops *operations;
	unsigned char *hooks;
	__u16 count;
	__u64 hook;

	*is_known = false;
	if (!net || !bpf_core_field_exists(net->nf.hooks_ipv4))
		return 0;
	entries = version == 4 ? BPF_CORE_READ(net, nf.hooks_ipv4[NF_INET_PRE_ROUTING])
			       : BPF_CORE_READ(net, nf.hooks_ipv6[NF_INET_PRE_ROUTING]);
	*is_known = true;
	if (!entries)
		return 0;
	count = BPF_CORE_READ(entries, num_hook_entries);
	hooks = (unsigned char *)entries + bpf_core_field_offset(struct nf_hook_entries, hooks);
	for (int i = 0; i < CONNTRACK_HOOKS; i++) {
		if (i >= count)
			return 0;
		/* nf_hook_entries_get_hook_ops(): pointers to them follow the entries. */
		if (bpf_probe_read_kernel(&operations, sizeof(operations),
					  hooks + count * sizeof(struct nf_hook_entry) + i * 8) ||
		    BPF_CORE_READ(operations, priority) != NF_IP_PRI_CONNTRACK)
			continue;
		if (!bpf_probe_read_kernel(&hook, sizeof(hook),
					   hooks + i * sizeof(struct nf_hook_entry)))
			return hook;
	}
	*is_known = count <= CONNTRACK_HOOKS;
	return 0;
}

static __always_inline void set_conntrack(struct rst_conntrack *to, struct sk_buff *skb,
					  struct net_device *dev, __u8 version)
{
	struct nf_conn *entry;
	unsigned long value;
	bool is_known;

	if (!bpf_core_field_exists(skb->_nfct))
		return;
	value = BPF_CORE_READ(skb, _nfct);
	to->info = value & NFCT_INFO_MASK;
	to->has |= RST_CONNTRACK_HAS_SEGMENT;
	to->hook = conntrack_hook(dev ? BPF_CORE_READ(dev, nd_net.net) : 0, version, &is_known);
	if (is_known)
		to->has |= RST_CONNTRACK_HAS_HOOK;
	entry = (struct nf_conn *)(value & ~NFCT_INFO_MASK);
	if (!entry)
		return;
	to->has |= RST_CONNTRACK_HAS_ENTRY;
	/* The type is that of a module, where conntrack is one. */
	if (!bpf_core_type_exists(struct nf_conn))
		return;
	set_conntrack_tuple(&to->original, &entry->tuplehash[0].tuple, version);
	set_conntrack_tuple(&to->reply, &entry->tuplehash[1].tuple, version);
	to->has |= RST_CONNTRACK_HAS_TUPLES;
}

#endif
