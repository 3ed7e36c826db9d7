/*
 * partition.c
 *	  One epoch of one partition: its queue, tracker and place in the scheduler.
 *
 * Runs in: the consumer.
 *
 * A part is made when the partition is assigned and closed when it is given up.  It
 * lives on as long as a worker holds a message of it, so that the mark of that message
 * has a slot to go to; a mark of an older epoch cannot reach a newer one.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "catalog/done_set.h"
#include "core/kafka_time.h"
#include "partition/context.h"
#include "partition/partition.h"
#include "shmem/worker_slots.h"

/* What else is to be done when a partition stops: see burrow_partition_on_stop(). */
static BurrowPartitionStop before_stop;
static BurrowPartitionStop after_stop;

BurrowPartition *
burrow_partition_new(BurrowConsumer *c, const char *topic, int32 partition)
{
	BurrowPartition *part = MemoryContextAllocZero(TopMemoryContext, sizeof(BurrowPartition));
	uint32		i;

	Assert(burrow_partition_find(c, topic, partition) == NULL);
	strlcpy(part->topic, topic, sizeof(part->topic));
	part->partition = partition;
	part->state = BURROW_PARTITION_RESOLVING_START;
	part->slot = -1;
	part->start = -1;
	part->committed = -1;
	part->sent = -1;
	part->stored = -1;
	part->end_offset = -1;
	part->last_eof_offset = -1;
	part->high_watermark = -1;
	part->last_read_offset = -1;
	part->last_read_timestamp = BURROW_KAFKA_NO_TIME;
	part->newest_done_at = DT_NOBEGIN;
	part->goal = -1;
	part->step = BURROW_STEP_ASK;
	burrow_done_set_init(&part->skip);

	for (i = 0; i < c->nids && c->part_by_id[i] != NULL; i++)
		;
	if (i == c->nids)
	{
		uint32		nids = Max(16, c->nids * 2);

		c->part_by_id = c->part_by_id == NULL
			? MemoryContextAllocZero(TopMemoryContext, nids * sizeof(BurrowPartition *))
			: repalloc(c->part_by_id, nids * sizeof(BurrowPartition *));
		memset(c->part_by_id + c->nids, 0, (nids - c->nids) * sizeof(BurrowPartition *));
		c->nids = nids;
	}
	c->part_by_id[i] = part;
	part->id = i + 1;
	dlist_push_tail(&c->parts, &part->node);
	return part;
}

/* Gives back the tracker's segments that nobody needs any more. */
void
burrow_partition_release_segments(BurrowConsumer *c, BurrowPartition *part)
{
	BurrowTrackerSegment *segment;

	while ((segment = burrow_tracker_take_free(&part->tracker)) != NULL)
	{
		dsa_free(c->area, segment->handle);
		pfree(segment);
	}
}

/* The epoch is over and no worker holds a message of it. */
static void
part_free(BurrowConsumer *c, BurrowPartition *part)
{
	Assert(part->held == 0 && part->queue == NULL);
	if (part->is_redelivery)
		c->nletter_parts--;
	burrow_tracker_close(&part->tracker);
	burrow_partition_release_segments(c, part);
	if (part->moving)
		dlist_delete(&part->moving_node);
	dlist_delete(&part->node);
	c->part_by_id[part->id - 1] = NULL;
	burrow_offset_set_reset(&part->skip);
	if (part->stuck_text != NULL)
		pfree(part->stuck_text);
	if (part->folded != NULL)
		pfree(part->folded);
	if (part->obstacle != NULL)
		burrow_obstacle_free(part->obstacle);
	pfree(part);
}

static void
drop_item(void *arg, BurrowSchedulerItem *item)
{
	burrow_partition_free_message(arg, (BurrowMessage *) item);
}

void
burrow_partition_on_stop(BurrowPartitionStop before, BurrowPartitionStop after)
{
	before_stop = before;
	after_stop = after;
}

