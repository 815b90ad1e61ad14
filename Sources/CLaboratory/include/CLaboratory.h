/* System calls that Swift cannot make: glibc declares their wrappers only under _GNU_SOURCE, and syscall(2) is variadic. */
#ifndef CLABORATORY_H
#define CLABORATORY_H

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

extern long syscall(long number, ...);

/* Moves the calling thread into a new network namespace. Returns 0, or -1 with errno. */
static inline int laboratory_unshare_netns(void)
{
	return (int)syscall(SYS_unshare, 0x40000000UL /* CLONE_NEWNET */);
}

/* accept4(2) with SOCK_CLOEXEC, so that a child spawned at the same moment does not inherit the connection. */
static inline int laboratory_accept(int listener)
{
	return (int)syscall(SYS_accept4, (long)listener, 0L, 0L, 02000000L /* SOCK_CLOEXEC */);
}

/* pipe2(2) with O_CLOEXEC. */
static inline int laboratory_pipe(int ends[2])
{
	return (int)syscall(SYS_pipe2, ends, 02000000L /* O_CLOEXEC */);
}

/* bpf(2). */
static inline int laboratory_bpf(int command, void *attributes, unsigned int size)
{
	return (int)syscall(SYS_bpf, (long)command, attributes, (long)size);
}

/* Binds a process to one processor (sched_setaffinity(2)). Returns -1 with EINVAL if it cannot run there. */
static inline int laboratory_bind(pid_t process, unsigned int processor)
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

/* accept4(2) with SOCK_CLOEXEC and SOCK_NONBLOCK. */
static inline int laboratory_accept_nonblocking(int listener)
{
	return (int)syscall(SYS_accept4, (long)listener, 0L, 0L, 02004000L);
}

/* What a TCP socket still receives; everything else is dropped before TCP sees it (tcp_filter). */
enum laboratory_hearing {
	LABORATORY_HEARS_NOTHING,
	LABORATORY_HEARS_FIN,
	/* Segments without data. */
	LABORATORY_HEARS_NO_DATA,
	/* For a listener: SYNs, and every segment from one port. */
	LABORATORY_HEARS_SYN,
};

/* SO_ATTACH_FILTER with a program that reads the TCP header, where the filter's data begins for a TCP socket. */
int laboratory_set_hearing(int socket, enum laboratory_hearing hearing, uint16_t port);

/*
 * Lets an AF_PACKET socket of type SOCK_DGRAM receive only the RST+ACKs with sequence number 0 that leave this host from a
 * TCP port.
 */
int laboratory_filter_refusals(int socket, uint16_t port);
/* Lets such a socket receive only TCP segments from or to a port. */
int laboratory_filter_port(int socket, uint16_t port);

/* epoll(7), with descriptors for data. */
enum {
	LABORATORY_READABLE = 0x001,
	LABORATORY_WRITABLE = 0x004,
	LABORATORY_ERROR = 0x008,
	LABORATORY_HUNG_UP = 0x010,
	LABORATORY_PEER_ENDED = 0x2000,
};
#define LABORATORY_EDGE 0x80000000U

struct laboratory_event {
	int32_t descriptor;
	uint32_t events;
};

int laboratory_poll_create(void);
int laboratory_poll_add(int poll, int descriptor, uint32_t events);
int laboratory_poll_change(int poll, int descriptor, uint32_t events);
int laboratory_poll_remove(int poll, int descriptor);
/* At most 256 events at a time. */
int laboratory_poll_wait(int poll, struct laboratory_event *events, int room, int milliseconds);

/* Blocks SIGINT, SIGTERM, SIGHUP and SIGCHLD in the calling thread and returns a descriptor that reports them. */
int laboratory_take_signals(void);
/* The number of the next pending signal; 0 if there is none. */
int laboratory_next_signal(int descriptor);

#endif
