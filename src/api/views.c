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

/* A row under construction. */
typedef struct Row
{
	ReturnSetInfo *rsinfo;
	int			n;
	Datum		values[64];
	bool		nulls[64];
} Row;

static void
begin_rows(Row *row, FunctionCallInfo fcinfo)
{
	burrow_registry_require();
	InitMaterializedSRF(fcinfo, 0);
	row->rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	row->n = 0;
}

static void
put(Row *row, Datum value, bool isnull)
{
	row->values[row->n] = value;
	row->nulls[row->n] = isnull;
	row->n++;
}

static void
put_int(Row *row, int value, bool isnull)
{
	put(row, Int32GetDatum(value), isnull);
}

static void
put_bool(Row *row, bool value)
{
	put(row, BoolGetDatum(value), false);
}

static void
put_int64(Row *row, int64 value)
{
	put(row, Int64GetDatum(value), false);
}

/* below 0: not known */
static void
put_offset(Row *row, int64 value)
{
	put(row, Int64GetDatum(value), value < 0);
}

/* Microseconds; below 0: not known */
static void
put_seconds(Row *row, int64 us)
{
	put(row, Float8GetDatum((double) us / USECS_PER_SEC), us < 0);
}

/* 0: none */
static void
put_time(Row *row, TimestampTz value)
{
	put(row, TimestampTzGetDatum(value), value == 0);
}

/* "" or NULL: none */
static void
put_text(Row *row, const char *value)
{
	bool		isnull = value == NULL || value[0] == '\0';

	put(row, isnull ? (Datum) 0 : CStringGetTextDatum(value), isnull);
}

