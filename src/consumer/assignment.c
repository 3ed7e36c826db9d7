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
 * lose what came in between.  The answer does not wait for a partition that has no start
 * for now: that one is added to the assignment later.
 *
 * Going: nothing more is taken or given out, what workers have in hand is waited for,
 * what is done is flushed and committed, then the assignment is let go.  After the
 * deadline what still runs is cancelled, and after another one terminated; a
 * partition is never given up while a worker has a message of it, unless it was lost
 * anyway, or the consumer itself was ended.  Then the message has the same deadlines from the
 * moment at which it is in the way of an assignment, and only its own partition waits.
 *
 * Each rebalance event is answered by exactly one assign or unassign, unless another one comes
 * before the answer: librdkafka joins its group again without asking for a revocation where it
 * still waits for the answer to an assignment (partitions were added, say), so the second
 * assignment takes the place of the first.  Meanwhile the main queue is polled as ever.
 */
#include "postgres.h"

#include <signal.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "catalog/names.h"
#include "consumer/assignment.h"
#include "dead_letter/key_parking.h"
#include "dead_letter/redelivery.h"
#include "delivery/pool.h"
#include "delivery/reclaim.h"
#include "delivery/retry.h"
#include "offsets/commit_silence.h"
#include "offsets/lookup.h"
#include "offsets/offset_commit.h"
#include "offsets/start.h"
#include "partition/context.h"
#include "partition/named_partitions.h"
#include "partition/old_worker.h"
#include "partition/partition.h"
#include "partition/question.h"
#include "partition/status.h"
#include "shmem/worker_slots.h"

/* From cancelling what runs to terminating its worker. */
#define KILL_AFTER_US		INT64CONST(2000000)

/* The final commit of what is given up has as long as this at least. */
#define REVOKE_COMMIT_US	INT64CONST(5000000)

/* librdkafka waits for assign(). */
static bool unanswered;

/* The group has given none yet, or taken all back. */
static bool awaited = true;

/* Partitions that are given up, to be answered; NULL: none. */
static BurrowKafkaList *revoked;

/* The last commit of them was begun. */
static bool revoked_flushed;

/* Cancel what is in hand of them after it. */
static TimestampTz revoke_deadline;

/* Cancel what older epochs have in hand after it; 0: nobody waits. */
static TimestampTz straggler_deadline;

/* Terminate the workers of what was cancelled after it; 0: not cancelled yet. */
static TimestampTz kill_deadline;

/* max.poll.interval.ms. */
static int64 max_poll_us;

/* ---- partitions stop ---- */

/* What a worker has not begun of it is taken back, and no message of it waits for its retry. */
static void
before_stop(const BurrowConsumer *c, BurrowPartition *part)
{
	if (part->state == BURROW_PARTITION_CLOSING)
		burrow_reclaim_part(c, part);
	burrow_retry_drop(c, part);
}

/* Dead letters of it would not keep their order with the messages of its next epoch. */
static void
after_stop(const BurrowConsumer *c, BurrowPartition *part)
{
	BurrowPartition *letters = part->is_redelivery ? NULL : burrow_partition_find_letters(part->topic, part->partition);

	/* it is not freed here: the caller may be on its way through the list */
	if (letters != NULL && letters->shares_queue)
		burrow_redelivery_give_up(c, letters);
}

/* ---- what older epochs have in hand ---- */

void
burrow_assignment_init(const BurrowConsumer *c)
{
	burrow_partition_on_stop(before_stop, after_stop);
	burrow_old_worker_init();
}

static void
look_at_old_workers(const BurrowConsumer *c)
{
	if (!burrow_old_worker_look(c))
		return;
	/* a dead letter may have been among it */
	burrow_redelivery_wake();
	burrow_key_parking_outdate(c);
}

