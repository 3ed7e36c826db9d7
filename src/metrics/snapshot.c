/*
 * snapshot.c
 *	  What shared memory says of all subscriptions, copied in one go.
 *
 * Runs in: backends and the exporter.  The latter is in no database, so nothing here asks
 * a catalog, and names come out of the slots, in UTF-8.
 * Locking: burrow->lock, shared, over the whole copy: slots come and go only under it.  What
 * is counted without it is true field by field, but not a picture of one moment.
 *
 * Memory is taken before the lock, for as many as there can be.
 */
#include "postgres.h"

#include "storage/lwlock.h"

#include "guc.h"
#include "metrics/snapshot.h"
#include "shmem/partitions.h"
#include "shmem/registry.h"

/*
 * The state of a slot without a consumer.  The catalog would know it better for a moment, after a
 * change that discovery has not read yet.
 */
static BurrowState
resting_state(BurrowState state, bool can_start)
{
	if (state == BURROW_PAUSED || state == BURROW_HALTED || state == BURROW_DISABLED)
		return state;
	if (!burrow_enabled)
		return BURROW_DISABLED;
	return can_start ? state : BURROW_RETRYING;
}

/* A consumer may wait for several things; these of them are about its connection. */
static bool
is_connected(const BurrowSubscriptionSlot *slot)
{
	static const BurrowTroubleKind lack[] = {BURROW_TROUBLE_KAFKA, BURROW_TROUBLE_SERVER_MISSING,
	BURROW_TROUBLE_SERVER_DENIED, BURROW_TROUBLE_SERVER_CREDENTIALS};

	if (slot->state != BURROW_RUNNING && slot->state != BURROW_RETRYING && slot->state != BURROW_STALLED)
		return false;
	for (int i = 0; i < lengthof(lack); i++)
		if (slot->troubles[lack[i]].since != 0)
			return false;
	return true;
}

static void
copy_troubles(BurrowSubscriptionSnapshot *to, const BurrowSubscriptionSlot *from)
{
	to->retries = from->retries;
	to->shortage = from->shortage;
	to->error_at = from->last_error.at;
	strlcpy(to->error_sqlstate, from->last_error.sqlstate, sizeof(to->error_sqlstate));
	for (int i = 0; i < BURROW_NTROUBLES; i++)
	{
		to->troubles[i].since = from->troubles[i].since;
		to->troubles[i].cause = from->troubles[i].cause;
		strlcpy(to->troubles[i].sqlstate, from->troubles[i].sqlstate, sizeof(to->troubles[i].sqlstate));
	}
}

static void
copy_subscription(BurrowSubscriptionSnapshot *to, BurrowSubscriptionSlot *from, bool can_start)
{
	memset(to, 0, offsetof(BurrowSubscriptionSnapshot, handler_time));
	to->dboid = from->dboid;
	to->subid = from->subid;
	to->slot = (int) (from - burrow->subscriptions);
	to->owner = from->owner;
	to->labels = from->labels;
	to->attached = from->consumer_pid != 0;
	to->state = to->attached ? from->state : resting_state(from->state, can_start);
	for (int i = 0; i < BURROW_NCOUNTERS; i++)
		to->counters[i] = pg_atomic_read_u64(&from->counters[i]);
	memcpy(to->stats_base, from->stats_base.counters, sizeof(to->stats_base));
	for (int i = 0; i < BURROW_SQLSTATE_CLASSES; i++)
		to->failures[i] = pg_atomic_read_u64(&from->failures[i]);
	to->restarts = from->restarts;
	to->letters_pending = (int64) pg_atomic_read_u64(&from->letters_pending);
	to->parked_keys = pg_atomic_read_u64(&from->parked_keys);
	to->connected = to->attached && is_connected(from);
	to->last_progress_at = (TimestampTz) pg_atomic_read_u64(&from->last_progress_at);
	to->last_commit_at = (TimestampTz) pg_atomic_read_u64(&from->last_commit_at);
	to->retries_waiting = to->attached ? from->retries.n : 0;
	copy_troubles(to, from);
	to->workers_wanted = from->workers_wanted;
	to->jobs_queued = pg_atomic_read_u64(&from->jobs_queued);
	to->inflight = pg_atomic_read_u64(&from->inflight);
	to->inflight_bytes = pg_atomic_read_u64(&from->inflight_bytes);
	burrow_histogram_copy(&to->handler_time, &from->handler_time);
	burrow_histogram_copy(&to->end_to_end_time, &from->end_to_end_time);
	burrow_histogram_copy(&to->kafka_commit_time, &from->kafka_commit_time);
	burrow_sizes_copy(&to->transaction_messages, &from->transaction_messages);
	to->partitions = 0;
	to->lag = (BurrowLag) {0};
	to->taken = 0;
	to->oldest_pending_since = to->last_message_at = 0;
}

static void
copy_partition(BurrowPartitionSnapshot *to, BurrowPartitionSlot *from, int subscription)
{
	to->subscription = subscription;
	strlcpy(to->topic, from->topic, sizeof(to->topic));
	to->partition = from->partition;
	to->committed = (int64) pg_atomic_read_u64(&from->committed);
	to->processed = (int64) pg_atomic_read_u64(&from->processed);
	to->end = (int64) pg_atomic_read_u64(&from->end);
	to->taken = pg_atomic_read_u64(&from->inflight);
	to->oldest_pending = (int64) pg_atomic_read_u64(&from->oldest_pending);
	to->oldest_pending_since = (TimestampTz) pg_atomic_read_u64(&from->oldest_pending_since);
	to->window_full = pg_atomic_read_u32(&from->window_full) != 0;
	to->blocked_since = (TimestampTz) pg_atomic_read_u64(&from->blocked_since);
	to->trouble_since = from->trouble_since;
	strlcpy(to->trouble_sqlstate, from->trouble_sqlstate, sizeof(to->trouble_sqlstate));
}

