/*
 * seek.c
 *	  Partitions are moved because somebody asked for it.
 *
 * Runs in: the consumer.
 *
 * A consumer that hears of a seek while it runs drains and starts anew: then no worker
 * has a message in hand, no commit is under way, and the group knows the member that
 * could still send one as fenced.  Where the partition starts then, start.c asks
 * here before it looks at Kafka or the database.
 *
 * What is asked for is in the catalog until Kafka has acknowledged the position and it
 * was removed there; before that no message of the partition is taken.  So a crash at any
 * moment leaves the old position with the seek still to be done, or the new one.  That
 * the database alone has the new position would not be enough: an untagged commit, or
 * one of at_least_once, may count for more than a row.
 *
 * A time is turned into offsets once, and those are stored in its place: what comes
 * after that moment is not missed, however often it starts again.
 *
 * A seek that cannot be done halts the subscription and is forgotten: what is resumed
 * goes on where it was.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "core/kafka_time.h"
#include "offsets/gap.h"
#include "offsets/seek.h"
#include "partition/context.h"
#include "partition/partition.h"
#include "partition/question.h"
#include "partition/status.h"
#include "runtime/crash_point.h"

/* When they could not be removed. */
#define REMOVE_AGAIN_US		INT64CONST(1000000)

/* Not done yet. */
static BurrowPendingSeeks pending_seeks;

/* As burrow_seek_look() has found it, in this turn. */
static BurrowPendingSeeks asked_for;

/* Kafka has acknowledged the position of one. */
static bool acknowledged;

/* They could not be removed: not before; 0: at once. */
static TimestampTz again_at;

/* That which cannot be done, and halts; NULL: none. */
static const BurrowSeek *rejected;

void
burrow_seek_init(const BurrowConsumer *c)
{
	static MemoryContext cxt;
	MemoryContext caller = CurrentMemoryContext;

	if (cxt == NULL)
		cxt = AllocSetContextCreate(TopMemoryContext, "burrow seeks", ALLOCSET_SMALL_SIZES);
	MemoryContextReset(cxt);
	MemoryContextSwitchTo(cxt);
	burrow_seek_request_load(c->subid, &pending_seeks);
	MemoryContextSwitchTo(caller);
}

static BurrowSeek *
find(const BurrowPendingSeeks *pending, const char *topic, int32 partition)
{
	for (int i = 0; i < pending->n; i++)
		if (pending->seeks[i].partition == partition && strcmp(pending->seeks[i].topic, topic) == 0)
			return &pending->seeks[i];
	return NULL;
}

void
burrow_seek_look(const BurrowConsumer *c)
{
	MemoryContext caller = MemoryContextSwitchTo(c->turn_cxt);

	burrow_seek_request_load(c->subid, &asked_for);
	MemoryContextSwitchTo(caller);
}

bool
burrow_seek_is_new(void)
{
	BurrowPendingSeeks pending = asked_for;

	if (pending.has_time && (!pending_seeks.has_time || pending_seeks.time != pending.time))
		return true;
	for (int i = 0; i < pending.n; i++)
	{
		const BurrowSeek *known = find(&pending_seeks, pending.seeks[i].topic, pending.seeks[i].partition);

		if (known == NULL || known->offset != pending.seeks[i].offset)
			return true;
	}
	return false;
}

/* ---- can it be done? ---- */

static void
refuse(const BurrowConsumer *c, const BurrowSeek *seek, const char *detail)
{
	BurrowHalt	halt = {
		.topic = seek->topic,
		.partition = seek->partition,
		.offset = seek->offset,
		.sqlstate = "22003",
		.message = psprintf("cannot seek to offset %lld of topic \"%s\" partition %d",
							(long long) seek->offset, seek->topic, seek->partition),
		.detail = detail,
		.hint = "The position is as it was before; use burrow.resume() to go on there, or burrow.seek() to go elsewhere.",
	};

	rejected = seek;
	burrow_status_halt(&halt);
}

