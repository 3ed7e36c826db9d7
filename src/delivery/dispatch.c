/*
 * dispatch.c
 *	  Chunks go to idle workers, and the pool grows and shrinks with the work.
 *
 * Runs in: the consumer.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "core/session_budget.h"
#include "dead_letter/writer.h"
#include "delivery/dispatch.h"
#include "delivery/failure.h"
#include "delivery/pool.h"
#include "delivery/reclaim.h"
#include "delivery/results.h"
#include "delivery/retry.h"
#include "delivery/rights.h"
#include "delivery/share.h"
#include "offsets/commit_silence.h"
#include "offsets/progress_merge.h"
#include "partition/context.h"
#include "partition/partition.h"
#include "partition/status.h"

/* Most bytes of a chunk; a larger message goes alone. */
#define CHUNK_BYTES			(4 * 1024 * 1024)

/* Most messages of a chunk that has more than one transaction's: see core/sizer.h. */
#define PREFETCHED_MESSAGES	100

/* An idle worker above min_workers leaves after this. */
#define IDLE_LEAVE_US		INT64CONST(60000000)

/* Sessions are replaced because of new settings, but not more often. */
#define RENEW_US			INT64CONST(1000000)

/* The last chunk was a retry. */
static bool gave_retry;

static inline bool
is_full(const BurrowConsumer *c)
{
	return burrow_pool()->nlanes - burrow_pool()->nleaving >= c->sub->options.workers;
}

/* All sessions are replaced when their settings have changed, one when a fresh one finds no room. */
static void
make_room(const BurrowConsumer *c)
{
	const BurrowPool *pool = burrow_pool();

	/* those that start were perhaps too early to see it, but are to come before they go */
	if (pool->renew && pool->nstarting == 0 && pool->renewed_at + RENEW_US <= c->now)
	{
		burrow_pool_renew_now(c);
		burrow_failure_try_now(c);
	}
	else if (burrow_retry_lacks_session(c) && is_full(c) && pool->nidle > 0 &&
			 burrow_pool_spend(c))
		burrow_pool_let_go(c, dlist_container(BurrowLane, idle_node, dlist_tail_node((dlist_head *) &pool->idle)));
}

/* Workers that are missing: at least min_workers, and as many as there is work for. */
static void
start_missing(const BurrowConsumer *c)
{
	const BurrowPool *pool = burrow_pool();
	const BurrowOptions *o = &c->sub->options;
	uint64		ready = burrow_scheduler_ready(c->sched) + (burrow_retry_is_due(c) ? 1 : 0);
	int			present = pool->nlanes - pool->nleaving;
	int			wanted = o->min_workers;

	if (pool->nidle == 0 && ready > (uint64) pool->nstarting)
		wanted = Max(wanted, (int) Min((uint64) o->workers, present + ready - pool->nstarting));
	if (burrow_retry_lacks_session(c))
		wanted = Max(wanted, present + 1);
	wanted = Min(wanted, o->workers);
	if (burrow_rights_allow(c, present < wanted && pool->start_again_at <= c->now))
	{
		burrow_share_claim(c, wanted);
		burrow_pool_start_workers(c, wanted);
	}
	else
		burrow_share_claim(c, 0);
}

/* Idle workers that nobody needs leave, the one idle for longest first. */
static void
end_idle(const BurrowConsumer *c)
{
	const BurrowPool *pool = burrow_pool();

	while (pool->nidle > 0 &&
		   pool->nlanes - pool->nleaving > c->sub->options.min_workers)
	{
		BurrowLane *lane = dlist_container(BurrowLane, idle_node, dlist_tail_node((dlist_head *) &pool->idle));

		if (lane->idle_since + IDLE_LEAVE_US > c->now)
			break;
		burrow_pool_let_go(c, lane);
	}
}

/* ---- chunks ---- */

/* Sends the chunk, or as much of it as fits into the queue now. */
static void
lane_send(const BurrowConsumer *c, BurrowLane *lane)
{
	shm_mq_result r = burrow_transport_send(lane->transport->chunks, lane->iov, lane->iovcnt, true);

	burrow_pool_set_sending(lane, r == SHM_MQ_WOULD_BLOCK);
	if (r == SHM_MQ_DETACHED)
		burrow_results_lane_gone(c, lane);
}

