/*
 * subscription_slots.c
 *	  Which subscription has which slot.
 *
 * Runs in: discovery workers, and backends that ask whether there is room.
 * Locking: burrow->lock.
 *
 * A subscription keeps its slot while it is paused or halted, with what it has counted.  One
 * that is disabled, or a copy, keeps it for as long as nobody else needs it.
 */
#include "postgres.h"

#include "shmem/history.h"
#include "shmem/registry.h"
#include "shmem/subscription_slots.h"

/* Forget what another subscription has counted. */
static void
reset_stats(int slot)
{
	BurrowSubscriptionSlot *sub = &burrow->subscriptions[slot];

	for (int i = 0; i < BURROW_NCOUNTERS; i++)
		pg_atomic_write_u64(&sub->counters[i], 0);
	for (int i = 0; i < BURROW_SQLSTATE_CLASSES; i++)
		pg_atomic_write_u64(&sub->failures[i], 0);
	memset(&sub->stats_base, 0, sizeof(sub->stats_base));
	sub->restarts = 0;
	pg_atomic_write_u64(&sub->jobs_queued, 0);
	pg_atomic_write_u64(&sub->inflight, 0);
	pg_atomic_write_u64(&sub->inflight_bytes, 0);
	pg_atomic_write_u64(&sub->unconfirmed_since, 0);
	pg_atomic_write_u64(&sub->last_progress_at, 0);
	pg_atomic_write_u64(&sub->last_commit_at, 0);
	pg_atomic_write_u64(&sub->letters_pending, (uint64) -1);
	pg_atomic_write_u64(&sub->parked_keys, 0);
	burrow_sizes_reset(&sub->transaction_messages);
	pg_atomic_write_u64(&sub->renewed_at, 0);
	burrow_histogram_reset(&sub->kafka_commit_time);
	burrow_histogram_reset(&sub->handler_time);
	burrow_histogram_reset(&sub->end_to_end_time);
	burrow_history_reset(slot);
}

static bool
is_taken(int slot)
{
	return burrow->subscriptions[slot].in_use;
}

bool
burrow_subscription_slots_is_evictable(int slot)
{
	const BurrowSubscriptionSlot *sub = &burrow->subscriptions[slot];

	return sub->in_use && sub->rests && !sub->ended && burrow_registry_is_idle(slot);
}

static int
count_slots(bool (*counts) (int slot))
{
	int			n = 0;

	for (int i = 0; i < burrow->nsubscriptions; i++)
		n += counts(i);
	return n;
}

int
burrow_subscription_slots_reserve(Oid dboid, int32 subid)
{
	int			slot = burrow_registry_find(dboid, subid);
	bool		evict = burrow->nsubscriptions == count_slots(is_taken);

	Assert(LWLockHeldByMeInMode(burrow->lock, LW_EXCLUSIVE));

	for (int i = 0; i < burrow->nsubscriptions && slot < 0; i++)
	{
		BurrowSubscriptionSlot *sub = &burrow->subscriptions[i];

		if (is_taken(i) && !(evict && burrow_subscription_slots_is_evictable(i)))
			continue;
		sub->in_use = true;
		sub->dboid = dboid;
		sub->subid = subid;
		sub->owner = InvalidOid;
		sub->name[0] = '\0';
		sub->wanted = false;
		sub->rests = false;
		sub->dropped = false;
		sub->generation = 0;
		sub->starting = false;
		sub->started_at = 0;
		sub->restart_at = 0;
		sub->restart_delay_ms = 0;
		sub->ended = false;
		sub->leave = BURROW_LEAVE_DIED;
		sub->consumer_pid = 0;
		sub->consumer_proc = NULL;
		sub->in_group = false;
		sub->state = BURROW_STARTING;
		memset(&sub->last_error, 0, sizeof(sub->last_error));
		memset(sub->troubles, 0, sizeof(sub->troubles));
		sub->stats_reset = GetCurrentTimestamp();
		sub->workers_wanted = 0;
		sub->workers_claimed = 0;
		sub->worker_started = 0;
		sub->shortage = BURROW_SHORT_OF_NOTHING;
		pg_atomic_write_u32(&sub->requests, 0);
		reset_stats(i);
		slot = i;
	}
	return slot;
}

int
burrow_subscription_slots_free(void)
{
	int			n;

	LWLockAcquire(burrow->lock, LW_SHARED);
	n = burrow->nsubscriptions - count_slots(is_taken) + count_slots(burrow_subscription_slots_is_evictable);
	LWLockRelease(burrow->lock);
	return n;
}

void
burrow_subscription_slots_reset_stats(Oid dboid, int32 subid)
{
	int			slot;

	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	slot = burrow_registry_find(dboid, subid);
	if (slot >= 0)
	{
		BurrowSubscriptionSlot *sub = &burrow->subscriptions[slot];

		for (int i = 0; i < BURROW_NCOUNTERS; i++)
			sub->stats_base.counters[i] = pg_atomic_read_u64(&sub->counters[i]);
		burrow_histogram_copy(&sub->stats_base.handler_time, &sub->handler_time);
		burrow_histogram_copy(&sub->stats_base.end_to_end_time, &sub->end_to_end_time);
		sub->stats_reset = GetCurrentTimestamp();
	}
	LWLockRelease(burrow->lock);
}
