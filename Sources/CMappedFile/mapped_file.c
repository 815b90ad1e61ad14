// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CMappedFile.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_GUARDS 64

/* Written under the lock, read by the signal handler: a base of 0 is free. */
static struct guard {
	_Atomic uintptr_t base;
	_Atomic size_t length;
	atomic_bool faulted;
} guards[MAX_GUARDS];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction previous;
static uintptr_t page_size;

static void on_sigbus(int signal, siginfo_t *info, void *context)
{
	uintptr_t address = (uintptr_t)info->si_addr;

	for (int i = 0; i < MAX_GUARDS; i++) {
		uintptr_t base = atomic_load(&guards[i].base);
		void *page;

		if (!base || address < base || address - base >= atomic_load(&guards[i].length))
			continue;
		page = (void *)(address & ~(page_size - 1));
		if (mmap(page, page_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			 0) == MAP_FAILED)
			break;
		atomic_store(&guards[i].faulted, true);
		return;
	}
	/* Not ours: the instruction is tried again under whoever was there before. */
	(void)signal;
	(void)context;
	sigaction(SIGBUS, &previous, NULL);
}

int mapped_file_guard(const void *base, size_t length)
{
	static bool installed;
	int found = -1;

	pthread_mutex_lock(&lock);
	if (!installed) {
		struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO};

		sigemptyset(&action.sa_mask);
		page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
		installed = !sigaction(SIGBUS, &action, &previous);
	}
	for (int i = 0; installed && found < 0 && i < MAX_GUARDS; i++) {
		if (atomic_load(&guards[i].base))
			continue;
		atomic_store(&guards[i].length, length);
		atomic_store(&guards[i].faulted, false);
		atomic_store(&guards[i].base, (uintptr_t)base);
		found = i;
	}
	pthread_mutex_unlock(&lock);
	return found;
}

bool mapped_file_faulted(int guard)
{
	return guard >= 0 && guard < MAX_GUARDS && atomic_load(&guards[guard].faulted);
}

void mapped_file_release(int guard)
{
	if (guard >= 0 && guard < MAX_GUARDS)
		atomic_store(&guards[guard].base, 0);
}
