// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CLinux.h"

#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

int linux_enter_network_namespace(int descriptor)
{
	return setns(descriptor, CLONE_NEWNET);
}

int linux_thread(void)
{
	return gettid();
}

int linux_open_cgroup(int mount, uint64_t id)
{
	union {
		struct file_handle handle;
		unsigned char bytes[sizeof(struct file_handle) + sizeof(id)];
	} buffer = {
	    .handle = {.handle_bytes = sizeof(id), .handle_type = 0xfe /* FILEID_KERNFS */}};

	memcpy(buffer.handle.f_handle, &id, sizeof(id));
	return open_by_handle_at(mount, &buffer.handle, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

void linux_set_heap(int mapped_from, int kept)
{
	mallopt(M_MMAP_THRESHOLD, mapped_from);
	mallopt(M_TRIM_THRESHOLD, kept);
}
