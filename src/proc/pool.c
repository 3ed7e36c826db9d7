/*
 * pool.c
 *	  The workers of a subscription, seen from their consumer: starting them, giving
 *	  them chunks, reading their results, letting them go.
 *
 * Runs in: the consumer.
 *
 * A worker has a lane, its number within the subscription.  It is given one chunk at
 * a time, in one message of its queue, straight from the consumer's copies of the
 * messages; these are kept until their results are in, so a message whose worker died
 * needs no second fetch.
 *
 * What counts is the mark in the tracker slot.  A worker stores it in its commit
 * callback, before it can be interrupted; so whatever else is heard of a message, if
 * its mark is there, it is done.
 *
 * A worker tells of a result by a bit for its lane and the consumer's latch, so one
 * wake-up can serve many results and no queue is looked at in vain.  A worker that
 * exits sets its bit too, after its transaction is aborted and its slot is free.
 */
#include "postgres.h"

#include <signal.h>

#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

#include "guc.h"
#include "proc/bgw.h"
#include "proc/consumer.h"

/* Most bytes of a chunk; a larger message goes alone. */
#define CHUNK_BYTES			(4 * 1024 * 1024)

/* An idle worker above min_workers leaves after this. */
#define IDLE_LEAVE_US		INT64CONST(60000000)

/* When there was no slot for a worker. */
#define START_AGAIN_US		INT64CONST(5000000)
/* When one ended at its start: doubled each time. */
#define START_AGAIN_MIN_US	INT64CONST(1000000)
#define START_AGAIN_MAX_US	INT64CONST(60000000)

/* What a worker must know.  Made anew when options change. */
static void
make_setup(BurrowConsumer *c)
{
	const BurrowSubscription *sub = c->sub;
	BurrowWorkerSetup *setup = MemoryContextAllocZero(TopMemoryContext, sizeof(BurrowWorkerSetup));

	setup->batch_time_us = sub->options.batch_time_us;
	setup->synchronous_commit = sub->options.synchronous_commit;
	setup->delivery = sub->options.delivery;
	strlcpy(setup->uuid, sub->uuid, sizeof(setup->uuid));
	setup->handler_owner = sub->handler_owner;
	strlcpy(setup->subscription, sub->name, sizeof(setup->subscription));
	strlcpy(setup->handler, sub->handler, sizeof(setup->handler));
	if (c->pool.setup != NULL)
		pfree(c->pool.setup);
	c->pool.setup = setup;
}

void
burrow_pool_init(BurrowConsumer *c)
{
	dlist_init(&c->pool.idle);
	make_setup(c);
}

/* Has the lane's worker taken its slot, and not left it yet? */
static bool
is_attached(const BurrowConsumer *c, const BurrowLane *lane)
{
	return burrow_registry_worker_attached(lane->worker, c->slot, c->generation, lane->lane);
}

/* ---- coming and going ---- */

static void
set_idle(BurrowConsumer *c, BurrowLane *lane)
{
	lane->state = BURROW_LANE_IDLE;
	lane->idle_since = c->now;
	dlist_push_head(&c->pool.idle, &lane->idle_node);
	c->pool.nidle++;
}

static void
set_not_idle(BurrowConsumer *c, BurrowLane *lane)
{
	dlist_delete(&lane->idle_node);
	c->pool.nidle--;
}

/* The lane has no chunk any more. */
static void
forget_chunk(BurrowConsumer *c, BurrowLane *lane)
{
	if (lane->sending)
		c->pool.nsending--;
	lane->nmessages = 0;
	lane->sending = false;
	lane->cancelled = false;
	c->pool.nbusy--;
}

/* Our end of its queues is closed: an idle worker exits, and a running one when it has
 * ended its message. */
static void
let_go(BurrowConsumer *c, BurrowLane *lane)
{
	if (lane->state == BURROW_LANE_IDLE)
		set_not_idle(c, lane);
	else if (lane->state == BURROW_LANE_STARTING)
		c->pool.nstarting--;
	burrow_transport_detach(lane->transport);
	lane->transport = NULL;
	lane->state = BURROW_LANE_LEAVING;
	c->pool.nleaving++;
}

