// SPDX-License-Identifier: Apache-2.0
/*
 * Makes as many short connections over loopback as possible in a number of seconds.
 *
 *     connections server PORT            answers 64 bytes with 64 bytes and closes
 *     connections client PORT SECONDS    makes 8 at a time, prints connections per second and how many failed
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 8, LENGTH = 64 };

static struct sockaddr_in address = {.sin_family = AF_INET};
static int listener;
static double end;
static long done[THREADS], failed[THREADS];

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static int receive(int socket, char *bytes)
{
	int count = 0, some;

	while (count < LENGTH && (some = recv(socket, bytes + count, LENGTH - count, 0)) > 0)
		count += some;
	return count == LENGTH;
}

static void *serve(void *unused)
{
	char bytes[LENGTH];

	for (;;) {
		int socket = accept(listener, NULL, NULL);

		if (socket < 0)
			continue;
		if (receive(socket, bytes))
			send(socket, bytes, LENGTH, MSG_NOSIGNAL);
		close(socket);
	}
	return unused;
}

static void *ask(void *number)
{
	long index = (long)number;
	char bytes[LENGTH] = "request";

	while (now() < end) {
		int socket_ = socket(AF_INET, SOCK_STREAM, 0);
		int well = connect(socket_, (struct sockaddr *)&address, sizeof(address)) == 0 &&
			   send(socket_, bytes, LENGTH, MSG_NOSIGNAL) == LENGTH &&
			   receive(socket_, bytes) && recv(socket_, bytes, LENGTH, 0) == 0;

		close(socket_);
		if (well)
			done[index]++;
		else
			failed[index]++;
	}
	return NULL;
}

int main(int count, char **words)
{
	pthread_t threads[THREADS];
	int is_server = count > 2 && strcmp(words[1], "server") == 0;
	long all = 0, bad = 0;
	double begin;

	if (count < 3 || (!is_server && count < 4))
		return 64;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.sin_port = htons(atoi(words[2]));
	if (is_server) {
		int one = 1;

		listener = socket(AF_INET, SOCK_STREAM, 0);
		setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		    listen(listener, 4096) < 0) {
			perror("connections");
			return 1;
		}
	} else {
		end = now() + atof(words[3]);
	}
	begin = now();
	for (long index = 0; index < THREADS; index++)
		pthread_create(&threads[index], NULL, is_server ? serve : ask, (void *)index);
	for (int index = 0; index < THREADS; index++)
		pthread_join(threads[index], NULL);
	for (int index = 0; index < THREADS; index++) {
		all += done[index];
		bad += failed[index];
	}
	printf("%.0f %ld\n", all / (now() - begin), bad);
	return 0;
}
