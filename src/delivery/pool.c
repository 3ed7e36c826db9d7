/*
 * pool.c
 *	  The workers of a subscription, seen from their consumer: starting them, giving
 *	  them chunks, letting them go.  Their results are read in results.c.
 *
 * Runs in: the consumer.
 *
 * A worker has a lane, its number within the subscription.  It is given one chunk at
 * a time, in one message of its queue, straight from the consumer's copies of the
 * messages; these are kept until their results are in, so a message whose worker died
 * needs no second fetch.
 */
#include "postgres.h"

#include <signal.h>

#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

#include "guc.h"
#include "delivery/pool.h"
#include "partition/context.h"
#include "partition/partition.h"
#include "runtime/bgw.h"
#include "shmem/worker_slots.h"

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
	setup->handler_timeout_us = sub->options.handler_timeout_us;
	setup->synchronous_commit = sub->options.synchronous_commit;
	setup->delivery = sub->options.delivery;
	strlcpy(setup->uuid, sub->uuid, sizeof(setup->uuid));
	setup->handler_owner = sub->handler_owner;
	strlcpy(setup->subscription, sub->name, sizeof(setup->subscription));
	strlcpy(setup->handler, sub->handler, sizeof(setup->handler));
	if (c->pool->setup != NULL)
		pfree(c->pool->setup);
	c->pool->setup = setup;
}

void
burrow_pool_init(BurrowConsumer *c)
{
	c->pool = MemoryContextAllocZero(TopMemoryContext, sizeof(BurrowPool));
	c->lane_chunks = MemoryContextAllocZero(TopMemoryContext, sizeof(uint64) * BURROW_MAX_WORKERS);
	dlist_init(&c->pool->idle);
	dlist_init(&c->pool->prefetching);
	make_setup(c);
}

/* Has the lane's worker taken its slot, and not left it yet? */
bool
burrow_pool_is_attached(const BurrowConsumer *c, const BurrowLane *lane)
{
	return burrow_worker_slot_is_attached(lane->worker, c->slot, c->generation, lane->lane);
}

/* ---- coming and going ---- */

void
burrow_pool_set_idle(BurrowConsumer *c, BurrowLane *lane)
{
	lane->state = BURROW_LANE_IDLE;
	c->lane_chunks[lane->lane] = 0;
	lane->idle_since = c->now;
	dlist_push_head(&c->pool->idle, &lane->idle_node);
	c->pool->nidle++;
}

void
burrow_pool_set_not_idle(BurrowConsumer *c, BurrowLane *lane)
{
	dlist_delete(&lane->idle_node);
	c->pool->nidle--;
}

void
burrow_pool_stop_prefetching(BurrowLane *lane)
{
	if (lane->prefetching)
		dlist_delete(&lane->prefetching_node);
	lane->prefetching = false;
}

/* The lane has no chunk any more. */
void
burrow_pool_forget_chunk(BurrowConsumer *c, BurrowLane *lane)
{
	if (lane->sending)
		c->pool->nsending--;
	burrow_pool_stop_prefetching(lane);
	for (int i = 0; i < lane->nmessages; i++)
	{
		if (lane->failures[i] != NULL)
			pfree(lane->failures[i]);
	}
	if (lane->unsaved != NULL)
		pfree(lane->unsaved);
	lane->unsaved = NULL;
	lane->nmessages = 0;
	lane->sending = false;
	lane->cancelled = false;
	c->pool->nbusy--;
}

/* Our end of its queues is closed: an idle worker exits, and a running one when it has
 * ended its message. */
void
burrow_pool_let_go(BurrowConsumer *c, BurrowLane *lane)
{
	if (lane->state == BURROW_LANE_IDLE)
		burrow_pool_set_not_idle(c, lane);
	else if (lane->state == BURROW_LANE_STARTING)
		c->pool->nstarting--;
	burrow_transport_detach(lane->transport);
	lane->transport = NULL;
	lane->state = BURROW_LANE_LEAVING;
	c->lane_chunks[lane->lane] = 0;
	c->pool->nleaving++;
}

/* A lane that nobody has. */
static BurrowLane *
free_lane(BurrowConsumer *c)
{
	for (int i = 0; i < BURROW_MAX_WORKERS; i++)
	{
		BurrowLane *lane = c->pool->lanes[i];

		if (lane == NULL)
		{
			lane = MemoryContextAllocZero(TopMemoryContext, sizeof(BurrowLane));
			lane->lane = i;
			c->pool->lanes[i] = lane;
		}
		if (lane->state == BURROW_LANE_FREE)
			return lane;
	}
	return NULL;
}

/* The pool is smaller than it should be: said once, with what to do. */
static void
tell_short(BurrowConsumer *c, BurrowShortage shortage, const char *hint)
{
	/* the end of one that leaves wakes us, and gives its place back */
	if (c->pool->nleaving > 0)
		return;
	c->pool->start_again_at = c->now + START_AGAIN_US;
	burrow->subscriptions[c->slot].shortage = shortage;
	if (c->pool->told_short)
		return;
	c->pool->told_short = true;
	ereport(WARNING,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("could not start worker %d of %d for subscription \"%s\"",
					c->pool->nlanes + 1, c->sub->options.workers, c->sub->name),
			 errdetail("The subscription goes on with %d workers.", c->pool->nlanes - c->pool->nleaving),
			 errhint("%s", hint)));
}

