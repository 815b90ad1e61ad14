// SPDX-License-Identifier: Apache-2.0
/*
 * The least that a program can do to find the resets in a capture: walk the
 * records of a little-endian pcap file with mmap and test the RST bit where plain
 * Ethernet, IPv4 or IPv6, and TCP have it. No checks, no decoding, no result
 * except the count. rst-analyze is measured against it.
 *
 *   scan FILE
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

int main(int argc, char **argv)
{
	uint64_t packets = 0, resets = 0;
	const uint8_t *at, *end;
	struct stat status;
	int fd;

	if (argc != 2) {
		fprintf(stderr, "usage: scan FILE\n");
		return 64;
	}
	fd = open(argv[1], O_RDONLY);
	if (fd < 0 || fstat(fd, &status)) {
		perror(argv[1]);
		return 1;
	}
	at = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (at == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	end = at + status.st_size;
	at += 24;
	while (end - at >= 16) {
		const uint8_t *packet = at + 16;
		uint32_t captured;
		uint16_t type;

		memcpy(&captured, at + 8, 4);
		memcpy(&type, packet + 12, 2);
		if (type == 0x0008 && packet[23] == 6)
			resets += packet[47] >> 2 & 1;
		else if (type == 0xdd86 && packet[20] == 6)
			resets += packet[67] >> 2 & 1;
		packets++;
		at = packet + captured;
	}
	printf("%llu packets, %llu resets\n", (unsigned long long)packets,
	       (unsigned long long)resets);
	return 0;
}
