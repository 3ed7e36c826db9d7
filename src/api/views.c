/*
 * views.c
 *	  What the views get from shared memory.
 *
 * Each function copies under burrow->lock, shared, and builds its rows afterwards.
 * Counters and gauges belong to processes that write them without the lock, so a row
 * is true field by field, but not a picture of one moment.
 *
 * The functions can be called directly by everybody (a view's functions are called as
 * its user), so they leave out what the views' WHERE clauses would: slots of roles that
 * the caller is not a member of, and other databases.
 *
 * Runs in: backends.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_authid.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "guc.h"
#include "api/row.h"
#include "api/views.h"
#include "catalog/access.h"
#include "runtime/resting_state.h"
#include "shmem/history.h"
#include "shmem/partitions.h"
#include "shmem/worker_slots.h"

PG_FUNCTION_INFO_V1(burrow_sql_is_loaded);
PG_FUNCTION_INFO_V1(burrow_sql_subscription_slots);
PG_FUNCTION_INFO_V1(burrow_sql_troubles);
PG_FUNCTION_INFO_V1(burrow_sql_partition_slots);
PG_FUNCTION_INFO_V1(burrow_sql_worker_slots);
PG_FUNCTION_INFO_V1(burrow_sql_history);
PG_FUNCTION_INFO_V1(burrow_sql_state);

Datum
burrow_sql_is_loaded(PG_FUNCTION_ARGS)
{
	burrow_registry_require();
	PG_RETURN_BOOL(true);
}

bool
burrow_views_may_see(Oid owner)
{
	return has_privs_of_role(GetUserId(), owner) ||
		has_privs_of_role(GetUserId(), ROLE_PG_MONITOR);
}

/* ---------------------------------------------------------------- subscriptions */

typedef struct SubscriptionCopy
{
	int32		subid;
	Oid			owner;
	BurrowState state;
	pid_t		consumer_pid;
	BurrowErrorInfo last_error;
	BurrowRetryInfo retries;
	BurrowStartInfo starting;
	TimestampTz stats_reset;
	int			workers_wanted;
	BurrowShortage shortage;
	uint64		jobs_queued;
	uint64		inflight;
	uint64		inflight_bytes;
	TimestampTz unconfirmed_since;
	int64		letters_pending;
	uint64		parked_keys;
	uint64		counters[BURROW_NCOUNTERS];
	BurrowHistogram handler_time;
	BurrowHistogram end_to_end_time;
} SubscriptionCopy;

/* "": of nothing */
static const char *const shortage_names[] = {
	[BURROW_SHORT_OF_NOTHING] = "",
	[BURROW_SHORT_OF_SLOTS] = "slots",
	[BURROW_SHORT_OF_PROCESSES] = "processes",
	[BURROW_SHORT_OF_MEMORY] = "memory",
	[BURROW_SHORT_OF_ROLE] = "role",
	[BURROW_SHORT_OF_SHARE] = "share",
};

static void
copy_subscription(SubscriptionCopy *to, BurrowSubscriptionSlot *from)
{
	to->subid = from->subid;
	to->owner = from->owner;
	to->state = from->state;
	to->consumer_pid = from->consumer_pid;
	to->last_error = from->last_error;
	to->retries = from->retries;
	to->starting = from->starting_partitions;
	to->stats_reset = from->stats_reset;
	to->workers_wanted = from->workers_wanted;
	to->shortage = from->shortage;
	to->jobs_queued = pg_atomic_read_u64(&from->jobs_queued);
	to->inflight = pg_atomic_read_u64(&from->inflight);
	to->inflight_bytes = pg_atomic_read_u64(&from->inflight_bytes);
	to->unconfirmed_since = (TimestampTz) pg_atomic_read_u64(&from->unconfirmed_since);
	to->letters_pending = (int64) pg_atomic_read_u64(&from->letters_pending);
	to->parked_keys = pg_atomic_read_u64(&from->parked_keys);
	for (int i = 0; i < BURROW_NCOUNTERS; i++)
		to->counters[i] = pg_atomic_read_u64(&from->counters[i]) - from->stats_base.counters[i];
	burrow_histogram_copy(&to->handler_time, &from->handler_time);
	burrow_histogram_copy(&to->end_to_end_time, &from->end_to_end_time);
	burrow_histogram_subtract(&to->handler_time, &from->stats_base.handler_time);
	burrow_histogram_subtract(&to->end_to_end_time, &from->stats_base.end_to_end_time);
}

