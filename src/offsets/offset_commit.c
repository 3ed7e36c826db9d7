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
 * A commit also tells what is done beyond the offset, for the next owner, which may be
 * another server; so one is owed when that has changed and the offset stands still.  What
 * no commit has told when a server dies, its successor does again: docs/scale-out.md has the
 * bound.  The last commit before partitions are given up is made when all of that is durable, too.
 *
 * One commit is under way at a time; what Kafka says to it is commit_answer.c's.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "catalog/done_set.h"
#include "catalog/position.h"
#include "core/offset_metadata.h"
#include "offsets/commit_room.h"
#include "offsets/commit_silence.h"
#include "offsets/durability.h"
#include "offsets/offset_commit.h"
#include "offsets/positions.h"
#include "offsets/progress_merge.h"
#include "offsets/seek.h"
#include "offsets/topic_identity.h"
#include "partition/context.h"
#include "partition/partition.h"
#include "partition/status.h"
#include "partition/turn.h"
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

/* A commit is under way. */
static bool committing;

static TimestampTz sent_at;

/* Or the start. */
static TimestampTz answered_at;

/* None before: by count, or after a failure. */
static TimestampTz not_before;

/* Messages. */
static uint64 done_since;

/* One is asked for. */
static bool now_asked_for;

/* Something is done that Kafka does not know. */
static bool owing;

/* As this turn's look found it: all that Kafka is told counts on it. */
static uint64 durable_lsn;

/* What closing parts are told of now is all that will be told. */
static bool finishing;

/* The last commit waits until this is durable; 0: for nothing; but not longer. */
static uint64 final_lsn;
static TimestampTz final_until;

/* The assignment was lost: nothing may be committed. */
static bool forbidden;

/* ---- what is asked of it ---- */

void
burrow_offset_commit_found(BurrowPartition *part, int64 offset)
{
	part->commit.start_acked = true;
	part->commit.acknowledged = offset;
}

void
burrow_offset_commit_forget(BurrowPartition *part)
{
	part->commit.start_acked = false;
	part->commit.acknowledged = -1;
}

void
burrow_offset_commit_stored(BurrowPartition *part, int64 offset)
{
	part->commit.stored = offset;
}

void
burrow_offset_commit_ask(void)
{
	now_asked_for = true;
	burrow_turn_again();
}

void
burrow_offset_commit_count_done(BurrowPartition *part)
{
	part->commit.ndone++;
	done_since++;
}

void
burrow_offset_commit_forbid(bool is_so)
{
	forbidden = is_so;
}

void
burrow_offset_commit_end_final(void)
{
	finishing = false;
}

/*
 * Can what is done in this part be told to Kafka?  Not when its topic is gone: it would fail, and take
 * the others' with it.
 */
static inline bool
committable(const BurrowPartition *part)
{
	return part->queue != NULL && !part->identity.unknown_to_broker &&
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
	if (!part->commit.start_acked && may.offset < part->start.offset)
		may.offset = -1;
	else
		may.runs = part->start.rows_lsn <= durable_lsn;
	return may;
}

/* Is there something that Kafka may be told, and was not? */
static inline bool
owes(const BurrowConsumer *c, const BurrowPartition *part)
{
	MayTell		may = may_tell(c, part);

	if (may.offset < 0)
		return false;
	if (!part->commit.start_acked || may.offset > part->commit.acknowledged)
		return true;

	/*
	 * What is done beyond a head that stands still: at least once, our database does not know it;
	 * and the next owner's never does, which may have to go on without a last commit of ours.
	 */
	return may.runs && part->commit.ndone != part->commit.ndone_sent &&
		(c->sub->options.delivery == BURROW_AT_LEAST_ONCE || part->state == BURROW_PARTITION_CLOSING ||
		 (burrow_commit_room_has_runs() && burrow_tracker_depth(&part->tracker) > 0));
}

/* Moves the heads of what has changed. */
static void
advance_heads(const BurrowConsumer *c)
{
	uint64		target = 0;
	dlist_mutable_iter iter;

	durable_lsn = burrow_durability_lsn(c);
	dlist_foreach_modify(iter, burrow_partition_moving())
	{
		BurrowPartition *part = dlist_container(BurrowPartition, moving_node, iter.cur);

		burrow_tracker_advance(&part->tracker, durable_lsn);
		burrow_partition_release_segments(c, part);
		if (owes(c, part))
			owing = true;
		if (burrow_progress_merge_run(c, part))
		{
			part->commit.stored = -1;
			/* much was done beyond the head, and the next owner would not know it */
			now_asked_for = true;
		}
		if (part->dirty)
			burrow_partition_publish(c, part);
		/* what is not durable yet is looked at again */
		if (burrow_tracker_flush_target(&part->tracker) == 0)
			burrow_partition_set_still(part);
		target = Max(target, burrow_tracker_flush_target(&part->tracker));
	}
	burrow_durability_record(c, durable_lsn, target);
}

static bool
waits_for_flush(const BurrowConsumer *c)
{
	return !dlist_is_empty(burrow_partition_moving());
}

