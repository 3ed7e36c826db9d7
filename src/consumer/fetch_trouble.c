/*
 * fetch_trouble.c
 *	  Partitions that cannot be fetched, while others can.
 *
 * Runs in: the consumer.
 * Owns: when they are looked at, and what each partition says of it (part->fetch).
 */
#include "postgres.h"

#include "catalog/sqlstates.h"
#include "consumer/fetch_trouble.h"
#include "partition/context.h"
#include "partition/end.h"
#include "partition/partition.h"
#include "partition/question.h"
#include "partition/status.h"
#include "shmem/registry.h"

/* Some cannot be fetched, or are suspected. */
static bool exists;

/* When to look at one of them next; 0: never. */
static TimestampTz next_look_at;

/* Of the look at one that is under way; 0: none. */
static uint64 look_tag;

/*
 * The partition cannot be fetched.  That says nothing of Kafka, and metadata say nothing of it: it
 * is over when something of this partition has come, be it its end, or when the metadata client finds it.
 */
static void
record(const BurrowConsumer *c, BurrowPartition *part, const char *sqlstate, const char *text)
{
	int64		position = burrow_tracker_position(&part->tracker);
	bool		first = part->fetch.failing_since == 0;

	if (first)
		part->fetch.failing_since = c->now;
	burrow_end_behind(c, &part->end);
	part->fetch.suspected = false;
	part->fetch.look_at = c->now + BURROW_PROBE_US;
	exists = true;
	next_look_at = burrow_earlier(next_look_at, part->fetch.look_at);
	burrow_partitions_set_trouble(part->slot, part->fetch.failing_since, position, sqlstate, text);
	burrow_registry_set_error(c->slot, sqlstate, text, NULL);
	if (!first)
		return;
	burrow_status_show(c);
	ereport(WARNING,
			(errcode(burrow_sqlstate_pack(sqlstate)),
			 errmsg("subscription \"%s\" cannot fetch topic \"%s\" partition %d offset %lld: %s",
					c->sub->name, part->topic, part->partition, (long long) position, text),
			 errdetail("Other partitions go on, and this one does when the cause is gone.")));
}

void
burrow_fetch_trouble_record(const BurrowConsumer *c, BurrowPartition *part, const BurrowKafkaMessage *km)
{
	record(c, part, km->fault == BURROW_KAFKA_FAULT_REFUSED ? "28000" :
		   km->fault == BURROW_KAFKA_FAULT_SIZE ? "54000" : "08006", km->text);
}

void
burrow_fetch_trouble_record_doubt(const BurrowConsumer *c, BurrowPartition *part, const char *why)
{
	record(c, part, "08006", psprintf("the topic does not hold it, and could not get the topic's id: %s", why));
}

void
burrow_fetch_trouble_over(const BurrowConsumer *c, BurrowPartition *part)
{
	part->fetch.failing_since = 0;
	burrow_partitions_set_trouble(part->slot, 0, -1, "", "");
	if (part->fetch.paused)
		part->fetch.paused = !c->kafka->pause(part->queue, false);
	burrow_status_show(c);
	if (part->intake.obstacle != NULL)
		return;					/* which is known now */
	ereport(LOG,
			(errmsg("subscription \"%s\" fetches topic \"%s\" partition %d again",
					c->sub->name, part->topic, part->partition)));
}

/* Which one it is, looking at each finds out. */
bool
burrow_fetch_trouble_suspect(const BurrowConsumer *c, const char *text)
{
	bool		any = false;
	dlist_iter	iter;

	dlist_foreach(iter, burrow_partition_all())
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (part->state != BURROW_PARTITION_ACTIVE || part->is_redelivery || part->fetch.paused)
			continue;
		any = part->fetch.suspected = true;
		part->fetch.look_at = c->now;
	}
	if (any)
	{
		exists = true;
		next_look_at = c->now;
		ereport(LOG, (errmsg_internal("subscription \"%s\": %s", c->sub->name, text)));
	}
	return any;
}

