/*
 * segment.c
 *	  Dynamic shared memory for the slots of a partition's tracker.
 *
 * Runs in: the consumer.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "partition/segment.h"
#include "partition/status.h"
#include "shmem/dynamic.h"

/* When there was no dynamic shared memory for a partition's tracker. */
#define SEGMENTS_AGAIN_US	INT64CONST(1000000)

typedef struct Slots
{
	dsa_area   *area;
	dsa_pointer handle;
} Slots;

static void
allocate_slots(void *arg)
{
	Slots	   *slots = arg;

	slots->handle = dsa_allocate(slots->area, BURROW_TRACKER_SEGMENT_SLOTS * sizeof(BurrowTrackerSlot));
}

bool
burrow_segment_add(BurrowConsumer *c, BurrowPartition *part)
{
	Slots		slots = {c->area, InvalidDsaPointer};
	const char *why;
	dsa_pointer handle;
	BurrowSegment *segment;

	if (c->segments_again_at > c->now)
		return false;
	why = burrow_dynamic_try(allocate_slots, &slots);
	handle = slots.handle;
	if (why != NULL)
	{
		c->segments_again_at = c->now + SEGMENTS_AGAIN_US;
		burrow_status_fail(c, "53200",
						   psprintf("could not allocate dynamic shared memory for a tracker segment: %s", why));
		return false;
	}
	segment = MemoryContextAllocZero(c->message_cxt, sizeof(BurrowSegment));
	segment->tracker.slots = dsa_get_address(c->area, handle);
	segment->tracker.handle = handle;
	burrow_tracker_add_segment(&part->tracker, &segment->tracker);
	return true;
}