/* Room for a chunk of the size that the options allow now. */
static void
fit_lane(const BurrowConsumer *c, BurrowLane *lane)
{
	int			size = Max(c->sub->options.batch_size, PREFETCHED_MESSAGES);

	if (lane->capacity >= size)
		return;
	if (lane->capacity > 0)
	{
		pfree(lane->messages);
		pfree(lane->failures);
		pfree(lane->iov);
	}
	lane->messages = MemoryContextAlloc(TopMemoryContext, sizeof(BurrowMessage *) * size);
	lane->failures = MemoryContextAlloc(TopMemoryContext, sizeof(BurrowFailure *) * size);
	lane->iov = MemoryContextAlloc(TopMemoryContext, sizeof(shm_mq_iovec) * (size + 1));
	lane->capacity = size;
}

/* Gives a chunk to an idle worker. */
static void
give_chunk(const BurrowConsumer *c, BurrowLane *lane, BurrowSchedulerItem *items, uint32 n)
{
	BurrowMessage *first = (BurrowMessage *) items;
	BurrowPartition *part = first->part;
	size_t		topic_len = strlen(part->topic);
	uint32		i = 0;

	burrow_pool_set_busy(lane, (int) n);
	lane->chunk = burrow_progress_merge_begin_chunk(lane->lane);
	lane->part = part;
	lane->header.magic = BURROW_CHUNK_MAGIC;
	lane->header.nmessages = n;
	lane->header.chunk = lane->chunk;
	lane->header.partition_slot = part->slot;
	lane->header.partition = part->partition;
	lane->header.topic_len = topic_len;
	lane->header.head = burrow_tracker_head(&part->tracker);
	lane->header.merged_chunk = burrow_progress_merge_chunk(part, lane->lane);
	lane->header.flags = part->is_redelivery ? BURROW_CHUNK_LETTERS : 0;
	/* a message that has failed shares its transaction with no other */
	lane->header.batch_size = part->is_redelivery || first->frame.attempt > 1 ? 1 :
		burrow_sizer_batch(burrow_results_sizer(), c->sub->options.batch_time_us, c->sub->options.batch_size);
	memset(lane->topic, 0, BURROW_FRAME_ALIGN(topic_len));
	memcpy(lane->topic, part->topic, topic_len);
	lane->iov[0].data = (char *) &lane->header;
	lane->iov[0].len = sizeof(BurrowChunkHeader) + BURROW_FRAME_ALIGN(topic_len);

	for (BurrowSchedulerItem *item = items; item != NULL; item = item->next)
	{
		BurrowMessage *m = (BurrowMessage *) item;

		lane->messages[i] = m;
		lane->failures[i] = NULL;
		i++;
		lane->iov[i].data = (char *) &m->frame;
		lane->iov[i].len = m->frame.total;
		burrow_partition_pin_message(m);
	}
	Assert(i == n);
	lane->iovcnt = n + 1;
	burrow_reclaim_given(c, lane);
	BURROW_COUNT(c->slot, chunks, 1);
	lane_send(c, lane);
}

/*
 * Messages for one idle worker.  Carried are no more than leave as much again for the
 * others: max_inflight may be small beside so many workers.
 */
static uint32
chunk_size(const BurrowConsumer *c, uint64 ready)
{
	const BurrowPool *pool = burrow_pool();
	const BurrowOptions *o = &c->sub->options;
	uint32		carried = Min(PREFETCHED_MESSAGES, o->max_inflight / (2 * o->workers));
	int			present = pool->nlanes - pool->nleaving;
	BurrowSizerLoad load = {
		.ready = ready,
		.idle = pool->nidle,
		/* those that could be started for it, too */
		.workers = pool->told_short ? present : Max(present, o->workers),
	};

	if (burrow_status_is_waiting())
		return 1;
	return burrow_sizer_size(burrow_results_sizer(), load, o->batch_time_us,
							 burrow_sizer_batch(burrow_results_sizer(), o->batch_time_us, o->batch_size), carried);
}

