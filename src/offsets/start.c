/*
 * start.c
 *	  Where the partitions of an assignment start.
 *
 * Runs in: the consumer.
 *
 * The group's committed offsets are asked for, the database's rows are read, and
 * core/start_position decides where each partition starts.  What remains to be looked up
 * (the log's start or end, a time) is asked of the broker.  Then the starts are stored:
 * one row a partition, in place of those that the workers left.  No worker has a message
 * of the partition now, so nobody writes one.  A change of delivery needs no more than
 * that: rows say the same in both modes.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "utils/memutils.h"

#include "catalog/done_set.h"
#include "consumer/consumer.h"
#include "consumer/shutdown.h"
#include "offsets/offset_commit.h"
#include "offsets/seek.h"
#include "offsets/start.h"
#include "offsets/topic_identity.h"
#include "partition/partition.h"
#include "runtime/crash_point.h"

/* Asks again after a failure. */
#define ASK_AGAIN_US		INT64CONST(1000000)

/* Longest wait for an answer of the broker's within one turn. */
#define LOOK_UP_TIMEOUT_MS	1000

/* The committed offsets are asked for without waiting; librdkafka's own limit. */
#define FETCH_TIMEOUT_MS	10000

/* A list of the partitions that are being located; those with a start only, or all. */
BurrowKafkaList *
burrow_start_list(BurrowConsumer *c, bool unlocated_only)
{
	BurrowKafkaList *list;
	dlist_iter	iter;
	int			n = 0;

	dlist_foreach(iter, &c->parts)
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		n += part->state == BURROW_PARTITION_RESOLVING_START && !(unlocated_only && part->located) ? 1 : 0;
	}
	list = c->kafka->list_new(n);
	if (list == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("Failed while assigning %d partitions.", n)));
	n = 0;
	dlist_foreach(iter, &c->parts)
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (part->state != BURROW_PARTITION_RESOLVING_START || (unlocated_only && part->located))
			continue;
		if (!c->kafka->list_set(list, n++, part->topic, part->partition, part->start, NULL, 0))
		{
			c->kafka->list_free(list);
			ereport(ERROR,
					(errcode(ERRCODE_OUT_OF_MEMORY),
					 errmsg("out of memory"),
					 errdetail("Failed while assigning %d partitions.", n)));
		}
	}
	return list;
}

static void
ask_again(BurrowConsumer *c, BurrowAssignStep step, const char *what, const char *reason)
{
	c->assign_step = step;
	c->locate_again_at = c->now + ASK_AGAIN_US;
	burrow_consumer_trouble(c, "08006", psprintf("%s: %s", what, reason));
}

/* Asks for the group's committed offsets. */
void
burrow_start_ask(BurrowConsumer *c)
{
	BurrowKafkaList *list;
	char		text[BURROW_KAFKA_TEXT_MAX];
	bool		ok;
	dlist_iter	iter;

	/* an epoch that is over must be so for the workers too */
	dlist_foreach(iter, &c->parts)
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (part->state == BURROW_PARTITION_RESOLVING_START && burrow_partition_has_straggler(c, part))
			return;
	}
	list = burrow_start_list(c, false);
	ok = c->kafka->fetch_committed(c->client, list, FETCH_TIMEOUT_MS, text);
	c->kafka->list_free(list);
	if (ok)
		c->assign_step = BURROW_ASSIGN_ASKED;
	else
		ask_again(c, BURROW_ASSIGN_ASK, "could not ask for committed offsets", text);
}

/* Where start_from says that a partition without a history starts; a special offset or
 * a time in milliseconds to be looked up, or an offset (*is_offset). */
static int64
option_start(const BurrowStartFrom *s, int32 partition, bool *is_offset)
{
	*is_offset = false;
	switch (s->kind)
	{
		case BURROW_START_EARLIEST:
			break;
		case BURROW_START_LATEST:
			return BURROW_KAFKA_LATEST;
		case BURROW_START_TIME:
			return s->time_ms;
		case BURROW_START_OFFSETS:
			for (int i = 0; i < s->noffsets; i++)
				if (s->partitions[i] == partition)
				{
					*is_offset = true;
					return s->offsets[i];
				}
			break;
	}
	return BURROW_KAFKA_EARLIEST;
}

/* The commit lies below what the database has done: an administrator has to say which
 * is meant. */