/* Is there a message that an assignment waits for, or one of an older consumer's worker? */
static bool
has_stragglers(const BurrowConsumer *c)
{
	dlist_iter	iter;

	if (burrow_old_worker_has_any())
		return true;
	if (burrow_partition_count_resolving() == 0)
		return false;
	dlist_foreach(iter, burrow_partition_all())
	{
		const BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (part->state == BURROW_PARTITION_RESOLVING_START && burrow_partition_has_straggler(part))
			return true;
	}
	return false;
}

void
burrow_assignment_set_max_poll(int64 us)
{
	max_poll_us = us;
}

bool
burrow_assignment_is_unanswered(void)
{
	return unanswered;
}

bool
burrow_assignment_is_awaited(void)
{
	return awaited;
}

static int64
max_wait_us(const BurrowConsumer *c)
{
	return Min(c->sub->options.shutdown_timeout_us, max_poll_us / 2);
}

/*
 * Those have as long as messages of partitions that are given up, from when they are first in the way.
 * Meanwhile other partitions are consumed.
 */
static void
mind_stragglers(const BurrowConsumer *c)
{
	if (!has_stragglers(c))
		straggler_deadline = 0;
	else if (straggler_deadline == 0)
	{
		straggler_deadline = c->now + max_wait_us(c);
		kill_deadline = 0;
	}
	else
		burrow_assignment_enforce(c, straggler_deadline);
}

/* ---- partitions come ---- */

static int64
next_to_read(const BurrowPartition *part)
{
	return part->state == BURROW_PARTITION_ACTIVE ? burrow_tracker_position(&part->tracker) : part->start.offset;
}

static bool
is_stored(const BurrowConsumer *c, const BurrowPartition *part)
{
	return part->state == BURROW_PARTITION_RESOLVING_START && part->start.step == BURROW_STEP_STORED;
}

/* May it be assigned?  Not while a worker has a dead letter of it. */
static bool
is_ready(const BurrowConsumer *c, const BurrowPartition *part)
{
	return is_stored(c, part) && !burrow_partition_has_straggler(part);
}

static bool
is_ready_or_active(const BurrowConsumer *c, const BurrowPartition *part)
{
	return is_ready(c, part) || (part->state == BURROW_PARTITION_ACTIVE && !part->is_redelivery);
}

/*
 * Letters that were read before their partition came would not keep the order with its messages.
 * Frees their part, perhaps: not while somebody goes through the list.
 */
static void
give_up_letters(const BurrowConsumer *c, const char *topic, int32 partition)
{
	BurrowPartition *letters = burrow_partition_find_letters(topic, partition);

	if (letters == NULL)
		return;
	burrow_redelivery_give_up(c, letters);
	burrow_partition_close(c, letters);
}

/* Letters of those that are about to come. */
static void
give_up_all_letters(const BurrowConsumer *c)
{
	BurrowKafkaList *coming;

	if (!burrow_partition_any_redelivery())
		return;
	coming = burrow_lookup_list(c, is_stored, next_to_read);
	for (int i = 0; i < coming->n; i++)
		give_up_letters(c, coming->items[i].topic, coming->items[i].partition);
	c->kafka->list_free(coming);
}

/* Is there something to be taken over, and nothing that the answer has to wait for? */
static bool
may_take_over(const BurrowConsumer *c)
{
	dlist_iter	iter;
	bool		any = false;

	give_up_all_letters(c);
	dlist_foreach(iter, burrow_partition_all())
	{
		const BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (is_ready(c, part))
			any = true;
		else if (unanswered && part->state == BURROW_PARTITION_RESOLVING_START &&
				 part->start.step != BURROW_STEP_STORED && !burrow_start_is_put_off(c, part))
			return false;
	}
	/* while that is lost, its revocation is on its way */
	return unanswered || (any && !c->kafka->is_lost(c->client));
}

/* Its messages may come. */
static void
activate(const BurrowConsumer *c, BurrowPartition *part)
{
	burrow_partition_set_state(part, BURROW_PARTITION_ACTIVE);
	/* stored here before its first message; and in Kafka, where it is new to the group */
	if (part->commit.acknowledged != part->start.offset)
	{
		burrow_offset_commit_ask();
		burrow_partition_moved(part);
	}
	burrow_partition_readable(part);
	burrow_partition_publish(c, part);
}

