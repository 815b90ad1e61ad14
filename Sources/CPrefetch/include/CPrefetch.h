/* What no Swift function does: to ask the processor for memory without waiting for it. */
#ifndef CPREFETCH_H
#define CPREFETCH_H

/* Asks for the line of the processor's cache in which the address is. Any address will do: one that is not mapped is passed over. */
static inline void prefetch_line(const void *address)
{
	__builtin_prefetch(address);
}

#endif