BurrowHalt
burrow_start_behind(const char *topic, int32 partition, int64 committed, int64 low)
{
	return (BurrowHalt) {
		.topic = topic,
		.partition = partition,
		.offset = committed,
		.sqlstate = "55000",
		.message = psprintf("committed offset %lld of topic \"%s\" partition %d is behind the database's position %lld",
							(long long) committed, topic, partition, (long long) low),
		.remedy = BURROW_REMEDY_SEEK,
		.seek_to = low,
		.detail = "The offset was not committed by Burrow: the consumer group was reset, or shares its name with another client.",
		.hint = "Use burrow.seek() to say where to go on; or reset the group to the database's position or beyond, and use burrow.resume().",
	};
}

/* See burrow_start_position_find(). */
static BurrowStartPositionFound
find_position(const BurrowSubscription *sub, const BurrowKafkaTopicPartition *item, const BurrowPosition *row,
			  bool group_has_others, const BurrowLogBounds *log, BurrowOffsetSet *skip)
{
	BurrowStartPositionInput in = {
		.committed = item->offset,
		.has_row = row->low >= 0,
		.low = row->low,
		.delivery = sub->options.delivery,
		.group_has_others = group_has_others,
	};

	return burrow_start_position_find(&in, sub->uuid, item->metadata, item->metadata_len, &row->done, log, skip);
}

BurrowStartChoice
burrow_start_decide(const BurrowSubscription *sub, const BurrowStartFrom *option,
					const BurrowKafkaTopicPartition *item, const BurrowPosition *row,
					bool group_has_others, const BurrowLogBounds *log, BurrowOffsetSet *skip)
{
	BurrowStartPositionFound found = find_position(sub, item, row, group_has_others, log, skip);
	BurrowStartChoice location = {
		.commit = found.commit,
		.decided = found.decided,
		.start = found.start,
		.located = true,
		.refused = found.refused,
	};

	/* those whose commits claim something were asked for */
	Assert(!found.needs_bounds);
	if (found.refused > 0)
		ereport(LOG,
				(errmsg("subscription \"%s\": what is committed for topic \"%s\" partition %d claims that offsets are done which the topic does not hold",
						sub->name, item->topic, item->partition),
				 errdetail("%zu ranges of offsets were not believed. %s", found.refused,
						   burrow_topic_identity_bounds_text(log->low, log->end))));

	switch (location.decided.decision)
	{
		case BURROW_START_BY_OPTION:
			location.start = option_start(option, item->partition, &location.located);
			break;
		case BURROW_START_AT_BEGINNING:
			location.located = false;
			location.start = BURROW_KAFKA_EARLIEST;
			break;
		case BURROW_START_HALT:
		case BURROW_START_AT_DATABASE:
		case BURROW_START_AT_KAFKA:
		case BURROW_START_AT_LARGER:
			break;
	}
	return location;
}

/* Does the commit claim that something is done beyond its offset, and does it count? */
static bool
makes_claims(const BurrowSubscription *sub, const BurrowKafkaTopicPartition *item, const BurrowPosition *row)
{
	BurrowOffsetSet skip;
	bool		needs_bounds;

	burrow_done_set_init(&skip);
	needs_bounds = find_position(sub, item, row, false, NULL, &skip).needs_bounds;
	burrow_offset_set_reset(&skip);
	return needs_bounds;
}

BurrowLogBounds *
burrow_start_ask_logs(const BurrowKafkaFunctions *kafka, BurrowKafkaClient *scout,
					  const BurrowSubscription *sub, const BurrowKafkaList *commits,
					  const BurrowPosition *rows, char *text)
{
	BurrowLogBounds *logs = palloc(sizeof(BurrowLogBounds) * commits->n);
	int		   *which = palloc(sizeof(int) * commits->n);
	int			n = 0;

	for (int i = 0; i < commits->n; i++)
	{
		logs[i] = (BurrowLogBounds) {-1, -1};
		if (makes_claims(sub, &commits->items[i], &rows[i]))
			which[n++] = i;
	}
	for (int ends = 0; ends < 2 && n > 0; ends++)
	{
		BurrowKafkaList *list = kafka->list_new(n);
		bool		ok = list != NULL;

		strlcpy(text, "out of memory", BURROW_KAFKA_TEXT_MAX);
		for (int i = 0; ok && i < n; i++)
			ok = kafka->list_set(list, i, commits->items[which[i]].topic, commits->items[which[i]].partition,
								 ends ? BURROW_KAFKA_LATEST : BURROW_KAFKA_EARLIEST, NULL, 0);
		ok = ok && burrow_start_look_up(kafka, scout, list, text);
		for (int i = 0; ok && i < n; i++)
			*(ends ? &logs[which[i]].end : &logs[which[i]].low) = list->items[i].offset;
		kafka->list_free(list);
		if (!ok)
			return NULL;
	}
	return logs;
}

