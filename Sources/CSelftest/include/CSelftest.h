/* System calls that Swift cannot make: glibc declares their wrappers only under _GNU_SOURCE, and syscall(2) is variadic. */
#ifndef CSELFTEST_H
#define CSELFTEST_H

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

extern long syscall(long number, ...);

/* Moves the calling thread into a new network namespace. Returns 0, or -1 with errno. */
static inline int selftest_unshare_netns(void)
{
	return (int)syscall(SYS_unshare, 0x40000000UL /* CLONE_NEWNET */);
}

/* accept4(2) with SOCK_CLOEXEC, so that a child spawned at the same moment does not inherit the connection. */
static inline int selftest_accept(int listener)
{
	return (int)syscall(SYS_accept4, (long)listener, 0L, 0L, 02000000L /* SOCK_CLOEXEC */);
}

/* pipe2(2) with O_CLOEXEC. */
static inline int selftest_pipe(int ends[2])
{
	return (int)syscall(SYS_pipe2, ends, 02000000L /* O_CLOEXEC */);
}

/* bpf(2). */
static inline int selftest_bpf(int command, void *attributes, unsigned int size)
{
	return (int)syscall(SYS_bpf, (long)command, attributes, (long)size);
}

/* Binds a process to one processor (sched_setaffinity(2)). Returns -1 with EINVAL if it cannot run there. */
static inline int selftest_bind(pid_t process, unsigned int processor)
{
	enum { WORD = 8 * sizeof(unsigned long) };
	unsigned long mask[8192 / WORD] = {0};

	if (processor >= 8192) {
		errno = EINVAL;
		return -1;
	}
	mask[processor / WORD] = 1UL << processor % WORD;
	return (int)syscall(SYS_sched_setaffinity, (long)process, sizeof(mask), mask);
}

#endif