/* May what the metadata client sees be what the client sees?  Not, while something is left in its queue. */
static bool
is_to_be_looked_at(const BurrowPartition *part)
{
	return part->state == BURROW_PARTITION_ACTIVE && !part->is_redelivery && part->intake.obstacle == NULL &&
		(part->fetch.failing_since != 0 || (part->fetch.suspected && !part->readable));
}

/* The one whose turn it is; sees to when the next one's is. */
static BurrowPartition *
next_to_look_at(const BurrowConsumer *c)
{
	BurrowPartition *first = NULL;
	bool		any = false;
	dlist_iter	iter;

	next_look_at = 0;
	dlist_foreach(iter, burrow_partition_all())
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		any |= part->fetch.failing_since != 0 || part->fetch.suspected;
		if (!is_to_be_looked_at(part))
			continue;
		if (part->fetch.look_at > c->now || first != NULL)
			next_look_at = burrow_earlier(next_look_at, Max(part->fetch.look_at, c->now));
		else
			first = part;
	}
	if (!any)
	{
		/* those that could not be fetched may have been given up */
		exists = false;
		burrow_status_show(c);
	}
	else if (first == NULL && next_look_at == 0)
		next_look_at = c->now + BURROW_PROBE_US;
	return first;
}

/*
 * What the metadata client finds there.  An answer that is too large would break each connection anew, and all
 * partitions that the broker has would wait for it: so the client leaves that one out until the metadata client
 * gets it.
 */
static void
judge(const BurrowConsumer *c, BurrowPartition *part, BurrowKafkaTake took, const BurrowKafkaMessage *m)
{
	switch (took)
	{
		case BURROW_KAFKA_EMPTY:
			break;
		case BURROW_KAFKA_BROKEN:
			if (m->fault == BURROW_KAFKA_FAULT_SIZE && !part->fetch.paused)
				part->fetch.paused = c->kafka->pause(part->queue, true);
			if (m->fault == BURROW_KAFKA_FAULT_SIZE ||
				(part->fetch.failing_since != 0 &&
				 (m->fault == BURROW_KAFKA_FAULT_PASSING || m->fault == BURROW_KAFKA_FAULT_REFUSED)))
			{
				burrow_fetch_trouble_record(c, part, m);
				break;
			}
			/* the client will find it, too */
			/* FALLTHROUGH */
		case BURROW_KAFKA_MESSAGE:
		case BURROW_KAFKA_END:
			part->fetch.suspected = false;
			if (part->fetch.failing_since != 0)
				burrow_fetch_trouble_over(c, part);
			break;
	}
}

/* Not of one that was given up, or has gone on, since it was asked. */
static void
take_look(const BurrowConsumer *c, const BurrowKafkaEvent *event)
{
	const BurrowKafkaTopicPartition *item = &event->list.items[0];
	BurrowPartition *part = burrow_partition_find(item->topic, item->partition);

	look_tag = 0;
	if (part != NULL && is_to_be_looked_at(part) && burrow_tracker_position(&part->tracker) == item->offset)
		judge(c, part, event->took, event->found);
}

static void
look_at(const BurrowConsumer *c, BurrowPartition *part)
{
	char		text[BURROW_KAFKA_TEXT_MAX];

	part->fetch.look_at = c->now + BURROW_PROBE_US;
	next_look_at = burrow_earlier(next_look_at, part->fetch.look_at);
	look_tag = burrow_question_ask_of(c, BURROW_KAFKA_ASK_LOOK, part->topic, part->partition,
									  burrow_tracker_position(&part->tracker), take_look, text);
}

TimestampTz
burrow_fetch_trouble_run(const BurrowConsumer *c)
{
	BurrowPartition *part;

	if (!exists || burrow_status_is_stopping())
		return 0;
	/* the answer wakes us */
	if (look_tag != 0)
		return 0;
	if (next_look_at <= c->now)
	{
		part = next_to_look_at(c);
		if (part != NULL)
			look_at(c, part);
	}
	return exists && look_tag == 0 ? next_look_at : 0;
}
