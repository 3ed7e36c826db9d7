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
#include "partition/end.h"
#include "partition/old_worker.h"
#include "partition/partition.h"
#include "partition/turn.h"

/* All epochs that still matter. */
static dlist_head all = DLIST_STATIC_INIT(all);

/* Those whose queue may hold something. */
static dlist_head readables = DLIST_STATIC_INIT(readables);

/* Those whose heads may move, or whose slot is dirty. */
static dlist_head moving = DLIST_STATIC_INIT(moving);

/* By id - 1; NULL: free. */
static BurrowPartition **by_id;
static uint32 nids;

/* The last that was given. */
static uint32 epoch;

/* Of all messages taken and not resolved. */
static uint64 bytes;

/* Those whose start is not known or not used yet, and those that hold dead letters. */
static uint32 nresolving;
static uint32 nredeliveries;

/* What else is to be done when a partition stops: see burrow_partition_on_stop(). */
static BurrowPartitionStop before_stop;
static BurrowPartitionStop after_stop;

static BurrowPartition *
find(const char *topic, int32 partition, bool letters)
{
	dlist_iter	iter;

	dlist_foreach(iter, &all)
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (part->state != BURROW_PARTITION_CLOSED && part->is_redelivery == letters && part->partition == partition &&
			strcmp(part->topic, topic) == 0)
			return part;
	}
	return NULL;
}

BurrowPartition *
burrow_partition_new(const char *topic, int32 partition, bool is_redelivery)
{
	BurrowPartition *part = MemoryContextAllocZero(TopMemoryContext, sizeof(BurrowPartition));
	uint32		i;

	Assert(find(topic, partition, is_redelivery) == NULL);
	strlcpy(part->topic, topic, sizeof(part->topic));
	part->partition = partition;
	part->is_redelivery = is_redelivery;
	part->state = is_redelivery ? BURROW_PARTITION_ACTIVE : BURROW_PARTITION_RESOLVING_START;
	if (is_redelivery)
		nredeliveries++;
	else
		nresolving++;
	part->slot = -1;
	part->start.offset = -1;
	part->commit.acknowledged = -1;
	part->commit.sent = -1;
	part->commit.stored = -1;
	burrow_end_init(&part->end);
	part->identity.last_read_offset = -1;
	part->identity.last_read_timestamp = BURROW_KAFKA_NO_TIME;
	part->newest_done_at = DT_NOBEGIN;
	part->intake.goal = -1;
	part->start.step = BURROW_STEP_ASK;
	burrow_done_set_init(&part->skip);

	for (i = 0; i < nids && by_id[i] != NULL; i++)
		;
	if (i == nids)
	{
		uint32		n = Max(16, nids * 2);

		by_id = by_id == NULL
			? MemoryContextAllocZero(TopMemoryContext, n * sizeof(BurrowPartition *))
			: repalloc(by_id, n * sizeof(BurrowPartition *));
		memset(by_id + nids, 0, (n - nids) * sizeof(BurrowPartition *));
		nids = n;
	}
	by_id[i] = part;
	part->id = i + 1;
	dlist_push_tail(&all, &part->node);
	return part;
}

/* The only one who changes it. */
void
burrow_partition_set_state(BurrowPartition *part, BurrowPartitionState state)
{
	Assert(state > part->state || part->state == BURROW_PARTITION_CLOSED);
	Assert(state != BURROW_PARTITION_CLOSING || part->state == BURROW_PARTITION_ACTIVE);
	if (part->state == BURROW_PARTITION_RESOLVING_START)
		nresolving--;
	part->state = state;
}

uint32
burrow_partition_count_resolving(void)
{
	return nresolving;
}

bool
burrow_partition_any_redelivery(void)
{
	return nredeliveries > 0;
}

void
burrow_partition_begin_epoch(void)
{
	epoch++;
}

void
burrow_partition_set_window(uint32 window)
{
	dlist_iter	iter;

	dlist_foreach(iter, &all)
		dlist_container(BurrowPartition, node, iter.cur)->tracker.window = window;
}

void
burrow_partition_skip(BurrowPartition *part, const BurrowOffsetSet *done)
{
	MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);

	burrow_offset_set_union(&part->skip, done);
	MemoryContextSwitchTo(caller);
}

void
burrow_partition_forget_skipped(BurrowPartition *part, int64 below)
{
	burrow_offset_set_remove_below(&part->skip, below);
}

