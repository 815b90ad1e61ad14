/*
 * TCP over loopback without a RST, pinned to one processor: what a recorder costs those who have nothing to do with resets.
 *
 *   load ping|connect|bulk COUNT
 *
 * ping: one byte there and back. connect: a connection that both ends close. bulk: 64 KiB written and read. Prints the
 * processor time of an operation in nanoseconds, of both ends and of the kernel on their behalf.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PIECE 65536

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static int listen_on(struct sockaddr_in *address)
{
	socklen_t length = sizeof(*address);
	int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	memset(address, 0, length);
	address->sin_family = AF_INET;
	address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (listener < 0 || bind(listener, (void *)address, length) || listen(listener, 128) ||
	    getsockname(listener, (void *)address, &length))
		fail("listen");
	return listener;
}

/* Clients cycle through the addresses of 127.0.0.0/16, because TIME_WAIT would use up the ports of one. */
static int connect_to(const struct sockaddr_in *address, uint32_t count)
{
	struct sockaddr_in from = {.sin_family = AF_INET};
	int client = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	from.sin_addr.s_addr = htonl(0x7f000001 + (count / 1000 & 0xff) * 256);
	if (client < 0 || bind(client, (void *)&from, sizeof(from)) ||
	    connect(client, (const void *)address, sizeof(*address)))
		fail("connect");
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return client;
}

static void exchange(int socket, const char *data, char *buffer, size_t size)
{
	if (write(socket, data, size) != (ssize_t)size)
		fail("write");
	for (size_t done = 0; done < size;) {
		ssize_t count = read(socket, buffer + done, size - done);

		if (count <= 0)
			fail("read");
		done += count;
	}
}

static void echo(int listener, size_t size)
{
	static char buffer[PIECE];
	int accepted = accept(listener, NULL, NULL), one = 1;

	if (accepted < 0)
		fail("accept");
	setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	for (size_t done = 0;;) {
		ssize_t count = read(accepted, buffer + done, size - done);

		if (count <= 0)
			_exit(0);
		done += count;
		if (done == size && write(accepted, buffer, size) != (ssize_t)size)
			_exit(1);
		done %= size;
	}
}

static double seconds(int who)
{
	struct rusage usage;

	getrusage(who, &usage);
	return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
	       (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv)
{
	static char data[PIECE], buffer[PIECE];
	struct sockaddr_in address;
	long count = argc == 3 ? atol(argv[2]) : 0;
	cpu_set_t one;
	int listener;

	if (count <= 0) {
		fprintf(stderr, "usage: load ping|connect|bulk COUNT\n");
		return 64;
	}
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		fail("sched_setaffinity");
	listener = listen_on(&address);
	if (!strcmp(argv[1], "connect")) {
		for (long i = 0; i < count; i++) {
			int client = connect_to(&address, (uint32_t)i);
			int server = accept(listener, NULL, NULL);

			if (server < 0)
				fail("accept");
			close(client);
			close(server);
		}
	} else {
		size_t size = strcmp(argv[1], "bulk") ? 1 : PIECE;
		int client;

		if (!fork())
			echo(listener, size);
		client = connect_to(&address, 0);
		for (long i = 0; i < count; i++)
			exchange(client, data, buffer, size);
		close(client);
		wait(NULL);
	}
	printf("%.0f\n", (seconds(RUSAGE_SELF) + seconds(RUSAGE_CHILDREN)) / count * 1e9);
	return 0;
}