static void
put_retries(BurrowRow *row, const BurrowRetryInfo *retries, bool attached)
{
	bool		none = retries->n == 0 || !attached;

	burrow_row_put_int64(row, "retries_waiting", none ? 0 : (int64) retries->n, false);
	burrow_row_put_text(row, "retry_topic", none ? NULL : retries->topic);
	burrow_row_put_int(row, "retry_partition", retries->partition, none);
	burrow_row_put_offset(row, "retry_offset", none ? -1 : retries->offset);
	burrow_row_put_int(row, "retry_attempt", (int) retries->attempt, none);
	burrow_row_put_time(row, "retry_since", none ? 0 : retries->since);
	burrow_row_put_time(row, "retry_at", none ? 0 : retries->at);
	burrow_row_put_time(row, "wait_until", attached ? retries->wait_until : 0);
}

static void
put_starting(BurrowRow *row, const BurrowStartInfo *starting, bool attached)
{
	bool		none = starting->nstuck == 0 || !attached;

	burrow_row_put_int64(row, "partitions_stuck", none ? 0 : (int64) starting->nstuck, false);
	burrow_row_put_text(row, "stuck_topic", none ? NULL : starting->topic);
	burrow_row_put_int(row, "stuck_partition", starting->partition, none);
	burrow_row_put_time(row, "stuck_since", none ? 0 : starting->since);
	burrow_row_put_text(row, "stuck_error", none ? NULL : starting->message);
}

/* In milliseconds. */
static void
put_percentiles(BurrowRow *row, const char *const *names, const BurrowHistogram *h)
{
	static const double percentiles[] = {0.50, 0.95, 0.99};

	for (int i = 0; i < lengthof(percentiles); i++)
	{
		double		us = burrow_histogram_percentile(h, percentiles[i]);

		burrow_row_put_float(row, names[i], us / 1000, us < 0);
	}
}

static const char *const handler_time_names[] = {"handler_ms_p50", "handler_ms_p95", "handler_ms_p99"};
static const char *const end_to_end_time_names[] = {"end_to_end_ms_p50", "end_to_end_ms_p95", "end_to_end_ms_p99"};

static const char *const counter_names[] = {
#define X(field, metric, unit, labels, description) #field,
	BURROW_COUNTERS(X)
#undef X
};

/* What a handler's error says is for those who may see messages' contents. */
static const char *
shown_error(const char *message, const char *public_message, Oid owner)
{
	return public_message[0] == '\0' || has_privs_of_role(GetUserId(), owner) ? message : public_message;
}

/* Nothing runs while the versions differ, and an older version's views know no other place where that could be said. */
static const char *
version_trouble(void)
{
	const char *version = burrow_access_other_version();

	return version == NULL ? NULL :
		psprintf(BURROW_OTHER_VERSION ": %s", version, burrow_access_version_statement(version));
}

static void
put_last_error(BurrowRow *row, const SubscriptionCopy *c, const char *wrong_version)
{
	const BurrowErrorInfo *error = &c->last_error;
	bool		none = error->at == 0;

	if (wrong_version != NULL && c->consumer_pid == 0 && c->state == BURROW_RETRYING)
	{
		burrow_row_put_text(row, "last_error", wrong_version);
		burrow_row_put_text(row, "last_error_sqlstate", "55000");
		burrow_row_put_time(row, "last_error_at", 0);
		return;
	}
	burrow_row_put_text(row, "last_error", none ? NULL : shown_error(error->message, error->public_message, c->owner));
	burrow_row_put_text(row, "last_error_sqlstate", none ? NULL : error->sqlstate);
	burrow_row_put_time(row, "last_error_at", error->at);
}