/* A lane that nobody has. */
static BurrowLane *
free_lane(BurrowConsumer *c)
{
	for (int i = 0; i < BURROW_MAX_WORKERS; i++)
	{
		BurrowLane *lane = c->pool.lanes[i];

		if (lane == NULL)
		{
			lane = MemoryContextAllocZero(TopMemoryContext, sizeof(BurrowLane));
			lane->lane = i;
			c->pool.lanes[i] = lane;
		}
		if (lane->state == BURROW_LANE_FREE)
			return lane;
	}
	return NULL;
}

/* The pool is smaller than it should be: said once, with what to do. */
static void
tell_short(BurrowConsumer *c, const char *hint)
{
	c->pool.start_again_at = c->now + START_AGAIN_US;
	burrow->subscriptions[c->slot].short_of_workers = true;
	if (c->pool.told_short)
		return;
	c->pool.told_short = true;
	ereport(WARNING,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("could not start worker %d of %d for subscription \"%s\"",
					c->pool.nlanes + 1, c->sub->options.workers, c->sub->name),
			 errdetail("The subscription goes on with %d workers.", c->pool.nlanes - c->pool.nleaving),
			 errhint("%s", hint)));
}

/* Starts one worker; false: not now. */
static bool
start_worker(BurrowConsumer *c)
{
	BurrowLane *lane = free_lane(c);
	BurrowWorkerArgs args;
	MemoryContext old;
	bool		started;

	if (lane == NULL)
		return false;
	lane->worker = burrow_registry_reserve_worker(c->slot, c->generation, lane->lane);
	if (lane->worker < 0)
	{
		tell_short(c, "Consider increasing the configuration parameter \"burrow.max_workers\".");
		return false;
	}

	lane->transport = burrow_transport_create(c->pool.setup, (Size) burrow_worker_queue_size * 1024);
	memset(&args, 0, sizeof(args));
	args.dboid = c->dboid;
	args.owner = c->sub->owner;
	args.subid = c->subid;
	args.subscription = c->slot;
	args.worker = lane->worker;
	args.lane = lane->lane;
	args.generation = c->generation;
	args.segment = dsm_segment_handle(lane->transport->segment);
	args.tracker_area = dsa_get_handle(c->area);

	/* the handle is needed until the process is gone */
	old = MemoryContextSwitchTo(TopMemoryContext);
	started = burrow_bgw_start_worker(&args, c->sub->name, &lane->handle);
	MemoryContextSwitchTo(old);
	if (!started)
	{
		burrow_transport_detach(lane->transport);
		lane->transport = NULL;
		burrow_registry_free_worker(lane->worker, c->slot, c->generation, lane->lane);
		tell_short(c, "Consider increasing the configuration parameter \"max_worker_processes\".");
		return false;
	}
	lane->state = BURROW_LANE_STARTING;
	lane->retire = false;
	lane->cancelled = false;
	c->pool.nlanes++;
	c->pool.nstarting++;
	return true;
}

/* Workers that are missing: at least min_workers, and as many as there is work for. */
static void
start_missing(BurrowConsumer *c)
{
	BurrowPool *pool = &c->pool;
	const BurrowOptions *o = &c->sub->options;
	uint64		ready = burrow_sched_ready(c->sched);
	int			present = pool->nlanes - pool->nleaving;
	int			wanted = o->min_workers;

	if (pool->nidle == 0 && ready > (uint64) pool->nstarting)
		wanted = Max(wanted, (int) Min((uint64) o->workers, present + ready - pool->nstarting));
	wanted = Min(wanted, o->workers);
	burrow->subscriptions[c->slot].workers_wanted = wanted;

	if (present >= wanted || (pool->start_again_at != 0 && pool->start_again_at > c->now))
		return;
	pool->start_again_at = 0;
	for (; present < wanted; present++)
		if (!start_worker(c))
			return;
	if (pool->told_short)
	{
		pool->told_short = false;
		burrow->subscriptions[c->slot].short_of_workers = false;
	}
}

/* Idle workers that nobody needs leave, the one idle for longest first. */
static void
end_idle(BurrowConsumer *c)
{
	BurrowPool *pool = &c->pool;

	while (pool->nidle > 0 &&
		   pool->nlanes - pool->nleaving > c->sub->options.min_workers)
	{
		BurrowLane *lane = dlist_container(BurrowLane, idle_node, dlist_tail_node(&pool->idle));

		if (lane->idle_since + IDLE_LEAVE_US > c->now)
			break;
		let_go(c, lane);
	}
}

