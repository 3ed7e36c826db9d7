/*
 * wait.c
 *	  burrow.wait_until_caught_up()
 *
 * Caught up means: for each partition that this server consumes, the end was asked from
 * the broker after the call began, and Kafka has acknowledged a commit at that end or
 * beyond it.  So what could be read from the topic when the function was called is handled, its
 * effects are durable and visible, and new messages do not keep the caller for ever.
 *
 * The end is the one that readers see: under read_committed (the default) the last stable offset.  What lies
 * behind a transaction that is open then is not waited for, because nobody knows when, or whether, its
 * producer ends it; a notice says that there is some.
 *
 * The consumer is asked to look at the ends and to commit; its answers are in shared
 * memory, and nobody wakes the waiter for them: it looks again on a short timer, which
 * costs nothing when nobody waits.
 *
 * Runs in: backends; refused in workers, which would wait for themselves.
 * Locking: burrow->lock, shared, at each look.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "api/call.h"
#include "api/views.h"
#include "burrow.h"
#include "catalog/access.h"
#include "catalog/interval_text.h"
#include "guc.h"
#include "shmem/partitions.h"
#include "shmem/wait_events.h"

PG_FUNCTION_INFO_V1(burrow_sql_wait_until_caught_up);

#define LOOK_AGAIN_MS	50
#define ASK_AGAIN_US	INT64CONST(1000000)
#define TIMEOUT_MAX_US	USECS_PER_DAY

/* Where a partition's end was, asked after the call began; by partition slot. */
typedef struct Goal
{
	bool		known;
	uint32		generation;		/* a slot that changed hands has another goal */
	uint32		epoch;
	int64		end;
} Goal;

typedef struct Wait
{
	int32		subid;
	TimestampTz since;
	TimestampTz deadline;
	TimestampTz ask_at;			/* ask the consumer (again) then */
	uint32		asked;			/* generation of the consumer that was asked */
	Goal	   *goals;			/* burrow_max_partitions of them */

	/* the last look */
	int			slot;			/* -1: none */
	BurrowState state;
	bool		attached;
	uint32		generation;
	bool		caught_up;
	int64		blocked;		/* offsets behind open transactions */
} Wait;

/* Locks: caller holds burrow->lock. */
static bool
partition_caught_up(Wait *wait, int index)
{
	BurrowPartitionSlot *part = &burrow_partitions[index];
	Goal	   *goal = &wait->goals[index];

	if (goal->known && (goal->generation != wait->generation || goal->epoch != part->epoch))
		goal->known = false;
	if (!goal->known)
	{
		TimestampTz asked_at = (TimestampTz) pg_atomic_read_u64(&part->end_asked_at);

		/* the consumer writes the end first */
		pg_read_barrier();
		if (asked_at < wait->since)
			return false;
		goal->end = (int64) pg_atomic_read_u64(&part->end);
		goal->generation = wait->generation;
		goal->epoch = part->epoch;
		goal->known = goal->end >= 0;
	}
	return goal->known && (int64) pg_atomic_read_u64(&part->committed) >= goal->end;
}

static int64
count_blocked(BurrowPartitionSlot *part)
{
	int64		end = (int64) pg_atomic_read_u64(&part->end);
	int64		high = (int64) pg_atomic_read_u64(&part->high_watermark);

	return pg_atomic_read_u64(&part->blocked_since) != 0 && high > end ? high - end : 0;
}

/* Copies what shared memory says now. */
static void
look(Wait *wait)
{
	int			npartitions = 0;
	int			nready = 0;

	LWLockAcquire(burrow->lock, LW_SHARED);
	wait->slot = burrow_registry_find(MyDatabaseId, wait->subid);
	wait->attached = false;
	wait->blocked = 0;
	if (wait->slot >= 0)
	{
		BurrowSubscriptionSlot *slot = &burrow->subscriptions[wait->slot];

		wait->state = slot->state;
		wait->attached = slot->consumer_pid != 0;
		wait->generation = slot->generation;
		/* assigned, and not among those below yet */
		npartitions = wait->attached ? (int) slot->starting_partitions.n : 0;
		for (int i = 0; wait->attached && i < burrow_max_partitions; i++)
		{
			if (!burrow_partitions[i].in_use || burrow_partitions[i].subscription != wait->slot ||
				burrow_partitions[i].gone)
				continue;
			npartitions++;
			wait->blocked += count_blocked(&burrow_partitions[i]);
			if (partition_caught_up(wait, i))
				nready++;
		}
	}
	LWLockRelease(burrow->lock);
	wait->caught_up = npartitions > 0 && nready == npartitions;
}

