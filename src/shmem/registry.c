/*
 * registry.c
 *	  Who runs: subscription slots, databases to look at.
 *
 * Runs in: every process.  Each function says who may call it.
 * Owns: the struct BurrowShared in main shared memory.
 * Locking: burrow->lock, for a few assignments at a time.  What is done with a
 * process that was found there (SetLatch, kill) is done after the lock is let go:
 * a PGPROC's memory stays what it is for the server's life, so at worst a process
 * that got the same place since is woken for nothing.
 *
 * How a change in the catalog takes effect: the SQL function notes that there
 * will be one (burrow_registry_wake_at_commit); the commit callback puts the
 * database on the list of those to look at, and wakes the launcher and the
 * consumers of the database.  The launcher sends a discovery worker, which makes
 * the slots say what the catalog says; consumers read their own row again.  So
 * nothing happens for a transaction that is rolled back, and nobody polls.
 *
 * Alternatives rejected: NOTIFY (needs a listener connected to each database), and
 * a heavyweight lock to know who is alive (an abort releases it, see
 * docs/architecture.md).
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "replication/logicallauncher.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/wait_event.h"

#include "guc.h"
#include "shmem/groups.h"
#include "shmem/history.h"
#include "shmem/partitions.h"
#include "shmem/registry.h"
#include "shmem/shared_text.h"

#define TRACKER_TRANCHE			"burrow_tracker"

#define CALM_MS					10000
#define CRASH_DELAY_FIRST_MS	1000
#define CRASH_DELAY_MAX_MS		10000

BurrowShared *burrow = NULL;

const char *const burrow_state_names[] = {
	[BURROW_STARTING] = "starting",
	[BURROW_RUNNING] = "running",
	[BURROW_RETRYING] = "retrying",
	[BURROW_STALLED] = "stalled",
	[BURROW_PAUSED] = "paused",
	[BURROW_HALTED] = "halted",
	[BURROW_DISABLED] = "disabled",
};

static int	my_slot = -1;		/* the consumer's */
static bool wake_pending = false;	/* something was changed in this transaction */

/* ---- set-up ---- */

static Size
registry_size(void)
{
	Size		size = offsetof(BurrowShared, subscriptions);

	size = add_size(size, mul_size(burrow_max_subscriptions, sizeof(BurrowSubscriptionSlot)));
	return MAXALIGN(size);
}

/* Whatever other backends do, each has its own. */
int
burrow_registry_lockouts(void)
{
	return MaxBackends * BURROW_BACKEND_LOCKOUTS;
}

static Size
lockouts_size(void)
{
	return mul_size(burrow_registry_lockouts(), sizeof(BurrowDatabaseLockout));
}

Size
burrow_registry_shmem_size(void)
{
	Size		size = add_size(registry_size(), mul_size(burrow_max_workers, sizeof(BurrowWorkerSlot)));

	size = add_size(size, lockouts_size());
	size = add_size(size, burrow_partitions_shmem_size());
	size = add_size(size, burrow_history_shmem_size());
	return add_size(size, burrow_groups_shmem_size());
}

void
burrow_registry_request_shmem(void)
{
	RequestAddinShmemSpace(burrow_registry_shmem_size());
	RequestNamedLWLockTranche(BURROW_LIBRARY, 1);
	/* for its number and its name; the locks are in the areas */
	RequestNamedLWLockTranche(TRACKER_TRANCHE, 1);
}

static void
init_subscription(BurrowSubscriptionSlot *sub)
{
	pg_atomic_init_u32(&sub->requests, 0);
	for (int i = 0; i < lengthof(sub->ready); i++)
		pg_atomic_init_u64(&sub->ready[i], 0);
	for (int i = 0; i < BURROW_NCOUNTERS; i++)
		pg_atomic_init_u64(&sub->counters[i], 0);
	for (int i = 0; i < BURROW_SQLSTATE_CLASSES; i++)
		pg_atomic_init_u64(&sub->failures[i], 0);
	pg_atomic_init_u64(&sub->jobs_queued, 0);
	pg_atomic_init_u64(&sub->inflight, 0);
	pg_atomic_init_u64(&sub->inflight_bytes, 0);
	pg_atomic_init_u64(&sub->unconfirmed_since, 0);
	pg_atomic_init_u64(&sub->last_progress_at, 0);
	pg_atomic_init_u64(&sub->last_commit_at, 0);
	pg_atomic_init_u64(&sub->letters_pending, (uint64) -1);
	pg_atomic_init_u64(&sub->parked_keys, 0);
	burrow_sizes_reset(&sub->transaction_messages);
	pg_atomic_init_u64(&sub->renewed_at, 0);
	burrow_histogram_reset(&sub->kafka_commit_time);
	burrow_histogram_reset(&sub->handler_time);
	burrow_histogram_reset(&sub->end_to_end_time);
}

