// SPDX-License-Identifier: Apache-2.0
/*
 * Capabilities and no_new_privs belong to a thread: each has to give them up itself. As setuid() of glibc does, every thread is
 * sent a signal whose handler does it. The signal is SIGSYS, which the workers of libdispatch do not block.
 */
#define _GNU_SOURCE
#include "CSandbox.h"

#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MOST_THREADS 1024
/* Milliseconds that a thread may take to notice. */
#define PATIENCE 2000
#define SIGNAL SIGSYS

static struct sandbox_rights wanted;
/* The thread that has done it last, and how that went. */
static atomic_int done_by, result;

/* All capabilities that it has are permitted, effective and, if they are to be inherited, inheritable. */
static int set_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		return errno;
	for (int i = 0; i < 2; i++) {
		data[i].permitted &= (uint32_t)(wanted.capabilities >> (32 * i));
		data[i].effective = data[i].permitted;
		data[i].inheritable = wanted.ambient ? data[i].permitted : 0;
	}
	if (syscall(SYS_capset, &header, data))
		return errno;
	/* Kernels before 4.3 have none. */
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	for (unsigned int i = 0; wanted.ambient && i < 64; i++)
		if (data[i / 32].permitted >> (i % 32) & 1 &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0))
			return errno;
	return 0;
}

static bool is_of_wanted_user(void)
{
	uid_t uid[3];
	gid_t gid[3];

	if (syscall(SYS_getresuid, &uid[0], &uid[1], &uid[2]) ||
	    syscall(SYS_getresgid, &gid[0], &gid[1], &gid[2]))
		return false;
	for (int i = 0; i < 3; i++)
		if (uid[i] != wanted.uid || gid[i] != wanted.gid)
			return false;
	return true;
}

/* Of the calling thread only, hence not by way of glibc. Safe in a signal handler. */
static int confine_thread(void)
{
	if (wanted.changes_user) {
		if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
			return errno;
		/* A thread that was started by one that has done it may not do it again, and need not. */
		if ((syscall(SYS_setgroups, 1, &wanted.gid) ||
		     syscall(SYS_setresgid, wanted.gid, wanted.gid, wanted.gid) ||
		     syscall(SYS_setresuid, wanted.uid, wanted.uid, wanted.uid)) &&
		    (errno != EPERM || !is_of_wanted_user()))
			return errno;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return errno;
	return set_capabilities();
}

static void on_signal(int number)
{
	int saved = errno;

	(void)number;
	atomic_store(&result, confine_thread());
	atomic_store(&done_by, gettid());
	errno = saved;
}

/* 0, also if the thread has ended meanwhile. */
static int confine_other(pid_t thread)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	atomic_store(&done_by, 0);
	if (syscall(SYS_tgkill, getpid(), thread, SIGNAL))
		return errno == ESRCH ? 0 : errno;
	for (int i = 0; i < PATIENCE; i++) {
		if (atomic_load(&done_by) == thread)
			return atomic_load(&result);
		if (i)
			nanosleep(&pause, NULL);
		if (syscall(SYS_tgkill, getpid(), thread, 0) && errno == ESRCH)
			return 0;
	}
	return ETIMEDOUT;
}

static bool contains(const pid_t *threads, int count, pid_t thread)
{
	for (int i = 0; i < count; i++)
		if (threads[i] == thread)
			return true;
	return false;
}

/* Threads that were not there before: their number, or a negative errno. */
static int confine_new(pid_t *known, int *count)
{
	DIR *tasks = opendir("/proc/self/task");
	int found = 0, error = 0;

	if (!tasks)
		return -errno;
	for (struct dirent *entry; !error && (entry = readdir(tasks));) {
		pid_t thread = atoi(entry->d_name);

		if (thread <= 0 || contains(known, *count, thread))
			continue;
		if (*count == MOST_THREADS) {
			error = E2BIG;
			break;
		}
		error = confine_other(thread);
		known[(*count)++] = thread;
		found++;
	}
	closedir(tasks);
	return error ? -error : found;
}

int sandbox_confine(const struct sandbox_rights *rights)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, before;
	pid_t known[MOST_THREADS] = {gettid()};
	int count = 1, found, error;

	wanted = *rights;
	/* This one first: what it starts from now on has no more. */
	error = confine_thread();
	if (error)
		return error;
	sigfillset(&action.sa_mask);
	if (sigaction(SIGNAL, &action, &before))
		return errno;
	/* A thread that had not given up its rights yet may have started another one. */
	do
		found = confine_new(known, &count);
	while (found > 0);
	sigaction(SIGNAL, &before, NULL);
	return -found;
}