/* Decides where one partition starts. */
static void
locate(BurrowConsumer *c, BurrowPartition *part, const BurrowKafkaTopicPartition *item,
	   const BurrowPosition *row, bool group_has_others, const BurrowLogBounds *log)
{
	int64		low = row->low;
	MemoryContext old;
	BurrowStartChoice location;
	BurrowStartPosition start;

	if (burrow_seek_locate(c, part))
		return;
	old = MemoryContextSwitchTo(TopMemoryContext);
	location = burrow_start_decide(c->sub, &c->start, item, row, group_has_others, log, &part->skip);
	MemoryContextSwitchTo(old);
	BURROW_COUNT(c->slot, claims_refused, location.refused);

	start = location.decided;
	part->located = location.located;
	if (start.decision == BURROW_START_HALT)
	{
		BurrowHalt	halt = burrow_start_behind(part->topic, part->partition, item->offset, low);

		burrow_shutdown_halt(c, &halt);
	}
	else
		part->start = location.start;
	if (start.log)
		ereport(LOG,
				(errmsg("subscription \"%s\": topic \"%s\" partition %d starts at offset %lld of Kafka's",
						c->sub->name, part->topic, part->partition, (long long) start.offset),
				 low >= 0 ? errdetail("The database's position was %lld.", (long long) low) :
				 errdetail("The database has no position.")));

	part->old = start.offset >= 0;
	part->seen_offset = row->seen_offset;
	part->seen_ms = row->seen_ms;

	/* Kafka and the database say so already? */
	part->start_stored = row->alone && low == part->start && row->done.nruns == 0 && part->skip.nruns == 0;
	part->told = Max(item->offset, 0);
	part->rows_lsn = low >= 0 ? PG_UINT64_MAX : 0;
	if (part->located && item->offset <= part->start &&
		location.commit == (c->sub->options.delivery == BURROW_EXACTLY_ONCE ?
							BURROW_START_COMMIT_OWN_EXACTLY_ONCE : BURROW_START_COMMIT_OWN_AT_LEAST_ONCE))
	{
		part->start_acked = true;
		part->committed = item->offset;
	}
}

/* Is this the answer for all partitions that are being located? */
static bool
answers_all(BurrowConsumer *c, const BurrowKafkaList *list)
{
	dlist_iter	iter;
	int			n = 0;

	for (int i = 0; i < list->n; i++)
	{
		BurrowPartition *part = burrow_partition_find(c, list->items[i].topic, list->items[i].partition);

		if (part == NULL || part->state != BURROW_PARTITION_RESOLVING_START)
			return false;
	}
	dlist_foreach(iter, &c->parts)
		n += dlist_container(BurrowPartition, node, iter.cur)->state == BURROW_PARTITION_RESOLVING_START ? 1 : 0;
	return n == list->n;
}

/* What the database knows of the partitions of an assignment. */
typedef struct Rows
{
	BurrowPosition *positions;
	int			n;
	bool		others;			/* the subscription has rows, of these partitions or others */
} Rows;

static void
read_rows(BurrowConsumer *c, void *arg)
{
	Rows	   *rows = arg;

	MemoryContextSwitchTo(c->turn_cxt);
	burrow_position_load(c->subid, rows->positions, rows->n);
	rows->others = burrow_position_exists(c->subid, NULL);
}

/* The group's committed offsets have come. */
void
burrow_start_fetched(BurrowConsumer *c, const BurrowKafkaEvent *event)
{
	const BurrowKafkaList *list = &event->list;
	const char *reason = event->error != 0 ? event->text : NULL;
	Rows		rows = {.n = list->n};
	BurrowLogBounds *logs;
	char		text[BURROW_KAFKA_TEXT_MAX];

	for (int i = 0; i < list->n && reason == NULL; i++)
		if (list->items[i].error != 0)
			reason = list->items[i].error_text;
	if (c->assign_step != BURROW_ASSIGN_ASKED || (reason == NULL && !answers_all(c, list)))
		return;					/* asked in another matter, or for an assignment that is over */
	if (reason != NULL)
	{
		ask_again(c, BURROW_ASSIGN_ASK, "could not get committed offsets", reason);
		return;
	}

	rows.positions = palloc(sizeof(BurrowPosition) * list->n);
	for (int i = 0; i < list->n; i++)
	{
		rows.positions[i].topic = list->items[i].topic;
		rows.positions[i].partition = list->items[i].partition;
	}
	if (!burrow_consumer_try(c, read_rows, &rows, "read positions"))
	{
		c->assign_step = BURROW_ASSIGN_ASK;
		c->locate_again_at = c->now + ASK_AGAIN_US;
		return;
	}
	logs = burrow_start_ask_logs(c->kafka, c->scout, c->sub, list, rows.positions, text);
	if (logs == NULL)
	{
		ask_again(c, BURROW_ASSIGN_ASK, "could not look up what the topic holds", text);
		return;
	}
	burrow_consumer_trouble_over(c);

	for (int i = 0; i < list->n; i++)
	{
		BurrowPartition *part = burrow_partition_find(c, list->items[i].topic, list->items[i].partition);

		if (part != NULL && part->state == BURROW_PARTITION_RESOLVING_START)
			/* a partition that comes later than the first is new: none of it may be missed */
			locate(c, part, &list->items[i], &rows.positions[i], rows.others, &logs[i]);
	}
	c->assign_step = BURROW_ASSIGN_RESOLVE;
	c->locate_again_at = 0;
}

