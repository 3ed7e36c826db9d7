/*
 * history.c
 *	  What each subscription did in the last hour, in steps of ten seconds.
 *
 * Steps begin at whole tens of seconds, the same for all subscriptions, and each has its place in the ring by its
 * number.  A place says which step it holds, so that nothing has to be cleared: what was not written, for whatever
 * reason, is a gap.  Nor does it matter when the clock is set.
 *
 * Counters are kept as what was added in the step.  What they were when it began is in shared memory, too: a consumer that
 * follows another in one step goes on with it.
 *
 * Runs in: the consumer writes, anybody reads.
 * Locking: burrow->lock.
 *
 * Alternatives rejected: that the launcher samples all of them.  It would have to be awake every ten seconds in servers
 * where nothing runs, and could not tell a consumer that stands from one that has nothing to do.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/shmem.h"

#include "guc.h"
#include "shmem/history.h"
#include "shmem/shared.h"

/* A step in the ring. */
typedef struct Place
{
	int32		number;			/* of the step since 2000; 0: none was written */
	uint32		counts[BURROW_HISTORY_NCOUNTERS];
	int64		lag;
	int64		lag_us;
} Place;

typedef struct BurrowHistory
{
	int32		number;			/* of the step that is being written */
	uint64		base[BURROW_HISTORY_NCOUNTERS]; /* what the counters were when it began */
	Place		places[BURROW_HISTORY_STEPS];
}			BurrowHistory;

static const BurrowCounter kept[BURROW_HISTORY_NCOUNTERS] = {
	[BURROW_HISTORY_PROCESSED] = BURROW_COUNTER_messages_processed,
	[BURROW_HISTORY_FAILED] = BURROW_COUNTER_messages_failed,
	[BURROW_HISTORY_DEAD_LETTERED] = BURROW_COUNTER_messages_dead_lettered,
	[BURROW_HISTORY_PARKED] = BURROW_COUNTER_messages_parked,
	[BURROW_HISTORY_SKIPPED] = BURROW_COUNTER_messages_skipped,
};

static BurrowHistory * histories;	/* burrow->nsubscriptions of them */

Size
burrow_history_shmem_size(void)
{
	return mul_size(burrow_max_subscriptions, sizeof(BurrowHistory));
}

void
burrow_history_startup_shmem(void)
{
	bool		found;

	histories = ShmemInitStruct("burrow history", burrow_history_shmem_size(), &found);
	if (!found)
		memset(histories, 0, burrow_history_shmem_size());
}

void
burrow_history_reset(int slot)
{
	Assert(LWLockHeldByMeInMode(burrow->lock, LW_EXCLUSIVE));
	memset(&histories[slot], 0, sizeof(BurrowHistory));
}

static int32
number_at(TimestampTz now)
{
	return (int32) (now / BURROW_HISTORY_STEP_US);
}

static uint32
place_of(int32 number)
{
	return (uint32) number % BURROW_HISTORY_STEPS;
}

static uint64
count_now(int slot, int counter)
{
	return pg_atomic_read_u64(&burrow->subscriptions[slot].counters[kept[counter]]);
}

/* What was counted before is not of this step. */
static void
begin_step(int slot, int32 number)
{
	BurrowHistory *history = &histories[slot];

	history->number = number;
	for (int i = 0; i < BURROW_HISTORY_NCOUNTERS; i++)
		history->base[i] = count_now(slot, i);
}

static void
write_step(int slot, int64 lag, int64 lag_us)
{
	BurrowHistory *history = &histories[slot];
	Place	   *place = &history->places[place_of(history->number)];

	place->number = history->number;
	for (int i = 0; i < BURROW_HISTORY_NCOUNTERS; i++)
		place->counts[i] = (uint32) Min(count_now(slot, i) - history->base[i], PG_UINT32_MAX);
	place->lag = lag;
	place->lag_us = lag_us;
}

void
burrow_history_begin(int slot, TimestampTz now)
{
	Assert(LWLockHeldByMeInMode(burrow->lock, LW_EXCLUSIVE));
	if (histories[slot].number != number_at(now))
		begin_step(slot, number_at(now));
}

void
burrow_history_end(int slot)
{
	Assert(LWLockHeldByMeInMode(burrow->lock, LW_EXCLUSIVE));
	write_step(slot, -1, -1);
}

bool
burrow_history_is_over(int slot, TimestampTz now, TimestampTz *due)
{
	int32		number = number_at(now);

	*due = (TimestampTz) (number + 1) * BURROW_HISTORY_STEP_US;
	return histories[slot].number != number;
}

void
burrow_history_write(int slot, TimestampTz now, int64 lag, int64 lag_us)
{
	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	write_step(slot, lag, lag_us);
	begin_step(slot, number_at(now));
	LWLockRelease(burrow->lock);
}

void
burrow_history_read(int slot, TimestampTz now, int n, BurrowHistoryStep * steps)
{
	Assert(n <= BURROW_HISTORY_STEPS);
	Assert(LWLockHeldByMe(burrow->lock));

	for (int i = 0; i < n; i++)
	{
		int32		number = number_at(now) - n + i;
		const Place *place = &histories[slot].places[place_of(number)];

		steps[i].at = number * BURROW_HISTORY_STEP_US;
		steps[i].known = place->number == number;
		memcpy(steps[i].counts, place->counts, sizeof(steps[i].counts));
		steps[i].lag = place->lag;
		steps[i].lag_us = place->lag_us;
	}
}

uint64
burrow_history_done(const BurrowHistoryStep * step)
{
	return (uint64) step->counts[BURROW_HISTORY_PROCESSED] + step->counts[BURROW_HISTORY_DEAD_LETTERED] +
		step->counts[BURROW_HISTORY_PARKED] + step->counts[BURROW_HISTORY_SKIPPED];
}
