/*
 * offset_commit.c
 *	  What is durable, and telling Kafka.
 *
 * Runs in: the consumer.
 *
 * The rule: Kafka's offset moves only to an offset below which every message is done
 * and its commit is flushed to disk, here and, where synchronous replication is
 * configured, on the standbys that the level asks for.  So workers may commit
 * asynchronously, and Kafka still has every message whose transaction a crash can
 * take back.  This file only looks at what is flushed; it flushes by itself at a
 * pause, a revocation, a stop, and when a commit is overdue.
 *
 * The last commit before partitions are given up also tells what is done beyond the
 * offset, for the next owner, which may be another server: so it is made when all of
 * that is durable, too.
 *
 * One commit is under way at a time; what Kafka says to it is commit_answer.c's.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "replication/syncrep.h"
#include "replication/walsender.h"
#include "replication/walsender_private.h"
#include "utils/memutils.h"

#include "catalog/done_set.h"
#include "catalog/position.h"
#include "core/offset_metadata.h"
#include "offsets/offset_commit.h"
#include "offsets/positions.h"
#include "offsets/progress_merge.h"
#include "offsets/topic_identity.h"
#include "partition/context.h"
#include "partition/partition.h"
#include "partition/status.h"
#include "runtime/crash_point.h"

/* Looks again for what the walwriter has flushed, while a commit is owed. */
#define FLUSH_LOOK_US		INT64CONST(200000)

/* The same at the end, where somebody waits for it. */
#define FINAL_LOOK_US		INT64CONST(10000)

/* The last commit waits as long as this for standbys. */
#define FINAL_STANDBY_US	INT64CONST(1000000)

/* A commit that waits for a flush longer than this after it was due flushes itself. */
#define OVERDUE_US			INT64CONST(1000000)

/* After a failure. */
#define COMMIT_RETRY_US		INT64CONST(1000000)


/* The level of synchronous replication that the subscription asks for; -1: none. */
static int
standby_mode(const BurrowConsumer *c)
{
	switch (c->sub->options.synchronous_commit)
	{
		case SYNCHRONOUS_COMMIT_LOCAL_FLUSH:
			return -1;
		case SYNCHRONOUS_COMMIT_REMOTE_WRITE:
			return SYNC_REP_WAIT_WRITE;
		case SYNCHRONOUS_COMMIT_REMOTE_APPLY:
			return SYNC_REP_WAIT_APPLY;
		default:
			/* off: the workers do not wait, but Kafka's offset does */
			return SYNC_REP_WAIT_FLUSH;
	}
}

/*
 * The LSN up to which commits are durable.  Never waits.
 *
 * Locks: takes SyncRepLock shared for one read, if standbys are configured.
 */
uint64
burrow_offset_commit_durable_lsn(const BurrowConsumer *c)
{
	XLogRecPtr	lsn = GetFlushRecPtr(NULL);
	int			mode = standby_mode(c);

	if (mode >= 0 && max_wal_senders > 0 &&
		SyncRepStandbyNames != NULL && SyncRepStandbyNames[0] != '\0')
	{
		XLogRecPtr	confirmed;

		LWLockAcquire(SyncRepLock, LW_SHARED);
		confirmed = WalSndCtl->lsn[mode];
		LWLockRelease(SyncRepLock);
		lsn = Min(lsn, confirmed);
	}
	return lsn;
}

/*
 * Can what is done in this part be told to Kafka?  Not when its topic is gone: it would fail, and take
 * the others' with it.
 */
static inline bool
committable(const BurrowPartition *part)
{
	return part->queue != NULL && !part->unknown_to_broker &&
		(part->state == BURROW_PARTITION_ACTIVE || part->state == BURROW_PARTITION_CLOSING);
}

/* What Kafka may be told of a part. */
typedef struct MayTell
{
	int64		offset;			/* -1: nothing */
	bool		runs;			/* and what is done and durable beyond it */
} MayTell;

/*
 * The one answer to the question what Kafka may be told; whatever is sent is asked for here.  The
 * tracker knows which offset: from the start on it counts on all that was read, by way of rows_lsn,
 * and on all that was done.  A start that Kafka does not have yet is told as a whole or not at all:
 * before it is acknowledged no message is taken.
 */
static MayTell
may_tell(const BurrowConsumer *c, const BurrowPartition *part)
{
	MayTell		may = {.offset = -1, .runs = false};

	if (!committable(part))
		return may;
	may.offset = burrow_tracker_committable(&part->tracker);
	if (!part->start_acked && may.offset < part->start)
		may.offset = -1;
	else
		may.runs = part->rows_lsn <= c->durable_lsn;
	return may;
}

