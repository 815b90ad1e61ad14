/* Makes RSTs over loopback: connections to a port where nobody listens, each refused by one RST. Prints how many were refused
 * and how long it took. A rate of 0 is as fast as it goes. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void pause_for(double seconds)
{
	struct timespec time = {.tv_sec = (time_t)seconds,
				.tv_nsec = (long)((seconds - (time_t)seconds) * 1e9)};

	if (seconds > 0)
		nanosleep(&time, NULL);
}

int main(int argc, char **argv)
{
	struct sockaddr_in peer = {.sin_family = AF_INET};
	long count, refused = 0;
	double rate, begun;

	if (argc < 3 || argc > 4) {
		fprintf(stderr, "usage: flood COUNT RATE [PORT]\n");
		return 1;
	}
	count = atol(argv[1]);
	rate = atof(argv[2]);
	peer.sin_port = htons(argc > 3 ? (uint16_t)atoi(argv[3]) : 9);
	peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	begun = now();
	for (long i = 0; i < count; i++) {
		int descriptor;

		if (rate > 0)
			pause_for(begun + i / rate - now());
		descriptor = socket(AF_INET, SOCK_STREAM, 0);
		if (descriptor < 0) {
			perror("socket");
			return 1;
		}
		if (connect(descriptor, (struct sockaddr *)&peer, sizeof peer) < 0 &&
		    errno == ECONNREFUSED)
			refused++;
		close(descriptor);
	}
	printf("%ld %.3f\n", refused, now() - begun);
	return 0;
}
