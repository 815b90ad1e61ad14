/* Prefetching, for which Swift has no function. */
#ifndef CPREFETCH_H
#define CPREFETCH_H

/* Prefetches the cache line of the address without waiting for it. Any address is allowed: an unmapped one is ignored. */
static inline void prefetch_line(const void *address)
{
	__builtin_prefetch(address);
}

#endif