/* Is there something that Kafka may be told, and was not? */
static inline bool
owes(const BurrowConsumer *c, const BurrowPartition *part)
{
	MayTell		may = may_tell(c, part);

	if (may.offset < 0)
		return false;
	if (!part->start_acked || may.offset > part->committed)
		return true;

	/*
	 * What is done beyond a head that stands still: at least once, our database does not know it;
	 * and the next owner's never does.
	 */
	return may.runs && part->ndone != part->ndone_sent &&
		(c->sub->options.delivery == BURROW_AT_LEAST_ONCE || part->state == BURROW_PARTITION_CLOSING);
}

/*
 * For the views: since when do standbys owe a confirmation?  The first LSN that waits is kept
 * until it is confirmed, so that a steady stream is not mistaken for standbys that are gone.
 */
static void
note_unconfirmed(BurrowConsumer *c, uint64 durable, uint64 target)
{
	if (c->unconfirmed_lsn > durable)
		return;
	c->unconfirmed_lsn = target > durable && target <= GetFlushRecPtr(NULL) ? target : 0;
	c->unconfirmed_since = c->unconfirmed_lsn > 0 ? c->now : 0;
}

/* Moves the heads of what has changed. */
static void
advance_heads(BurrowConsumer *c)
{
	uint64		target = 0;
	dlist_mutable_iter iter;

	c->durable_lsn = burrow_offset_commit_durable_lsn(c);
	dlist_foreach_modify(iter, &c->moving)
	{
		BurrowPartition *part = dlist_container(BurrowPartition, moving_node, iter.cur);

		burrow_tracker_advance(&part->tracker, c->durable_lsn);
		burrow_partition_release_segments(c, part);
		if (owes(c, part))
			c->owing = true;
		burrow_progress_merge_run(c, part);
		if (part->dirty)
			burrow_partition_publish(c, part);
		/* what is not durable yet is looked at again */
		if (burrow_tracker_flush_target(&part->tracker) == 0)
		{
			part->moving = false;
			dlist_delete(&part->moving_node);
		}
		target = Max(target, burrow_tracker_flush_target(&part->tracker));
	}
	note_unconfirmed(c, c->durable_lsn, target);
}

static bool
waits_for_flush(BurrowConsumer *c)
{
	return !dlist_is_empty(&c->moving);
}

/* Flushes what the heads wait for. */
static void
flush_heads(BurrowConsumer *c)
{
	uint64		target = 0;
	dlist_iter	iter;

	dlist_foreach(iter, &c->moving)
	{
		BurrowPartition *part = dlist_container(BurrowPartition, moving_node, iter.cur);

		/* what was marked since the last look counts too */
		burrow_tracker_advance(&part->tracker, 0);
		target = Max(target, burrow_tracker_flush_target(&part->tracker));
	}
	if (target > 0)
		XLogFlush(target);
}

void
burrow_offset_commit_begin_final(BurrowConsumer *c)
{
	dlist_iter	iter;

	c->finishing = true;
	c->final_lsn = 0;
	dlist_foreach(iter, &c->parts)
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (committable(part))
			c->final_lsn = Max(c->final_lsn, burrow_tracker_highest_lsn(&part->tracker));
	}
	if (c->final_lsn > 0)
		XLogFlush(c->final_lsn);
	c->final_until = c->now + FINAL_STANDBY_US;
	/* a part whose head stands still is not looked at otherwise */
	c->owing = true;
	c->commit_now = true;
	c->commit_not_before = 0;
	burrow_offset_commit_run(c);
}

/* Is something waited for before the last commit? */
static bool
waits_for_final(BurrowConsumer *c)
{
	if (c->final_lsn > 0 && (burrow_offset_commit_durable_lsn(c) >= c->final_lsn || c->now >= c->final_until))
		c->final_lsn = 0;
	return c->final_lsn > 0;
}

static TimestampTz
due_at(const BurrowConsumer *c)
{
	const BurrowOptions *o = &c->sub->options;
	TimestampTz at = c->commit_answered_at + o->commit_interval_us;

	if (c->commit_now || (o->commit_batch_size > 0 && c->done_since_commit >= (uint64) o->commit_batch_size))
		at = c->now;
	return Max(at, c->commit_not_before);
}

static void
add_run(void *arg, int64_t first, int64_t last)
{
	burrow_offset_set_add((BurrowOffsetSet *) arg, first, last);
}

static void
count_run(void *arg, int64_t first, int64_t last)
{
	*(uint64 *) arg += last - first + 1;
}

