/* SPDX-License-Identifier: Apache-2.0 */
/* System calls and functions of glibc that Swift's Glibc module leaves out. */
#ifndef CLINUX_H
#define CLINUX_H

#include <stdbool.h>
#include <stdint.h>

/* setns(2) for a network namespace: moves the calling thread. 0, or -1 with errno. */
int linux_enter_network_namespace(int descriptor);

/* gettid(2): the calling thread, in its PID namespace. */
int linux_thread(void);

/*
 * Mounts cgroup v2 outside every mount namespace (fsopen(2), fsmount(2), Linux 5.2). Returns a descriptor of its root, or -1
 * with errno: EPERM without CAP_SYS_ADMIN, ENODEV without cgroup v2.
 */
int linux_mount_cgroup2(void);

/* The type of the file system behind a descriptor (statfs(2), f_type); 0 if it is unknown. */
long linux_file_system(int descriptor);

/*
 * open_by_handle_at(2): opens the directory of the cgroup v2 with that id; `mount` is a descriptor of a mount. -1 with errno:
 * ESTALE for a cgroup that is gone, EPERM without CAP_DAC_READ_SEARCH, EOPNOTSUPP before Linux 5.5.
 */
int linux_open_cgroup(int mount, uint64_t id);

/*
 * A timer (timerfd_create(2)) that never expires, but becomes readable when CLOCK_REALTIME is set or the host wakes up.
 * -1 with errno.
 */
int linux_watch_clock(void);

/* Whether the clock was set since the last call: 1, 0, or -1 with errno. */
int linux_clock_was_set(int timer);

/* Makes a socket accept no more packets; those it has can still be read. 0, or -1 with errno. */
int linux_take_no_more(int socket);

/*
 * Extends the attached filter of a packet socket to leave out what the loopback device sends: the same packet also arrives
 * there, and libpcap ignores the first of the two, but the kernel counts both as dropped when it has no room. 0, or -1 with
 * errno.
 *
 * loopback: the index of the device.
 */
int linux_leave_out_loopback_output(int socket, unsigned int loopback);

/* Whether a file has an ACL or extended attributes other than the label that SELinux gives every file. */
bool linux_has_attributes(const char *path);

/* A new file in a directory that has no name yet, and is gone if it never gets one. -1 with errno. */
int linux_create_unnamed(const char *directory, unsigned int mode);

/* Gives it a name that is not there yet. 0, or -1 with errno. */
int linux_name(int descriptor, const char *path);

/*
 * mallopt(3), M_MMAP_THRESHOLD and M_TRIM_THRESHOLD: blocks of at least `mapped_from` bytes go back to the system when they
 * are freed, and `kept` bytes at the end of the heap are kept for the next smaller ones.
 */
void linux_set_heap(int mapped_from, int kept);

/* mallopt(3), M_ARENA_MAX: so many heaps for all threads, each of which keeps what it had once. */
void linux_share_heaps(int count);

/*
 * While a program shows a screen of its own: a signal that ends it without its doing (SIGQUIT, SIGABRT, a fault) first
 * writes `text` and restores the settings that the terminal has now. With a text of NULL, no more.
 */
void linux_restore_terminal(int terminal, const char *text);

#endif