void
burrow_pool_replace(BurrowConsumer *c)
{
	make_setup(c);
	for (int i = 0; i < BURROW_MAX_WORKERS && c->pool.lanes[i] != NULL; i++)
	{
		BurrowLane *lane = c->pool.lanes[i];

		if (lane->state == BURROW_LANE_IDLE || lane->state == BURROW_LANE_STARTING)
			let_go(c, lane);
		else if (lane->state == BURROW_LANE_BUSY)
			lane->retire = true;
	}
}

/*
 * The consumer is on its way out.  What a worker still has in hand (the server stops) is
 * not waited for: it rolls back, or is marked, and the next consumer will see which.
 */
void
burrow_pool_detach_all(BurrowConsumer *c)
{
	for (int i = 0; i < BURROW_MAX_WORKERS && c->pool.lanes[i] != NULL; i++)
	{
		BurrowLane *lane = c->pool.lanes[i];

		if (lane->state == BURROW_LANE_BUSY)
			forget_chunk(c, lane);
		if (lane->transport != NULL)
			let_go(c, lane);
	}
}

/* ---- results ---- */

/* The worker has let go of this message. */
static void
release_message(BurrowConsumer *c, BurrowMessage *m)
{
	burrow_tracker_release(&m->part->tracker, m->ref);
}

static void
count_done(BurrowConsumer *c, BurrowMessage *m, const BurrowMessageResult *result, int64 committed_at)
{
	BurrowSubscriptionSlot *slot = &burrow->subscriptions[c->slot];

	if (result != NULL)
		burrow_histogram_add(&slot->handler_time, result->handler_us);
	if (m->frame.flags & BURROW_MESSAGE_HAS_TIME)
	{
		int64		produced = m->frame.timestamp_ms * 1000;

		burrow_histogram_add(&slot->end_to_end_time, committed_at > produced ? committed_at - produced : 0);
		m->part->newest_done_ms = Max(m->part->newest_done_ms, m->frame.timestamp_ms);
	}
	c->done_since_commit++;
}

/* The message took effect. */
static void
message_done(BurrowConsumer *c, BurrowMessage *m)
{
	BurrowPart *part = m->part;

	release_message(c, m);
	burrow_sched_finish(c->sched, &m->item);
	burrow_message_free(c, m);
	burrow_part_release(c, part);
}

/* The message is to be run again; nothing is known against it. */
static void
message_returned(BurrowConsumer *c, BurrowMessage *m)
{
	BurrowPart *part = m->part;

	release_message(c, m);
	if (part->state == BURROW_PART_ACTIVE)
		burrow_sched_put_back(c->sched, &m->item);
	else
	{
		/* its partition is closing: whoever gets it next will read it again */
		burrow_sched_finish(c->sched, &m->item);
		burrow_message_free(c, m);
	}
	burrow_part_release(c, part);
}

/* The message failed for good: it stays pending in the tracker, and the subscription
 * is on its way to halt. */
static void
message_failed(BurrowConsumer *c, BurrowMessage *m)
{
	BurrowPart *part = m->part;

	release_message(c, m);
	burrow_sched_finish(c->sched, &m->item);
	burrow_message_free(c, m);
	burrow_part_release(c, part);
}

static bool
is_done(const BurrowMessage *m)
{
	return burrow_tracker_is_done(burrow_tracker_slot(m->ref));
}

/* Each message's result, newest first, so that those put back end up in their order. */
static void
take_outcomes(BurrowConsumer *c, BurrowLane *lane, const BurrowResultChunk *result)
{
	uint64		handler_us = 0;
	uint32		ndone = 0;

	for (int i = lane->nmessages - 1; i >= 0; i--)
	{
		BurrowMessage *m = lane->messages[i];
		const BurrowMessageResult *r = &result->results[i];

		if (is_done(m))
		{
			handler_us += r->handler_us;
			ndone++;
			count_done(c, m, r, result->committed_at);
			message_done(c, m);
		}
		else if (lane->failed[i])
			message_failed(c, m);
		else
			message_returned(c, m);
	}

	BURROW_COUNT(c->slot, messages_processed, ndone);
	if (ndone > 0)
	{
		uint64		ns = handler_us * 1000 / ndone;

		/* running mean over about eight chunks; never 0, which means not known */
		c->pool.handler_ns = c->pool.handler_ns == 0 ? ns : (c->pool.handler_ns * 7 + ns) / 8;
		c->pool.handler_ns = Max(c->pool.handler_ns, 1);
	}
}

