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
#include "offsets/progress_merge.h"
#include "partition/context.h"
#include "partition/partition.h"
#include "partition/status.h"
#include "runtime/bgw.h"
#include "shmem/worker_share.h"
#include "shmem/worker_slots.h"

/* When there was no slot for a worker. */
#define START_AGAIN_US		INT64CONST(5000000)
/* Others are not asked more often to give workers back. */
#define ASK_OTHERS_US		INT64CONST(1000000)
/* That is logged when it has lasted for so long. */
#define TELL_SHORT_US		INT64CONST(2000000)
/* When one ended at its start: doubled each time. */
#define START_AGAIN_MIN_US	INT64CONST(1000000)
#define START_AGAIN_MAX_US	INT64CONST(60000000)

/*
 * A transaction of batch_size messages of a usual size goes into a worker's queue as a whole: in pieces, a process
 * wakes the other for each quarter of the queue.  Up to so much, since it is taken for each worker.
 */
#define QUEUE_MESSAGE_BYTES	640
#define QUEUE_MOST_BYTES	(4 * 1024 * 1024)

static BurrowPool pool;

/* What a worker must know.  Made anew when options change. */
static void
make_setup(const BurrowConsumer *c)
{
	const BurrowSubscription *sub = c->sub;
	BurrowWorkerSetup *setup = MemoryContextAllocZero(TopMemoryContext, sizeof(BurrowWorkerSetup));

	setup->batch_time_us = sub->options.batch_time_us;
	setup->handler_timeout_us = sub->options.handler_timeout_us;
	setup->synchronous_commit = sub->options.synchronous_commit;
	setup->delivery = sub->options.delivery;
	strlcpy(setup->uuid, sub->uuid, sizeof(setup->uuid));
	setup->run_as_owner = sub->options.run_as_owner;
	setup->handler_owner = sub->handler_owner;
	strlcpy(setup->subscription, sub->name, sizeof(setup->subscription));
	strlcpy(setup->handler, sub->handler, sizeof(setup->handler));
	if (pool.setup != NULL)
		pfree(pool.setup);
	pool.setup = setup;
}

void
burrow_pool_init(const BurrowConsumer *c)
{
	dlist_init(&pool.idle);
	dlist_init(&pool.prefetching);
	make_setup(c);
}

const BurrowPool *
burrow_pool(void)
{
	return &pool;
}

BurrowLane *
burrow_pool_next(void)
{
	return dlist_head_element(BurrowLane, idle_node, &pool.idle);
}

/* Has the lane's worker taken its slot, and not left it yet? */
bool
burrow_pool_is_attached(const BurrowConsumer *c, const BurrowLane *lane)
{
	return burrow_worker_slot_is_attached(lane->worker, c->slot, c->generation, lane->lane);
}

/* ---- coming and going ---- */

void
burrow_pool_set_idle(const BurrowConsumer *c, BurrowLane *lane)
{
	lane->state = BURROW_LANE_IDLE;
	burrow_progress_merge_end_chunk(lane->lane);
	lane->idle_since = c->now;
	dlist_push_head(&pool.idle, &lane->idle_node);
	pool.nidle++;
}

static void
set_not_idle(BurrowLane *lane)
{
	dlist_delete(&lane->idle_node);
	pool.nidle--;
}

void
burrow_pool_set_busy(BurrowLane *lane, int nmessages)
{
	set_not_idle(lane);
	lane->state = BURROW_LANE_BUSY;
	lane->nmessages = nmessages;
	lane->failed = false;
	pool.nbusy++;
}

BurrowMessage *
burrow_pool_take_last(BurrowLane *lane)
{
	return lane->messages[--lane->nmessages];
}

void
burrow_pool_set_failed(BurrowLane *lane)
{
	lane->failed = true;
}

void
burrow_pool_set_unsaved(BurrowLane *lane, BurrowFailure *failure, int64 offset)
{
	lane->unsaved = failure;
	lane->unsaved_offset = offset;
	if (failure != NULL)
		lane->failed = true;
}

