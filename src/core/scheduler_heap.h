/*
 * scheduler_heap.h
 *	  Items of a partition that came back to the scheduler, the oldest first.
 */
#ifndef BURROW_CORE_SCHEDULER_HEAP_H
#define BURROW_CORE_SCHEDULER_HEAP_H

#include <stddef.h>
#include <stdint.h>

#include "core/allocator.h"

typedef struct BurrowSchedulerHeapEntry
{
	uint64_t	arrival;
	struct BurrowSchedulerItem *item;
} BurrowSchedulerHeapEntry;

/* All zero: empty. */
typedef struct BurrowSchedulerHeap
{
	BurrowSchedulerHeapEntry *entries;	/* the first is the oldest */
	size_t		n;
	size_t		room;
} BurrowSchedulerHeap;

/* Room for n more; the one function here that needs memory. */
extern void burrow_scheduler_heap_reserve(BurrowSchedulerHeap *heap, const BurrowAllocator *memory,
										  uint64_t n);
extern void burrow_scheduler_heap_push(BurrowSchedulerHeap *heap, uint64_t arrival,
									   struct BurrowSchedulerItem *item);
/* Takes the oldest out. */
extern void burrow_scheduler_heap_pop(BurrowSchedulerHeap *heap);
extern void burrow_scheduler_heap_free(BurrowSchedulerHeap *heap, const BurrowAllocator *memory);

#endif							/* BURROW_CORE_SCHEDULER_HEAP_H */