/* Starts one worker; false: not now. */
bool
burrow_pool_start_worker(BurrowConsumer *c)
{
	BurrowLane *lane = free_lane(c);
	BurrowWorkerArgs args;
	MemoryContext old;
	const char *why;
	bool		started;

	if (lane == NULL)
		return false;
	lane->worker = burrow_worker_slot_reserve(c->slot, c->generation, lane->lane);
	if (lane->worker < 0)
	{
		tell_short(c, BURROW_SHORT_OF_SLOTS, "Consider increasing the configuration parameter \"burrow.max_workers\".");
		return false;
	}

	lane->transport = burrow_transport_create(c->pool->setup, (Size) burrow_worker_queue_size * 1024, &why);
	if (lane->transport == NULL)
	{
		burrow_worker_slot_free(lane->worker, c->slot, c->generation, lane->lane);
		if (!c->pool->told_short)
			burrow_registry_set_error(c->slot, "53000", why, NULL);
		tell_short(c, BURROW_SHORT_OF_MEMORY,
				   psprintf("The server gives no dynamic shared memory: %s.", why));
		return false;
	}
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
		burrow_worker_slot_free(lane->worker, c->slot, c->generation, lane->lane);
		tell_short(c, BURROW_SHORT_OF_PROCESSES, "Consider increasing the configuration parameter \"max_worker_processes\".");
		return false;
	}
	lane->state = BURROW_LANE_STARTING;
	lane->session = ++c->pool->sessions;
	lane->retire = false;
	lane->cancelled = false;
	c->pool->nlanes++;
	c->pool->nstarting++;
	return true;
}

/* ---- fresh sessions ---- */

void
burrow_pool_doubt(BurrowConsumer *c, BurrowLane *lane)
{
	/* if it has to be used on: its messages have other sessions to be tried in */
	if (!lane->retire)
		lane->retire = burrow_session_budget_take(&c->pool->budget, c->sub->options.workers, c->now);
}

void
burrow_pool_renew(BurrowConsumer *c)
{
	c->pool->renew = true;
}

void
burrow_pool_replace(BurrowConsumer *c)
{
	make_setup(c);
	for (int i = 0; i < BURROW_MAX_WORKERS && c->pool->lanes[i] != NULL; i++)
	{
		BurrowLane *lane = c->pool->lanes[i];

		if (lane->state == BURROW_LANE_IDLE || lane->state == BURROW_LANE_STARTING)
			burrow_pool_let_go(c, lane);
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
	for (int i = 0; i < BURROW_MAX_WORKERS && c->pool->lanes[i] != NULL; i++)
	{
		BurrowLane *lane = c->pool->lanes[i];

		if (lane->state == BURROW_LANE_BUSY)
			burrow_pool_forget_chunk(c, lane);
		if (lane->transport != NULL)
			burrow_pool_let_go(c, lane);
	}
}

/* A worker has ended before it could work: the next one waits, longer each time. */
static void
start_failed(BurrowConsumer *c)
{
	BurrowPool *pool = c->pool;

	pool->start_delay_us = Min(Max(pool->start_delay_us * 2, START_AGAIN_MIN_US), START_AGAIN_MAX_US);
	pool->start_again_at = c->now + pool->start_delay_us;
	burrow_registry_set_error(c->slot, "58000",
							  "a worker ended before it could work; the server log says why", NULL);
}

/* Workers that came, workers whose start failed, workers that are gone for good. */
void
burrow_pool_look_at_processes(BurrowConsumer *c)
{
	BurrowPool *pool = c->pool;

	if (pool->nstarting == 0 && pool->nleaving == 0)
		return;
	for (int i = 0; i < BURROW_MAX_WORKERS && pool->lanes[i] != NULL; i++)
	{
		BurrowLane *lane = pool->lanes[i];
		pid_t		pid;

		if (lane->state == BURROW_LANE_STARTING)
		{
			if (burrow_pool_is_attached(c, lane))
			{
				pool->nstarting--;
				pool->start_delay_us = 0;
				burrow_pool_set_idle(c, lane);
			}
			else if (GetBackgroundWorkerPid(lane->handle, &pid) == BGWH_STOPPED)
			{
				start_failed(c);
				burrow_pool_let_go(c, lane);
			}
		}
		if (lane->state == BURROW_LANE_LEAVING &&
			GetBackgroundWorkerPid(lane->handle, &pid) == BGWH_STOPPED)
		{
			burrow_worker_slot_free(lane->worker, c->slot, c->generation, lane->lane);
			pfree(lane->handle);
			lane->handle = NULL;
			lane->state = BURROW_LANE_FREE;
			pool->nlanes--;
			pool->nleaving--;
		}
	}
}

/* ---- stopping what runs too long ---- */

/* Does it hold a message that must end: of a closing partition, or any when all ends? */
static bool
must_end(const BurrowConsumer *c, const BurrowLane *lane)
{
	return lane->state == BURROW_LANE_BUSY && lane->nmessages > 0 &&
		(c->ending != BURROW_STOP_NONE || lane->part->state != BURROW_PARTITION_ACTIVE);
}

static void
signal_workers(BurrowConsumer *c, int signo)
{
	for (int i = 0; i < BURROW_MAX_WORKERS && c->pool->lanes[i] != NULL; i++)
	{
		BurrowLane *lane = c->pool->lanes[i];

		if (!must_end(c, lane))
			continue;
		lane->cancelled = true;
		burrow_worker_slot_signal(lane->worker, c->slot, c->generation, lane->lane, signo);
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
