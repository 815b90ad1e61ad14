// SPDX-License-Identifier: Apache-2.0
/*
 * Writes a capture for measurements, the same bytes every time: Ethernet,
 * three quarters IPv4 and one quarter IPv6, small and large packets as on a
 * busy link, about 2 % of the TCP segments with RST, spread over many
 * connections; some UDP and ARP.
 *
 *   generate FILE [PACKETS] [pcap|pcapng] [RESETS]
 *
 * The default of 3.5 million packets makes 1.3 GB; RESETS is how many of 1024
 * TCP segments are RSTs, 20 by default.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS 100000u

static uint64_t state = 0x9e3779b97f4a7c15;
static unsigned int resets = 20;

/* splitmix64 */
static uint64_t next(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static void put16(uint8_t *at, unsigned int value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

static uint32_t seqs[2][CONNECTIONS];

/* Fills in the TCP header of one segment and returns its length. */
static void tcp(uint8_t *at, uint32_t connection, int back, uint32_t payload, int reset)
{
	unsigned int client = 1024 + connection % 60000, server = 443;

	put16(at, back ? server : client);
	put16(at + 2, back ? client : server);
	put32(at + 4, seqs[back][connection]);
	put32(at + 8, seqs[!back][connection]);
	at[12] = 0x80;
	at[13] = reset ? 0x14 : payload ? 0x18 : 0x10;
	put16(at + 14, reset ? 0 : 501);
	at[20] = at[21] = 1;
	at[22] = 8;
	at[23] = 10;
	seqs[back][connection] += payload;
}

static uint32_t packet(uint8_t *at)
{
	uint64_t dice = next();
	uint32_t connection = (dice >> 32) % CONNECTIONS;
	int back = dice & 1, six = connection % 4 == 0;
	int udp = (dice >> 1 & 127) < 6, arp = (dice >> 1 & 127) == 127;
	int reset = !udp && !arp && (dice >> 8 & 1023) < resets;
	uint32_t class = dice >> 18 & 15, payload;
	uint8_t *ip = at + 14, *transport;
	uint32_t a = 0x0a000000 | connection / 60000 << 16 | (connection & 0xffff), b = 0x0a800001;

	if (class < 9)
		payload = 0;
	else if (class < 13)
		payload = (dice >> 22) % 600;
	else
		payload = 1000 + (dice >> 22) % 449;
	if (reset)
		payload = 0;
	memcpy(at, "\x02\0\0\0\0\2\x02\0\0\0\0\1", 12);
	memset(ip, 0, 80);
	if (arp) {
		put16(at + 12, 0x0806);
		memcpy(ip, "\0\1\x08\0\6\4\0\1", 8);
		return 60;
	}
	if (six) {
		put16(at + 12, 0x86dd);
		ip[0] = 0x60;
		put16(ip + 4, payload + (udp ? 8 : 32));
		ip[6] = udp ? 17 : 6;
		ip[7] = 64;
		ip[8] = ip[24] = 0xfd;
		put32(ip + 20, back ? b : a);
		put32(ip + 36, back ? a : b);
		transport = ip + 40;
	} else {
		put16(at + 12, 0x0800);
		ip[0] = 0x45;
		put16(ip + 2, payload + (udp ? 28 : 52));
		put16(ip + 4, dice >> 40);
		ip[6] = 0x40;
		ip[8] = 64;
		ip[9] = udp ? 17 : 6;
		put32(ip + 12, back ? b : a);
		put32(ip + 16, back ? a : b);
		transport = ip + 20;
	}
	if (udp) {
		put16(transport, 1024 + connection % 60000);
		put16(transport + 2, 53);
		put16(transport + 4, payload + 8);
		transport += 8;
	} else {
		tcp(transport, connection, back, payload, reset);
		transport += 32;
	}
	memset(transport, (uint8_t)dice, payload);
	return transport - at + payload;
}

int main(int argc, char **argv)
{
	static const uint32_t pcap[6] = {0xa1b2c3d4, 0x00040002, 0, 0, 262144, 1};
	static const uint32_t section[] = {0x0a0d0d0a, 28, 0x1a2b3c4d, 1, ~0u, ~0u, 28};
	static const uint32_t interface[] = {1, 20, 1, 262144, 20};
	long packets = argc > 2 ? atol(argv[2]) : 3500000;
	int ng = argc > 3 && !strcmp(argv[3], "pcapng");
	uint64_t microseconds = 1600000000000000;
	static uint8_t bytes[2048];
	FILE *file;

	if (argc > 4)
		resets = atoi(argv[4]);
	if (argc < 2 || packets < 1) {
		fprintf(stderr, "usage: generate FILE [PACKETS] [pcap|pcapng] [RESETS]\n");
		return 64;
	}
	file = fopen(argv[1], "wb");
	if (!file) {
		perror(argv[1]);
		return 1;
	}
	setvbuf(file, NULL, _IOFBF, 1 << 20);
	if (ng) {
		fwrite(section, sizeof(section), 1, file);
		fwrite(interface, sizeof(interface), 1, file);
	} else {
		fwrite(pcap, sizeof(pcap), 1, file);
	}
	for (long i = 0; i < packets; i++) {
		uint32_t length = packet(bytes), padded = (length + 3) & ~3u;

		microseconds += next() % 20;
		if (ng) {
			uint32_t header[7] = {
			    6, padded + 32, 0, microseconds >> 32, microseconds, length, length};

			memset(bytes + length, 0, padded - length);
			fwrite(header, sizeof(header), 1, file);
			fwrite(bytes, padded, 1, file);
			fwrite(&header[1], 4, 1, file);
		} else {
			uint32_t header[4] = {microseconds / 1000000, microseconds % 1000000,
					      length, length};

			fwrite(header, sizeof(header), 1, file);
			fwrite(bytes, length, 1, file);
		}
	}
	if (ferror(file) || fclose(file)) {
		perror(argv[1]);
		return 1;
	}
	return 0;
}