/* False: Kafka has not answered. */
static bool
check_partitions_exist(const BurrowConsumer *c)
{
	const char *topic = "";
	BurrowKafkaList *list;
	int			partitions = 0;
	char		text[BURROW_KAFKA_TEXT_MAX];

	/* they are in the order of their topics */
	for (int i = 0; i < pending_seeks.n; i++)
	{
		const BurrowSeek *seek = &pending_seeks.seeks[i];

		if (strcmp(topic, seek->topic) != 0)
		{
			topic = seek->topic;
			list = burrow_question_wait_partitions(c, topic, text);
			if (list == NULL)
			{
				burrow_status_fail_kafka(c, BURROW_TROUBLE_SEEK, BURROW_CAUSE_NO_ANSWER, text);
				return false;
			}
			partitions = list->n;
			c->kafka->list_free(list);
		}
		if (seek->partition >= partitions)
		{
			refuse(c, seek, partitions == 0 ? "There is no such topic." :
				   psprintf("The topic has %d partitions, from 0.", partitions));
			return true;
		}
	}
	return true;
}

/* Where the logs begin and end; NULL: Kafka has not answered. */
static BurrowKafkaList *
ask_bounds(const BurrowConsumer *c)
{
	BurrowKafkaList *list = c->kafka->list_new(pending_seeks.n);
	char		text[BURROW_KAFKA_TEXT_MAX] = "out of memory";
	bool		ok = list != NULL;

	for (int i = 0; ok && i < pending_seeks.n; i++)
		ok = c->kafka->list_set(list, i, pending_seeks.seeks[i].topic, pending_seeks.seeks[i].partition,
								BURROW_KAFKA_NONE_OFFSET, NULL, 0);
	if (ok && burrow_question_wait_bounds(c, list, text))
		return list;
	c->kafka->list_free(list);
	burrow_status_fail_kafka(c, BURROW_TROUBLE_SEEK, BURROW_CAUSE_NO_ANSWER, psprintf("could not look up what the topic holds: %s", text));
	return NULL;
}

static void
check_bounds(const BurrowConsumer *c, const BurrowSeek *seek, int64 low, int64 end)
{
	if (seek->offset < low || seek->offset > end)
		refuse(c, seek, burrow_gap_bounds_text(low, end));
}

/* Those of which Kafka knows nothing now are looked at when they are assigned. */
bool
burrow_seek_check(const BurrowConsumer *c)
{
	BurrowKafkaList *bounds;

	if (pending_seeks.n == 0)
		return true;
	if (!check_partitions_exist(c))
		return false;
	if (burrow_status_is_stopping())
		return true;

	bounds = ask_bounds(c);
	if (bounds == NULL)
		return false;
	for (int i = 0; i < pending_seeks.n && !burrow_status_is_stopping(); i++)
		if (bounds->items[i].error == 0)
			check_bounds(c, &pending_seeks.seeks[i], bounds->items[i].log_start, bounds->items[i].offset);
	burrow_status_over(c, BURROW_TROUBLE_SEEK);
	c->kafka->list_free(bounds);
	return true;
}

void
burrow_seek_check_bounds(const BurrowConsumer *c, BurrowPartition *part)
{
	const BurrowSeek *seek = find(&pending_seeks, part->topic, part->partition);

	if (seek != NULL)
		check_bounds(c, seek, part->identity.log_start_offset, part->end.offset);
}

/* ---- doing it ---- */

bool
burrow_seek_decide(const BurrowPendingSeeks *pending, const char *topic, int32 partition,
				   int64 *start, bool *located)
{
	const BurrowSeek *seek = find(pending, topic, partition);
	TimestampTz time = pending->time;

	if (seek != NULL)
	{
		*start = seek->offset;
		*located = true;
		return true;
	}
	if (!pending->has_time)
		return false;
	*start = TIMESTAMP_IS_NOBEGIN(time) ? BURROW_KAFKA_EARLIEST :
		TIMESTAMP_IS_NOEND(time) ? BURROW_KAFKA_LATEST :
		burrow_kafka_time_from_us(time);
	*located = false;
	return true;
}

bool
burrow_seek_locate(BurrowPartition *part, int64 *start, bool *located)
{
	if (!burrow_seek_decide(&pending_seeks, part->topic, part->partition, start, located))
		return false;
	part->seek.pending = true;
	part->seek.given = *located;
	return true;
}

static BurrowSeek
seek_of(const BurrowPartition *part)
{
	return (BurrowSeek) {part->topic, part->partition, part->start.offset};
}

