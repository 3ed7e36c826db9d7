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
#include "shmem/registry.h"

BurrowKafkaList *
burrow_lookup_list(BurrowConsumer *c, BurrowLookupFilter is_wanted, BurrowLookupOffset offset)
{
	BurrowKafkaList *list;
	dlist_iter	iter;
	int			n = 0;

	dlist_foreach(iter, &c->parts)
		n += is_wanted(c, dlist_container(BurrowPartition, node, iter.cur)) ? 1 : 0;
	list = c->kafka->list_new(n);
	n = 0;
	dlist_foreach(iter, &c->parts)
	{
		const BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (list != NULL && is_wanted(c, part) &&
			!c->kafka->list_set(list, n++, part->topic, part->partition, offset(part), NULL, 0))
		{
			c->kafka->list_free(list);
			list = NULL;
		}
	}
	if (list == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("Failed while assigning %d partitions.", n)));
	return list;
}

int64
burrow_lookup_start(const BurrowPartition *part)
{
	return part->start;
}

bool
burrow_lookup_is_due(const BurrowConsumer *c, const BurrowPartition *part, BurrowStartStep step)
{
	return part->state == BURROW_PARTITION_RESOLVING_START && part->step == step && part->again_at <= c->now;
}

void
burrow_lookup_stick(BurrowConsumer *c, BurrowPartition *part, const char *what, const char *reason)
{
	char	   *text = psprintf("%s: %s", what, reason);
	bool		told = part->stuck_text != NULL && strcmp(part->stuck_text, text) == 0;

	part->again_us = Min(Max(part->again_us * 2, BURROW_LOOKUP_AGAIN_US), BURROW_LOOKUP_AGAIN_MAX_US);
	/* the question may have taken a while, which the others waited */
	part->again_at = GetCurrentTimestamp() + part->again_us;
	if (part->stuck_since == 0)
		part->stuck_since = c->now;
	if (told)
		return;
	if (part->stuck_text != NULL)
		pfree(part->stuck_text);
	part->stuck_text = MemoryContextStrdup(TopMemoryContext, text);
	text = psprintf("topic \"%s\" partition %d cannot be started: %s", part->topic, part->partition, text);
	burrow_registry_set_error(c->slot, "08006", text, NULL);
	ereport(c->start_told.nstuck == 0 ? WARNING : DEBUG1,
			(errcode(ERRCODE_CONNECTION_FAILURE),
			 errmsg("subscription \"%s\": %s", c->sub->name, text),
			 errdetail("It is asked for again; other partitions go on.")));
}
