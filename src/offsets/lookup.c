/*
 * lookup.c
 *	  Questions to Kafka about the partitions of an assignment.
 *
 * Runs in: the consumer.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "offsets/lookup.h"
#include "partition/partition.h"
#include "partition/status.h"
#include "shmem/registry.h"
#include "shmem/shared_text.h"

/* What the views have of partitions that are not started yet. */
static BurrowStartInfo told;

BurrowKafkaList *
burrow_lookup_try_list(const BurrowConsumer *c, BurrowLookupFilter is_wanted, BurrowLookupOffset offset)
{
	BurrowKafkaList *list;
	dlist_iter	iter;
	int			n = 0;

	dlist_foreach(iter, burrow_partition_all())
		n += is_wanted(c, dlist_container(BurrowPartition, node, iter.cur)) ? 1 : 0;
	list = c->kafka->list_new(n);
	n = 0;
	dlist_foreach(iter, burrow_partition_all())
	{
		const BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (list != NULL && is_wanted(c, part) &&
			!c->kafka->list_set(list, n++, part->topic, part->partition, offset(part), NULL, 0))
		{
			c->kafka->list_free(list);
			list = NULL;
		}
	}
	return list;
}

BurrowKafkaList *
burrow_lookup_list(const BurrowConsumer *c, BurrowLookupFilter is_wanted, BurrowLookupOffset offset)
{
	BurrowKafkaList *list = burrow_lookup_try_list(c, is_wanted, offset);

	if (list == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("Failed while listing partitions.")));
	return list;
}

int64
burrow_lookup_start(const BurrowPartition *part)
{
	return part->start.offset;
}

bool
burrow_lookup_is_due(const BurrowConsumer *c, const BurrowPartition *part, BurrowStartStep step)
{
	return part->state == BURROW_PARTITION_RESOLVING_START && part->start.step == step &&
		part->lookup.asked_tag == 0 && part->lookup.again_at <= c->now;
}

void
burrow_lookup_wait(BurrowPartition *part, TimestampTz at)
{
	part->lookup.asked_tag = 0;
	part->lookup.again_at = at;
}

/* ---- asking ---- */

void
burrow_lookup_put_off(const BurrowConsumer *c, BurrowLookupFilter is_wanted, const char *what, const char *reason)
{
	TimestampTz at = GetCurrentTimestamp() + BURROW_LOOKUP_AGAIN_US;
	dlist_iter	iter;

	dlist_foreach(iter, burrow_partition_all())
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (is_wanted(c, part))
			burrow_lookup_wait(part, at);
	}
	burrow_status_fail_kafka(c, BURROW_TROUBLE_START, BURROW_CAUSE_NO_ANSWER, psprintf("%s: %s", what, reason));
}

void
burrow_lookup_set_asked(const BurrowConsumer *c, BurrowLookupFilter is_wanted, uint64 tag)
{
	dlist_iter	iter;

	dlist_foreach(iter, burrow_partition_all())
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (!is_wanted(c, part))
			continue;
		part->lookup.asked_tag = tag;
		part->lookup.again_at = 0;
	}
}

void
burrow_lookup_ask(const BurrowConsumer *c, BurrowKafkaQuestion question, BurrowLookupFilter is_wanted,
				  BurrowLookupOffset offset, BurrowQuestionAnswer answer, const char *what)
{
	BurrowKafkaList *list = burrow_lookup_list(c, is_wanted, offset);
	char		text[BURROW_KAFKA_TEXT_MAX];
	uint64		tag;

	if (list->n == 0)
	{
		c->kafka->list_free(list);
		return;
	}
	tag = burrow_question_ask(c, question, list, answer, text);
	if (tag != 0)
		burrow_lookup_set_asked(c, is_wanted, tag);
	else
		burrow_lookup_put_off(c, is_wanted, what, text);
}

/* ---- the answer ---- */

/* It may be one for an assignment that is over. */
static bool
waits_for(const BurrowPartition *part, uint64 tag)
{
	return part->state == BURROW_PARTITION_RESOLVING_START && part->lookup.asked_tag == tag;
}

