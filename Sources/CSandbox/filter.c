// SPDX-License-Identifier: Apache-2.0
/*
 * The system calls of a recorder, after its hooks are attached and its files open, and of the firewall tools that it runs. What is
 * not listed is refused with EPERM, so that a mistake in the list shows as an error and not as a dead recorder.
 */
#define _GNU_SOURCE
#include "CSandbox.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

static const char *const calls[] = {
    /* Files and directories. */
    "access", "chdir", "close", "close_range", "dup", "dup2", "dup3", "faccessat", "faccessat2",
    "fadvise64", "fallocate", "fchdir", "fchmod", "fcntl", "fdatasync", "flock", "fstat", "fstatfs",
    "fsync", "ftruncate", "getcwd", "getdents64", "lseek", "lstat", "mkdir", "mkdirat",
    "newfstatat", "open", "open_by_handle_at", "openat", "openat2", "pread64", "preadv", "pwrite64",
    "pwritev", "read", "readlink", "readlinkat", "readv", "rename", "renameat", "renameat2",
    "rmdir", "stat", "statfs", "statx", "umask", "unlink", "unlinkat", "write", "writev",
    /* Pipes, waiting, time. */
    "alarm", "clock_getres", "clock_gettime", "clock_nanosleep", "epoll_create", "epoll_create1",
    "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd2", "gettimeofday",
    "nanosleep", "pause", "pipe", "pipe2", "poll", "ppoll", "pselect6", "select", "setitimer",
    "signalfd4", "time", "timer_create", "timer_delete", "timer_settime", "timerfd_create",
    "timerfd_gettime", "timerfd_settime",
    /* Memory, threads, signals. */
    "arch_prctl", "brk", "exit", "exit_group", "futex", "futex_waitv", "get_robust_list", "getcpu",
    "getrandom", "kill", "madvise", "membarrier", "mincore", "mmap", "mprotect", "mremap", "munmap",
    "restart_syscall", "rseq", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo",
    "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "sched_get_priority_max",
    "sched_get_priority_min", "sched_getaffinity", "sched_getparam", "sched_getscheduler",
    "sched_yield", "set_robust_list", "set_tid_address", "sigaltstack", "tgkill", "tkill",
    /* Processes. */
    "capget", "execve", "fork", "getegid", "geteuid", "getgid", "getgroups", "getpgid", "getpgrp",
    "getpid", "getppid", "getpriority", "getresgid", "getresuid", "getrlimit", "getrusage",
    "getsid", "gettid", "getuid", "prlimit64", "setpgid", "setpriority", "setsid", "sysinfo",
    "times", "uname", "vfork", "wait4", "waitid",
    /* Sockets that are there. */
    "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen",
    "recvfrom", "recvmmsg", "recvmsg", "sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown",
    "socketpair"};

/* Of bpf(2): using what was loaded. */
static const unsigned int bpf_commands[] = {BPF_MAP_LOOKUP_ELEM,    BPF_MAP_UPDATE_ELEM,
					    BPF_MAP_DELETE_ELEM,    BPF_MAP_GET_NEXT_KEY,
					    BPF_OBJ_GET_INFO_BY_FD, BPF_MAP_LOOKUP_AND_DELETE_ELEM,
					    BPF_MAP_LOOKUP_BATCH,   BPF_MAP_LOOKUP_AND_DELETE_BATCH,
					    BPF_LINK_DETACH,	    BPF_ITER_CREATE};

static const unsigned int ioctls[] = {0x5401 /* TCGETS */,
				      0x5402 /* TCSETS */,
				      0x5403 /* TCSETSW */,
				      0x5404 /* TCSETSF */,
				      TIOCGPGRP,
				      TIOCSPGRP,
				      TIOCGWINSZ,
				      FIONREAD,
				      FIONBIO,
				      FIOCLEX,
				      FIONCLEX,
				      SIOCGIFNAME,
				      SIOCGIFFLAGS,
				      SIOCGIFADDR,
				      SIOCGIFMTU,
				      SIOCGIFHWADDR,
				      SIOCGIFINDEX,
				      SIOCETHTOOL};

static const int domains[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

static const int prctls[] = {PR_SET_NAME,     PR_GET_NAME,     PR_SET_PDEATHSIG,
			     PR_GET_DUMPABLE, PR_CAPBSET_READ, PR_GET_NO_NEW_PRIVS,
			     0x53564d41 /* PR_SET_VMA */};

/* Flags of clone(2) that make namespaces. */
#define NAMESPACES                                                                                 \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
	 CLONE_NEWPID | CLONE_NEWNET | 0x80 /* CLONE_NEWTIME */)

/* With one argument that is one of two (its low 32 bits: the kernel looks at no others). A call that this libseccomp or this
 * architecture does not have is passed over. */
static int allow(scmp_filter_ctx filter, const char *name, unsigned int argument, uint32_t value)
{
	int number = seccomp_syscall_resolve_name(name);

	if (number == __NR_SCMP_ERROR)
		return 0;
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 1,
				SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, 0xffffffff, value));
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int add_rules(scmp_filter_ctx filter, unsigned int allowances)
{
	int error = 0;

	for (size_t i = 0; !error && i < COUNT(calls); i++) {
		int number = seccomp_syscall_resolve_name(calls[i]);

		if (number != __NR_SCMP_ERROR)
			error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
	}
	for (size_t i = 0; !error && i < COUNT(bpf_commands); i++)
		error = allow(filter, "bpf", 0, bpf_commands[i]);
	for (size_t i = 0; !error && i < COUNT(ioctls); i++)
		error = allow(filter, "ioctl", 1, ioctls[i]);
	for (size_t i = 0; !error && i < COUNT(prctls); i++)
		error = allow(filter, "prctl", 0, prctls[i]);
	for (size_t i = 0; !error && i < COUNT(domains); i++)
		error = allow(filter, "socket", 0, domains[i]);
	if (!error && allowances & SANDBOX_PACKET_SOCKETS)
		error = allow(filter, "socket", 0, AF_PACKET);
	if (!error && allowances & SANDBOX_NAMESPACES)
		error = allow(filter, "setns", 1, CLONE_NEWNET);
	if (!error)
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
					 SCMP_CMP(0, SCMP_CMP_MASKED_EQ, NAMESPACES, 0));
	/* Its flags are in memory, where a filter cannot look: glibc then takes clone(2). */
	if (!error && seccomp_syscall_resolve_name("clone3") != __NR_SCMP_ERROR)
		error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS),
					 seccomp_syscall_resolve_name("clone3"), 0);
	return error;
}

int sandbox_filter(unsigned int allowances)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int error;

	if (!filter)
		return ENOMEM;
	error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!error)
		error = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
	/* A tree instead of a list, where libseccomp can: a recorder in a flood makes many calls. */
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (!error)
		error = add_rules(filter, allowances);
	if (!error)
		error = seccomp_load(filter);
	seccomp_release(filter);
	return -error;
}
