// SPDX-License-Identifier: Apache-2.0
/*
 * Measures what the hooks cost the host, alternating rounds without and with them, in a network namespace of its own.
 *
 *   hooks [ROUNDS] [SECONDS]
 *
 * Prints for each workload the nanoseconds per operation without and with the hooks, in the fastest round of each; then,
 * from a round in which the kernel measures programs (BPF_ENABLE_STATS, which itself costs time), how often each program
 * ran per operation and how long it took.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "CLibBPF.h"

#define MOST_PROGRAMS 16
#define LISTENER_PORT 7001
#define CLOSED_PORT 7002

static void fail(const char *what)
{
	fprintf(stderr, "hooks: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Clients cycle through the addresses of 127.0.0.0/16, because TIME_WAIT would use up the ports of one. */
static struct sockaddr_in next_address(uint16_t port)
{
	static uint32_t count;
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};

	address.sin_addr.s_addr = htonl(0x7f000001 + (count++ / 1000 & 0xff) * 256);
	return address;
}

static int listener = -1, ping = -1;
static pid_t echo;

static void make_sockets(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(LISTENER_PORT)};
	int one = 1, accepted;
	char byte;

	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (listener < 0 || bind(listener, (void *)&address, sizeof(address)) ||
	    listen(listener, 128))
		fail("listen");
	address = next_address(LISTENER_PORT);
	ping = socket(AF_INET, SOCK_STREAM, 0);
	if (ping < 0 || connect(ping, (void *)&address, sizeof(address)))
		fail("connect");
	accepted = accept(listener, NULL, NULL);
	if (accepted < 0)
		fail("accept");
	setsockopt(ping, IPPROTO_TCP, 1 /* TCP_NODELAY */, &one, sizeof(one));
	setsockopt(accepted, IPPROTO_TCP, 1, &one, sizeof(one));
	echo = fork();
	if (echo < 0)
		fail("fork");
	if (!echo) {
		close(ping);
		close(listener);
		while (read(accepted, &byte, 1) == 1 && write(accepted, &byte, 1) == 1)
			;
		_exit(0);
	}
	close(accepted);
}

/* One byte there and back, between two processes. */
static void round_trip(void)
{
	char byte = 0;

	if (write(ping, &byte, 1) != 1 || read(ping, &byte, 1) != 1)
		fail("ping");
}

/* A connection that both ends close, without data. */
static void connect_and_close(void)
{
	struct sockaddr_in address = next_address(LISTENER_PORT);
	int client = socket(AF_INET, SOCK_STREAM, 0), server;

	if (client < 0 || connect(client, (void *)&address, sizeof(address)))
		fail("connect");
	server = accept(listener, NULL, NULL);
	if (server < 0)
		fail("accept");
	close(client);
	close(server);
}

/* A SYN and the RST that answers it. */
static void connect_refused(void)
{
	struct sockaddr_in address = next_address(CLOSED_PORT);
	int client = socket(AF_INET, SOCK_STREAM, 0);

	if (client < 0 || !connect(client, (void *)&address, sizeof(address)) ||
	    errno != ECONNREFUSED)
		fail("connect to a closed port");
	close(client);
}

struct program {
	char name[BPF_OBJ_NAME_LEN];
	uint64_t runs, time;
};

static struct rstbpf *hooks;
static pthread_t reader;
static uint32_t before, newest; /* our programs have IDs greater than `before`, up to `newest` */

static void take(void *context, const struct rst_event *event)
{
	(void)context;
	(void)event;
}

static void *read_events(void *argument)
{
	while (rstbpf_poll(hooks, 100) >= 0 || errno == EINTR)
		;
	return argument;
}

static uint32_t newest_program(void)
{
	uint32_t id = before;

	while (!bpf_prog_get_next_id(id, &id))
		;
	return id;
}

static void load(void)
{
	char message[RSTBPF_MESSAGE_LENGTH];
	int error;

	before = newest_program();
	hooks = rstbpf_open(16 << 20, true, true, NULL, take, NULL, &error, message);
	if (!hooks) {
		fprintf(stderr, "hooks: %s\n", message);
		exit(1);
	}
	newest = newest_program();
	if (pthread_create(&reader, NULL, read_events, NULL))
		fail("pthread_create");
}