static bool
is_fetched(const BurrowConsumer *c, const BurrowPartition *part)
{
	return part->state == BURROW_PARTITION_ACTIVE && !part->is_redelivery;
}

static int64
log_end(const BurrowPartition *part)
{
	return BURROW_KAFKA_LATEST;
}

/*
 * A cooperative rebalance was answered: librdkafka has paused what stays until now.  It fetches again when the thread of its
 * broker looks, which nothing wakes: it sleeps for up to a second (2.16).  A question to the brokers wakes it.
 */
static void
wake_fetchers(const BurrowConsumer *c)
{
	BurrowKafkaList *staying;

	if (burrow_status_is_stopping() || !c->kafka->is_incremental(c->client))
		return;
	staying = burrow_lookup_list(c, is_fetched, log_end);
	if (staying->n > 0)
		burrow_question_ask_in_vain(c, staying);
	else
		c->kafka->list_free(staying);
}

/* Those that are ready become ours: as the answer, or in addition to it. */
static void
take_over(const BurrowConsumer *c)
{
	BurrowKafkaList *ready = burrow_lookup_list(c, is_ready, next_to_read);
	BurrowKafkaList *all = burrow_lookup_list(c, is_ready_or_active, next_to_read);
	char		text[BURROW_KAFKA_TEXT_MAX];
	dlist_iter	iter;
	bool		ok;

	for (int i = 0; i < ready->n; i++)
		burrow_partition_open(c, burrow_partition_find(ready->items[i].topic, ready->items[i].partition));
	ok = unanswered ? c->kafka->assign(c->client, ready, text) :
		c->kafka->assign_more(c->client, all, ready, text);
	/* nothing would be read until the next rebalance */
	if (!ok)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("could not take over the assignment of subscription \"%s\": %s", c->sub->name, text)));
	unanswered = false;
	wake_fetchers(c);
	for (int i = 0; i < ready->n; i++)
		activate(c, burrow_partition_find(ready->items[i].topic, ready->items[i].partition));
	c->kafka->list_free(ready);
	c->kafka->list_free(all);

	/* what was in their queues may be outdated, so that the pipe does not tell of what comes now */
	dlist_foreach(iter, burrow_partition_all())
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (part->state == BURROW_PARTITION_ACTIVE && !part->is_redelivery)
			burrow_partition_readable(part);
	}
	burrow_status_set_joined(c);
	burrow_status_kafka_answered(c);
	burrow_status_over(c, BURROW_TROUBLE_MEMBER);
}

/*
 * What came before this assignment and is not given up.  With eager rebalances it is all over:
 * what is in hand counts as lost.  Otherwise it stays, be it answered or not.
 */
static void
drop_older(const BurrowConsumer *c)
{
	dlist_mutable_iter iter;

	if (c->kafka->is_incremental(c->client))
		return;
	if (revoked != NULL)
		c->kafka->list_free(revoked);
	revoked = NULL;
	burrow_offset_commit_forbid(false);
	burrow_offset_commit_end_final();
	dlist_foreach_modify(iter, burrow_partition_all())
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (part->state != BURROW_PARTITION_CLOSED && !part->is_redelivery)
			burrow_partition_close(c, part);
	}
}

/* Names of topics go everywhere from here, and who assigns is another member of the group, or calls itself a broker. */
static void
check_topics(const BurrowConsumer *c, const BurrowKafkaList *list)
{
	for (int i = 0; i < list->n; i++)
		if (!burrow_name_is_topic(list->items[i].topic))
			ereport(ERROR,
					(errcode(ERRCODE_PROTOCOL_VIOLATION),
					 errmsg("subscription \"%s\" is assigned a topic that cannot be: \"%s\"", c->sub->name,
							burrow_name_shown(list->items[i].topic)),
					 errdetail("Valid values are %s.", BURROW_TOPIC_ALLOWED)));
}