static void
init_worker(BurrowWorkerSlot *worker)
{
	pg_atomic_init_u64(&worker->cancel, 0);
	pg_atomic_init_u64(&worker->attempts, 0);
	pg_atomic_init_u64(&worker->running_since, 0);
	pg_atomic_init_u64(&worker->committing_since, 0);
	pg_atomic_init_u64(&worker->running_offset, 0);
	pg_atomic_init_u32(&worker->running_partition, 0);
	pg_atomic_init_u64(&worker->messages_processed, 0);
	pg_atomic_init_u64(&worker->messages_failed, 0);
}

/*
 * After a crash the postmaster makes shared memory anew, and all that the launcher
 * knew of who died of what is gone.  A consumer that crashes as soon as it starts
 * (librdkafka is a lot of foreign code) would have the server do nothing but recover,
 * and nobody could get in to pause it.  So the postmaster remembers: each crash
 * within CALM_MS of the moment when consumers could start doubles the time until they
 * may start again.
 *
 * Process: postmaster.
 */
static TimestampTz
start_after_crash(void)
{
	static TimestampTz last_start = 0;	/* when consumers could start; 0: first time */
	static int	delay_ms = 0;
	TimestampTz now = GetCurrentTimestamp();

	if (last_start != 0 && !TimestampDifferenceExceeds(last_start, now, CALM_MS))
		delay_ms = delay_ms == 0 ? CRASH_DELAY_FIRST_MS : Min(delay_ms * 2, CRASH_DELAY_MAX_MS);
	else
		delay_ms = 0;
	last_start = TimestampTzPlusMilliseconds(now, delay_ms);
	return delay_ms == 0 ? 0 : last_start;
}

void
burrow_registry_startup_shmem(void)
{
	Size		size = add_size(registry_size(),
								mul_size(burrow_max_workers, sizeof(BurrowWorkerSlot)));
	bool		found;

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	burrow = ShmemInitStruct("burrow", size, &found);
	if (!found)
	{
		memset(burrow, 0, size);
		pg_atomic_init_u32(&burrow->share_changes, 0);
		burrow->start_not_before = start_after_crash();
		burrow->lock = &GetNamedLWLockTranche(BURROW_LIBRARY)[0].lock;
		burrow->tracker_tranche = GetNamedLWLockTranche(TRACKER_TRANCHE)[0].lock.tranche;
		ConditionVariableInit(&burrow->gone);
		burrow->nsubscriptions = burrow_max_subscriptions;
		burrow->nworkers = burrow_max_workers;
		burrow->workers = (BurrowWorkerSlot *) ((char *) burrow + registry_size());
		for (int i = 0; i < burrow->nsubscriptions; i++)
			init_subscription(&burrow->subscriptions[i]);
		for (int i = 0; i < burrow->nworkers; i++)
			init_worker(&burrow->workers[i]);
	}
	burrow->lockouts = ShmemInitStruct("burrow database lockouts", lockouts_size(), &found);
	if (!found)
		memset(burrow->lockouts, 0, lockouts_size());
	burrow_partitions_startup_shmem();
	burrow_history_startup_shmem();
	burrow_groups_startup_shmem();
	LWLockRelease(AddinShmemInitLock);
}

void
burrow_registry_require(void)
{
	if (burrow == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("burrow must be loaded via shared_preload_libraries"),
				 errhint("Add \"burrow\" to shared_preload_libraries in postgresql.conf and restart the server.")));
}

/* ---- requests ---- */

void
burrow_registry_wake(PGPROC *proc)
{
	if (proc != NULL)
		SetLatch(&proc->procLatch);
}

void
burrow_registry_wake_launcher(void)
{
	PGPROC	   *proc;

	LWLockAcquire(burrow->lock, LW_SHARED);
	proc = burrow->launcher_proc;
	LWLockRelease(burrow->lock);
	burrow_registry_wake(proc);
}

