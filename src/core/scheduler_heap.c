/*
 * scheduler_heap.c
 *	  A binary heap of the items that came back; scheduler.c says which do.
 *
 * Runs in: the consumer.
 */
#include "core/scheduler_heap.h"

#include <string.h>

#include "core/check.h"

#define SMALLEST_HEAP	16

void
burrow_scheduler_heap_reserve(BurrowSchedulerHeap *heap, const BurrowAllocator *memory, uint64_t n)
{
	size_t		room = heap->room > 0 ? heap->room : SMALLEST_HEAP;
	BurrowSchedulerHeapEntry *entries;

	if (heap->n + n <= heap->room)
		return;
	while (room < heap->n + n)
		room *= 2;
	entries = memory->allocate(room * sizeof(BurrowSchedulerHeapEntry));
	if (heap->entries != NULL)
	{
		memcpy(entries, heap->entries, heap->n * sizeof(BurrowSchedulerHeapEntry));
		memory->release(heap->entries);
	}
	heap->entries = entries;
	heap->room = room;
}

void
burrow_scheduler_heap_push(BurrowSchedulerHeap *heap, uint64_t arrival,
						   struct BurrowSchedulerItem *item)
{
	BurrowSchedulerHeapEntry *entries = heap->entries;
	size_t		i = heap->n++;

	BURROW_CHECK(heap->n <= heap->room);
	while (i > 0 && entries[(i - 1) / 2].arrival > arrival)
	{
		entries[i] = entries[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	entries[i] = (BurrowSchedulerHeapEntry) {arrival, item};
}

void
burrow_scheduler_heap_pop(BurrowSchedulerHeap *heap)
{
	BurrowSchedulerHeapEntry *entries = heap->entries;
	BurrowSchedulerHeapEntry last = entries[--heap->n];
	size_t		i = 0;

	for (;;)
	{
		size_t		child = 2 * i + 1;

		if (child >= heap->n)
			break;
		if (child + 1 < heap->n && entries[child + 1].arrival < entries[child].arrival)
			child++;
		if (entries[child].arrival >= last.arrival)
			break;
		entries[i] = entries[child];
		i = child;
	}
	entries[i] = last;
}

void
burrow_scheduler_heap_free(BurrowSchedulerHeap *heap, const BurrowAllocator *memory)
{
	if (heap->entries != NULL)
		memory->release(heap->entries);
	*heap = (BurrowSchedulerHeap) {0};
}