/* What the time has become. */
typedef struct Fix
{
	BurrowSeek *seeks;
	int			n;
	bool		fixed;
} Fix;

static void
fix(const BurrowConsumer *c, void *arg)
{
	Fix		   *work = arg;

	work->fixed = burrow_seek_request_fix(c->subid, c->sub->uuid, pending_seeks.time, work->seeks, work->n);
}

bool
burrow_seek_fix_time(const BurrowConsumer *c)
{
	Fix			work = {0};
	BurrowSeek *seeks;
	dlist_iter	iter;

	if (!pending_seeks.has_time)
		return true;
	dlist_foreach(iter, burrow_partition_all())
		work.n++;
	work.seeks = palloc(sizeof(BurrowSeek) * work.n);
	work.n = 0;
	dlist_foreach(iter, burrow_partition_all())
	{
		const BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (part->state != BURROW_PARTITION_RESOLVING_START || find(&pending_seeks, part->topic, part->partition) != NULL)
			continue;
		work.seeks[work.n++] = seek_of(part);
	}

	/* not what is wanted any more: we are about to hear of that */
	if (!burrow_status_try(c, fix, &work, BURROW_TROUBLE_STORE_SEEK) || !work.fixed)
		return false;
	BURROW_CRASH_POINT("seek time fixed");

	/* once in the life of the process: what failed, and is tried again, keeps nothing */
	seeks = MemoryContextAlloc(TopMemoryContext, sizeof(BurrowSeek) * (work.n + pending_seeks.n));
	for (int i = 0; i < work.n; i++)
	{
		seeks[i] = work.seeks[i];
		seeks[i].topic = MemoryContextStrdup(TopMemoryContext, work.seeks[i].topic);
	}
	memcpy(seeks + work.n, pending_seeks.seeks, sizeof(BurrowSeek) * pending_seeks.n);
	pending_seeks.seeks = seeks;
	pending_seeks.n += work.n;
	pending_seeks.has_time = false;
	return true;
}

/* Is the new position here and in Kafka? */
static bool
is_done(const BurrowPartition *part)
{
	return part->seek.pending && part->state == BURROW_PARTITION_ACTIVE && part->commit.start_acked;
}

static void
remove_done(const BurrowConsumer *c, void *arg)
{
	BurrowSeek *seeks = palloc(sizeof(BurrowSeek) * pending_seeks.n);
	dlist_iter	iter;
	int			n = 0;

	dlist_foreach(iter, burrow_partition_all())
	{
		const BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (is_done(part))
			seeks[n++] = seek_of(part);
	}
	burrow_seek_request_remove(c->subid, seeks, n);
}

/* The partition is where it was to be moved: its messages may come. */
static void
finish(const BurrowConsumer *c, BurrowPartition *part)
{
	BurrowSeek *seek = find(&pending_seeks, part->topic, part->partition);

	*seek = pending_seeks.seeks[--pending_seeks.n];
	part->seek.pending = false;
	ereport(LOG,
			(errmsg("subscription \"%s\": topic \"%s\" partition %d was moved to offset %lld",
					c->sub->name, part->topic, part->partition, (long long) part->start.offset)));
	burrow_partition_readable(part);
}

void
burrow_seek_acknowledged(void)
{
	acknowledged = true;
}

bool
burrow_seek_has_time(void)
{
	return pending_seeks.has_time;
}

const BurrowSeek *
burrow_seek_rejected(void)
{
	return rejected;
}

static bool
may_remove(void)
{
	return acknowledged && !burrow_status_is_stopping();
}

TimestampTz
burrow_seek_run(const BurrowConsumer *c)
{
	dlist_iter	iter;

	if (!may_remove())
		return 0;
	if (again_at > c->now)
		return again_at;
	BURROW_CRASH_POINT("before seek is removed");
	again_at = 0;
	if (!burrow_status_try(c, remove_done, NULL, BURROW_TROUBLE_REMOVE_SEEK))
	{
		again_at = c->now + REMOVE_AGAIN_US;
		return again_at;
	}
	BURROW_CRASH_POINT("seek removed");
	acknowledged = false;
	dlist_foreach(iter, burrow_partition_all())
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (is_done(part))
			finish(c, part);
	}
	return 0;
}