/* Messages that are done beyond the head, and whose commits are not flushed. */
static uint64
unflushed_beyond_head(BurrowPartition *part, uint64 durable)
{
	uint64		all = 0;
	uint64		flushed = 0;

	burrow_tracker_each_done(&part->tracker, PG_UINT64_MAX, count_run, &all);
	burrow_tracker_each_done(&part->tracker, durable, count_run, &flushed);
	return all - flushed;
}

/* The commit's metadata: mode, UUID, and what is done beyond the offset. */
static void
put_item(BurrowConsumer *c, BurrowKafkaList *list, int i, BurrowPartition *part)
{
	char		text[BURROW_METADATA_ROOM + 1];
	BurrowOffsetMetadata metadata;
	BurrowOffsetSet done;
	MayTell		may = may_tell(c, part);
	bool		with_runs;
	size_t		len;

	Assert(may.offset >= 0);
	metadata.delivery = c->sub->options.delivery;
	strlcpy(metadata.uuid, c->sub->uuid, sizeof(metadata.uuid));
	burrow_done_set_init(&done);
	burrow_offset_set_remove_below(&part->skip, may.offset);
	if (may.runs)
	{
		/* of what was done before this epoch, some may not have been met again */
		burrow_offset_set_union(&done, &part->skip);
		burrow_tracker_each_done(&part->tracker, c->durable_lsn, add_run, &done);
	}
	len = burrow_offset_metadata_encode(&metadata, c->without_runs ? NULL : &done, may.offset,
										text, sizeof(text), &with_runs);
	burrow_offset_set_reset(&done);
	if (metadata.delivery == BURROW_AT_LEAST_ONCE)
	{
		/* what is not flushed yet has to fit into one of the next commits */
		burrow_progress_merge_collect(part, &done);
		burrow_progress_merge_check_room(part, &done);
		burrow_offset_set_reset(&done);
		part->runs_full |= !with_runs;
	}
	c->sent_runs |= len > BURROW_OFFSET_METADATA_MIN;
	part->ndone_sent = part->ndone;
	/* what is not flushed yet is told next time, if there is one */
	if (part->state == BURROW_PARTITION_ACTIVE || !c->finishing)
		part->ndone_sent -= unflushed_beyond_head(part, c->durable_lsn);

	if (!c->kafka->list_set(list, i, part->topic, part->partition, may.offset, c->without_tag ? NULL : text,
							c->without_tag ? 0 : len))
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("Failed while building a commit of %d partitions.", list->n)));
	part->sent = may.offset;
}

/*
 * Is this part's position to be stored before it is committed?  Kafka forgets a group
 * that is empty for long, and a restored database must know where its data stands.
 * Exactly once, the workers' rows tell; but the lows in them stay behind by as much as
 * was in hand, and the topic may lose, by its retention, what is done.  So the
 * consumer's row follows when nothing is in hand, or will be.  And what topic_identity.c
 * needs is known to the consumer alone.
 */
static bool
to_be_stored(const BurrowConsumer *c, const BurrowPartition *part)
{
	if (c->sub->options.delivery == BURROW_EXACTLY_ONCE)
		return burrow_tracker_depth(&part->tracker) == 0 || part->state == BURROW_PARTITION_CLOSING ||
			burrow_topic_identity_is_stale(c, part);
	return true;
}

/*
 * Positions go into the database before they go to Kafka.  False: somebody has locked
 * the table; that is waited for without stopping anything else.
 */
static bool
store_positions(BurrowConsumer *c)
{
	BurrowPosition *positions;
	dlist_iter	iter;
	int			n = 0;

	dlist_foreach(iter, &c->parts)
		n++;
	positions = palloc(sizeof(BurrowPosition) * n);
	n = 0;
	dlist_foreach(iter, &c->parts)
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);
		BurrowPosition *position;

		if (part->sent < 0 || part->sent == part->stored || !to_be_stored(c, part))
			continue;
		position = &positions[n++];
		position->topic = part->topic;
		position->partition = part->partition;
		position->low = part->sent;
		position->done = part->skip;
		burrow_topic_identity_fill(part, position);
		if (c->sub->options.delivery == BURROW_EXACTLY_ONCE)
		{
			/* not the durable head: our commit comes after those that the head counts on */
			position->low = burrow_tracker_head(&part->tracker);
			burrow_progress_merge_collect(part, &position->done);
		}
	}
	if (n > 0 && !burrow_positions_store(c, positions, n, false))
		return false;
	for (int i = 0; i < n; i++)
	{
		BurrowPartition *part = burrow_partition_find(c, positions[i].topic, positions[i].partition);

		part->stored = positions[i].low;
		part->seen_stored_at = c->now;
	}
	return true;
}