static char *
text_of(const char *p, uint32 len)
{
	return len == 0 ? NULL : pnstrdup(p, len);
}

/* A message's error.  Without retries, the subscription halts; the first one is kept. */
static void
take_failure(BurrowConsumer *c, BurrowLane *lane, const BurrowResultFailure *f)
{
	BurrowMessage *m;
	const char *p = f->text;
	MemoryContext old;

	if (f->chunk != lane->chunk || f->index >= (uint32) lane->nmessages)
		elog(ERROR, "worker %d sent a failure for a message that it does not have", lane->lane);
	/* it was told to stop: that says nothing about the message */
	if (lane->cancelled)
		return;

	m = lane->messages[f->index];
	lane->failed[f->index] = true;
	BURROW_COUNT(c->slot, messages_failed, 1);
	if (c->ending == BURROW_ENDING_HALT)
		return;

	old = MemoryContextSwitchTo(c->halt_cxt);
	c->halt.topic = pstrdup(m->part->topic);
	c->halt.partition = m->part->partition;
	c->halt.offset = m->frame.offset;
	c->halt.sqlstate = pstrdup(f->sqlstate);
	c->halt.message = text_of(p, f->message_len);
	p += f->message_len;
	c->halt.detail = text_of(p, f->detail_len);
	p += f->detail_len;
	c->halt.hint = text_of(p, f->hint_len);
	p += f->hint_len;
	c->halt.context = text_of(p, f->context_len);
	MemoryContextSwitchTo(old);
	burrow_consumer_end(c, BURROW_ENDING_HALT);
}

/* The process is gone, or on its way out with its transaction aborted. */
static void
lane_gone(BurrowConsumer *c, BurrowLane *lane)
{
	if (lane->state == BURROW_LANE_BUSY)
	{
		int64		now_us = c->now + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;

		for (int i = lane->nmessages - 1; i >= 0; i--)
		{
			BurrowMessage *m = lane->messages[i];

			if (is_done(m))
			{
				BURROW_COUNT(c->slot, messages_processed, 1);
				count_done(c, m, NULL, now_us);
				message_done(c, m);
			}
			else if (lane->failed[i])
				message_failed(c, m);
			else
				message_returned(c, m);
		}
		forget_chunk(c, lane);
	}
	let_go(c, lane);
}

/* Reads what one worker has sent. */
static void
lane_receive(BurrowConsumer *c, BurrowLane *lane)
{
	while (lane->transport != NULL)
	{
		Size		len;
		void	   *data;
		shm_mq_result r = shm_mq_receive(lane->transport->results, &len, &data, true);

		if (r == SHM_MQ_WOULD_BLOCK)
		{
			/* its exit frees the slot first, and tells us, before the queue is detached */
			if (lane->state != BURROW_LANE_STARTING && !is_attached(c, lane))
				lane_gone(c, lane);
			return;
		}
		if (r == SHM_MQ_DETACHED)
		{
			lane_gone(c, lane);
			return;
		}

		switch (burrow_frame_result_kind(data, len))
		{
			case BURROW_RESULT_FAILURE:
				{
					const BurrowResultFailure *f = burrow_frame_read_failure(data, len);

					if (f == NULL)
						elog(ERROR, "worker %d sent a malformed failure", lane->lane);
					take_failure(c, lane, f);
					break;
				}
			case BURROW_RESULT_CHUNK:
				{
					const BurrowResultChunk *result = burrow_frame_read_result_chunk(data, len);

					if (result == NULL || lane->state != BURROW_LANE_BUSY ||
						result->chunk != lane->chunk || result->nmessages != (uint32) lane->nmessages)
						elog(ERROR, "worker %d sent a malformed result", lane->lane);
					take_outcomes(c, lane, result);
					forget_chunk(c, lane);
					if (lane->retire)
						let_go(c, lane);
					else
						set_idle(c, lane);
					break;
				}
			default:
				elog(ERROR, "worker %d sent a result of an unknown kind", lane->lane);
		}
	}
}