/* Locks: caller holds burrow->lock exclusively, and wakes the launcher afterwards. */
static void
add_look(Oid dboid)
{
	Assert(LWLockHeldByMeInMode(burrow->lock, LW_EXCLUSIVE));

	for (int i = 0; i < burrow->nlooks; i++)
	{
		if (burrow->looks[i] == dboid)
			return;
	}
	if (!OidIsValid(dboid) || burrow->nlooks == BURROW_MAX_LOOKS)
		burrow->look_at_all = true;
	else
		burrow->looks[burrow->nlooks++] = dboid;
}

void
burrow_registry_look_at(Oid dboid)
{
	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	add_look(dboid);
	LWLockRelease(burrow->lock);
	burrow_registry_wake_launcher();
}

void
burrow_registry_request(int slot, uint32 bits)
{
	BurrowSubscriptionSlot *sub = &burrow->subscriptions[slot];
	PGPROC	   *proc;

	pg_atomic_fetch_or_u32(&sub->requests, bits);
	LWLockAcquire(burrow->lock, LW_SHARED);
	proc = sub->consumer_proc;
	LWLockRelease(burrow->lock);
	burrow_registry_wake(proc);
}

/*
 * The catalog of this database has changed.  Runs in the commit callback: neither
 * raises nor allocates.
 */
static void
announce_change(void)
{
	burrow_registry_look_at(MyDatabaseId);
	for (int i = 0; i < burrow->nsubscriptions; i++)
	{
		BurrowSubscriptionSlot *sub = &burrow->subscriptions[i];
		bool		affected = false;

		LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
		if (sub->in_use && sub->dboid == MyDatabaseId)
		{
			affected = sub->starting || sub->consumer_proc != NULL;
			/* one that waits to be started again: the change may be what it needed */
			sub->restart_at = 0;
		}
		LWLockRelease(burrow->lock);
		if (affected)
			burrow_registry_request(i, BURROW_REQUEST_RELOAD);
	}
}

static void
wake_callback(XactEvent event, void *arg)
{
	if (!wake_pending)
		return;
	switch (event)
	{
		case XACT_EVENT_COMMIT:
			wake_pending = false;
			announce_change();
			break;
		case XACT_EVENT_ABORT:
			wake_pending = false;
			break;
		case XACT_EVENT_PRE_PREPARE:
			/* COMMIT PREPARED may run anywhere and calls nothing of ours */
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot PREPARE a transaction that has changed a burrow subscription")));
			break;
		default:
			break;
	}
}

/*
 * A subtransaction that is rolled back does not take the note back: looking once
 * too often does no harm.
 */
void
burrow_registry_wake_at_commit(void)
{
	static bool registered = false;

	if (!registered)
	{
		RegisterXactCallback(wake_callback, NULL);
		registered = true;
	}
	wake_pending = true;
}

/* ---- subscription slots ---- */

int
burrow_registry_find(Oid dboid, int32 subid)
{
	Assert(LWLockHeldByMe(burrow->lock));

	for (int i = 0; i < burrow->nsubscriptions; i++)
	{
		BurrowSubscriptionSlot *sub = &burrow->subscriptions[i];

		if (sub->in_use && sub->dboid == dboid && sub->subid == subid)
			return i;
	}
	return -1;
}

bool
burrow_registry_is_idle(int slot)
{
	BurrowSubscriptionSlot *sub = &burrow->subscriptions[slot];

	Assert(LWLockHeldByMe(burrow->lock));

	if (sub->starting || sub->consumer_pid != 0)
		return false;
	for (int i = 0; i < burrow->nworkers; i++)
	{
		if (burrow->workers[i].in_use && burrow->workers[i].subscription == slot)
			return false;
	}
	return true;
}

void
burrow_registry_set_state(int slot, BurrowState state)
{
	BurrowSubscriptionSlot *sub = &burrow->subscriptions[slot];

	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	/* what has stopped starts anew before it runs */
	Assert((state != BURROW_RUNNING && state != BURROW_RETRYING && state != BURROW_STALLED) ||
		   sub->state == BURROW_STARTING || sub->state == BURROW_RUNNING ||
		   sub->state == BURROW_RETRYING || sub->state == BURROW_STALLED);
	sub->state = state;
	LWLockRelease(burrow->lock);
}

void
burrow_registry_set_retries(int slot, const BurrowRetryInfo *retries)
{
	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	burrow->subscriptions[slot].retries = *retries;
	LWLockRelease(burrow->lock);
}

void
burrow_registry_set_starting(int slot, const BurrowStartInfo *starting)
{
	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	burrow->subscriptions[slot].starting_partitions = *starting;
	LWLockRelease(burrow->lock);
}