void
burrow_pool_set_sending(BurrowLane *lane, bool sending)
{
	if (sending != lane->sending)
		pool.nsending += sending ? 1 : -1;
	lane->sending = sending;
}

void
burrow_pool_start_prefetching(BurrowLane *lane)
{
	lane->prefetching = true;
	dlist_push_tail(&pool.prefetching, &lane->prefetching_node);
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
burrow_pool_forget_chunk(BurrowLane *lane)
{
	burrow_pool_set_sending(lane, false);
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
	lane->cancelled = false;
	pool.nbusy--;
}

/* Our end of its queues is closed: an idle worker exits, and a running one when it has
 * ended its message. */
void
burrow_pool_let_go(const BurrowConsumer *c, BurrowLane *lane)
{
	if (lane->state == BURROW_LANE_IDLE)
		set_not_idle(lane);
	else if (lane->state == BURROW_LANE_STARTING)
		pool.nstarting--;
	burrow_transport_detach(lane->transport);
	lane->transport = NULL;
	lane->state = BURROW_LANE_LEAVING;
	burrow_progress_merge_end_chunk(lane->lane);
	pool.nleaving++;
}

/* A lane that nobody has. */
static BurrowLane *
free_lane(const BurrowConsumer *c)
{
	for (int i = 0; i < BURROW_MAX_WORKERS; i++)
	{
		BurrowLane *lane = pool.lanes[i];

		if (lane == NULL)
		{
			lane = MemoryContextAllocZero(TopMemoryContext, sizeof(BurrowLane));
			lane->lane = i;
			pool.lanes[i] = lane;
		}
		if (lane->state == BURROW_LANE_FREE)
			return lane;
	}
	return NULL;
}

static const char *const shortage_hints[] = {
	[BURROW_SHORT_OF_SLOTS] = "Consider increasing the configuration parameter \"burrow.max_workers\".",
	[BURROW_SHORT_OF_PROCESSES] = "Consider increasing the configuration parameter \"max_worker_processes\".",
	[BURROW_SHORT_OF_ROLE] = "Consider increasing the configuration parameter \"burrow.max_workers_per_role\".",
	[BURROW_SHORT_OF_SHARE] = "Other subscriptions have more than their share, and give workers back when these have ended what they have in hand.",
};

/* The pool is smaller than it should be: said once, with what to do. */
static void
report_shortage(const BurrowConsumer *c, BurrowShortage shortage, const char *hint)
{
	/* the end of one that leaves wakes us, and gives its place back */
	if (pool.nleaving > 0)
		return;
	pool.start_again_at = c->now + START_AGAIN_US;
	burrow->subscriptions[c->slot].shortage = shortage;
	/* what is only just short is mostly given back by others at once */
	if (pool.short_since == 0)
		pool.short_since = c->now;
	if (pool.told_short || (shortage != BURROW_SHORT_OF_MEMORY && pool.short_since + TELL_SHORT_US > c->now))
		return;
	pool.told_short = true;
	ereport(WARNING,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("could not start worker %d of %d for subscription \"%s\"",
					pool.nlanes + 1, c->sub->options.workers, c->sub->name),
			 errdetail("The subscription goes on with %d workers.", pool.nlanes - pool.nleaving),
			 errhint("%s", hint)));
}

/*
 * Have the others look how many they may have.  Who is asked and waits, too, tries again, and would
 * ask in turn: so not all the time.
 */
static void
ask_others(const BurrowConsumer *c)
{
	if (pool.asked_others_at + ASK_OTHERS_US > c->now)
		return;
	pool.asked_others_at = c->now;
	burrow_worker_share_announce();
}

/* There was no place for one that the subscription may have. */
static void
found_full(const BurrowConsumer *c, BurrowShortage shortage, const BurrowWorkerShare *share)
{
	/* where others have too much, there is as much as was thought */
	if (shortage == BURROW_SHORT_OF_PROCESSES && pool.nleaving == 0 && !share->others_hold)
		burrow_worker_share_found_full(c->now + START_AGAIN_US);
	if (share->others_hold)
		shortage = BURROW_SHORT_OF_SHARE;
	ask_others(c);
	report_shortage(c, shortage, shortage_hints[shortage]);
}