BurrowPartition *
burrow_lookup_answered(const BurrowKafkaTopicPartition *item, uint64 tag)
{
	BurrowPartition *part = burrow_partition_find(item->topic, item->partition);

	if (part == NULL || !waits_for(part, tag))
		return NULL;
	burrow_lookup_wait(part, 0);
	return part;
}

bool
burrow_lookup_again(const BurrowConsumer *c, uint64 tag)
{
	bool		any = false;
	dlist_iter	iter;

	dlist_foreach(iter, burrow_partition_all())
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (!waits_for(part, tag))
			continue;
		burrow_lookup_wait(part, c->now + BURROW_LOOKUP_AGAIN_US);
		any = true;
	}
	return any;
}

void
burrow_lookup_fail(const BurrowConsumer *c, uint64 tag, BurrowKafkaCause cause, const char *what, const char *reason)
{
	if (burrow_lookup_again(c, tag))
		burrow_status_fail_kafka(c, BURROW_TROUBLE_START, cause, psprintf("%s: %s", what, reason));
}

/* ---- no answer for one alone ---- */

void
burrow_lookup_stick(const BurrowConsumer *c, BurrowPartition *part, const char *what, const char *reason)
{
	char	   *text = psprintf("%s: %s", what, reason);
	bool		known = part->lookup.stuck_text != NULL && strcmp(part->lookup.stuck_text, text) == 0;

	part->lookup.again_us = Min(Max(part->lookup.again_us * 2, BURROW_LOOKUP_AGAIN_US), BURROW_LOOKUP_AGAIN_MAX_US);
	/* the question may have taken a while, which the others waited */
	part->lookup.again_at = GetCurrentTimestamp() + part->lookup.again_us;
	if (part->lookup.stuck_since == 0)
		part->lookup.stuck_since = c->now;
	if (known)
		return;
	if (part->lookup.stuck_text != NULL)
		pfree(part->lookup.stuck_text);
	part->lookup.stuck_text = MemoryContextStrdup(TopMemoryContext, text);
	text = psprintf("topic \"%s\" partition %d cannot be started: %s", part->topic, part->partition, text);
	burrow_registry_set_error(c->slot, "08006", text, NULL);
	ereport(told.nstuck == 0 ? WARNING : DEBUG1,
			(errcode(ERRCODE_CONNECTION_FAILURE),
			 errmsg("subscription \"%s\": %s", c->sub->name, text),
			 errdetail("It is asked for again; other partitions go on.")));
}

bool
burrow_lookup_any_stuck(void)
{
	return told.nstuck > 0;
}

/* Tells others; what has been stuck for longest stands for all. */
void
burrow_lookup_publish(const BurrowConsumer *c)
{
	BurrowStartInfo info;
	const BurrowPartition *first = NULL;
	dlist_iter	iter;

	if (burrow_partition_count_resolving() == 0 && told.n == 0)
		return;
	memset(&info, 0, sizeof(info)); /* it is compared as a whole */
	info.n = burrow_partition_count_resolving();
	dlist_foreach(iter, burrow_partition_all())
	{
		const BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (part->state != BURROW_PARTITION_RESOLVING_START || part->lookup.stuck_since == 0)
			continue;
		info.nstuck++;
		if (first == NULL || part->lookup.stuck_since < first->lookup.stuck_since)
			first = part;
	}
	if (first != NULL)
	{
		strlcpy(info.topic, first->topic, sizeof(info.topic));
		info.partition = first->partition;
		info.since = first->lookup.stuck_since;
		burrow_shared_text_copy(info.message, sizeof(info.message), first->lookup.stuck_text);
	}
	if (memcmp(&info, &told, sizeof(info)) == 0)
		return;
	if (info.nstuck == 0 && told.nstuck > 0)
		ereport(LOG,
				(errmsg("subscription \"%s\": all partitions are started", c->sub->name)));
	told = info;
	burrow_registry_set_starting(c->slot, &info);
}