void
burrow_assignment_assign(const BurrowConsumer *c, const BurrowKafkaList *list)
{
	char	   *which;

	check_topics(c, list);
	awaited = false;
	burrow_commit_silence_forget();
	BURROW_COUNT(c->slot, rebalances, 1);
	which = burrow_named_partitions(list, NULL);
	ereport(LOG,
			(errmsg("subscription \"%s\" is assigned %d partitions", c->sub->name, list->n),
			 which != NULL ? errdetail_internal("%s", which) : 0));
	if (which != NULL)
		pfree(which);
	burrow_partition_begin_epoch();
	drop_older(c);
	unanswered = true;
	for (int i = 0; i < list->n; i++)
	{
		const BurrowKafkaTopicPartition *item = &list->items[i];

		if (burrow_partition_find(item->topic, item->partition) != NULL)
			continue;
		give_up_letters(c, item->topic, item->partition);
		burrow_key_parking_join(c, burrow_partition_new(item->topic, item->partition, false));
	}

	/*
	 * Most cooperative rebalances bring nothing new.  What is asked for at an assignment, a seek
	 * to a time among it, waits for one with partitions.
	 */
	if (list->n == 0 && may_take_over(c))
		take_over(c);
}

/* ---- partitions go ---- */

void
burrow_assignment_stop(const BurrowConsumer *c)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, burrow_partition_all())
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (part->state == BURROW_PARTITION_RESOLVING_START)
			burrow_partition_close(c, part);
		else
			burrow_partition_stop(c, part);
	}
}

/* Answers the revocation; the partitions are not ours from here on. */
static void
answer_revoke(const BurrowConsumer *c)
{
	char		text[BURROW_KAFKA_TEXT_MAX];
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, burrow_partition_all())
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (part->state == BURROW_PARTITION_CLOSING && part->revoked)
			burrow_partition_close(c, part);
	}
	if (!c->kafka->unassign(c->client, revoked, text))
		burrow_status_fail_kafka(c, BURROW_TROUBLE_MEMBER, BURROW_CAUSE_NO_ANSWER, psprintf("could not give up the assignment: %s", text));
	wake_fetchers(c);
	c->kafka->list_free(revoked);
	revoked = NULL;
	burrow_offset_commit_forbid(false);
	burrow_offset_commit_end_final();
	awaited = dlist_is_empty(burrow_partition_all());
}

/* Lets go of everything, and answers what was not answered yet. */
void
burrow_assignment_close(const BurrowConsumer *c)
{
	dlist_mutable_iter iter;

	if (revoked != NULL)
		answer_revoke(c);
	if (unanswered)
	{
		BurrowKafkaList none = {0};
		char		text[BURROW_KAFKA_TEXT_MAX];

		(void) c->kafka->assign(c->client, &none, text);
		unanswered = false;
	}
	dlist_foreach_modify(iter, burrow_partition_all())
		burrow_partition_close(c, dlist_container(BurrowPartition, node, iter.cur));
}

void
burrow_assignment_revoke(const BurrowConsumer *c, const BurrowKafkaList *list, bool lost)
{
	char	   *which = burrow_named_partitions(list, NULL);

	BURROW_COUNT(c->slot, rebalances, 1);
	ereport(LOG,
			(errmsg("subscription \"%s\" gives up %d partitions", c->sub->name, list->n),
			 lost ? errdetail("%s The assignment was lost: messages in hand may be handled again by another member.", which != NULL ? which : "It had none.") :
			 which != NULL ? errdetail_internal("%s", which) : 0));
	if (which != NULL)
		pfree(which);

	/* our own copy: the event's does not live until the answer */
	if (revoked != NULL)
		c->kafka->list_free(revoked);
	revoked = c->kafka->list_new(list->n);
	for (int i = 0; revoked != NULL && i < list->n; i++)
		if (!c->kafka->list_set(revoked, i, list->items[i].topic, list->items[i].partition,
								BURROW_KAFKA_NONE_OFFSET, NULL, 0))
		{
			c->kafka->list_free(revoked);
			revoked = NULL;
		}
	if (revoked == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("Failed while giving up %d partitions.", list->n)));

	/* an assignment that was not answered yet has nothing to give up */
	for (int i = 0; i < list->n; i++)
	{
		BurrowPartition *part = burrow_partition_find(list->items[i].topic, list->items[i].partition);

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
	unanswered = false;
	burrow_offset_commit_forbid(lost);
	if (lost)
		burrow_commit_silence_forget();
	revoke_deadline = c->now + max_wait_us(c);
	kill_deadline = 0;
	straggler_deadline = 0;
	revoked_flushed = false;
	if (lost)
		answer_revoke(c);
}