/* Gives back the tracker's segments that nobody needs any more. */
void
burrow_partition_release_segments(const BurrowConsumer *c, BurrowPartition *part)
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
part_free(const BurrowConsumer *c, BurrowPartition *part)
{
	Assert(part->held == 0 && part->queue == NULL);
	if (part->is_redelivery && --nredeliveries == 0)
		burrow_turn_again();
	burrow_tracker_close(&part->tracker);
	burrow_partition_release_segments(c, part);
	if (part->moving)
		dlist_delete(&part->moving_node);
	dlist_delete(&part->node);
	by_id[part->id - 1] = NULL;
	burrow_offset_set_reset(&part->skip);
	if (part->lookup.stuck_text != NULL)
		pfree(part->lookup.stuck_text);
	if (part->merge.merged_chunks != NULL)
		pfree(part->merge.merged_chunks);
	if (part->intake.obstacle != NULL)
		burrow_obstacle_free(part->intake.obstacle);
	pfree(part);
}

static void
drop_item(void *arg, BurrowSchedulerItem *item)
{
	burrow_partition_free_message((BurrowMessage *) item);
}

void
burrow_partition_on_stop(BurrowPartitionStop before, BurrowPartitionStop after)
{
	before_stop = before;
	after_stop = after;
}

/* Takes no more of it, and drops what no worker has. */
void
burrow_partition_stop(const BurrowConsumer *c, BurrowPartition *part)
{
	if (part->state == BURROW_PARTITION_ACTIVE)
		burrow_partition_set_state(part, BURROW_PARTITION_CLOSING);
	if (part->readable)
		burrow_partition_set_unreadable(part);
	if (part->sched == NULL)
		return;
	before_stop(c, part);
	if (!part->shares_queue)
		burrow_scheduler_remove_partition(c->sched, part->sched, drop_item, NULL);
	part->sched = NULL;
	after_stop(c, part);
}

/* The partition is no longer ours. */
void
burrow_partition_close(const BurrowConsumer *c, BurrowPartition *part)
{
	burrow_partition_stop(c, part);
	burrow_partition_set_state(part, BURROW_PARTITION_CLOSED);
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
burrow_partition_release(const BurrowConsumer *c, BurrowPartition *part)
{
	part->held--;
	if (part->is_redelivery && part->state != BURROW_PARTITION_CLOSED)
	{
		/* all that it was made for is resolved, or given up */
		if (part->unresolved == 0)
			burrow_partition_close(c, part);
	}
	else if (part->state != BURROW_PARTITION_CLOSED)
		burrow_partition_moved(part);
	else if (part->held == 0)
		part_free(c, part);
}

BurrowPartition *
burrow_partition_find(const char *topic, int32 partition)
{
	return find(topic, partition, false);
}

BurrowPartition *
burrow_partition_find_letters(const char *topic, int32 partition)
{
	return find(topic, partition, true);
}

bool
burrow_partition_has_straggler(const BurrowPartition *part)
{
	dlist_iter	iter;

	if (burrow_old_worker_has(part->topic, part->partition))
		return true;
	dlist_foreach(iter, &all)
	{
		const BurrowPartition *other = dlist_container(BurrowPartition, node, iter.cur);

		if (other != part && other->state == BURROW_PARTITION_CLOSED &&
			other->partition == part->partition && strcmp(other->topic, part->topic) == 0)
			return true;
	}
	return false;
}

/* What others see. */
void
burrow_partition_publish(const BurrowConsumer *c, BurrowPartition *part)
{
	BurrowPartitionSlot *slot;
	int64		head;
	int64		oldest;

	part->dirty = false;
	if (part->slot < 0)
		return;
	slot = &burrow_partitions[part->slot];
	head = burrow_tracker_head(&part->tracker);

	burrow_end_publish(c, &part->end, Max(head, burrow_tracker_position(&part->tracker)),
					   burrow_tracker_oldest_pending(&part->tracker, &oldest));

	pg_atomic_write_u64(&slot->committed, (uint64) part->commit.acknowledged);
	pg_atomic_write_u64(&slot->processed, (uint64) head);
	pg_atomic_write_u64(&slot->end, (uint64) part->end.offset);
	pg_write_barrier();			/* who sees the time sees the end */
	pg_atomic_write_u64(&slot->end_checked_at, (uint64) part->end.known_at);
	pg_atomic_write_u64(&slot->end_asked_at, (uint64) part->end.asked_at);
	pg_atomic_write_u64(&slot->high_watermark,
						(uint64) (part->end.high_watermark < 0 ? -1 : Max(part->end.high_watermark, part->end.offset)));
	pg_atomic_write_u64(&slot->blocked_since, (uint64) part->end.blocked_since);
	pg_atomic_write_u64(&slot->inflight, burrow_tracker_depth(&part->tracker));
	pg_atomic_write_u32(&slot->window_full, part->intake.window_full ? 1 : 0);
	if (!TIMESTAMP_IS_NOBEGIN(part->newest_done_at))
		pg_atomic_write_u64(&slot->last_message_at, (uint64) part->newest_done_at);
	if (burrow_tracker_oldest_pending(&part->tracker, &oldest))
	{
		const BurrowSegment *segment = (BurrowSegment *) part->tracker.first;
		uint64		index = part->tracker.head - segment->tracker.base;
		TimestampTz produced_at = segment->produced_at[index];

		pg_atomic_write_u64(&slot->behind_since, (uint64) (produced_at != 0 ? produced_at : segment->taken_at[index]));
		pg_atomic_write_u64(&slot->oldest_pending_since, (uint64) segment->taken_at[index]);
		pg_atomic_write_u64(&slot->oldest_pending, (uint64) oldest);
	}
	else
	{
		pg_atomic_write_u64(&slot->oldest_pending, (uint64) -1);
		pg_atomic_write_u64(&slot->oldest_pending_since, 0);
		pg_atomic_write_u64(&slot->behind_since, (uint64) part->end.unread_since);
	}
}

void
burrow_partition_open_letters(const BurrowConsumer *c, BurrowPartition *part, const BurrowPartition *host, int64 first,
							  uint32 window)
{
	Assert(part->is_redelivery);
	part->shares_queue = host != NULL && host->sched != NULL;
	burrow_tracker_init(&part->tracker, first, window);
	part->sched = part->shares_queue ? host->sched : burrow_scheduler_add_partition(c->sched);
}

/* Everything that a partition needs before its messages may come. */
void
burrow_partition_open(const BurrowConsumer *c, BurrowPartition *part)
{
	char		text[BURROW_KAFKA_TEXT_MAX];

	part->slot = burrow_partitions_reserve(c->slot, part->topic, part->partition, epoch);
	if (part->slot < 0)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("too many partitions for subscription \"%s\"", c->sub->name),
				 errhint("Consider increasing the configuration parameter \"burrow.max_partitions\".")));
	burrow_tracker_init(&part->tracker, part->start.offset, c->sub->options.window);
	if (part->start.rows_lsn != 0)
		burrow_tracker_count_on(&part->tracker, Min(part->start.told, part->start.offset), part->start.rows_lsn);
	part->sched = burrow_scheduler_add_partition(c->sched);
	part->queue = c->kafka->open_queue(c->client, part->topic, part->partition, part->id, text);
	if (part->queue == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("could not get the queue of topic \"%s\" partition %d: %s",
						part->topic, part->partition, text)));
}