/* Flushes what the heads wait for. */
static void
flush_heads(const BurrowConsumer *c)
{
	uint64		target = 0;
	dlist_iter	iter;

	dlist_foreach(iter, burrow_partition_moving())
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
burrow_offset_commit_begin_final(const BurrowConsumer *c)
{
	dlist_iter	iter;

	finishing = true;
	final_lsn = 0;
	dlist_foreach(iter, burrow_partition_all())
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (committable(part))
			final_lsn = Max(final_lsn, burrow_tracker_highest_lsn(&part->tracker));
	}
	if (final_lsn > 0)
		XLogFlush(final_lsn);
	final_until = c->now + FINAL_STANDBY_US;
	/* a part whose head stands still is not looked at otherwise */
	owing = true;
	now_asked_for = true;
	not_before = 0;
	(void) burrow_offset_commit_run(c);
	burrow_turn_again();
}

/* Is something waited for before the last commit? */
static bool
waits_for_final(const BurrowConsumer *c)
{
	if (final_lsn > 0 && (burrow_durability_lsn(c) >= final_lsn || c->now >= final_until))
		final_lsn = 0;
	return final_lsn > 0;
}

static TimestampTz
due_at(const BurrowConsumer *c)
{
	const BurrowOptions *o = &c->sub->options;
	TimestampTz at = answered_at + o->commit_interval_us;

	if (now_asked_for || (o->commit_batch_size > 0 && done_since >= (uint64) o->commit_batch_size))
		at = c->now;
	return Max(at, not_before);
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
put_item(const BurrowConsumer *c, BurrowKafkaList *list, int i, BurrowPartition *part)
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
	burrow_partition_forget_skipped(part, may.offset);
	if (may.runs)
	{
		/* of what was done before this epoch, some may not have been met again */
		burrow_offset_set_union(&done, &part->skip);
		burrow_tracker_each_done(&part->tracker, durable_lsn, add_run, &done);
	}
	len = burrow_offset_metadata_encode(&metadata, burrow_commit_room_has_runs() ? &done : NULL, may.offset,
										text, burrow_commit_room_bytes(), &with_runs);
	burrow_offset_set_reset(&done);
	if (metadata.delivery == BURROW_AT_LEAST_ONCE)
	{
		/* what is not flushed yet has to fit into one of the next commits */
		burrow_progress_merge_collect(part, &done);
		burrow_progress_merge_check_room(part, &done, with_runs || burrow_commit_room_is_small());
		burrow_offset_set_reset(&done);
	}
	burrow_commit_room_record(len);
	part->commit.ndone_sent = part->commit.ndone;
	/* what is not flushed yet is told next time, if there is one */
	if (part->state == BURROW_PARTITION_ACTIVE || !finishing)
		part->commit.ndone_sent -= unflushed_beyond_head(part, durable_lsn);

	if (!c->kafka->list_set(list, i, part->topic, part->partition, may.offset,
							burrow_commit_room_has_tag() ? text : NULL, burrow_commit_room_has_tag() ? len : 0))
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("Failed while building a commit of %d partitions.", list->n)));
	part->commit.sent = may.offset;
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
store_positions(const BurrowConsumer *c)
{
	BurrowPosition *positions;
	dlist_iter	iter;
	int			n = 0;

	dlist_foreach(iter, burrow_partition_all())
		n++;
	positions = palloc(sizeof(BurrowPosition) * n);
	n = 0;
	dlist_foreach(iter, burrow_partition_all())
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);
		BurrowPosition *position;

		if (part->commit.sent < 0 || part->commit.sent == part->commit.stored || !to_be_stored(c, part))
			continue;
		position = &positions[n++];
		position->topic = part->topic;
		position->partition = part->partition;
		position->low = part->commit.sent;
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
		BurrowPartition *part = burrow_partition_find(positions[i].topic, positions[i].partition);

		part->commit.stored = positions[i].low;
		burrow_topic_identity_stored(c, part);
	}
	return true;
}

/* ---- what became of it ---- */

void
burrow_offset_commit_answered(const BurrowConsumer *c)
{
	answered_at = c->now;
}

/* Takes over what Kafka acknowledged for one partition. */
void
burrow_offset_commit_acknowledge(const BurrowConsumer *c, const BurrowKafkaTopicPartition *item)
{
	BurrowPartition *part = burrow_partition_find(item->topic, item->partition);

	if (part == NULL || part->commit.sent != item->offset)
		return;					/* of an older epoch */
	if (part->commit.acknowledged >= 0 && part->commit.sent > part->commit.acknowledged)
		BURROW_COUNT(c->slot, offsets_committed, part->commit.sent - part->commit.acknowledged);
	part->commit.acknowledged = part->commit.sent;
	part->commit.sent = -1;
	part->commit.start_acked = true;
	if (part->seek.pending)
		burrow_seek_acknowledged();
	burrow_partition_publish(c, part);
	/* it may have waited for its starting position to be acknowledged */
	burrow_partition_readable(part);
}

void
burrow_offset_commit_resend(BurrowPartition *part)
{
	part->commit.ndone_sent = PG_UINT64_MAX;
}