/* Messages of the revoked partitions in workers' hands. */
static uint64
revoked_in_hand(const BurrowConsumer *c)
{
	uint64		n = 0;
	dlist_iter	iter;

	dlist_foreach(iter, burrow_partition_all())
	{
		const BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (part->state == BURROW_PARTITION_CLOSING)
			n += part->held;
	}
	return n;
}

void
burrow_assignment_begin_enforcing(void)
{
	kill_deadline = 0;
}

TimestampTz
burrow_assignment_kill_deadline(void)
{
	return kill_deadline;
}

/*
 * Cancels what is still in hand after the deadline, then terminates its workers.
 * Waits for their answer or exit in any case.
 */
void
burrow_assignment_enforce(const BurrowConsumer *c, TimestampTz deadline)
{
	if (c->now < deadline)
		return;
	if (kill_deadline == 0)
	{
		ereport(LOG,
				(errmsg("subscription \"%s\": cancelling messages that are still being handled", c->sub->name)));
		kill_deadline = c->now + KILL_AFTER_US;
		burrow_pool_cancel(c);
		if (burrow_old_worker_exists())
			burrow_worker_slot_signal_old(c->slot, c->generation, SIGINT);
	}
	else if (c->now >= kill_deadline)
	{
		kill_deadline = c->now + KILL_AFTER_US;
		burrow_pool_terminate(c);
		if (burrow_old_worker_exists())
			burrow_worker_slot_signal_old(c->slot, c->generation, SIGTERM);
	}
}

/* One step of a revocation. */
static void
advance_revoke(const BurrowConsumer *c)
{
	if (revoked_in_hand(c) > 0)
	{
		burrow_assignment_enforce(c, revoke_deadline);
		return;
	}
	if (!revoked_flushed)
	{
		/* what had to be cancelled has used up its time, not that of the commit */
		revoke_deadline = Max(revoke_deadline, c->now + REVOKE_COMMIT_US);
		kill_deadline = 0;
		revoked_flushed = true;
		burrow_offset_commit_begin_final(c);
	}
	if (burrow_offset_commit_settled(c, true) || c->now >= revoke_deadline)
		answer_revoke(c);
}

/* Of what is given up, or waited for; 0: nothing is. */
static TimestampTz
next_deadline(void)
{
	TimestampTz deadline = revoked != NULL ? revoke_deadline : straggler_deadline;

	return deadline != 0 && kill_deadline != 0 ? kill_deadline : deadline;
}

TimestampTz
burrow_assignment_advance(const BurrowConsumer *c)
{
	TimestampTz due = 0;
	bool		any_stuck = burrow_lookup_any_stuck();

	if (c->client == NULL || burrow_status_is_stopping())
		return 0;
	look_at_old_workers(c);
	if (revoked != NULL)
		advance_revoke(c);
	else
		mind_stragglers(c);
	if (revoked == NULL && (burrow_partition_count_resolving() > 0 || unanswered))
	{
		due = burrow_start_advance(c);
		if (!burrow_status_is_stopping() && may_take_over(c))
			take_over(c);
	}
	burrow_lookup_publish(c);
	/* it may be that the topic is gone, which is looked at while something is in doubt */
	if (!any_stuck && burrow_lookup_any_stuck() && burrow_status_probe_at() < c->now)
		burrow_status_set_probe(c->now + BURROW_PROBE_US);
	return burrow_earlier(due, next_deadline());
}