/* Takes no more of it, and drops what no worker has. */
void
burrow_partition_stop(BurrowConsumer *c, BurrowPartition *part)
{
	if (part->state == BURROW_PARTITION_ACTIVE)
		part->state = BURROW_PARTITION_CLOSING;
	if (part->readable)
	{
		part->readable = false;
		dlist_delete(&part->readable_node);
	}
	if (part->sched == NULL)
		return;
	before_stop(c, part);
	if (!part->shares_queue)
		burrow_scheduler_remove_partition(c->sched, part->sched, drop_item, c);
	part->sched = NULL;
	after_stop(c, part);
}

/* The partition is no longer ours. */
void
burrow_partition_close(BurrowConsumer *c, BurrowPartition *part)
{
	burrow_partition_stop(c, part);
	if (part->state == BURROW_PARTITION_RESOLVING_START)
		c->nresolving--;
	part->state = BURROW_PARTITION_CLOSED;
	if (part->queue != NULL)
	{
		c->kafka->close_queue(part->queue);
		part->queue = NULL;
	}
	if (part->slot >= 0)
	{
		burrow_partitions_free(part->slot);
		part->slot = -1;
	}
	if (part->held == 0)
		part_free(c, part);
}

void
burrow_partition_release(BurrowConsumer *c, BurrowPartition *part)
{
	part->held--;
	if (part->is_redelivery && part->state != BURROW_PARTITION_CLOSED)
	{
		/* all that it was made for is resolved, or given up */
		if (part->unresolved == 0)
			burrow_partition_close(c, part);
	}
	else if (part->state != BURROW_PARTITION_CLOSED)
		burrow_partition_moved(c, part);
	else if (part->held == 0)
		part_free(c, part);
}

static BurrowPartition *
find(BurrowConsumer *c, const char *topic, int32 partition, bool letters)
{
	dlist_iter	iter;

	dlist_foreach(iter, &c->parts)
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (part->state != BURROW_PARTITION_CLOSED && part->is_redelivery == letters && part->partition == partition &&
			strcmp(part->topic, topic) == 0)
			return part;
	}
	return NULL;
}

BurrowPartition *
burrow_partition_find(BurrowConsumer *c, const char *topic, int32 partition)
{
	return find(c, topic, partition, false);
}

BurrowPartition *
burrow_partition_find_letters(BurrowConsumer *c, const char *topic, int32 partition)
{
	return find(c, topic, partition, true);
}

bool
burrow_partition_has_straggler(BurrowConsumer *c, const BurrowPartition *part)
{
	dlist_iter	iter;

	if (c->nold_hands > 0)
	{
		uint64		hand = burrow_worker_slot_hand(part->topic, part->partition);

		for (int i = 0; i < c->nold_hands; i++)
			if (c->old_hands[i] == hand)
				return true;
	}

	dlist_foreach(iter, &c->parts)
	{
		const BurrowPartition *other = dlist_container(BurrowPartition, node, iter.cur);

		if (other != part && other->state == BURROW_PARTITION_CLOSED &&
			other->partition == part->partition && strcmp(other->topic, part->topic) == 0)
			return true;
	}
	return false;
}

/*
 * Does an open transaction keep messages back?  Only where all that can be read has been read is what is
 * beyond it known to be that, and only as long as the end stands still.
 */
static void
note_blocked(BurrowConsumer *c, BurrowPartition *part)
{
	bool		blocked = part->last_eof_offset >= 0 && part->last_eof_offset >= part->end_offset &&
	part->high_watermark > part->end_offset;

	if (!blocked)
		part->blocked_since = 0;
	else if (part->blocked_since == 0 || part->blocked_at != part->end_offset)
	{
		part->blocked_since = c->now;
		part->blocked_at = part->end_offset;
	}
}