Datum
burrow_sql_subscription_slots(PG_FUNCTION_ARGS)
{
	BurrowRow	row;
	SubscriptionCopy *copies;
	const char *trouble;
	int			n = 0;

	burrow_row_begin(&row, fcinfo);
	trouble = version_trouble();
	copies = palloc(sizeof(SubscriptionCopy) * burrow->nsubscriptions);
	LWLockAcquire(burrow->lock, LW_SHARED);
	for (int i = 0; i < burrow->nsubscriptions; i++)
	{
		BurrowSubscriptionSlot *slot = &burrow->subscriptions[i];

		if (slot->in_use && slot->dboid == MyDatabaseId)
			copy_subscription(&copies[n++], slot);
	}
	LWLockRelease(burrow->lock);

	for (SubscriptionCopy *c = copies; c < copies + n; c++)
	{
		if (!burrow_views_may_see(c->owner))
			continue;
		burrow_row_put_int(&row, "subid", c->subid, false);
		burrow_row_put_text(&row, "state", burrow_state_names[c->state]);
		burrow_row_put_int(&row, "consumer_pid", c->consumer_pid, c->consumer_pid == 0);
		put_last_error(&row, c, trouble);
		put_retries(&row, &c->retries, c->consumer_pid != 0);
		put_starting(&row, &c->starting, c->consumer_pid != 0);
		burrow_row_put_time(&row, "stats_reset", c->stats_reset);
		burrow_row_put_int(&row, "workers_wanted", c->workers_wanted, false);
		burrow_row_put_text(&row, "short_of", shortage_names[c->shortage]);
		burrow_row_put_int64(&row, "jobs_queued", c->jobs_queued, false);
		burrow_row_put_int64(&row, "inflight", c->inflight, false);
		burrow_row_put_int64(&row, "inflight_bytes", c->inflight_bytes, false);
		burrow_row_put_time(&row, "unconfirmed_since", c->consumer_pid != 0 ? c->unconfirmed_since : 0);
		burrow_row_put_offset(&row, "dead_letters_pending", c->letters_pending);
		burrow_row_put_int64(&row, "parked_keys", c->parked_keys, false);
		put_percentiles(&row, handler_time_names, &c->handler_time);
		put_percentiles(&row, end_to_end_time_names, &c->end_to_end_time);
		for (int i = 0; i < BURROW_NCOUNTERS; i++)
			burrow_row_put_int64(&row, counter_names[i], c->counters[i], false);
		burrow_row_end(&row);
	}
	return (Datum) 0;
}

/* ---------------------------------------------------------------- troubles */

typedef struct TroublesCopy
{
	int32		subid;
	Oid			owner;
	char		name[BURROW_NAME_MAX + 1];
	BurrowTrouble troubles[BURROW_NTROUBLES];
} TroublesCopy;

static const char *
trouble_cause(BurrowTroubleKind kind, const BurrowTrouble *trouble)
{
	if (trouble->cause != BURROW_CAUSE_NO_ANSWER)
		return burrow_kafka_cause_words(trouble->cause);
	return burrow_trouble_kinds[kind].words;
}

static void
put_trouble(BurrowRow *row, const TroublesCopy *c, BurrowTroubleKind kind)
{
	const BurrowTrouble *trouble = &c->troubles[kind];

	burrow_row_put_int(row, "subid", c->subid, false);
	burrow_row_put_text(row, "kind", burrow_trouble_kinds[kind].name);
	burrow_row_put_text(row, "cause", trouble_cause(kind, trouble));
	burrow_row_put_time(row, "since", trouble->since);
	burrow_row_put_text(row, "sqlstate", trouble->sqlstate);
	burrow_row_put_text(row, "error", shown_error(trouble->message, trouble->public_message, c->owner));
	burrow_row_put_text(row, "next_statement", trouble->statement[0] != '\0' ? trouble->statement :
						psprintf(burrow_trouble_kinds[kind].statement, quote_literal_cstr(c->name)));
	burrow_row_end(row);
}

Datum
burrow_sql_troubles(PG_FUNCTION_ARGS)
{
	BurrowRow	row;
	TroublesCopy *copies;
	int			n = 0;

	burrow_row_begin(&row, fcinfo);
	copies = palloc(sizeof(TroublesCopy) * burrow->nsubscriptions);
	LWLockAcquire(burrow->lock, LW_SHARED);
	for (int i = 0; i < burrow->nsubscriptions; i++)
	{
		const BurrowSubscriptionSlot *slot = &burrow->subscriptions[i];

		if (!slot->in_use || slot->dboid != MyDatabaseId)
			continue;
		copies[n].subid = slot->subid;
		copies[n].owner = slot->owner;
		strlcpy(copies[n].name, slot->name, sizeof(copies[n].name));
		memcpy(copies[n++].troubles, slot->troubles, sizeof(slot->troubles));
	}
	LWLockRelease(burrow->lock);

	for (const TroublesCopy *c = copies; c < copies + n; c++)
		for (int kind = 0; kind < BURROW_NTROUBLES; kind++)
			if (c->troubles[kind].since != 0 && burrow_views_may_see(c->owner))
				put_trouble(&row, c, kind);
	return (Datum) 0;
}