void
burrow_offset_commit_succeeded(const BurrowConsumer *c)
{
	BurrowSubscriptionSlot *slot = &burrow->subscriptions[c->slot];

	committing = false;
	burrow_histogram_add(&slot->kafka_commit_time, (uint64) Max(c->now - sent_at, 0));
	pg_atomic_write_u64(&slot->last_commit_at, (uint64) c->now);
	/* commits by count may take a tenth of the time */
	not_before = c->now + 9 * (c->now - sent_at);
	not_before = Min(not_before, c->now + c->sub->options.commit_interval_us);
}

void
burrow_offset_commit_retry_at_once(const BurrowConsumer *c)
{
	not_before = c->now;
}

/*
 * A commit failed: what was not acknowledged is owed again, and as soon as it may be sent: it was due.  It may
 * be a start, before whose acknowledgement no message is taken, and the interval may be an hour.
 */
void
burrow_offset_commit_retry(const BurrowConsumer *c)
{
	dlist_iter	iter;

	committing = false;
	owing = true;
	now_asked_for = true;
	not_before = c->now + COMMIT_RETRY_US;
	dlist_foreach(iter, burrow_partition_all())
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (part->commit.sent >= 0)
			burrow_offset_commit_resend(part);
	}
}

/* ---- sending ---- */

static void
update_untagged(const BurrowConsumer *c, void *arg)
{
	burrow_subscription_keep_untagged(c->subid, c->sub->uuid);
}

/* Before the first commit without metadata: the next start must know that such a one is ours.  False: not now. */
static bool
keep_untagged(const BurrowConsumer *c)
{
	if (burrow_commit_room_has_tag() || c->sub->commits_untagged)
		return true;
	if (!burrow_status_try(c, update_untagged, NULL, BURROW_TROUBLE_KEEP_UNTAGGED))
		return false;
	c->sub->commits_untagged = true;
	return true;
}

/* Sends what is owed. */
static void
send_commit(const BurrowConsumer *c)
{
	BurrowKafkaList *list;
	dlist_iter	iter;
	int			n = 0;
	volatile bool stored = false;
	char		text[BURROW_KAFKA_TEXT_MAX];
	MemoryContext old;

	owing = false;
	burrow_commit_room_begin();
	dlist_foreach(iter, burrow_partition_all())
		n += owes(c, dlist_container(BurrowPartition, node, iter.cur)) ? 1 : 0;
	if (n == 0)
	{
		now_asked_for = false;
		burrow_commit_silence_forget();
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
		dlist_foreach(iter, burrow_partition_all())
		{
			BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

			part->commit.sent = -1;
			if (!owes(c, part))
				continue;
			put_item(c, list, n++, part);
			/* what was not flushed yet */
			if (part->commit.ndone_sent != part->commit.ndone && owes(c, part))
				owing = true;
		}
		stored = store_positions(c) && keep_untagged(c);
		if (stored)
		{
			BURROW_CRASH_POINT("before kafka commit");
			burrow_commit_silence_begin(c);
			committing = c->kafka->commit(c->client, list, text);
		}
	}
	PG_FINALLY();
	{
		c->kafka->list_free(list);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);

	sent_at = c->now;
	if (committing)
	{
		now_asked_for = false;
		done_since = 0;
	}
	else
	{
		BURROW_COUNT(c->slot, commits_failed, 1);
		burrow_offset_commit_retry(c);
		/* of the other one it was told why */
		if (stored)
			burrow_status_fail_kafka(c, BURROW_TROUBLE_COMMIT, BURROW_CAUSE_NO_ANSWER, psprintf("could not commit offsets: %s", text));
		else
			not_before = Max(not_before, c->now + burrow_positions_delay_us());
	}
}

/* One commit, if it is time for one and something is owed. */
static void
commit_if_due(const BurrowConsumer *c)
{
	TimestampTz due = due_at(c);

	if (due > c->now)
		return;
	if (waits_for_flush(c) && due + OVERDUE_US <= c->now)
	{
		flush_heads(c);
		advance_heads(c);
	}
	if (owing)
		send_commit(c);
	else if (!waits_for_flush(c))
		now_asked_for = false;	/* there was nothing to commit */
}

TimestampTz
burrow_offset_commit_run(const BurrowConsumer *c)
{
	if (c->client == NULL)
		return 0;
	advance_heads(c);
	if (!committing && !forbidden && !waits_for_final(c))
		commit_if_due(c);
	if (committing)
		return 0;
	if (final_lsn > 0)
		return c->now + FINAL_LOOK_US;
	if (owing)
		return due_at(c);
	return waits_for_flush(c) ? c->now + FLUSH_LOOK_US : 0;
}

/* Nothing more can be told to Kafka of what is done. */
bool
burrow_offset_commit_settled(const BurrowConsumer *c, bool closing_only)
{
	dlist_iter	iter;

	if (c->client == NULL || forbidden)
		return true;
	if (final_lsn > 0)
		return false;
	dlist_foreach(iter, burrow_partition_all())
	{
		const BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (closing_only && part->state != BURROW_PARTITION_CLOSING)
			continue;
		if (owes(c, part) || (committing && part->commit.sent >= 0))
			return false;
	}
	return true;
}