static void
copy_worker(BurrowWorkerSnapshot *to, BurrowWorkerSlot *from, int subscription)
{
	const BurrowPartitionSlot *part = burrow_partitions_in_hand(from);

	to->subscription = subscription;
	to->lane = from->lane;
	to->pid = from->pid;
	to->state = burrow_worker_slot_state(from, &to->since);
	to->offset = (int64) pg_atomic_read_u64(&from->running_offset);
	to->messages_processed = pg_atomic_read_u64(&from->messages_processed);
	to->messages_failed = pg_atomic_read_u64(&from->messages_failed);
	strlcpy(to->topic, part != NULL ? part->topic : "", sizeof(to->topic));
	to->partition = part != NULL ? part->partition : -1;
}

static void
add_partition(BurrowSubscriptionSnapshot *to, BurrowPartitionSlot *from, TimestampTz now)
{
	TimestampTz pending_since = (TimestampTz) pg_atomic_read_u64(&from->oldest_pending_since);
	TimestampTz last_message_at = (TimestampTz) pg_atomic_read_u64(&from->last_message_at);

	to->partitions++;
	to->taken += pg_atomic_read_u64(&from->inflight);
	burrow_partitions_add_lag(&to->lag, from, now);
	if (pending_since != 0 && (to->oldest_pending_since == 0 || pending_since < to->oldest_pending_since))
		to->oldest_pending_since = pending_since;
	to->last_message_at = Max(to->last_message_at, last_message_at);
}

static void
add_worker(BurrowSubscriptionSnapshot *to, BurrowWorkerSlot *from)
{
	TimestampTz since;

	to->workers[burrow_worker_slot_state(from, &since)]++;
}

BurrowSnapshot *
burrow_snapshot_take(Oid dboid, int with)
{
	BurrowSnapshot *s = palloc0(sizeof(BurrowSnapshot));
	int		   *index = palloc(sizeof(int) * burrow->nsubscriptions);	/* of a slot; -1: not
																		 * asked for */
	TimestampTz since;
	bool		can_start = burrow_registry_start_trouble(&since) == BURROW_START_FREE;

	s->at = GetCurrentTimestamp();
	s->subscriptions = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(BurrowSubscriptionSnapshot) * burrow->nsubscriptions);
	if (with & BURROW_SNAPSHOT_PARTITIONS)
		s->partitions = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(BurrowPartitionSnapshot) * burrow_max_partitions);
	if (with & BURROW_SNAPSHOT_WORKERS)
		s->workers = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(BurrowWorkerSnapshot) * burrow->nworkers);

	LWLockAcquire(burrow->lock, LW_SHARED);
	strlcpy(s->librdkafka, burrow->librdkafka, sizeof(s->librdkafka));
	for (int i = 0; i < burrow->nsubscriptions; i++)
	{
		BurrowSubscriptionSlot *slot = &burrow->subscriptions[i];

		/* one that was dropped may have a successor of its name already */
		index[i] = -1;
		if (!slot->in_use || slot->dropped || (OidIsValid(dboid) && slot->dboid != dboid))
			continue;
		index[i] = s->nsubscriptions++;
		copy_subscription(&s->subscriptions[index[i]], slot, can_start);
	}
	for (int i = 0; i < burrow_max_partitions; i++)
	{
		BurrowPartitionSlot *part = &burrow_partitions[i];

		if (!part->in_use || part->gone || index[part->subscription] < 0)
			continue;
		add_partition(&s->subscriptions[index[part->subscription]], part, s->at);
		if (with & BURROW_SNAPSHOT_PARTITIONS)
			copy_partition(&s->partitions[s->npartitions++], part, index[part->subscription]);
	}
	for (int i = 0; i < burrow->nworkers; i++)
	{
		BurrowWorkerSlot *worker = &burrow->workers[i];

		if (!worker->in_use || index[worker->subscription] < 0)
			continue;
		add_worker(&s->subscriptions[index[worker->subscription]], worker);
		if (with & BURROW_SNAPSHOT_WORKERS)
			copy_worker(&s->workers[s->nworkers++], worker, index[worker->subscription]);
	}
	LWLockRelease(burrow->lock);
	pfree(index);
	return s;
}

void
burrow_snapshot_history(const BurrowSnapshot *snapshot, int number, int n, BurrowHistoryStep * steps)
{
	const BurrowSubscriptionSnapshot *s = &snapshot->subscriptions[number];
	const BurrowSubscriptionSlot *slot = &burrow->subscriptions[s->slot];

	LWLockAcquire(burrow->lock, LW_SHARED);
	burrow_history_read(s->slot, snapshot->at, n, steps);
	/* the slot may be another's by now */
	if (!slot->in_use || slot->dboid != s->dboid || slot->subid != s->subid)
		for (int i = 0; i < n; i++)
			steps[i].known = false;
	LWLockRelease(burrow->lock);
}