/* ---- lists that it is on ---- */

dlist_head *
burrow_partition_all(void)
{
	return &all;
}

dlist_head *
burrow_partition_readables(void)
{
	return &readables;
}

dlist_head *
burrow_partition_moving(void)
{
	return &moving;
}

BurrowPartition *
burrow_partition_with_id(uint32 id)
{
	return id > 0 && id <= nids ? by_id[id - 1] : NULL;
}

/* The partition's queue may hold something. */
void
burrow_partition_readable(BurrowPartition *part)
{
	if (part->readable)
		return;
	part->readable = true;
	dlist_push_tail(&readables, &part->readable_node);
}

void
burrow_partition_set_unreadable(BurrowPartition *part)
{
	part->readable = false;
	dlist_delete(&part->readable_node);
}

void
burrow_partition_end_turn(BurrowPartition *part)
{
	dlist_delete(&part->readable_node);
	dlist_push_tail(&readables, &part->readable_node);
}

void
burrow_partition_set_still(BurrowPartition *part)
{
	part->moving = false;
	dlist_delete(&part->moving_node);
}

void
burrow_partition_moved(BurrowPartition *part)
{
	part->dirty = true;
	if (part->moving)
		return;
	part->moving = true;
	dlist_push_tail(&moving, &part->moving_node);
}

/* ---- its messages ---- */

void
burrow_partition_count_message(BurrowMessage *m)
{
	bytes += m->item.bytes;
	if (m->part->is_redelivery)
		m->part->unresolved++;
}

uint64
burrow_partition_bytes(void)
{
	return bytes;
}

/* The message is resolved, or dropped. */
void
burrow_partition_free_message(BurrowMessage *m)
{
	bytes -= m->item.bytes;
	if (m->part->is_redelivery)
		m->part->unresolved--;
	if (m->retry != NULL)
		pfree(m->retry);
	pfree(m);
}

/* Nobody holds the message any more. */
void
burrow_partition_forget_message(const BurrowConsumer *c, BurrowMessage *m)
{
	BurrowPartition *part = m->part;

	burrow_tracker_release(&part->tracker, m->ref);
	burrow_scheduler_finish(c->sched, &m->item);
	burrow_partition_free_message(m);
	burrow_partition_release(c, part);
}