/* ---------------------------------------------------------------- partitions */

typedef struct PartitionCopy
{
	int32		subid;
	Oid			owner;
	char		topic[BURROW_TOPIC_MAX + 1];
	int32		partition;
	uint32		epoch;
	int64		committed;
	int64		processed;
	int64		end;
	TimestampTz end_checked_at;
	int64		inflight;
	int64		oldest_pending;
	TimestampTz oldest_pending_since;
	TimestampTz last_message_at;
	int64		lag_us;
	bool		window_full;
	int64		high_watermark;
	TimestampTz blocked_since;
	TimestampTz trouble_since;
	int64		trouble_offset;
	char		trouble_sqlstate[6];
	char		trouble[BURROW_TROUBLE_MAX];
} PartitionCopy;

static void
copy_partition(PartitionCopy *to, BurrowPartitionSlot *from, const BurrowSubscriptionSlot *slot, TimestampTz now)
{
	to->subid = slot->subid;
	to->owner = slot->owner;
	strlcpy(to->topic, from->topic, sizeof(to->topic));
	to->partition = from->partition;
	to->epoch = from->epoch;
	to->committed = (int64) pg_atomic_read_u64(&from->committed);
	to->processed = (int64) pg_atomic_read_u64(&from->processed);
	to->end = (int64) pg_atomic_read_u64(&from->end);
	to->end_checked_at = (TimestampTz) pg_atomic_read_u64(&from->end_checked_at);
	to->inflight = (int64) pg_atomic_read_u64(&from->inflight);
	to->oldest_pending = (int64) pg_atomic_read_u64(&from->oldest_pending);
	to->oldest_pending_since = (TimestampTz) pg_atomic_read_u64(&from->oldest_pending_since);
	to->last_message_at = (TimestampTz) pg_atomic_read_u64(&from->last_message_at);
	to->lag_us = burrow_partitions_lag_us(from, now);
	to->window_full = pg_atomic_read_u32(&from->window_full) != 0;
	to->high_watermark = (int64) pg_atomic_read_u64(&from->high_watermark);
	to->blocked_since = (TimestampTz) pg_atomic_read_u64(&from->blocked_since);
	to->trouble_since = from->trouble_since;
	if (to->trouble_since != 0)
	{
		to->trouble_offset = from->trouble_offset;
		strlcpy(to->trouble_sqlstate, from->trouble_sqlstate, sizeof(to->trouble_sqlstate));
		strlcpy(to->trouble, from->trouble, sizeof(to->trouble));
	}
}

/* The subscription slot of this database that a partition or worker slot belongs to;
 * NULL: it is of another.  Locks: caller holds burrow->lock. */
static const BurrowSubscriptionSlot *
slot_here(bool in_use, int subscription)
{
	const BurrowSubscriptionSlot *slot;

	Assert(LWLockHeldByMe(burrow->lock));
	if (!in_use)
		return NULL;
	slot = &burrow->subscriptions[subscription];
	return slot->in_use && slot->dboid == MyDatabaseId ? slot : NULL;
}

Datum
burrow_sql_partition_slots(PG_FUNCTION_ARGS)
{
	BurrowRow	row;
	PartitionCopy *copies;
	TimestampTz now = GetCurrentTimestamp();
	int			n = 0;

	burrow_row_begin(&row, fcinfo);
	copies = palloc(sizeof(PartitionCopy) * burrow_max_partitions);
	LWLockAcquire(burrow->lock, LW_SHARED);
	for (int i = 0; i < burrow_max_partitions; i++)
	{
		BurrowPartitionSlot *part = &burrow_partitions[i];
		const BurrowSubscriptionSlot *slot = slot_here(part->in_use && !part->gone, part->subscription);

		if (slot != NULL)
			copy_partition(&copies[n++], part, slot, now);
	}
	LWLockRelease(burrow->lock);

	for (PartitionCopy *c = copies; c < copies + n; c++)
	{
		if (!burrow_views_may_see(c->owner))
			continue;
		burrow_row_put_int(&row, "subid", c->subid, false);
		burrow_row_put_text(&row, "topic", c->topic);
		burrow_row_put_int(&row, "partition", c->partition, false);
		burrow_row_put_int64(&row, "epoch", c->epoch, false);
		burrow_row_put_offset(&row, "committed", c->committed);
		burrow_row_put_offset(&row, "processed", c->processed);
		burrow_row_put_offset(&row, "end_offset", c->end);
		burrow_row_put_time(&row, "end_checked_at", c->end_checked_at);
		burrow_row_put_int64(&row, "inflight", c->inflight, false);
		burrow_row_put_offset(&row, "oldest_pending", c->oldest_pending);
		burrow_row_put_time(&row, "oldest_pending_since", c->oldest_pending_since);
		burrow_row_put_time(&row, "last_message_at", c->last_message_at);
		burrow_row_put_seconds(&row, "lag_seconds", c->lag_us);
		burrow_row_put_bool(&row, "window_full", c->window_full);
		burrow_row_put_offset(&row, "high_watermark", c->high_watermark);
		burrow_row_put_time(&row, "blocked_since", c->blocked_since);
		burrow_row_put_time(&row, "trouble_since", c->trouble_since);
		burrow_row_put_offset(&row, "trouble_offset", c->trouble_since != 0 ? c->trouble_offset : -1);
		burrow_row_put_text(&row, "trouble_sqlstate", c->trouble_since != 0 ? c->trouble_sqlstate : NULL);
		burrow_row_put_text(&row, "trouble", c->trouble_since != 0 ? c->trouble : NULL);
		burrow_row_end(&row);
	}
	return (Datum) 0;
}