/* Its segment; NULL: the server gives no memory, and why.  The larger queue only makes it faster. */
static BurrowTransport *
make_transport(const BurrowConsumer *c, const char **why)
{
	Size		least = (Size) burrow_worker_queue_size * 1024;
	Size		wanted = Min((Size) c->sub->options.batch_size * QUEUE_MESSAGE_BYTES, QUEUE_MOST_BYTES);
	BurrowTransport *transport = NULL;

	if (wanted > least)
		transport = burrow_transport_create(pool.setup, wanted, why);
	return transport != NULL ? transport : burrow_transport_create(pool.setup, least, why);
}

/* Starts one worker; false: not now. */
static bool
start_worker(const BurrowConsumer *c, const BurrowWorkerShare *share)
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
		found_full(c, BURROW_SHORT_OF_SLOTS, share);
		return false;
	}

	lane->transport = make_transport(c, &why);
	if (lane->transport == NULL)
	{
		BurrowTroubleReport report = {.sqlstate = "53000", .message = why};

		burrow_worker_slot_free(lane->worker, c->slot, c->generation, lane->lane);
		if (!pool.told_short)
			burrow_status_set(c, BURROW_TROUBLE_POOL_MEMORY, &report);
		report_shortage(c, BURROW_SHORT_OF_MEMORY,
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
		found_full(c, BURROW_SHORT_OF_PROCESSES, share);
		return false;
	}
	lane->state = BURROW_LANE_STARTING;
	lane->session = ++pool.sessions;
	pool.started_at = c->now;
	lane->retire = false;
	lane->cancelled = false;
	pool.nlanes++;
	pool.nstarting++;
	return true;
}

void
burrow_pool_start_workers(const BurrowConsumer *c, int wanted)
{
	int			present = pool.nlanes - pool.nleaving;
	BurrowWorkerShare share;

	burrow->subscriptions[c->slot].workers_wanted = wanted;
	if (present >= wanted || (pool.start_again_at != 0 && pool.start_again_at > c->now))
		return;
	pool.start_again_at = 0;
	share = burrow_worker_share(c->slot, c->now);
	for (; present < Min(wanted, share.workers); present++)
		if (!start_worker(c, &share))
			return;
	burrow_status_over(c, BURROW_TROUBLE_POOL_MEMORY);
	if (present < wanted)
	{
		if (share.others_hold)
			ask_others(c);
		report_shortage(c, share.limit, shortage_hints[share.limit]);
		return;
	}
	pool.told_short = false;
	pool.short_since = 0;
	burrow->subscriptions[c->slot].shortage = BURROW_SHORT_OF_NOTHING;
}

void
burrow_pool_start_again(const BurrowConsumer *c)
{
	/* not if those that were started could not work */
	if (burrow->subscriptions[c->slot].shortage != BURROW_SHORT_OF_NOTHING && pool.start_delay_us == 0)
		pool.start_again_at = 0;
}

/* ---- giving back ---- */

int
burrow_pool_staying(void)
{
	int			staying = pool.nlanes - pool.nleaving;

	for (int i = 0; i < BURROW_MAX_WORKERS && pool.lanes[i] != NULL; i++)
		staying -= pool.lanes[i]->state == BURROW_LANE_BUSY && pool.lanes[i]->retire ? 1 : 0;
	return staying;
}

void
burrow_pool_give_back(const BurrowConsumer *c, int n)
{
	for (; n > 0 && pool.nidle > 0; n--)
		burrow_pool_let_go(c, dlist_container(BurrowLane, idle_node, dlist_tail_node(&pool.idle)));
	for (int i = 0; i < BURROW_MAX_WORKERS && pool.lanes[i] != NULL && n > 0; i++)
	{
		BurrowLane *lane = pool.lanes[i];

		if (lane->state == BURROW_LANE_STARTING)
			burrow_pool_let_go(c, lane);
		else if (lane->state == BURROW_LANE_BUSY && !lane->retire)
			lane->retire = true;
		else
			continue;
		n--;
	}
}

