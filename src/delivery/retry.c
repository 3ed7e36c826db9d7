/*
 * retry.c
 *	  Messages that wait for their next attempt.
 *
 * Runs in: the consumer.
 *
 * They wait in a heap by time; no worker sleeps for them.  For the scheduler such a
 * message stays in hand, so it holds back what its order requires (its key, or its
 * partition) and nothing else.  No worker has it, so its partition can be given up at
 * any time: then it is dropped, and read again by whoever gets the partition next.
 *
 * One whose session may be to blame waits, after its time, for a worker that was started
 * since.  Such are served in the order in which they came, so it is enough to know the first.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "delivery/pool.h"
#include "delivery/retry.h"
#include "partition/context.h"
#include "partition/message_error.h"
#include "partition/partition.h"
#include "partition/status.h"

/* By time. */
static pairingheap *by_time;

/* The same, as they came; and of these, those whose time has come, but not their session. */
static dlist_head waiting = DLIST_STATIC_INIT(waiting);
static dlist_head wanting_fresh = DLIST_STATIC_INIT(wanting_fresh);
static uint64 nwaiting;

/* What the views have. */
static BurrowRetryInfo told;

/* The root of a pairing heap is its largest: the earliest. */
static int
compare_times(const pairingheap_node *a, const pairingheap_node *b, void *arg)
{
	TimestampTz at_a = pairingheap_const_container(BurrowRetry, heap_node, a)->at;
	TimestampTz at_b = pairingheap_const_container(BurrowRetry, heap_node, b)->at;

	return at_a < at_b ? 1 : at_a > at_b ? -1 : 0;
}

void
burrow_retry_init(void)
{
	by_time = pairingheap_allocate(compare_times, NULL);
}

uint64
burrow_retry_count(void)
{
	return nwaiting;
}

void
burrow_retry_each(void (*change) (BurrowRetry *retry))
{
	dlist_iter	iter;

	dlist_foreach(iter, &waiting)
		change(dlist_container(BurrowRetry, node, iter.cur));
}

void
burrow_retry_add(const BurrowConsumer *c, BurrowMessage *m, TimestampTz at)
{
	BurrowRetry *retry = burrow_message_error_record(c, m);

	retry->at = at;
	pairingheap_add(by_time, &retry->heap_node);
	dlist_push_tail(&waiting, &retry->node);
	nwaiting++;
}

static void
take_out(const BurrowConsumer *c, BurrowRetry *retry)
{
	if (retry->after_session != 0)
		dlist_delete(&retry->fresh_node);
	else
		pairingheap_remove(by_time, &retry->heap_node);
	retry->after_session = 0;
	dlist_delete(&retry->node);
	nwaiting--;
}

static BurrowRetry *
first(const BurrowConsumer *c)
{
	return pairingheap_is_empty(by_time) ? NULL :
		pairingheap_container(BurrowRetry, heap_node, pairingheap_first(by_time));
}

/* The time of some has come, but they wait for a session that is younger than their failure. */
static void
set_aside(const BurrowConsumer *c)
{
	BurrowRetry *retry;

	while ((retry = first(c)) != NULL && retry->at <= c->now && retry->wants_fresh)
	{
		Assert(burrow_pool()->sessions > 0);
		pairingheap_remove(by_time, &retry->heap_node);
		retry->after_session = burrow_pool()->sessions;
		dlist_push_tail(&wanting_fresh, &retry->fresh_node);
	}
}

bool
burrow_retry_is_due(const BurrowConsumer *c)
{
	const BurrowRetry *retry;

	set_aside(c);
	retry = first(c);
	return retry != NULL && retry->at <= c->now;
}

BurrowMessage *
burrow_retry_take(const BurrowConsumer *c)
{
	BurrowRetry *retry = first(c);

	take_out(c, retry);
	return retry->m;
}

/* The session after which one must have begun that some message waits for; 0: none waits. */
static uint64
wanted_after(const BurrowConsumer *c)
{
	if (dlist_is_empty(&wanting_fresh))
		return 0;
	return dlist_head_element(BurrowRetry, fresh_node, &wanting_fresh)->after_session;
}

BurrowLane *
burrow_retry_fresh_lane(const BurrowConsumer *c)
{
	uint64		after = wanted_after(c);
	dlist_iter	iter;

	if (after == 0)
		return NULL;
	dlist_foreach(iter, (dlist_head *) &burrow_pool()->idle)
	{
		BurrowLane *lane = dlist_container(BurrowLane, idle_node, iter.cur);

		if (lane->session > after)
			return lane;
	}
	return NULL;
}

bool
burrow_retry_lacks_session(const BurrowConsumer *c)
{
	uint64		after = wanted_after(c);

	if (after == 0)
		return false;
	for (int i = 0; i < BURROW_MAX_WORKERS && burrow_pool()->lanes[i] != NULL; i++)
	{
		const BurrowLane *lane = burrow_pool()->lanes[i];

		if (lane->session > after && lane->state != BURROW_LANE_FREE && lane->state != BURROW_LANE_LEAVING &&
			!lane->retire)
			return false;
	}
	return true;
}

BurrowMessage *
burrow_retry_take_fresh(const BurrowConsumer *c)
{
	BurrowRetry *retry = dlist_head_element(BurrowRetry, fresh_node, &wanting_fresh);

	take_out(c, retry);
	retry->wants_fresh = false;
	return retry->m;
}

void
burrow_retry_drop(const BurrowConsumer *c, BurrowPartition *part)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &waiting)
	{
		BurrowRetry *retry = dlist_container(BurrowRetry, node, iter.cur);
		BurrowMessage *m = retry->m;

		if (m->part != part)
			continue;
		take_out(c, retry);
		burrow_scheduler_finish(c->sched, &m->item);
		burrow_partition_free_message(m);
	}
}

/* When burrow_dispatch_run() has a retry to give out; 0: not by time. */
TimestampTz
burrow_retry_next(const BurrowConsumer *c, TimestampTz wait_until)
{
	const BurrowRetry *retry = first(c);

	/* a worker that becomes idle wakes us anyway */
	if (retry == NULL || (burrow_pool()->nidle == 0 && retry->at <= c->now))
		return 0;
	/* after an error of the environment one message at a time is tried */
	if (burrow_status_is_waiting() && wait_until <= c->now && burrow_pool()->nbusy > 0)
		return 0;
	return Max(retry->at, wait_until);
}

/* Tells others of what waits; the one that came first stands for all. */
void
burrow_retry_publish(const BurrowConsumer *c, TimestampTz wait_until)
{
	BurrowRetryInfo info = {.n = nwaiting, .wait_until = wait_until};

	if (nwaiting == 0)
		burrow_status_over(c, BURROW_TROUBLE_RETRY);
	if (!dlist_is_empty(&waiting))
	{
		const BurrowRetry *retry = dlist_head_element(BurrowRetry, node, &waiting);
		const BurrowMessage *m = retry->m;

		strlcpy(info.topic, m->part->topic, sizeof(info.topic));
		info.partition = m->part->partition;
		info.offset = m->frame.offset;
		info.attempt = m->frame.attempt;
		info.since = retry->first_failed_at;
		info.at = retry->at;
	}
	if (info.n == told.n && info.offset == told.offset &&
		info.partition == told.partition && info.attempt == told.attempt &&
		info.at == told.at && info.wait_until == told.wait_until)
		return;
	told = info;
	burrow_registry_set_retries(c->slot, &info);
}