/* A message whose retry is due, in a chunk of its own.  False: there is none. */
static bool
give_retry(const BurrowConsumer *c, BurrowLane *lane)
{
	bool		due = burrow_retry_is_due(c);
	BurrowLane *fresh = burrow_retry_fresh_lane(c);
	BurrowMessage *m;

	if (fresh != NULL)
	{
		lane = fresh;
		m = burrow_retry_take_fresh(c);
	}
	else if (due)
		m = burrow_retry_take(c);
	else
		return false;
	m->item.next = NULL;
	gave_retry = true;
	if (m->frame.attempt > 1)
		BURROW_COUNT(c->slot, messages_retried, 1);
	fit_lane(c, lane);
	give_chunk(c, lane, &m->item, 1);
	return true;
}

/*
 * One chunk for one idle worker; false: there is nothing to do.  Retries that are due
 * and fresh messages take turns: a burst of retries must not hold up what would
 * succeed, nor look like so many errors in a row.
 */
static bool
give_next(const BurrowConsumer *c)
{
	BurrowLane *lane = burrow_pool_next();
	uint64		ready = burrow_scheduler_ready(c->sched);
	BurrowSchedulerLimits limits;
	BurrowSchedulerItem *items;
	uint32		n;

	if ((ready == 0 || !gave_retry) && give_retry(c, lane))
		return true;
	if (ready == 0)
		return false;

	fit_lane(c, lane);
	limits.messages = chunk_size(c, ready);
	limits.bytes = CHUNK_BYTES;
	items = burrow_scheduler_pick(c->sched, limits, &n);
	if (items == NULL)
		return false;
	items = burrow_writer_sort(c, items, &n);
	if (items == NULL)
		return true;
	gave_retry = false;
	give_chunk(c, lane, items, n);
	return true;
}

/* When there is something to do here; 0: not by time. */
static TimestampTz
next_due(const BurrowConsumer *c)
{
	const BurrowPool *pool = burrow_pool();
	TimestampTz next = 0;

	if (burrow_rights_next() != 0)
		next = burrow_rights_next();
	else if (pool->start_again_at != 0 &&
			 pool->nlanes - pool->nleaving < burrow->subscriptions[c->slot].workers_wanted)
		next = pool->start_again_at;
	if (pool->renew && pool->nstarting == 0)
		next = burrow_earlier(next, pool->renewed_at + RENEW_US);
	if (pool->nidle > 0 && is_full(c) && burrow_retry_lacks_session(c))
		next = burrow_earlier(next, burrow_session_budget_next(&pool->budget, c->sub->options.workers));
	if (pool->nidle > 0 && pool->nlanes - pool->nleaving > c->sub->options.min_workers)
	{
		const BurrowLane *oldest = dlist_container(BurrowLane, idle_node,
												   dlist_tail_node((dlist_head *) &pool->idle));

		next = burrow_earlier(next, oldest->idle_since + IDLE_LEAVE_US);
	}
	next = burrow_earlier(next, burrow_retry_next(c, burrow_failure_wait_until()));
	next = burrow_earlier(next, burrow_failure_next(c));
	return burrow_earlier(next, burrow_reclaim_next(c));
}

TimestampTz
burrow_dispatch_run(const BurrowConsumer *c)
{
	const BurrowPool *pool = burrow_pool();
	TimestampTz letters_due;
	TimestampTz share_due;
	bool		more;

	if (pool->nsending > 0)
	{
		for (int i = 0; i < BURROW_MAX_WORKERS && pool->lanes[i] != NULL; i++)
			if (pool->lanes[i]->sending)
				lane_send(c, pool->lanes[i]);
	}

	if (burrow_status_is_stopping())
	{
		(void) burrow_reclaim_run(c);
		return 0;
	}
	make_room(c);
	do
	{
		while (pool->nidle > 0 && burrow_failure_may_dispatch(c) && !burrow_commit_silence_is_long(c) && give_next(c))
			;
		more = burrow_reclaim_run(c);
		/* what was parked lets others of its key go on, to be parked too */
		more |= burrow_writer_run(c, &letters_due);
		/* a failure that halts may have been among what came to light */
	} while (more && pool->nidle > 0 && !burrow_status_is_stopping());
	share_due = burrow_share_run(c);
	start_missing(c);
	end_idle(c);
	return burrow_status_is_stopping() ? letters_due :
		burrow_earlier(burrow_earlier(letters_due, share_due), next_due(c));
}
