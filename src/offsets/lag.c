/*
 * lag.c
 *	  Where partitions end, for the lag that is shown and for those who wait for it.
 *
 * Runs in: the consumer.
 *
 * Two numbers are meant by "end".  The one that counts here, and for the lag, is how far messages can
 * be read: under read_committed (the default) the last stable offset, before the first message of the oldest
 * transaction that is open.  The other is the high watermark, behind the last message that is there.  What
 * lies between them waits for the producer of that transaction, and nothing tells when more comes: so
 * it is looked at now and then, in what the fetches have brought.
 *
 * The end of a partition is told when it is reached.  That of one that is behind, or
 * whose end somebody waits for, has to be asked for: of the last stable offset under
 * read_committed, and not by the client that fetches, whose questions wait behind
 * its fetches.  Nothing waits for the answer; but a partition that is read to its end again in a moment
 * is not asked for.
 */
#include "postgres.h"

#include "offsets/lag.h"
#include "offsets/lookup.h"
#include "partition/context.h"
#include "partition/end.h"
#include "partition/partition.h"
#include "partition/question.h"
#include "partition/status.h"
#include "partition/turn.h"

/* A partition is behind when its end was not reached for so long. */
#define BEHIND_US			INT64CONST(2000000)

/* The end of one that is behind is asked for anew after this. */
#define END_STALE_US		INT64CONST(10000000)

/* How often is looked for what lies behind open transactions. */
#define WATERMARKS_US		INT64CONST(10000000)

/* How often is looked for such partitions. */
#define LOOK_US				INT64CONST(1000000)

/* Ask for all that were not since then. */
static bool refresh;
static TimestampTz refreshed_at;

/* When they were asked for; and is that not answered yet? */
static TimestampTz asked_at;
static bool waiting;

/* When to see next whose end is to be asked for. */
static TimestampTz look_at;

/* When to look next at the high watermarks. */
static TimestampTz watermarks_at;

/* What is in a queue and was not taken, though there was a turn, is held back. */
static void
record_held_back(const BurrowConsumer *c)
{
	dlist_iter	iter;

	dlist_foreach(iter, burrow_partition_readables())
	{
		BurrowPartition *part = dlist_container(BurrowPartition, readable_node, iter.cur);

		burrow_end_behind(c, &part->end);
	}
}

static bool
wants_end(const BurrowConsumer *c, const BurrowPartition *part)
{
	/* one that is not there would spoil the answer for all */
	if (part->state != BURROW_PARTITION_ACTIVE || part->is_redelivery || part->identity.unknown_to_broker)
		return false;
	if (refresh)
		return part->end.asked_at < refreshed_at;
	if (part->end.behind_since == 0)
		return false;
	return part->end.known_at == 0 ||
		(part->end.behind_since + BEHIND_US <= c->now && part->end.known_at + END_STALE_US <= c->now);
}

static int64
log_end(const BurrowPartition *part)
{
	return BURROW_KAFKA_LATEST;
}

/* NULL: there is none to be asked for, or no memory, without which the lag waits for the next look. */
static BurrowKafkaList *
wanted(const BurrowConsumer *c)
{
	BurrowKafkaList *list = burrow_lookup_try_list(c, wants_end, log_end);

	if (list != NULL && list->n == 0)
	{
		c->kafka->list_free(list);
		list = NULL;
	}
	return list;
}

static void
take_answer(const BurrowConsumer *c, const BurrowKafkaEvent *event)
{
	const BurrowKafkaList *list = &event->list;

	waiting = false;
	if (event->error != 0)
		ereport(DEBUG1,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg_internal("could not get the ends of partitions: %s", event->text)));
	for (int i = 0; i < list->n; i++)
	{
		BurrowPartition *part = burrow_partition_find(list->items[i].topic, list->items[i].partition);

		/* it may have been given up, or have come anew, since it was asked for */
		if (part == NULL || part->state != BURROW_PARTITION_ACTIVE)
			continue;
		if (list->items[i].error != 0)
			burrow_end_unanswered(&part->end, list->items[i].error_text);
		if (list->items[i].error != 0 || list->items[i].offset < 0)
			continue;
		burrow_end_answered(&part->end, list->items[i].offset, asked_at);
		burrow_partition_publish(c, part);
	}
}

/* Costs no question: the answers to the fetches tell it. */
static void
look_at_watermarks(const BurrowConsumer *c)
{
	dlist_iter	iter;

	dlist_foreach(iter, burrow_partition_all())
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);
		int64		high;

		if (part->state != BURROW_PARTITION_ACTIVE || part->is_redelivery)
			continue;
		high = c->kafka->high_watermark(c->client, part->topic, part->partition);
		if (high == part->end.high_watermark && part->end.blocked_since == 0)
			continue;
		burrow_end_set_high_watermark(&part->end, high);
		burrow_partition_publish(c, part);
	}
	watermarks_at = c->now + WATERMARKS_US;
}

void
burrow_lag_ask(const BurrowConsumer *c)
{
	refresh = true;
	refreshed_at = c->now;
	burrow_turn_again();
}

static void
ask(const BurrowConsumer *c)
{
	BurrowKafkaList *list;
	char		text[BURROW_KAFKA_TEXT_MAX];

	record_held_back(c);
	look_at = c->now + LOOK_US;
	list = wanted(c);
	if (list != NULL)
	{
		waiting = burrow_question_ask(c, BURROW_KAFKA_ASK_OFFSETS, list, take_answer, text) != 0;
		asked_at = c->now;
		if (!waiting)
			ereport(DEBUG1,
					(errcode(ERRCODE_OUT_OF_MEMORY),
					 errmsg_internal("could not ask for the ends of partitions: %s", text)));
		/* also if there was none: what does not answer now does not in a second */
		look_at = c->now + END_STALE_US;
	}
}

TimestampTz
burrow_lag_refresh(const BurrowConsumer *c)
{
	if (c->client == NULL || burrow_status_is_stopping())
		return 0;
	if (refresh || c->now >= watermarks_at)
		look_at_watermarks(c);
	/* who wants them as of now has to have an answer to a question of now */
	if (waiting)
		return watermarks_at;
	if (refresh || (!burrow_status_is_failing() && c->now >= look_at))
		ask(c);
	refresh = false;
	return burrow_earlier(watermarks_at,
						  dlist_is_empty(burrow_partition_readables()) || burrow_status_is_failing() ? 0 : look_at);
}
