/* SPDX-License-Identifier: Apache-2.0 */
/* Taking rights away from this process, all its threads included. */
#ifndef CSANDBOX_H
#define CSANDBOX_H

#include <stdbool.h>
#include <stdint.h>

/* What all threads are left with. */
struct sandbox_rights {
	uint64_t capabilities; /* a bit each; those that the process does not have are not given */
	bool ambient;	       /* programs that it runs get them, too, though it is not root */
	bool changes_user;
	uint32_t uid;
	uint32_t gid; /* and no other group */
};

/*
 * Takes everything else away, for good: sets no_new_privs, too. Returns 0 or an errno; after an error some threads may have less
 * than before.
 */
int sandbox_confine(const struct sandbox_rights *rights);

/* What a filter lets through beyond what every recorder does. */
enum sandbox_allowance {
	SANDBOX_PACKET_SOCKETS = 1 << 0,
	SANDBOX_NAMESPACES = 1 << 1, /* setns(2) for network namespaces */
};

/*
 * Has the kernel refuse (EPERM) all threads and the programs that they run every system call that a recorder does not make.
 * Returns 0 or an errno.
 */
int sandbox_filter(unsigned int allowances);

#endif
