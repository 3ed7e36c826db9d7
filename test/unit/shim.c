/*
 * shim.c
 *	  What the property tests need beside the core's own functions: inline ones as
 *	  symbols, objects whose size Python need not know, and memory that counts.
 *
 * Part of build/unit/libcore.so, never of the extension.
 */
#include <stdlib.h>
#include <string.h>

#include "core/frame.h"
#include "core/histogram.h"
#include "core/letter_headers.h"
#include "core/offset.h"
#include "core/offset_set.h"
#include "core/parking.h"
#include "core/progress_row.h"
#include "core/scheduler.h"
#include "core/tracker.h"

/* Pieces of memory handed out and not given back. */
static long outstanding;

long
shim_outstanding(void)
{
	return outstanding;
}

/* Pieces ever handed out. */
static long allocations;

long
shim_allocations(void)
{
	return allocations;
}

/* Never zeroes: what a module does not set must not be read. */
static void *
allocate(size_t size)
{
	outstanding++;
	allocations++;
	return memset(malloc(size), 0x5A, size);
}

static void
release(void *pointer)
{
	outstanding--;
	free(pointer);
}

static void *
resize(void *pointer, size_t size)
{
	if (size == 0)
	{
		release(pointer);
		return NULL;
	}
	if (pointer == NULL)
		return allocate(size);
	return realloc(pointer, size);
}

void
shim_free(void *pointer)
{
	release(pointer);
}

/* ---- tracker ---- */

BurrowTracker *
shim_tracker_new(int64_t start, uint64_t window)
{
	BurrowTracker *t = allocate(sizeof(BurrowTracker));

	burrow_tracker_init(t, start, window);
	return t;
}

/* A segment as the consumer makes one: its slots hold what was there before. */
BurrowTrackerSegment *
shim_segment_new(uint64_t handle)
{
	BurrowTrackerSegment *segment = allocate(sizeof(BurrowTrackerSegment));

	segment->slots = allocate(BURROW_TRACKER_SEGMENT_SLOTS * sizeof(BurrowTrackerSlot));
	segment->handle = handle;
	for (int i = 0; i < BURROW_TRACKER_SEGMENT_SLOTS; i++)
	{
		segment->slots[i].offset = -7;
		atomic_store(&segment->slots[i].state, UINT64_C(0x4242424242424242));
	}
	return segment;
}

uint64_t
shim_segment_handle(const BurrowTrackerSegment *segment)
{
	return segment->handle;
}

void
shim_segment_free(BurrowTrackerSegment *segment)
{
	release(segment->slots);
	release(segment);
}

void
shim_tracker_complete(BurrowTrackerSegment *segment, uint32_t index, uint64_t lsn)
{
	BurrowTrackerRef ref = {segment, index};

	burrow_tracker_complete(burrow_tracker_slot(ref), lsn);
}

bool
shim_tracker_is_done(BurrowTrackerSegment *segment, uint32_t index)
{
	BurrowTrackerRef ref = {segment, index};

	return burrow_tracker_is_done(burrow_tracker_slot(ref));
}

/* ---- scheduler ---- */

BurrowScheduler *
shim_sched_new(void)
{
	return burrow_scheduler_create(allocate, release);
}

/* ---- parking ---- */

BurrowParking *
shim_parking_new(void)
{
	BurrowParking *p = allocate(sizeof(BurrowParking));

	burrow_parking_init(p, allocate, release);
	return p;
}

void
shim_parking_free(BurrowParking *p)
{
	burrow_parking_reset(p);
	release(p);
}

size_t
shim_parking_count(const BurrowParking *p)
{
	return p->n;
}

int
shim_parking_verdict(const BurrowParking *p, uint64_t key, bool letter)
{
	return burrow_parking_judge(burrow_parking_state(p, key), letter);
}

/* ---- offset_set ---- */

BurrowOffsetSet *
shim_offset_set_new(void)
{
	BurrowOffsetSet *s = allocate(sizeof(BurrowOffsetSet));

	burrow_offset_set_init(s, resize);
	return s;
}

void
shim_progress_row_init(BurrowProgressRow *row)
{
	burrow_progress_row_init(row, resize);
}

/* ---- offset ---- */

int64_t
shim_offset_after(int64_t offset)
{
	return burrow_offset_after(offset);
}

int64_t
shim_offset_before(int64_t offset)
{
	return burrow_offset_before(offset);
}

int64_t
shim_offset_later(int64_t offset, int64_t n)
{
	return burrow_offset_later(offset, n);
}

int64_t
shim_offset_count(int64_t from, int64_t until)
{
	return burrow_offset_count(from, until);
}

/* ---- frame: sizes, so that the tests' idea of the layout is checked ---- */

size_t
shim_sizeof(int which)
{
	switch (which)
	{
		case 0:
			return sizeof(BurrowChunkHeader);
		case 1:
			return sizeof(BurrowMessageHeader);
		case 2:
			return sizeof(BurrowResultChunk);
		case 3:
			return sizeof(BurrowResultFailure);
		case 4:
			return sizeof(BurrowSchedulerItem);
		case 5:
			return sizeof(BurrowTrackerSlot);
		case 7:
			return sizeof(BurrowLetterHeaders);
		default:
			return sizeof(BurrowHistogram);
	}
}