/* Error if it does not run and will not by itself. */
static void
check_runs(const Wait *wait, const char *name)
{
	BurrowSubscription *sub = burrow_subscription_find(name, false);
	BurrowState state;

	if (sub == NULL || sub->subid != wait->subid)
		burrow_call_subscription_missing(name);
	state = burrow_views_state(sub->status, burrow_subscription_at_home(sub),
							   wait->slot >= 0, wait->state, wait->attached);
	if (state != BURROW_PAUSED && state != BURROW_HALTED && state != BURROW_DISABLED)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("subscription \"%s\" is %s", name, burrow_state_names[state]),
			 state == BURROW_HALTED ?
			 errdetail("The view burrow.subscriptions shows the error.") : 0,
			 state == BURROW_DISABLED && !burrow_enabled ?
			 errhint("Set burrow.enabled to on, and reload the configuration.") :
			 errhint("Use burrow.resume().")));
}

static void
sleep_a_little(const Wait *wait, TimestampTz now)
{
	long		ms = TimestampDifferenceMilliseconds(now, wait->deadline);

	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 Min(Max(ms, 1), LOOK_AGAIN_MS), burrow_wait_event(BURROW_WAIT_CAUGHT_UP));
	ResetLatch(MyLatch);
}

static bool
wait_until_caught_up(Wait *wait, const char *name)
{
	for (;;)
	{
		TimestampTz now;

		CHECK_FOR_INTERRUPTS();
		look(wait);
		if (wait->caught_up)
		{
			if (wait->blocked > 0)
				ereport(NOTICE,
						(errmsg("subscription \"%s\" has %lld offsets behind a transaction that is open",
								name, (long long) wait->blocked),
						 errdetail("They are not waited for: they cannot be read before its producer ends it.")));
			return true;
		}
		if (!wait->attached || (wait->state != BURROW_RUNNING && wait->state != BURROW_RETRYING && wait->state != BURROW_STALLED))
			check_runs(wait, name);

		now = GetCurrentTimestamp();
		if (now >= wait->deadline)
			return false;
		if (wait->attached && (wait->asked != wait->generation || now >= wait->ask_at))
		{
			burrow_registry_request(wait->slot, BURROW_REQUEST_REFRESH);
			wait->asked = wait->generation;
			wait->ask_at = now + ASK_AGAIN_US;
		}
		sleep_a_little(wait, now);
	}
}

static int64
timeout_us(Interval *timeout)
{
	int64		us;

	if (!burrow_interval_text_us(timeout, &us) || us < 0 || us > TIMEOUT_MAX_US)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\": \"%s\"", "timeout",
						DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(timeout)))),
				 errdetail("Valid values are intervals from 0 to %s.",
						   burrow_interval_text_format(TIMEOUT_MAX_US))));
	return us;
}

Datum
burrow_sql_wait_until_caught_up(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	BurrowSubscription *sub;
	Wait		wait = {0};

	burrow_registry_require();
	burrow_access_check_version();
	if (burrow_am_worker)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot wait for a subscription inside a handler"),
				 errdetail("The message in hand would wait for itself.")));
	wait.since = GetCurrentTimestamp();
	wait.deadline = wait.since + timeout_us(PG_GETARG_INTERVAL_P(1));

	sub = burrow_call_subscription(name, false);
	if (sub->changed_here)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot wait for subscription \"%s\" in the transaction that changed it", name),
				 errdetail("The change takes effect when the transaction commits.")));
	wait.subid = sub->subid;
	wait.goals = palloc0(sizeof(Goal) * burrow_max_partitions);

	PG_RETURN_BOOL(wait_until_caught_up(&wait, name));
}