/* ---------------------------------------------------------------- workers */

typedef struct WorkerCopy
{
	int32		subid;
	Oid			owner;
	int			lane;
	pid_t		pid;
	BurrowWorkerState state;
	TimestampTz since;			/* of the message in hand, or of the commit; 0: neither */
	char		topic[BURROW_TOPIC_MAX + 1];	/* "": not known */
	int32		partition;
	int64		offset;
	int64		messages_processed;
	int64		messages_failed;
} WorkerCopy;

static void
copy_worker(WorkerCopy *to, BurrowWorkerSlot *from, const BurrowSubscriptionSlot *slot)
{
	const BurrowPartitionSlot *part = burrow_partitions_in_hand(from);

	to->subid = slot->subid;
	to->owner = slot->owner;
	to->lane = from->lane;
	to->pid = from->pid;
	to->state = burrow_worker_slot_state(from, &to->since);
	to->offset = (int64) pg_atomic_read_u64(&from->running_offset);
	to->messages_processed = (int64) pg_atomic_read_u64(&from->messages_processed);
	to->messages_failed = (int64) pg_atomic_read_u64(&from->messages_failed);
	strlcpy(to->topic, part != NULL ? part->topic : "", sizeof(to->topic));
	to->partition = part != NULL ? part->partition : -1;
}

static void
put_worker(BurrowRow *row, const WorkerCopy *c)
{
	bool		running = c->state == BURROW_WORKER_IS_RUNNING;
	bool		busy = running || c->state == BURROW_WORKER_IS_COMMITTING;

	burrow_row_put_int(row, "subid", c->subid, false);
	burrow_row_put_int(row, "worker", c->lane, false);
	burrow_row_put_int(row, "pid", c->pid, c->pid == 0);
	burrow_row_put_text(row, "state", burrow_worker_state_names[c->state]);
	burrow_row_put_text(row, "topic", busy ? c->topic : NULL);
	burrow_row_put_int(row, "partition", c->partition, !busy || c->partition < 0);
	burrow_row_put_offset(row, "offset", running ? c->offset : -1);
	burrow_row_put_time(row, "since", c->since);
	burrow_row_put_int64(row, "messages_processed", c->messages_processed, false);
	burrow_row_put_int64(row, "messages_failed", c->messages_failed, false);
	burrow_row_end(row);
}

Datum
burrow_sql_worker_slots(PG_FUNCTION_ARGS)
{
	BurrowRow	row;
	WorkerCopy *copies;
	int			n = 0;

	burrow_row_begin(&row, fcinfo);
	copies = palloc(sizeof(WorkerCopy) * burrow->nworkers);
	LWLockAcquire(burrow->lock, LW_SHARED);
	for (int i = 0; i < burrow->nworkers; i++)
	{
		BurrowWorkerSlot *worker = &burrow->workers[i];
		const BurrowSubscriptionSlot *slot = slot_here(worker->in_use, worker->subscription);

		if (slot != NULL)
			copy_worker(&copies[n++], worker, slot);
	}
	LWLockRelease(burrow->lock);

	for (WorkerCopy *c = copies; c < copies + n; c++)
	{
		if (burrow_views_may_see(c->owner))
			put_worker(&row, c);
	}
	return (Datum) 0;
}

