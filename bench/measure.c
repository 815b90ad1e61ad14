// SPDX-License-Identifier: Apache-2.0
/*
 * Runs a command several times with its output discarded and prints, for the
 * fastest run, the seconds it took, and over all runs the most memory it held
 * (VmHWM) and the most that was its own and not the file's (RssAnon, sampled
 * every millisecond), both in KiB.
 *
 *   measure RUNS COMMAND [ARGUMENT...]
 *
 * Exit code: that of the command when it is neither 0 nor 2, otherwise 0.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* RssAnon of a process, or 0 when it is gone. */
static long anonymous(pid_t pid)
{
	char path[64], line[256];
	long value = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "r");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "RssAnon: %ld", &value) == 1)
			break;
	fclose(file);
	return value;
}

int main(int argc, char **argv)
{
	long peak = 0, anon = 0;
	double best = 1e9;
	int runs;

	if (argc < 3 || (runs = atoi(argv[1])) < 1) {
		fprintf(stderr, "usage: measure RUNS COMMAND [ARGUMENT...]\n");
		return 64;
	}
	for (int run = 0; run < runs; run++) {
		double start = now(), end;
		struct rusage usage;
		int status;
		pid_t pid = fork();

		if (pid == 0) {
			int null = open("/dev/null", O_RDWR);

			dup2(null, 0);
			dup2(null, 1);
			dup2(null, 2);
			execvp(argv[2], argv + 2);
			_exit(127);
		}
		if (pid < 0) {
			perror("fork");
			return 1;
		}
		while (wait4(pid, &status, WNOHANG, &usage) == 0) {
			long value = anonymous(pid);

			if (value > anon)
				anon = value;
			usleep(1000);
		}
		end = now();
		if (!WIFEXITED(status) || (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 2)) {
			fprintf(stderr, "measure: %s: status %#x\n", argv[2], status);
			return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
		}
		if (end - start < best)
			best = end - start;
		if (usage.ru_maxrss > peak)
			peak = usage.ru_maxrss;
	}
	printf("%.3f %ld %ld\n", best, peak, anon);
	return 0;
}
