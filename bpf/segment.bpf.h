/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads the headers of a TCP segment out of a packet.
 */
#ifndef SEGMENT_BPF_H
#define SEGMENT_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>

#define AF_INET 2
#define AF_INET6 10
#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define IPPROTO_HOPOPTS 0
#define IPPROTO_TCP 6
#define IPPROTO_ROUTING 43
#define IPPROTO_FRAGMENT 44
#define IPPROTO_AH 51
#define IPPROTO_DSTOPTS 60
#define TCP_RST 0x04
#define TCP_SYN 0x02
#define TCP_FIN 0x01
#define TCP_ACK 0x10
#define IPV4_HEADER 20
#define IPV6_HEADER 40
#define TCP_HEADER 20
#define IPV6_EXTENSIONS 6

/*
 * The headers of one segment, copied out of the packet.
 *
 * The IP version is read from ip[0] and not kept: the verifier of 6.1 was seen to lose sight of a constant that is stored on
 * the stack and loaded through a pointer, and take a branch on it for decided.
 */
struct headers {
	__u8 ip[IPV6_HEADER];
	__u8 tcp[TCP_HEADER];
	__u32 payload;
};

static __always_inline __u8 ip_version(const struct headers *h)
{
	return h->ip[0] >> 4;
}

static __always_inline __u16 be16_at(const __u8 *bytes)
{
	return (__u16)bytes[0] << 8 | bytes[1];
}

static __always_inline __u32 be32_at(const __u8 *bytes)
{
	return (__u32)bytes[0] << 24 | (__u32)bytes[1] << 16 | (__u32)bytes[2] << 8 | bytes[3];
}

static __always_inline void set_ipv4(__u8 *address, const __u8 *bytes)
{
	__builtin_memset(address, 0, 10);
	address[10] = 0xff;
	address[11] = 0xff;
	__builtin_memcpy(address + 12, bytes, 4);
}

static __always_inline bool read_ipv4(struct headers *h, const unsigned char *network)
{
	__u32 header_length, total;

	if (bpf_probe_read_kernel(h->ip, IPV4_HEADER, network))
		return false;
	header_length = (h->ip[0] & 0x0f) * 4;
	total = be16_at(h->ip + 2);
	if (h->ip[0] >> 4 != 4 || header_length < IPV4_HEADER || h->ip[9] != IPPROTO_TCP)
		return false;
	if (be16_at(h->ip + 6) & 0x1fff) /* a later fragment has no TCP header */
		return false;
	if (bpf_probe_read_kernel(h->tcp, TCP_HEADER, network + header_length))
		return false;
	header_length += (h->tcp[12] >> 4) * 4;
	h->payload = total > header_length ? total - header_length : 0;
	return true;
}

static __always_inline bool read_ipv6(struct headers *h, const unsigned char *network)
{
	__u32 offset = IPV6_HEADER, total, header_length;
	__u8 next, extension[8];

	if (bpf_probe_read_kernel(h->ip, IPV6_HEADER, network))
		return false;
	if (h->ip[0] >> 4 != 6)
		return false;
	next = h->ip[6];
	total = IPV6_HEADER + be16_at(h->ip + 4);
#pragma unroll
	for (int i = 0; i < IPV6_EXTENSIONS; i++) {
		if (next == IPPROTO_TCP)
			break;
		if (bpf_probe_read_kernel(extension, sizeof(extension), network + offset))
			return false;
		switch (next) {
		case IPPROTO_HOPOPTS:
		case IPPROTO_ROUTING:
		case IPPROTO_DSTOPTS:
			offset += (extension[1] + 1) * 8;
			break;
		case IPPROTO_AH:
			offset += (extension[1] + 2) * 4;
			break;
		case IPPROTO_FRAGMENT:
			if (be16_at(extension + 2) & 0xfff8)
				return false;
			offset += 8;
			break;
		default:
			return false;
		}
		next = extension[0];
	}
	if (next != IPPROTO_TCP || bpf_probe_read_kernel(h->tcp, TCP_HEADER, network + offset))
		return false;
	header_length = offset + (h->tcp[12] >> 4) * 4;
	h->payload = total > header_length ? total - header_length : 0;
	return true;
}

static __always_inline __u16 tcp_flags(const __u8 *tcp)
{
	return (__u16)(tcp[12] & 1) << 8 | tcp[13];
}

static __always_inline bool read_headers(struct headers *h, struct sk_buff *skb)
{
	const unsigned char *network =
	    BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, network_header);

	return BPF_CORE_READ(skb, protocol) == bpf_htons(ETH_P_IPV6) ? read_ipv6(h, network)
								     : read_ipv4(h, network);
}

/*
 * Whether the packet is a TCP segment with RST, and then its headers: for all but resets, three loads and one copy of 40 or 60
 * bytes, since this runs for every packet.
 */
static __always_inline bool read_reset(struct headers *h, struct sk_buff *skb)
{
	const unsigned char *network = skb->head + skb->network_header;
	__u16 protocol = skb->protocol;

	if (protocol == bpf_htons(ETH_P_IP)) {
		struct {
			__u8 ip[IPV4_HEADER];
			__u8 tcp[TCP_HEADER];
		} plain;

		if (bpf_probe_read_kernel(&plain, sizeof(plain), network) ||
		    plain.ip[9] != IPPROTO_TCP)
			return false;
		if (plain.ip[0] == 0x45 && !(plain.tcp[13] & TCP_RST))
			return false;
		if (!read_ipv4(h, network))
			return false;
	} else if (protocol == bpf_htons(ETH_P_IPV6)) {
		struct {
			__u8 ip[IPV6_HEADER];
			__u8 tcp[TCP_HEADER];
		} plain;

		if (bpf_probe_read_kernel(&plain, sizeof(plain), network))
			return false;
		if (plain.ip[6] == IPPROTO_TCP && !(plain.tcp[13] & TCP_RST))
			return false;
		if (!read_ipv6(h, network))
			return false;
	} else {
		return false;
	}
	return h->tcp[13] & TCP_RST;
}

#endif
