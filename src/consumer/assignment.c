/*
 * assignment.c
 *	  Partitions come and go.
 *
 * Runs in: the consumer.
 *
 * Each assignment of a partition is an epoch with a tracker of its own (BurrowPartition),
 * so a mark from an older epoch cannot reach a newer one, and a partition that comes
 * back waits until no worker holds a message of its old epoch.
 *
 * Coming: start.c finds and stores where each partition starts.  Then the partition
 * queues are split off and the assignment is answered with explicit offsets.  No message
 * is taken before the start is stored here and Kafka has acknowledged it, or an earlier
 * commit of ours, which leads back to the database: otherwise a crash or a hand-over would
 * lose what came in between.
 *
 * Going: nothing more is taken or given out, what workers have in hand is waited for,
 * what is done is flushed and committed, then the assignment is let go.  After the
 * deadline what still runs is cancelled, and after another one terminated; a
 * partition is never given up while a worker has a message of it, unless it was lost
 * anyway.
 *
 * Each rebalance event is answered by exactly one assign or unassign.  Meanwhile the
 * main queue is polled as ever.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "consumer/assignment.h"
#include "consumer/consumer.h"
#include "consumer/intake.h"
#include "dead_letter/redelivery.h"
#include "delivery/pool.h"
#include "offsets/offset_commit.h"
#include "offsets/start.h"
#include "offsets/topic_identity.h"
#include "partition/partition.h"

/* From cancelling what runs to terminating its worker. */
#define KILL_AFTER_US		INT64CONST(2000000)

/* The final commit of what is given up has as long as this at least. */
#define REVOKE_COMMIT_US	INT64CONST(5000000)

/* ---- partitions come ---- */

/* All starts are known and stored: answer the assignment. */
static void
answer_assign(BurrowConsumer *c)
{
	BurrowKafkaList *list;
	char		text[BURROW_KAFKA_TEXT_MAX];
	bool		ok;
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &c->parts)
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (part->state == BURROW_PARTITION_RESOLVING_START)
			burrow_partition_open(c, part);
	}
	list = burrow_start_list(c, false);
	ok = c->kafka->assign(c->client, list, text);
	c->kafka->list_free(list);
	c->assign_step = BURROW_ASSIGN_NONE;
	c->assign_unanswered = false;

	dlist_foreach_modify(iter, &c->parts)
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (part->state != BURROW_PARTITION_RESOLVING_START)
			continue;
		if (!ok)
		{
			burrow_partition_close(c, part);
			continue;
		}
		part->state = BURROW_PARTITION_ACTIVE;
		/* stored here before its first message; and in Kafka, where it is new to the group */
		if (part->committed != part->start)
		{
			c->commit_now = true;
			burrow_offset_commit_moved(c, part);
		}
		burrow_intake_readable(c, part);
		burrow_partition_publish(c, part);
	}
	if (!ok)
	{
		burrow_consumer_trouble(c, "08006", psprintf("could not take over the assignment: %s", text));
		return;
	}
	c->joined = true;
	burrow_consumer_trouble_over(c);
	burrow_consumer_show_state(c);
}

void
burrow_assignment_assign(BurrowConsumer *c, const BurrowKafkaList *list)
{
	BURROW_COUNT(c->slot, rebalances, 1);
	ereport(LOG,
			(errmsg("subscription \"%s\" is assigned %d partitions", c->sub->name, list->n)));
	c->epoch++;
	c->assign_unanswered = true;
	c->assign_step = BURROW_ASSIGN_ASK;
	c->locate_again_at = 0;
	for (int i = 0; i < list->n; i++)
	{
		BurrowPartition *letters = burrow_partition_find_letters(c, list->items[i].topic, list->items[i].partition);

		/* they would not keep the order with the messages that come now */
		if (letters != NULL)
		{
			burrow_redelivery_give_up(c, letters);
			burrow_partition_close(c, letters);
		}
		burrow_partition_new(c, list->items[i].topic, list->items[i].partition);
	}

	/*
	 * Most cooperative rebalances bring nothing new.  What is asked for at an assignment, a
	 * seek to a time among it, waits for one with partitions.
	 */
	if (list->n == 0)
		answer_assign(c);
}

/* ---- partitions go ---- */

void
burrow_assignment_stop(BurrowConsumer *c)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &c->parts)
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (part->state == BURROW_PARTITION_RESOLVING_START)
			burrow_partition_close(c, part);
		else
			burrow_partition_stop(c, part);
	}
	c->assign_step = BURROW_ASSIGN_NONE;
}


/* Answers the revocation; the partitions are not ours from here on. */
static void
answer_revoke(BurrowConsumer *c)
{
	char		text[BURROW_KAFKA_TEXT_MAX];
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &c->parts)
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (part->state == BURROW_PARTITION_CLOSING && part->revoked)
			burrow_partition_close(c, part);
	}
	if (!c->kafka->unassign(c->client, c->revoked, text))
		burrow_consumer_trouble(c, "08006", psprintf("could not give up the assignment: %s", text));
	c->kafka->list_free(c->revoked);
	c->revoked = NULL;
	c->revoke_lost = false;
	c->finishing = false;
}