static void attach(void)
{
	char message[RSTBPF_MESSAGE_LENGTH];

	if (rstbpf_attach(hooks, message)) {
		fprintf(stderr, "hooks: %s\n", message);
		exit(1);
	}
}

/* The kernel's statistics of our programs. */
static int programs(struct program *list)
{
	uint32_t id = before;
	int count = 0;

	while (count < MOST_PROGRAMS && !bpf_prog_get_next_id(id, &id) && id <= newest) {
		struct bpf_prog_info info = {};
		uint32_t length = sizeof(info);
		int descriptor = bpf_prog_get_fd_by_id(id);

		if (descriptor < 0)
			continue;
		if (!bpf_obj_get_info_by_fd(descriptor, &info, &length)) {
			memcpy(list[count].name, info.name, sizeof(info.name));
			list[count].runs = info.run_cnt;
			list[count++].time = info.run_time_ns;
		}
		close(descriptor);
	}
	return count;
}

/* Nanoseconds per operation, measured over this many seconds. */
static double measure(void (*operation)(void), double seconds, uint64_t *operations)
{
	int64_t start = now(), time;
	uint64_t count = 0;

	do {
		for (int i = 0; i < 100; i++)
			operation();
		count += 100;
		time = now() - start;
	} while (time < seconds * 1e9);
	if (operations)
		*operations = count;
	return (double)time / count;
}

static double least(double a, double b)
{
	return a < b ? a : b;
}

static void workload(const char *name, void (*operation)(void), int rounds, double seconds)
{
	struct program list[MOST_PROGRAMS], earlier[MOST_PROGRAMS];
	double without = 1e18, with = 1e18;
	uint64_t operations;
	int statistics, count;

	for (int i = 0; i < rounds; i++) {
		without = least(without, measure(operation, seconds, NULL));
		attach();
		with = least(with, measure(operation, seconds, NULL));
		rstbpf_detach(hooks);
	}
	printf("%-28s %9.0f %9.0f %+9.0f\n", name, without, with, with - without);
	attach();
	statistics = bpf_enable_stats(BPF_STATS_RUN_TIME);
	if (statistics < 0)
		fail("BPF_ENABLE_STATS");
	programs(earlier);
	measure(operation, 10 * seconds, &operations);
	count = programs(list);
	close(statistics);
	rstbpf_detach(hooks);
	for (int i = 0; i < count; i++) {
		double runs = list[i].runs - earlier[i].runs;

		if (runs * 20 > operations)
			printf("    %-24s %6.2f times, %6.0f ns each\n", list[i].name,
			       runs / operations, (list[i].time - earlier[i].time) / runs);
	}
}

static void make_namespace(void)
{
	struct ifreq request = {.ifr_name = "lo"};
	int control;

	if (unshare(CLONE_NEWNET))
		fail("unshare");
	control = socket(AF_INET, SOCK_DGRAM, 0);
	if (control < 0 || ioctl(control, SIOCGIFFLAGS, &request))
		fail("lo");
	request.ifr_flags |= IFF_UP;
	if (ioctl(control, SIOCSIFFLAGS, &request))
		fail("lo");
	close(control);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 25;
	double seconds = argc > 2 ? atof(argv[2]) : 0.1;

	if (rounds < 1 || seconds <= 0) {
		fprintf(stderr, "usage: hooks [ROUNDS] [SECONDS]\n");
		return 64;
	}
	make_namespace();
	make_sockets();
	load();
	printf("%-28s %9s %9s %9s\n", "ns an operation", "without", "with", "more");
	workload("round trip of one byte", round_trip, rounds, seconds);
	workload("connect, close, close", connect_and_close, rounds, seconds);
	workload("connect, refused", connect_refused, rounds, seconds);
	if (!system("nft add table ip t && "
		    "nft 'add chain ip t c { type filter hook input priority 0; }' && "
		    "nft add rule ip t c ct state invalid counter")) {
		workload("the same with conntrack", connect_refused, rounds, seconds);
		workload("connect, close, close", connect_and_close, rounds, seconds);
	}
	kill(echo, SIGTERM);
	waitpid(echo, NULL, 0);
	return 0;
}
