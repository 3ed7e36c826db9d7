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

/* There was none: not before; 0: at once. */
static TimestampTz again_at;

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

void
burrow_segment_look(const BurrowConsumer *c)
{
	if (again_at <= c->now)
		again_at = 0;
}

TimestampTz
burrow_segment_next(void)
{
	return again_at;
}

bool
burrow_segment_add(const BurrowConsumer *c, BurrowPartition *part)
{
	Slots		slots = {c->area, InvalidDsaPointer};
	const char *why;
	dsa_pointer handle;
	BurrowSegment *segment;
	BurrowTroubleReport report = {.sqlstate = "53200"};

	if (again_at > c->now)
		return false;
	why = burrow_dynamic_try(allocate_slots, &slots);
	handle = slots.handle;
	if (why != NULL)
	{
		again_at = c->now + SEGMENTS_AGAIN_US;
		report.message = psprintf("could not allocate dynamic shared memory for a tracker segment: %s", why);
		burrow_status_fail(c, BURROW_TROUBLE_MEMORY, &report);
		return false;
	}
	burrow_status_over(c, BURROW_TROUBLE_MEMORY);
	segment = MemoryContextAllocZero(c->message_cxt, sizeof(BurrowSegment));
	segment->tracker.slots = dsa_get_address(c->area, handle);
	segment->tracker.handle = handle;
	burrow_tracker_add_segment(&part->tracker, &segment->tracker);
	return true;
}