/* ---- fresh sessions ---- */

void
burrow_pool_doubt(const BurrowConsumer *c, BurrowLane *lane)
{
	/* if it has to be used on: its messages have other sessions to be tried in */
	if (!lane->retire)
		lane->retire = burrow_pool_spend(c);
}

bool
burrow_pool_spend(const BurrowConsumer *c)
{
	return burrow_session_budget_take(&pool.budget, c->sub->options.workers, c->now);
}

void
burrow_pool_renew(void)
{
	pool.renew = true;
}

void
burrow_pool_renew_now(const BurrowConsumer *c)
{
	pool.renew = false;
	pool.renewed_at = c->now;
	pool.start_again_at = pool.start_delay_us = 0;
	burrow_pool_replace(c);
}

void
burrow_pool_replace(const BurrowConsumer *c)
{
	make_setup(c);
	for (int i = 0; i < BURROW_MAX_WORKERS && pool.lanes[i] != NULL; i++)
	{
		BurrowLane *lane = pool.lanes[i];

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
burrow_pool_detach_all(const BurrowConsumer *c)
{
	for (int i = 0; i < BURROW_MAX_WORKERS && pool.lanes[i] != NULL; i++)
	{
		BurrowLane *lane = pool.lanes[i];

		if (lane->state == BURROW_LANE_BUSY)
			burrow_pool_forget_chunk(lane);
		if (lane->transport != NULL)
			burrow_pool_let_go(c, lane);
	}
}

/* A worker has ended before it could work: the next one waits, longer each time. */
static void
start_failed(const BurrowConsumer *c)
{
	static const BurrowTroubleReport report = {
		.sqlstate = "58000",
		.message = "a worker ended before it could work; the server log says why",
	};

	pool.start_delay_us = Min(Max(pool.start_delay_us * 2, START_AGAIN_MIN_US), START_AGAIN_MAX_US);
	pool.start_again_at = c->now + pool.start_delay_us;
	burrow_status_set(c, BURROW_TROUBLE_WORKERS, &report);
}

/* Workers that came, workers whose start failed, workers that are gone for good. */
void
burrow_pool_look_at_processes(const BurrowConsumer *c)
{
	if (pool.nstarting == 0 && pool.nleaving == 0)
		return;
	for (int i = 0; i < BURROW_MAX_WORKERS && pool.lanes[i] != NULL; i++)
	{
		BurrowLane *lane = pool.lanes[i];
		pid_t		pid;

		if (lane->state == BURROW_LANE_STARTING)
		{
			if (burrow_pool_is_attached(c, lane))
			{
				pool.nstarting--;
				pool.start_delay_us = 0;
				burrow_status_over(c, BURROW_TROUBLE_WORKERS);
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
			pool.nlanes--;
			pool.nleaving--;
			burrow_worker_share_freed();
		}
	}
}

/* ---- stopping what runs too long ---- */

/* Does it hold a message that must end: of a closing partition, or any when all ends? */
static bool
must_end(const BurrowConsumer *c, const BurrowLane *lane)
{
	return lane->state == BURROW_LANE_BUSY && lane->nmessages > 0 &&
		(burrow_status_is_stopping() || lane->part->state != BURROW_PARTITION_ACTIVE);
}

static void
signal_workers(const BurrowConsumer *c, int signo)
{
	for (int i = 0; i < BURROW_MAX_WORKERS && pool.lanes[i] != NULL; i++)
	{
		BurrowLane *lane = pool.lanes[i];

		if (!must_end(c, lane))
			continue;
		lane->cancelled = true;
		burrow_worker_slot_signal(lane->worker, c->slot, c->generation, lane->lane, signo);
	}
}

void
burrow_pool_cancel(const BurrowConsumer *c)
{
	signal_workers(c, SIGINT);
}

void
burrow_pool_terminate(const BurrowConsumer *c)
{
	signal_workers(c, SIGTERM);
}