/* Lets go of everything, and answers what was not answered yet. */
void
burrow_assignment_close(BurrowConsumer *c)
{
	dlist_mutable_iter iter;

	if (c->revoked != NULL)
		answer_revoke(c);
	if (c->assign_unanswered)
	{
		BurrowKafkaList none = {0};
		char		text[BURROW_KAFKA_TEXT_MAX];

		(void) c->kafka->assign(c->client, &none, text);
		c->assign_unanswered = false;
	}
	dlist_foreach_modify(iter, &c->parts)
		burrow_partition_close(c, dlist_container(BurrowPartition, node, iter.cur));
}

void
burrow_assignment_revoke(BurrowConsumer *c, const BurrowKafkaList *list, bool lost)
{
	int64		timeout_us = Min(c->sub->options.shutdown_timeout_us, c->max_poll_us / 2);

	BURROW_COUNT(c->slot, rebalances, 1);
	ereport(LOG,
			(errmsg("subscription \"%s\" gives up %d partitions", c->sub->name, list->n),
			 lost ? errdetail("The assignment was lost: messages in hand may be handled again by another member.") : 0));

	/* our own copy: the event's does not live until the answer */
	c->revoked = c->kafka->list_new(list->n);
	for (int i = 0; c->revoked != NULL && i < list->n; i++)
		if (!c->kafka->list_set(c->revoked, i, list->items[i].topic, list->items[i].partition,
								BURROW_KAFKA_NONE_OFFSET, NULL, 0))
		{
			c->kafka->list_free(c->revoked);
			c->revoked = NULL;
		}
	if (c->revoked == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("Failed while giving up %d partitions.", list->n)));

	/* an assignment that was not answered yet has nothing to give up */
	c->assign_step = BURROW_ASSIGN_NONE;
	for (int i = 0; i < list->n; i++)
	{
		BurrowPartition *part = burrow_partition_find(c, list->items[i].topic, list->items[i].partition);

		if (part == NULL)
			continue;
		if (part->state == BURROW_PARTITION_RESOLVING_START)
		{
			burrow_partition_close(c, part);
			continue;
		}
		burrow_partition_stop(c, part);
		part->revoked = true;
	}
	c->assign_unanswered = false;
	c->revoke_lost = lost;
	c->revoke_deadline = c->now + timeout_us;
	c->kill_deadline = 0;
	c->revoke_flushed = false;
	if (lost)
		answer_revoke(c);
}

/* Messages of the revoked partitions in workers' hands. */
static uint64
revoked_in_hand(BurrowConsumer *c)
{
	uint64		n = 0;
	dlist_iter	iter;

	dlist_foreach(iter, &c->parts)
	{
		const BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (part->state == BURROW_PARTITION_CLOSING)
			n += part->held;
	}
	return n;
}

/*
 * Cancels what is still in hand after the deadline, then terminates its workers.
 * Waits for their answer or exit in any case.
 */
void
burrow_assignment_enforce(BurrowConsumer *c, TimestampTz deadline)
{
	if (c->now < deadline)
		return;
	if (c->kill_deadline == 0)
	{
		ereport(LOG,
				(errmsg("subscription \"%s\": cancelling messages that are still being handled", c->sub->name)));
		c->kill_deadline = c->now + KILL_AFTER_US;
		burrow_pool_cancel(c);
	}
	else if (c->now >= c->kill_deadline)
	{
		c->kill_deadline = c->now + KILL_AFTER_US;
		burrow_pool_terminate(c);
	}
}

/* One step of a revocation. */
static void
advance_revoke(BurrowConsumer *c)
{
	if (revoked_in_hand(c) > 0)
	{
		burrow_assignment_enforce(c, c->revoke_deadline);
		return;
	}
	if (!c->revoke_flushed)
	{
		/* what had to be cancelled has used up its time, not that of the commit */
		c->revoke_deadline = Max(c->revoke_deadline, c->now + REVOKE_COMMIT_US);
		c->kill_deadline = 0;
		c->revoke_flushed = true;
		burrow_offset_commit_begin_final(c);
	}
	if (burrow_offset_commit_settled(c, true) || c->now >= c->revoke_deadline)
		answer_revoke(c);
}

void
burrow_assignment_advance(BurrowConsumer *c)
{
	if (c->client == NULL || c->ending != BURROW_STOP_NONE)
		return;
	if (c->revoked != NULL)
		advance_revoke(c);
	else if (c->assign_step != BURROW_ASSIGN_NONE && c->locate_again_at <= c->now)
	{
		if (c->assign_step == BURROW_ASSIGN_ASK)
			burrow_start_ask(c);
		if (c->assign_step == BURROW_ASSIGN_RESOLVE && c->ending == BURROW_STOP_NONE &&
			burrow_start_resolve(c) && burrow_topic_identity_check(c) && burrow_start_store(c))
			answer_assign(c);
	}
}

/* When burrow_assignment_advance() has something to do; 0: not by time. */
TimestampTz
burrow_assignment_next(BurrowConsumer *c)
{
	TimestampTz next = 0;

	if (c->revoked != NULL)
		next = c->kill_deadline != 0 ? c->kill_deadline : c->revoke_deadline;
	else if (c->assign_step == BURROW_ASSIGN_ASK || c->assign_step == BURROW_ASSIGN_RESOLVE)
		next = c->locate_again_at;
	return next;
}
