// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <malloc.h>
#include <signal.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <termios.h>
#include <unistd.h>

int linux_enter_network_namespace(int descriptor)
{
	return setns(descriptor, CLONE_NEWNET);
}

int linux_thread(void)
{
	return gettid();
}

bool linux_has_attributes(const char *path)
{
	char names[4096];
	ssize_t size = listxattr(path, names, sizeof(names));

	for (ssize_t at = 0; at < size; at += (ssize_t)strlen(names + at) + 1) {
		if (strcmp(names + at, "security.selinux") != 0)
			return true;
	}
	return size < 0 && errno == ERANGE;
}

int linux_create_unnamed(const char *directory, unsigned int mode)
{
	return open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
}

int linux_name(int descriptor, const char *path)
{
	char link[32];

	/* AT_EMPTY_PATH would need CAP_DAC_READ_SEARCH: open(2), O_TMPFILE. */
	snprintf(link, sizeof(link), "/proc/self/fd/%d", descriptor);
	return linkat(AT_FDCWD, link, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
}

/* Their numbers are the same on all architectures; glibc has them from 2.36 on. */
#define NR_FSOPEN 430
#define NR_FSCONFIG 431
#define NR_FSMOUNT 432
#define CLOEXEC_FLAG 1 /* FSOPEN_CLOEXEC, FSMOUNT_CLOEXEC */
#define CMD_CREATE 6   /* FSCONFIG_CMD_CREATE */

int linux_mount_cgroup2(void)
{
	int context = (int)syscall(NR_FSOPEN, "cgroup2", CLOEXEC_FLAG);
	int mount = -1, root = -1, error;

	if (context < 0)
		return -1;
	if (!syscall(NR_FSCONFIG, context, CMD_CREATE, NULL, NULL, 0))
		mount = (int)syscall(NR_FSMOUNT, context, CLOEXEC_FLAG, 0);
	/* Opening a handle needs a readable descriptor. */
	if (mount >= 0)
		root = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	error = errno;
	if (mount >= 0)
		close(mount);
	close(context);
	errno = error;
	return root;
}

long linux_file_system(int descriptor)
{
	struct statfs status;

	return fstatfs(descriptor, &status) ? 0 : (long)status.f_type;
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

void linux_share_heaps(int count)
{
	mallopt(M_ARENA_MAX, count);
}

/* A time to which no clock is ever set: the end of a signed 32-bit count of minutes. */
static int arm_for_setting(int timer)
{
	struct itimerspec never = {.it_value.tv_sec = 0x7fffffffLL * 60};

	return timerfd_settime(timer, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL);
}

int linux_watch_clock(void)
{
	int timer = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);

	if (timer >= 0 && arm_for_setting(timer)) {
		close(timer);
		return -1;
	}
	return timer;
}

int linux_clock_was_set(int timer)
{
	uint64_t expirations;

	if (read(timer, &expirations, sizeof(expirations)) > 0)
		return arm_for_setting(timer);
	if (errno == ECANCELED)
		return arm_for_setting(timer) ? -1 : 1;
	return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

static int attach_filter(int socket, struct sock_filter *program, size_t length)
{
	struct sock_fprog filter = {.len = (unsigned short)length, .filter = program};

	return setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
}

int linux_take_no_more(int socket)
{
	struct sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};

	return attach_filter(socket, nothing, 1);
}

int linux_leave_out_loopback_output(int socket, unsigned int loopback)
{
	struct sock_filter program[BPF_MAXINSNS] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_IFINDEX),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, loopback, 0, 3),
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_PKTTYPE),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const size_t before = 5;
	/* Counted in instructions, not in bytes (sk_get_filter). */
	socklen_t length = BPF_MAXINSNS - before;

	if (getsockopt(socket, SOL_SOCKET, SO_GET_FILTER, program + before, &length))
		return -1;
	if (length == 0)
		program[before + length++] =
		    (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0xffffffff);
	return attach_filter(socket, program, before + length);
}

static struct {
	int terminal;
	int has_settings;
	struct termios settings;
	char text[64];
} screen;

static void on_end(int number)
{
	if (write(screen.terminal, screen.text, strlen(screen.text)) >= 0 && screen.has_settings)
		tcsetattr(screen.terminal, TCSANOW, &screen.settings);
	/* SA_RESETHAND: now it ends the program. */
	raise(number);
}

void linux_restore_terminal(int terminal, const char *text)
{
	static const int signals[] = {SIGQUIT, SIGABRT, SIGSEGV, SIGBUS,
				      SIGILL,  SIGFPE,	SIGTRAP, SIGSYS};
	struct sigaction action = {.sa_handler = text ? on_end : SIG_DFL,
				   .sa_flags = (int)SA_RESETHAND};

	if (text) {
		screen.terminal = terminal;
		screen.has_settings = tcgetattr(terminal, &screen.settings) == 0;
		strncpy(screen.text, text, sizeof(screen.text) - 1);
	}
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
}