void
burrow_registry_set_error(int slot, const char *sqlstate, const char *message, const char *public_message)
{
	BurrowErrorInfo *error = &burrow->subscriptions[slot].last_error;
	TimestampTz now = message[0] != '\0' ? GetCurrentTimestamp() : 0;

	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	error->at = now;
	strlcpy(error->sqlstate, sqlstate, sizeof(error->sqlstate));
	burrow_shared_text_copy(error->message, sizeof(error->message), message);
	burrow_shared_text_copy(error->public_message, sizeof(error->public_message), public_message != NULL ? public_message : "");
	LWLockRelease(burrow->lock);
}

void
burrow_registry_set_librdkafka(const char *version)
{
	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	strlcpy(burrow->librdkafka, version, sizeof(burrow->librdkafka));
	LWLockRelease(burrow->lock);
}

void
burrow_registry_count_failure(int slot, const char *sqlstate)
{
	pg_atomic_uint64 *c = &burrow->subscriptions[slot].failures[burrow_sqlstate_class(sqlstate)];

	pg_atomic_write_u64(c, pg_atomic_read_u64(c) + 1);
	BURROW_COUNT(slot, messages_failed, 1);
}

bool
burrow_registry_is_locked_out(Oid dboid)
{
	Assert(LWLockHeldByMe(burrow->lock));

	if (burrow->nlockouts == 0)
		return false;
	for (int i = 0; i < burrow_registry_lockouts(); i++)
	{
		if (burrow->lockouts[i].dboid == dboid)
			return true;
	}
	return false;
}

/* ---- the consumer ---- */

/* What a process has met ends with it, but not that it has ended. */
static void
end_troubles(BurrowSubscriptionSlot *sub)
{
	memset(&sub->retries, 0, sizeof(sub->retries));
	for (int i = 0; i < BURROW_NTROUBLES; i++)
		if (i != BURROW_TROUBLE_CONSUMER || sub->leave == BURROW_LEAVE_STOPPED)
			sub->troubles[i].since = 0;
}

/* before_shmem_exit; must work whatever state the process is in. */
static void
detach_consumer(int code, Datum arg)
{
	BurrowSubscriptionSlot *sub = &burrow->subscriptions[my_slot];
	PGPROC	   *launcher;

	burrow_partitions_free_all(my_slot);

	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	for (int i = 0; i < burrow->nworkers; i++)
	{
		BurrowWorkerSlot *worker = &burrow->workers[i];

		/* its process has not come yet, and will find that the slot is not its own */
		if (worker->in_use && worker->generation == sub->generation && worker->pid == 0)
			worker->in_use = false;
	}
	sub->consumer_pid = 0;
	sub->consumer_proc = NULL;
	sub->in_group = false;
	sub->ended = true;
	burrow_history_end(my_slot);
	sub->workers_wanted = 0;
	sub->workers_claimed = 0;
	sub->shortage = BURROW_SHORT_OF_NOTHING;
	pg_atomic_write_u64(&sub->jobs_queued, 0);
	pg_atomic_write_u64(&sub->inflight, 0);
	pg_atomic_write_u64(&sub->inflight_bytes, 0);
	end_troubles(sub);
	if (sub->leave == BURROW_LEAVE_STOPPED)
	{
		/*
		 * Whether it should run is for the catalog to say, which may have changed again since the
		 * consumer read it.
		 */
		sub->wanted = false;
		add_look(sub->dboid);
		if (burrow_registry_is_locked_out(sub->dboid))
			sub->state = BURROW_DISABLED;	/* no discovery worker can say so */
	}
	launcher = burrow->launcher_proc;
	LWLockRelease(burrow->lock);

	ConditionVariableBroadcast(&burrow->gone);
	burrow_registry_wake(launcher);
}

void
burrow_registry_attach_consumer(int slot, uint32 generation)
{
	BurrowSubscriptionSlot *sub = &burrow->subscriptions[slot];
	bool		mine;

	Assert(my_slot < 0);

	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	mine = sub->in_use && sub->starting && sub->generation == generation;
	if (mine)
	{
		sub->starting = false;
		memset(&sub->starting_partitions, 0, sizeof(sub->starting_partitions));
		sub->consumer_pid = MyProcPid;
		sub->consumer_proc = MyProc;
		my_slot = slot;
		burrow_history_begin(slot, GetCurrentTimestamp());
	}
	LWLockRelease(burrow->lock);

	if (!mine)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("consumer in slot %d is not wanted any more", slot)));
	before_shmem_exit(detach_consumer, (Datum) 0);
}