bool
burrow_start_look_up(const BurrowKafkaFunctions *kafka, BurrowKafkaClient *scout,
						BurrowKafkaList *list, char *text)
{
	if (!kafka->resolve(scout, list, LOOK_UP_TIMEOUT_MS, text))
		return false;
	for (int i = 0; i < list->n; i++)
	{
		const BurrowKafkaTopicPartition *item = &list->items[i];

		if (item->error == 0 && item->offset >= 0)
			continue;
		strlcpy(text, item->error != 0 ? item->error_text : "no offset was returned", BURROW_KAFKA_TEXT_MAX);
		return false;
	}
	return true;
}

/* Who asked for a time learns where there was none: not to be found does not mean that it is not there. */
static void
tell_of_ends(const BurrowConsumer *c, const BurrowKafkaList *list)
{
	int			n = 0;

	for (int i = 0; i < list->n; i++)
		n += list->items[i].beyond ? 1 : 0;
	if (n > 0)
		ereport(LOG,
				(errmsg("subscription \"%s\": Kafka finds no message at or after the time in %d of %d partitions, which start at their end",
						c->sub->name, n, list->n),
				 errdetail("What is behind a transaction that is open is not found.  Such a partition starts where the oldest open transaction does: nothing is skipped, and older messages may be handled.")));
}

/* Looks up the log's start or end, or a time.  False: not all are known yet. */
bool
burrow_start_resolve(BurrowConsumer *c)
{
	BurrowKafkaList *list = burrow_start_list(c, true);
	char		text[BURROW_KAFKA_TEXT_MAX];
	bool		ok = burrow_start_look_up(c->kafka, c->scout, list, text);

	if (ok)
		tell_of_ends(c, list);
	for (int i = 0; ok && i < list->n; i++)
	{
		BurrowPartition *part = burrow_partition_find(c, list->items[i].topic, list->items[i].partition);

		part->start = list->items[i].offset;
		part->located = true;
	}
	c->kafka->list_free(list);
	if (!ok)
		ask_again(c, BURROW_ASSIGN_RESOLVE, "could not look up starting offsets", text);
	return ok;
}

/* All starts are known: they go into the database.  False: not now. */
bool
burrow_start_store(BurrowConsumer *c)
{
	BurrowPosition *positions;
	dlist_iter	iter;
	int			n = 0;

	if (!burrow_seek_fix_time(c))
	{
		c->locate_again_at = c->now + ASK_AGAIN_US;
		return false;
	}
	BURROW_CRASH_POINT("before start is stored");
	dlist_foreach(iter, &c->parts)
		n++;
	positions = palloc(sizeof(BurrowPosition) * n);
	n = 0;
	dlist_foreach(iter, &c->parts)
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (part->state != BURROW_PARTITION_RESOLVING_START || part->start_stored)
			continue;
		positions[n].topic = part->topic;
		positions[n].partition = part->partition;
		positions[n].low = part->start;
		burrow_topic_identity_fill(part, &positions[n]);
		positions[n++].done = part->skip;
	}
	if (n > 0 && !burrow_offset_commit_store(c, positions, n, true))
	{
		c->locate_again_at = c->now + ASK_AGAIN_US;
		return false;
	}
	dlist_foreach(iter, &c->parts)
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (part->state != BURROW_PARTITION_RESOLVING_START)
			continue;
		part->start_stored = true;
		part->stored = part->start;
		part->seen_stored_at = c->now;
		/* what was written is flushed, and so is what was read, or it would have been written */
		if (part->rows_lsn != 0)
			part->rows_lsn = GetFlushRecPtr(NULL);
	}
	BURROW_CRASH_POINT("start stored");
	return true;
}