/* ---------------------------------------------------------------- history */

static void
put_step(BurrowRow *row, int32 subid, const BurrowHistoryStep * step)
{
	/* in the order of its counts */
	static const char *const names[BURROW_HISTORY_NCOUNTERS] = {
		"messages_processed", "messages_failed", "messages_dead_lettered", "messages_parked", "messages_skipped"
	};

	burrow_row_put_int(row, "subid", subid, false);
	burrow_row_put_time(row, "at", step->at);
	for (int i = 0; i < BURROW_HISTORY_NCOUNTERS; i++)
		burrow_row_put_int64(row, names[i], step->counts[i], !step->known);
	burrow_row_put_float(row, "messages_per_second",
						 (double) burrow_history_done(step) * USECS_PER_SEC / BURROW_HISTORY_STEP_US, !step->known);
	burrow_row_put_offset(row, "lag", step->known ? step->lag : -1);
	burrow_row_put_seconds(row, "lag_seconds", step->known ? step->lag_us : -1);
	burrow_row_end(row);
}

/* Gaps are rows of NULLs, from the first step on that there is. */
Datum
burrow_sql_history(PG_FUNCTION_ARGS)
{
	BurrowRow	row;
	TimestampTz now = GetCurrentTimestamp();
	BurrowHistoryStep *steps = palloc(sizeof(BurrowHistoryStep) * BURROW_HISTORY_STEPS);

	burrow_row_begin(&row, fcinfo);
	for (int i = 0; i < burrow->nsubscriptions; i++)
	{
		const BurrowSubscriptionSlot *slot = &burrow->subscriptions[i];
		int32		subid;
		Oid			owner;
		bool		here;
		int			first = 0;

		LWLockAcquire(burrow->lock, LW_SHARED);
		here = slot->in_use && slot->dboid == MyDatabaseId;
		subid = slot->subid;
		owner = slot->owner;
		if (here)
			burrow_history_read(i, now, BURROW_HISTORY_STEPS, steps);
		LWLockRelease(burrow->lock);

		if (!here || !burrow_views_may_see(owner))
			continue;
		while (first < BURROW_HISTORY_STEPS && !steps[first].known)
			first++;
		for (int j = first; j < BURROW_HISTORY_STEPS; j++)
			put_step(&row, subid, &steps[j]);
	}
	return (Datum) 0;
}

/* ---------------------------------------------------------------- state */

BurrowState
burrow_views_state(BurrowStatus status, bool at_home, bool has_slot, BurrowState state, bool attached)
{
	BurrowState resting = burrow_resting_state(status);
	TimestampTz since;

	if (attached)
		return state;
	if (resting != BURROW_STARTING)
		return resting;
	if (!at_home || !burrow_enabled)
		return BURROW_DISABLED;
	if (burrow_registry_start_trouble(&since) != BURROW_START_FREE || burrow_access_other_version() != NULL)
		return BURROW_RETRYING;
	if (!has_slot || state == BURROW_PAUSED || state == BURROW_HALTED || state == BURROW_DISABLED)
		return BURROW_STARTING;
	return state;
}

/* -1: there is none of this name */
static int
find_name(const char *const *names, int n, const char *name)
{
	for (int i = 0; i < n; i++)
	{
		if (strcmp(names[i], name) == 0)
			return i;
	}
	return -1;
}

/* _state(status, system_identifier, dboid, slot_state, consumer_pid) */
Datum
burrow_sql_state(PG_FUNCTION_ARGS)
{
	bool		has_slot = !PG_ARGISNULL(3);
	bool		at_home;
	int			status;
	int			state = BURROW_STARTING;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	status = find_name(burrow_status_names, BURROW_STATUS_DISABLED + 1, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	if (has_slot)
		state = find_name(burrow_state_names, BURROW_DISABLED + 1, text_to_cstring(PG_GETARG_TEXT_PP(3)));
	if (status < 0 || state < 0)
		PG_RETURN_NULL();
	at_home = (uint64) PG_GETARG_INT64(1) == GetSystemIdentifier() && PG_GETARG_OID(2) == MyDatabaseId;

	PG_RETURN_TEXT_P(cstring_to_text(burrow_state_names[burrow_views_state((BurrowStatus) status, at_home,
																		   has_slot, (BurrowState) state,
																		   !PG_ARGISNULL(4))]));
}