static void
end_row(Row *row)
{
	/* burrow.sql has other columns than this file */
	if (row->n != row->rsinfo->setDesc->natts)
		burrow_access_check_version();
	if (row->n != row->rsinfo->setDesc->natts)
		elog(ERROR, "row has %d columns instead of %d", row->n, row->rsinfo->setDesc->natts);
	tuplestore_putvalues(row->rsinfo->setResult, row->rsinfo->setDesc, row->values, row->nulls);
	row->n = 0;
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
put_retries(Row *row, const BurrowRetryInfo *retries, bool attached)
{
	bool		none = retries->n == 0 || !attached;

	put_int64(row, none ? 0 : (int64) retries->n);
	put_text(row, none ? NULL : retries->topic);
	put_int(row, retries->partition, none);
	put_offset(row, none ? -1 : retries->offset);
	put_int(row, (int) retries->attempt, none);
	put_time(row, none ? 0 : retries->since);
	put_time(row, none ? 0 : retries->at);
	put_time(row, attached ? retries->wait_until : 0);
}

static void
put_starting(Row *row, const BurrowStartInfo *starting, bool attached)
{
	bool		none = starting->nstuck == 0 || !attached;

	put_int64(row, none ? 0 : (int64) starting->nstuck);
	put_text(row, none ? NULL : starting->topic);
	put_int(row, starting->partition, none);
	put_time(row, none ? 0 : starting->since);
	put_text(row, none ? NULL : starting->message);
}

/* In milliseconds. */
static void
put_percentiles(Row *row, const BurrowHistogram *h)
{
	static const double percentiles[] = {0.50, 0.95, 0.99};

	for (int i = 0; i < lengthof(percentiles); i++)
	{
		double		us = burrow_histogram_percentile(h, percentiles[i]);

		put(row, Float8GetDatum(us / 1000), us < 0);
	}
}

/* What a handler's error says is for those who may see messages' contents. */
static const char *
shown_error(const char *message, const char *public_message, Oid owner)
{
	return public_message[0] == '\0' || has_privs_of_role(GetUserId(), owner) ? message : public_message;
}

Datum
burrow_sql_subscription_slots(PG_FUNCTION_ARGS)
{
	Row			row;
	SubscriptionCopy *copies;
	int			n = 0;

	begin_rows(&row, fcinfo);
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
		put_int(&row, c->subid, false);
		put_text(&row, burrow_state_names[c->state]);
		put_int(&row, c->consumer_pid, c->consumer_pid == 0);
		put_text(&row, c->last_error.at != 0 ? shown_error(c->last_error.message, c->last_error.public_message, c->owner) : NULL);
		put_text(&row, c->last_error.at != 0 ? c->last_error.sqlstate : NULL);
		put_time(&row, c->last_error.at);
		put_retries(&row, &c->retries, c->consumer_pid != 0);
		put_starting(&row, &c->starting, c->consumer_pid != 0);
		put_time(&row, c->stats_reset);
		put_int(&row, c->workers_wanted, false);
		put_text(&row, shortage_names[c->shortage]);
		put_int64(&row, c->jobs_queued);
		put_int64(&row, c->inflight);
		put_int64(&row, c->inflight_bytes);
		put_time(&row, c->consumer_pid != 0 ? c->unconfirmed_since : 0);
		put_offset(&row, c->letters_pending);
		put_int64(&row, c->parked_keys);
		put_percentiles(&row, &c->handler_time);
		put_percentiles(&row, &c->end_to_end_time);
		for (int i = 0; i < BURROW_NCOUNTERS; i++)
			put_int64(&row, c->counters[i]);
		end_row(&row);
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
put_trouble(Row *row, const TroublesCopy *c, BurrowTroubleKind kind)
{
	const BurrowTrouble *trouble = &c->troubles[kind];

	put_int(row, c->subid, false);
	put_text(row, burrow_trouble_kinds[kind].name);
	put_text(row, trouble_cause(kind, trouble));
	put_time(row, trouble->since);
	put_text(row, trouble->sqlstate);
	put_text(row, shown_error(trouble->message, trouble->public_message, c->owner));
	put_text(row, trouble->statement[0] != '\0' ? trouble->statement :
			 psprintf(burrow_trouble_kinds[kind].statement, quote_literal_cstr(c->name)));
	end_row(row);
}

Datum
burrow_sql_troubles(PG_FUNCTION_ARGS)
{
	Row			row;
	TroublesCopy *copies;
	int			n = 0;

	begin_rows(&row, fcinfo);
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
	Row			row;
	PartitionCopy *copies;
	TimestampTz now = GetCurrentTimestamp();
	int			n = 0;

	begin_rows(&row, fcinfo);
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
		put_int(&row, c->subid, false);
		put_text(&row, c->topic);
		put_int(&row, c->partition, false);
		put_int64(&row, c->epoch);
		put_offset(&row, c->committed);
		put_offset(&row, c->processed);
		put_offset(&row, c->end);
		put_time(&row, c->end_checked_at);
		put_int64(&row, c->inflight);
		put_offset(&row, c->oldest_pending);
		put_time(&row, c->oldest_pending_since);
		put_time(&row, c->last_message_at);
		put_seconds(&row, c->lag_us);
		put_bool(&row, c->window_full);
		put_offset(&row, c->high_watermark);
		put_time(&row, c->blocked_since);
		put_time(&row, c->trouble_since);
		put_offset(&row, c->trouble_since != 0 ? c->trouble_offset : -1);
		put_text(&row, c->trouble_since != 0 ? c->trouble_sqlstate : NULL);
		put_text(&row, c->trouble_since != 0 ? c->trouble : NULL);
		end_row(&row);
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
put_worker(Row *row, const WorkerCopy *c)
{
	bool		running = c->state == BURROW_WORKER_IS_RUNNING;
	bool		busy = running || c->state == BURROW_WORKER_IS_COMMITTING;

	put_int(row, c->subid, false);
	put_int(row, c->lane, false);
	put_int(row, c->pid, c->pid == 0);
	put_text(row, burrow_worker_state_names[c->state]);
	put_text(row, busy ? c->topic : NULL);
	put_int(row, c->partition, !busy || c->partition < 0);
	put_offset(row, running ? c->offset : -1);
	put_time(row, c->since);
	put_int64(row, c->messages_processed);
	put_int64(row, c->messages_failed);
	end_row(row);
}

Datum
burrow_sql_worker_slots(PG_FUNCTION_ARGS)
{
	Row			row;
	WorkerCopy *copies;
	int			n = 0;

	begin_rows(&row, fcinfo);
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
put_step(Row *row, int32 subid, const BurrowHistoryStep * step)
{
	put_int(row, subid, false);
	put_time(row, step->at);
	for (int i = 0; i < BURROW_HISTORY_NCOUNTERS; i++)
		put(row, Int64GetDatum(step->counts[i]), !step->known);
	put(row, Float8GetDatum((double) burrow_history_done(step) * USECS_PER_SEC / BURROW_HISTORY_STEP_US), !step->known);
	put_offset(row, step->known ? step->lag : -1);
	put_seconds(row, step->known ? step->lag_us : -1);
	end_row(row);
}

/* Gaps are rows of NULLs, from the first step on that there is. */
Datum
burrow_sql_history(PG_FUNCTION_ARGS)
{
	Row			row;
	TimestampTz now = GetCurrentTimestamp();
	BurrowHistoryStep *steps = palloc(sizeof(BurrowHistoryStep) * BURROW_HISTORY_STEPS);

	begin_rows(&row, fcinfo);
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
