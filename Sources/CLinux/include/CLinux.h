/* SPDX-License-Identifier: Apache-2.0 */
/* System calls that Swift's Glibc module leaves out. */
#ifndef CLINUX_H
#define CLINUX_H

/* setns(2) for a network namespace: moves the calling thread. 0, or -1 with errno. */
int linux_enter_network_namespace(int descriptor);

/* pidfd_open(2): a descriptor that becomes readable when the process ends. -1 with errno before Linux 5.3. */
int linux_pidfd_open(int pid);

#endif
