/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMAPPEDFILE_H
#define CMAPPEDFILE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Lets a mapping outlive the bytes of its file. When a file shrinks while it is
 * mapped, touching what is gone raises SIGBUS, which ends the process; within a
 * guarded mapping it reads as zeros instead, and the fault is remembered.
 *
 * Returns a number for the other functions, or -1 if too many are guarded.
 */
int mapped_file_guard(const void *base, size_t length);

/* Whether bytes were missing since the mapping was guarded. */
bool mapped_file_faulted(int guard);

/* To be called before the mapping is undone. */
void mapped_file_release(int guard);

#endif
