/*
 * allocator.h
 *	  Where a module of core gets its memory from.
 */
#ifndef BURROW_CORE_ALLOCATOR_H
#define BURROW_CORE_ALLOCATOR_H

#include <stddef.h>

/* allocate must not return NULL (it may leave by longjmp). */
typedef struct BurrowAllocator
{
	void	   *(*allocate) (size_t size);
	void		(*release) (void *pointer);
} BurrowAllocator;

#endif							/* BURROW_CORE_ALLOCATOR_H */