/* What others see. */
void
burrow_partition_publish(BurrowConsumer *c, BurrowPartition *part)
{
	BurrowPartitionSlot *slot;
	int64		head;
	int64		oldest;

	part->dirty = false;
	if (part->slot < 0)
		return;
	slot = &burrow_partitions[part->slot];
	head = burrow_tracker_head(&part->tracker);

	/* what was taken was there */
	part->end_offset = Max(part->end_offset, Max(head, part->tracker.last_offset + 1));
	note_blocked(c, part);

	pg_atomic_write_u64(&slot->committed, (uint64) part->committed);
	pg_atomic_write_u64(&slot->processed, (uint64) head);
	pg_atomic_write_u64(&slot->end, (uint64) part->end_offset);
	pg_write_barrier();			/* who sees the time sees the end */
	pg_atomic_write_u64(&slot->end_checked_at, (uint64) part->bounds_at);
	pg_atomic_write_u64(&slot->end_asked_at, (uint64) part->asked_at);
	pg_atomic_write_u64(&slot->high_watermark,
						(uint64) (part->high_watermark < 0 ? -1 : Max(part->high_watermark, part->end_offset)));
	pg_atomic_write_u64(&slot->blocked_since, (uint64) part->blocked_since);
	pg_atomic_write_u64(&slot->inflight, burrow_tracker_depth(&part->tracker));
	pg_atomic_write_u32(&slot->window_full, part->window_full ? 1 : 0);
	if (!TIMESTAMP_IS_NOBEGIN(part->newest_done_at))
		pg_atomic_write_u64(&slot->last_message_at, (uint64) part->newest_done_at);
	if (burrow_tracker_oldest_pending(&part->tracker, &oldest))
	{
		BurrowSegment *segment = (BurrowSegment *) part->tracker.first;

		pg_atomic_write_u64(&slot->oldest_pending_since,
							(uint64) segment->taken_at[part->tracker.head - segment->tracker.base]);
		pg_atomic_write_u64(&slot->oldest_pending, (uint64) oldest);
	}
	else
	{
		pg_atomic_write_u64(&slot->oldest_pending, (uint64) -1);
		pg_atomic_write_u64(&slot->oldest_pending_since, 0);
	}
}

/* Everything that a partition needs before its messages may come. */
void
burrow_partition_open(BurrowConsumer *c, BurrowPartition *part)
{
	char		text[BURROW_KAFKA_TEXT_MAX];

	part->slot = burrow_partitions_reserve(c->slot, part->topic, part->partition, c->epoch);
	if (part->slot < 0)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("too many partitions for subscription \"%s\"", c->sub->name),
				 errhint("Consider increasing the configuration parameter \"burrow.max_partitions\".")));
	burrow_tracker_init(&part->tracker, part->start, c->sub->options.window);
	if (part->rows_lsn != 0)
		burrow_tracker_count_on(&part->tracker, Min(part->told, part->start), part->rows_lsn);
	part->sched = burrow_scheduler_add_partition(c->sched);
	part->queue = c->kafka->open_queue(c->client, part->topic, part->partition, part->id, text);
	if (part->queue == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("could not get the queue of topic \"%s\" partition %d: %s",
						part->topic, part->partition, text)));
}

/* ---- lists that it is on ---- */

/* The partition's queue may hold something. */
void
burrow_partition_readable(BurrowConsumer *c, BurrowPartition *part)
{
	if (part->readable)
		return;
	part->readable = true;
	dlist_push_tail(&c->readable, &part->readable_node);
}

void
burrow_partition_moved(BurrowConsumer *c, BurrowPartition *part)
{
	part->dirty = true;
	if (part->moving)
		return;
	part->moving = true;
	dlist_push_tail(&c->moving, &part->moving_node);
}

/* ---- its messages ---- */

/* The message is resolved, or dropped. */
void
burrow_partition_free_message(BurrowConsumer *c, BurrowMessage *m)
{
	c->bytes -= m->item.bytes;
	if (m->part->is_redelivery)
		m->part->unresolved--;
	if (m->retry != NULL)
		pfree(m->retry);
	pfree(m);
}

/* Nobody holds the message any more. */
void
burrow_partition_forget_message(BurrowConsumer *c, BurrowMessage *m)
{
	BurrowPartition *part = m->part;

	burrow_tracker_release(&part->tracker, m->ref);
	burrow_scheduler_finish(c->sched, &m->item);
	burrow_partition_free_message(c, m);
	burrow_partition_release(c, part);
}
