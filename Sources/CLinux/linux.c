// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CLinux.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

int linux_enter_network_namespace(int descriptor)
{
	return setns(descriptor, CLONE_NEWNET);
}

int linux_pidfd_open(int pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}