void
burrow_registry_leave(int slot, BurrowLeave how)
{
	Assert(slot == my_slot);

	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	burrow->subscriptions[slot].leave = how;
	LWLockRelease(burrow->lock);
}

/* ---- the launcher and its discovery workers ---- */

int
burrow_registry_static_processes(void)
{
	return 1 + (max_logical_replication_workers > 0 ? 1 : 0) + (burrow_has_exporter ? 1 : 0);
}

/*
 * Do Burrow's own processes, with PostgreSQL's launcher of logical replication, take all places?
 * There may be others, of which nothing is known here; the launcher finds out about them.
 *
 * Locks: caller holds burrow->lock.
 */
static bool
is_full(void)
{
	int			n = burrow_registry_static_processes();

	Assert(LWLockHeldByMe(burrow->lock));

	for (int i = 0; i < burrow->nsubscriptions; i++)
		n += burrow->subscriptions[i].in_use &&
			(burrow->subscriptions[i].starting || burrow->subscriptions[i].consumer_pid != 0);
	for (int i = 0; i < burrow->nworkers; i++)
		n += burrow->workers[i].in_use;
	return n >= max_worker_processes;
}

BurrowStartTrouble
burrow_registry_start_trouble(TimestampTz *since)
{
	BurrowStartTrouble trouble = BURROW_START_FREE;

	*since = 0;
	if (RecoveryInProgress())
		return trouble;			/* a standby starts nothing */
	LWLockAcquire(burrow->lock, LW_SHARED);
	if (burrow->launcher_pid == 0)
		trouble = burrow->launcher_came ? BURROW_START_LAUNCHER_GONE : BURROW_START_NO_LAUNCHER;
	else if (burrow->crowded_since != 0 || is_full())
		trouble = BURROW_START_CROWDED;
	*since = burrow->crowded_since;
	LWLockRelease(burrow->lock);
	return trouble;
}

static void
detach_launcher(int code, Datum arg)
{
	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	if (burrow->launcher_pid == MyProcPid)
	{
		burrow->launcher_pid = 0;
		burrow->launcher_proc = NULL;
	}
	LWLockRelease(burrow->lock);
}

/*
 * Consumers that run stay: they will tell this launcher of their end.  Those that
 * the launcher before has registered and that have not come are not waited for:
 * nobody would tell if they never came.  Without a generation they find that they
 * are not wanted.  Discovery workers of another launcher change nothing any more.
 */
void
burrow_registry_attach_launcher(void)
{
	before_shmem_exit(detach_launcher, (Datum) 0);

	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	burrow->launcher_pid = MyProcPid;
	burrow->launcher_proc = MyProc;
	burrow->launcher_came = true;
	burrow->crowded_since = 0;
	burrow->look_at_all = true;
	memset(burrow->probes, 0, sizeof(burrow->probes));
	for (int i = 0; i < burrow->nsubscriptions; i++)
	{
		BurrowSubscriptionSlot *sub = &burrow->subscriptions[i];

		if (sub->in_use && sub->starting)
		{
			sub->starting = false;
			sub->generation = 0;
		}
	}
	LWLockRelease(burrow->lock);
}

BurrowProbe *
burrow_registry_my_probe(void)
{
	Assert(LWLockHeldByMe(burrow->lock));

	for (int i = 0; i < BURROW_MAX_PROBES; i++)
	{
		BurrowProbe *probe = &burrow->probes[i];

		if (OidIsValid(probe->dboid) && probe->proc == MyProc)
			return probe;
	}
	return NULL;
}

static void
detach_probe(int code, Datum arg)
{
	BurrowProbe *probe;

	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	probe = burrow_registry_my_probe();
	if (probe != NULL)
		probe->proc = NULL;
	LWLockRelease(burrow->lock);
	ConditionVariableBroadcast(&burrow->gone);
}

bool
burrow_registry_attach_probe(Oid dboid)
{
	bool		attached = false;

	before_shmem_exit(detach_probe, (Datum) 0);

	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	for (int i = 0; i < BURROW_MAX_PROBES && !burrow_registry_is_locked_out(dboid); i++)
	{
		BurrowProbe *probe = &burrow->probes[i];

		if (probe->dboid == dboid && probe->proc == NULL && !probe->done &&
			probe->launcher_pid == MyBgworkerEntry->bgw_notify_pid)
		{
			probe->proc = MyProc;
			attached = true;
			break;
		}
	}
	LWLockRelease(burrow->lock);
	return attached;
}