/* A worker has ended before it could work: the next one waits, longer each time. */
static void
start_failed(BurrowConsumer *c)
{
	BurrowPool *pool = &c->pool;

	pool->start_delay_us = Min(Max(pool->start_delay_us * 2, START_AGAIN_MIN_US), START_AGAIN_MAX_US);
	pool->start_again_at = c->now + pool->start_delay_us;
	burrow_registry_set_error(c->slot, "58000",
							  "a worker ended before it could work; the server log says why");
}

/* Workers that came, workers whose start failed, workers that are gone for good. */
static void
look_at_processes(BurrowConsumer *c)
{
	BurrowPool *pool = &c->pool;

	if (pool->nstarting == 0 && pool->nleaving == 0)
		return;
	for (int i = 0; i < BURROW_MAX_WORKERS && pool->lanes[i] != NULL; i++)
	{
		BurrowLane *lane = pool->lanes[i];
		pid_t		pid;

		if (lane->state == BURROW_LANE_STARTING)
		{
			if (is_attached(c, lane))
			{
				pool->nstarting--;
				pool->start_delay_us = 0;
				set_idle(c, lane);
			}
			else if (GetBackgroundWorkerPid(lane->handle, &pid) == BGWH_STOPPED)
			{
				start_failed(c);
				let_go(c, lane);
			}
		}
		if (lane->state == BURROW_LANE_LEAVING &&
			GetBackgroundWorkerPid(lane->handle, &pid) == BGWH_STOPPED)
		{
			burrow_registry_free_worker(lane->worker, c->slot, c->generation, lane->lane);
			pfree(lane->handle);
			lane->handle = NULL;
			lane->state = BURROW_LANE_FREE;
			pool->nlanes--;
			pool->nleaving--;
		}
	}
}

void
burrow_pool_collect(BurrowConsumer *c)
{
	BurrowSubscriptionSlot *slot = &burrow->subscriptions[c->slot];

	for (int w = 0; w < BURROW_MAX_WORKERS / 64; w++)
	{
		uint64		bits;

		if (pg_atomic_read_u64(&slot->ready[w]) == 0)
			continue;
		bits = pg_atomic_exchange_u64(&slot->ready[w], 0);
		while (bits != 0)
		{
			int			lane = w * 64 + pg_rightmost_one_pos64(bits);

			bits &= bits - 1;
			if (c->pool.lanes[lane] != NULL && c->pool.lanes[lane]->transport != NULL)
				lane_receive(c, c->pool.lanes[lane]);
		}
	}
	look_at_processes(c);
}

/* ---- chunks ---- */

/* Sends the chunk, or as much of it as fits into the queue now. */
static void
lane_send(BurrowConsumer *c, BurrowLane *lane)
{
	shm_mq_result r = burrow_transport_send(lane->transport->chunks, lane->iov, lane->iovcnt, true);

	if (lane->sending)
		c->pool.nsending--;
	lane->sending = (r == SHM_MQ_WOULD_BLOCK);
	if (lane->sending)
		c->pool.nsending++;
	if (r == SHM_MQ_DETACHED)
		lane_gone(c, lane);
}

/* Room for a chunk of the size that the options allow now. */
static void
fit_lane(BurrowConsumer *c, BurrowLane *lane)
{
	int			size = c->sub->options.batch_size;

	if (lane->capacity >= size)
		return;
	if (lane->capacity > 0)
	{
		pfree(lane->messages);
		pfree(lane->failed);
		pfree(lane->iov);
	}
	lane->messages = MemoryContextAlloc(TopMemoryContext, sizeof(BurrowMessage *) * size);
	lane->failed = MemoryContextAlloc(TopMemoryContext, sizeof(bool) * size);
	lane->iov = MemoryContextAlloc(TopMemoryContext, sizeof(shm_mq_iovec) * (size + 1));
	lane->capacity = size;
}

