/*
 * progress_merge.c
 *	  What workers have done beyond the head, in one row.
 *
 * Runs in: the consumer.
 *
 * Exactly once, a worker's row has the offsets that it did and that lie beyond the head.
 * While one message does not end the head stands still, and without progress merges the rows
 * would grow with all that passes it.  A merge puts the union of what is done beyond the
 * head into the consumer's row (lane -1), in a transaction of its own.  That union is as
 * small as what is pending, not as large as what has passed.
 *
 * At least once, what is done beyond the head is told to Kafka alone, and has to fit into
 * a commit: at the same moments that is looked after.
 *
 * What a worker did may leave its row when a merge that has it is committed.  With each
 * chunk the worker is told up to which of its chunks the last merge goes: the last one
 * whose results were here when the merge began.  What those chunks did is marked in the
 * tracker, where the merge finds it, and its commits came before the merge's own in the
 * log; so no crash leaves a merge without the effects that it tells of.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "catalog/done_set.h"
#include "offsets/positions.h"
#include "offsets/progress_merge.h"
#include "offsets/topic_identity.h"
#include "partition/context.h"
#include "partition/partition.h"

/* A worker's row that holds this much beyond the head, in bytes, asks for a merge.  Until it
 * shrinks it takes up a few more chunks, two or three bytes a run: so with chunks of the
 * default size it stays below 2 kB. */
#define MERGE_BYTES			768

/* A head that stands still for fewer messages may well move before a merge is worth it. */
#define MERGE_MESSAGES		256

/* At least once: between two looks whether they fit into a commit. */
#define ROOM_MESSAGES		64

/* At least once, a partition that has more than this takes no more messages: what has
 * no room in the metadata would be run again after a crash. */
#define METADATA_FULL		(BURROW_METADATA_ROOM / 4 * 3)

/* The number of the last chunk that was given out or written. */
static uint64 last_chunk;

/* By lane: that which its worker runs; 0: none. */
static uint64 lane_chunks[BURROW_MAX_WORKERS];

uint64
burrow_progress_merge_begin_chunk(int lane)
{
	last_chunk++;
	if (lane != BURROW_RESOLVED_LANE)
		lane_chunks[lane] = last_chunk;
	return last_chunk;
}

void
burrow_progress_merge_end_chunk(int lane)
{
	lane_chunks[lane] = 0;
}

static void
add_run(void *arg, int64_t first, int64_t last)
{
	burrow_offset_set_add((BurrowOffsetSet *) arg, first, last);
}

void
burrow_progress_merge_collect(BurrowPartition *part, BurrowOffsetSet *done)
{
	burrow_done_set_init(done);
	burrow_offset_set_union(done, &part->skip);
	/* flushed or not: the log has it before what is stored now */
	burrow_tracker_each_done(&part->tracker, PG_UINT64_MAX, add_run, done);
}

/* Up to which chunk of each lane are the results here? */
static void
record_chunks(BurrowPartition *part)
{
	if (part->merge.merged_chunks == NULL)
		part->merge.merged_chunks = MemoryContextAlloc(TopMemoryContext, sizeof(uint64) * (BURROW_RESOLVED_LANE + 1));
	for (int i = 0; i < BURROW_MAX_WORKERS; i++)
		part->merge.merged_chunks[i] = lane_chunks[i] != 0 ? lane_chunks[i] - 1 : last_chunk;
	part->merge.merged_chunks[BURROW_RESOLVED_LANE] = last_chunk;
}

/* Has enough been done beyond the head? */
static bool
is_due(const BurrowConsumer *c, BurrowPartition *part)
{
	if (part->state != BURROW_PARTITION_ACTIVE)
		return false;
	if (burrow_tracker_head(&part->tracker) >= part->merge.mark)
	{
		/* all that was done before has left the rows, or will at their next write */
		part->merge.base = part->commit.ndone;
		part->merge.mark = burrow_tracker_position(&part->tracker);
		part->merge.wanted = false;
		return false;
	}
	if (c->sub->options.delivery == BURROW_AT_LEAST_ONCE)
		return part->commit.ndone - part->merge.base >= ROOM_MESSAGES;
	return part->merge.wanted && part->commit.ndone - part->merge.base >= MERGE_MESSAGES;
}

uint64
burrow_progress_merge_chunk(const BurrowPartition *part, int lane)
{
	return part->merge.merged_chunks != NULL ? part->merge.merged_chunks[lane] : 0;
}

void
burrow_progress_merge_record(BurrowPartition *part, int lane, uint64 merged_chunk, size_t row_bytes)
{
	/* of what the last merge lets go, a chunk that was sent before it tells nothing */
	if (row_bytes >= MERGE_BYTES && merged_chunk == burrow_progress_merge_chunk(part, lane))
		part->merge.wanted = true;
}

bool
burrow_progress_merge_run(const BurrowConsumer *c, BurrowPartition *part)
{
	BurrowPosition position = {
		.topic = part->topic,
		.partition = part->partition,
		.low = burrow_tracker_head(&part->tracker),
	};

	if (!is_due(c, part))
		return false;
	/* if it fails, the next is due when as much more was done */
	part->merge.base = part->commit.ndone;
	part->merge.wanted = false;
	burrow_topic_identity_fill(part, &position);
	burrow_progress_merge_collect(part, &position.done);
	if (c->sub->options.delivery == BURROW_AT_LEAST_ONCE)
	{
		burrow_progress_merge_check_room(part, &position.done, true);
		return false;
	}
	if (!burrow_positions_store(c, &position, 1, false))
		return false;
	record_chunks(part);
	part->merge.mark = burrow_tracker_position(&part->tracker);
	return true;
}

void
burrow_progress_merge_check_room(BurrowPartition *part, const BurrowOffsetSet *done, bool fits)
{
	size_t		bytes = burrow_offset_set_encoded_size(done, burrow_tracker_committable(&part->tracker));

	part->merge.no_room = !fits || BURROW_OFFSET_METADATA_MIN + 1 + (bytes + 2) / 3 * 4 > METADATA_FULL;
}