/* A commit failed: what was not acknowledged is owed again. */
void
burrow_offset_commit_retry(BurrowConsumer *c)
{
	dlist_iter	iter;

	c->owing = true;
	c->commit_not_before = c->now + COMMIT_RETRY_US;
	dlist_foreach(iter, &c->parts)
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (part->sent >= 0)
			part->ndone_sent = PG_UINT64_MAX;
	}
}

static void
update_untagged(BurrowConsumer *c, void *arg)
{
	burrow_subscription_keep_untagged(c->subid, c->sub->uuid);
}

/* Before the first commit without metadata: the next start must know that such a one is ours.  False: not now. */
static bool
keep_untagged(BurrowConsumer *c)
{
	if (!c->without_tag || c->sub->commits_untagged)
		return true;
	if (!burrow_status_try(c, update_untagged, NULL, "keep that Kafka takes no metadata"))
		return false;
	c->sub->commits_untagged = true;
	return true;
}

/* Sends what is owed. */
static void
send_commit(BurrowConsumer *c)
{
	BurrowKafkaList *list;
	dlist_iter	iter;
	int			n = 0;
	volatile bool stored = false;
	char		text[BURROW_KAFKA_TEXT_MAX];
	MemoryContext old;

	c->owing = false;
	c->sent_runs = false;
	c->without_tag |= c->sub->commits_untagged;
	dlist_foreach(iter, &c->parts)
		n += owes(c, dlist_container(BurrowPartition, node, iter.cur)) ? 1 : 0;
	if (n == 0)
	{
		c->commit_now = false;
		return;
	}

	list = c->kafka->list_new(n);
	if (list == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("Failed while building a commit of %d partitions.", n)));
	/* the list is malloc'd: an error on the way must not leak it */
	old = MemoryContextSwitchTo(c->turn_cxt);
	PG_TRY();
	{
		n = 0;
		dlist_foreach(iter, &c->parts)
		{
			BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

			part->sent = -1;
			if (!owes(c, part))
				continue;
			put_item(c, list, n++, part);
			if (c->sub->options.delivery == BURROW_AT_LEAST_ONCE && part->ndone_sent != part->ndone)
				c->owing = true;
		}
		stored = store_positions(c) && keep_untagged(c);
		if (stored)
		{
			BURROW_CRASH_POINT("before kafka commit");
			c->committing = c->kafka->commit(c->client, list, text);
		}
	}
	PG_FINALLY();
	{
		c->kafka->list_free(list);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);

	c->commit_sent_at = c->now;
	if (c->committing)
	{
		c->commit_now = false;
		c->done_since_commit = 0;
	}
	else
	{
		BURROW_COUNT(c->slot, commits_failed, 1);
		burrow_offset_commit_retry(c);
		/* of the other one it was told why */
		if (stored)
			burrow_status_fail(c, "08006", psprintf("could not commit offsets: %s", text));
		else
			c->commit_not_before = Max(c->commit_not_before, c->now + c->store_delay_us);
	}
}

void
burrow_offset_commit_run(BurrowConsumer *c)
{
	TimestampTz due;

	if (c->client == NULL)
		return;
	advance_heads(c);
	if (c->committing || c->revoke_lost || waits_for_final(c))
		return;

	due = due_at(c);
	if (due > c->now)
		return;
	if (waits_for_flush(c) && due + OVERDUE_US <= c->now)
	{
		flush_heads(c);
		advance_heads(c);
	}
	if (c->owing)
		send_commit(c);
	else if (!waits_for_flush(c))
		c->commit_now = false;	/* there was nothing to commit */
}

/* Nothing more can be told to Kafka of what is done. */
bool
burrow_offset_commit_settled(BurrowConsumer *c, bool closing_only)
{
	dlist_iter	iter;

	if (c->client == NULL || c->revoke_lost)
		return true;
	if (c->final_lsn > 0)
		return false;
	dlist_foreach(iter, &c->parts)
	{
		const BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (closing_only && part->state != BURROW_PARTITION_CLOSING)
			continue;
		if (owes(c, part) || (c->committing && part->sent >= 0))
			return false;
	}
	return true;
}

/* When burrow_offset_commit_run() has something to do; 0: not by time. */
TimestampTz
burrow_offset_commit_next(BurrowConsumer *c)
{
	if (c->client == NULL || c->committing)
		return 0;
	if (c->final_lsn > 0)
		return c->now + FINAL_LOOK_US;
	if (c->owing)
		return due_at(c);
	if (waits_for_flush(c))
		return c->now + FLUSH_LOOK_US;
	return 0;
}