/* Gives a chunk to an idle worker. */
static void
give_chunk(BurrowConsumer *c, BurrowLane *lane, BurrowSchedItem *items, uint32 n)
{
	BurrowMessage *first = (BurrowMessage *) items;
	BurrowPart *part = first->part;
	size_t		topic_len = strlen(part->topic);
	uint32		i = 0;

	set_not_idle(c, lane);
	lane->state = BURROW_LANE_BUSY;
	c->pool.nbusy++;
	lane->chunk = ++c->pool.chunk;
	lane->header.magic = BURROW_CHUNK_MAGIC;
	lane->header.nmessages = n;
	lane->header.chunk = lane->chunk;
	lane->header.partition_slot = part->slot;
	lane->header.partition = part->partition;
	lane->header.topic_len = topic_len;
	lane->header.flags = 0;
	lane->header.head = burrow_tracker_head(&part->tracker);
	memset(lane->topic, 0, BURROW_FRAME_ALIGN(topic_len));
	memcpy(lane->topic, part->topic, topic_len);
	lane->iov[0].data = (char *) &lane->header;
	lane->iov[0].len = sizeof(BurrowChunkHeader) + BURROW_FRAME_ALIGN(topic_len);

	for (BurrowSchedItem *item = items; item != NULL; item = item->next)
	{
		BurrowMessage *m = (BurrowMessage *) item;

		lane->messages[i] = m;
		lane->failed[i] = false;
		i++;
		lane->iov[i].data = (char *) &m->frame;
		lane->iov[i].len = m->frame.total;
		burrow_tracker_hold(&part->tracker, m->ref);
		part->held++;
	}
	Assert(i == n);
	lane->nmessages = n;
	lane->iovcnt = n + 1;
	BURROW_COUNT(c->slot, chunks, 1);
	lane_send(c, lane);
}

void
burrow_pool_dispatch(BurrowConsumer *c)
{
	BurrowPool *pool = &c->pool;
	const BurrowOptions *o = &c->sub->options;

	if (pool->nsending > 0)
	{
		for (int i = 0; i < BURROW_MAX_WORKERS && pool->lanes[i] != NULL; i++)
			if (pool->lanes[i]->sending)
				lane_send(c, pool->lanes[i]);
	}

	if (c->ending != BURROW_ENDING_NOT)
		return;
	while (pool->nidle > 0 && burrow_sched_ready(c->sched) > 0)
	{
		BurrowLane *lane = dlist_container(BurrowLane, idle_node, dlist_head_node(&pool->idle));
		BurrowSchedLimits limits;
		BurrowSchedItem *items;
		uint32		n;

		limits.messages = burrow_sched_chunk_size(burrow_sched_ready(c->sched), pool->nidle,
												  pool->handler_ns, o->batch_time_us * 1000,
												  o->batch_size);
		limits.bytes = CHUNK_BYTES;
		items = burrow_sched_pick(c->sched, limits, &n);
		if (items == NULL)
			break;
		fit_lane(c, lane);
		give_chunk(c, lane, items, n);
	}
	start_missing(c);
	end_idle(c);
}

/* When burrow_pool_dispatch() has something to do; 0: not by time. */
TimestampTz
burrow_pool_next(const BurrowConsumer *c)
{
	const BurrowPool *pool = &c->pool;
	TimestampTz next = 0;

	if (c->ending != BURROW_ENDING_NOT)
		return 0;
	if (pool->start_again_at != 0 &&
		pool->nlanes - pool->nleaving < burrow->subscriptions[c->slot].workers_wanted)
		next = pool->start_again_at;
	if (pool->nidle > 0 && pool->nlanes - pool->nleaving > c->sub->options.min_workers)
	{
		const BurrowLane *oldest = dlist_container(BurrowLane, idle_node,
												   dlist_tail_node((dlist_head *) &pool->idle));

		next = burrow_earlier(next, oldest->idle_since + IDLE_LEAVE_US);
	}
	return next;
}

/* ---- stopping what runs too long ---- */

/* Does it hold a message that must end: of a closing partition, or any when all ends? */
static bool
must_end(const BurrowConsumer *c, const BurrowLane *lane)
{
	return lane->state == BURROW_LANE_BUSY && lane->nmessages > 0 &&
		(c->ending != BURROW_ENDING_NOT || lane->messages[0]->part->state != BURROW_PART_ACTIVE);
}

static void
signal_workers(BurrowConsumer *c, int signo)
{
	for (int i = 0; i < BURROW_MAX_WORKERS && c->pool.lanes[i] != NULL; i++)
	{
		BurrowLane *lane = c->pool.lanes[i];

		if (!must_end(c, lane))
			continue;
		lane->cancelled = true;
		burrow_registry_signal_worker(lane->worker, c->slot, c->generation, lane->lane, signo);
	}
}

void
burrow_pool_cancel(BurrowConsumer *c)
{
	signal_workers(c, SIGINT);
}

void
burrow_pool_terminate(BurrowConsumer *c)
{
	signal_workers(c, SIGTERM);
}
