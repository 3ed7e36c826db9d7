/*
 * launcher.c
 *	  The one process of the server that knows what should run, and starts it.
 *
 * Runs in: a static background worker, connected to no database: it reads
 * pg_database and nothing else.  It never loads librdkafka and never runs a user's
 * code, so nothing that goes wrong with a subscription goes wrong here.
 * Owns: the probes; when a consumer is started; when a subscription slot is freed.
 * Locking: burrow->lock for each look at the registry, never over a registration
 * or a transaction.
 *
 * It does two things.  Databases that were put on the list of those to look at get
 * a discovery worker each, a few at a time.  Subscriptions that are wanted and have
 * no consumer get one, with a backoff when the last one died.
 *
 * It sleeps until somebody sets its latch (a commit, a process that ends, the
 * release of a lockout) or something is due; nothing is polled.
 *
 * A restart of the launcher harms nothing: what it keeps for itself can be found
 * again by looking at every database, and consumers that run are taken over, for
 * their slots say all there is to know.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/sinval.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#include "guc.h"
#include "launcher/databases.h"
#include "runtime/bgw.h"
#include "shmem/call_places.h"
#include "shmem/groups.h"
#include "shmem/registry.h"
#include "shmem/subscription_slots.h"
#include "shmem/troubles.h"
#include "shmem/wait_events.h"
#include "shmem/worker_share.h"

#define BACKOFF_FIRST_MS	1000
#define BACKOFF_MAX_MS		60000

/* A consumer that ran for so long has not died of what the one before it died of. */
#define GOOD_RUN_MS			60000

/* Whatever the reason, a consumer is not started more often than this. */
#define START_INTERVAL_MS	1000

/* A database to look at. */
typedef struct Look
{
	Oid			dboid;
	TimestampTz not_before;
	int			delay_ms;		/* the last backoff; 0: none */
} Look;

/* All in launcher_cxt, which lives as long as the process. */
static MemoryContext launcher_cxt;
static List *looks = NIL;
static BackgroundWorkerHandle *probe_handles[BURROW_MAX_PROBES];
static Look probe_looks[BURROW_MAX_PROBES];
static BackgroundWorkerHandle **consumer_handles;	/* a slot each; NULL once it has attached */

/* No background worker slot was free: nothing is started before then. */
static TimestampTz crowded_until = 0;
static int	crowded_delay_ms = 0;
static TimestampTz crowded_over_at = 0;

/* A place that is free for a moment ends no shortage: one that comes back sooner is not told again. */
#define CROWDED_AGAIN_MS	10000

static int
next_delay(int delay_ms)
{
	return delay_ms == 0 ? BACKOFF_FIRST_MS : Min(delay_ms * 2, BACKOFF_MAX_MS);
}

static void
forget_handle(BackgroundWorkerHandle **handle)
{
	if (*handle != NULL)
		pfree(*handle);
	*handle = NULL;
}

static bool
has_stopped(BackgroundWorkerHandle *handle)
{
	pid_t		pid;

	return GetBackgroundWorkerPid(handle, &pid) == BGWH_STOPPED;
}

/*
 * max_worker_processes is used up, by whomever.  PostgreSQL does not tell when a
 * place becomes free, so this is the one thing that is tried again by the clock.
 */
static void
report_crowded(TimestampTz now)
{
	if (crowded_delay_ms == 0 && TimestampDifferenceExceeds(crowded_over_at, now, CROWDED_AGAIN_MS))
		ereport(LOG,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("no background worker slot is free for burrow's processes"),
				 errdetail("They will be started when there is one."),
				 errhint("Increase max_worker_processes and restart the server.")));
	crowded_delay_ms = next_delay(crowded_delay_ms);
	crowded_until = TimestampTzPlusMilliseconds(now, crowded_delay_ms);
	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	if (burrow->crowded_since == 0)
		burrow->crowded_since = now;
	LWLockRelease(burrow->lock);
	burrow_worker_share_found_crowded();
	burrow_call_place_need(now);
}

static void
report_not_crowded(void)
{
	if (crowded_delay_ms == 0)
		return;
	crowded_delay_ms = 0;
	crowded_until = 0;
	crowded_over_at = GetCurrentTimestamp();
	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	burrow->crowded_since = 0;
	burrow->place_freed = false;
	LWLockRelease(burrow->lock);
	burrow_worker_share_found_room();
}

/* A worker has left: its place may be free, and need not be waited for. */
static void
take_freed_place(void)
{
	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	if (burrow->place_freed)
		crowded_until = 0;
	burrow->place_freed = false;
	LWLockRelease(burrow->lock);
}

/* ---- databases ---- */

/* Nothing can run in this database: no discovery worker is needed to say so. */
static void
close_slots(Oid dboid, BurrowDatabaseFate fate)
{
	if (fate == BURROW_DATABASE_GONE)
		burrow_groups_forget(dboid);
	for (int i = 0; i < burrow->nsubscriptions; i++)
	{
		BurrowSubscriptionSlot *sub = &burrow->subscriptions[i];
		bool		running = false;

		LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
		if (sub->in_use && sub->dboid == dboid)
		{
			sub->wanted = false;
			sub->dropped = fate == BURROW_DATABASE_GONE;
			running = sub->starting || sub->consumer_pid != 0;
			if (!running)
				sub->state = BURROW_DISABLED;
		}
		LWLockRelease(burrow->lock);
		if (running)
			burrow_registry_request(i, BURROW_REQUEST_LEAVE);
	}
}

/* ---- looks and probes ---- */

static void
add_look(Oid dboid, TimestampTz not_before, int delay_ms)
{
	ListCell   *lc;
	Look	   *look;

	foreach(lc, looks)
	{
		look = lfirst(lc);
		if (look->dboid == dboid)
		{
			look->not_before = Min(look->not_before, not_before);
			return;
		}
	}
	look = palloc(sizeof(Look));
	look->dboid = dboid;
	look->not_before = not_before;
	look->delay_ms = delay_ms;
	looks = lappend(looks, look);
}

/* Take over what others have asked for. */
static void
take_looks(void)
{
	Oid			wanted[BURROW_MAX_LOOKS];
	int			n;
	bool		all;

	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	n = burrow->nlooks;
	memcpy(wanted, burrow->looks, sizeof(Oid) * n);
	burrow->nlooks = 0;
	all = burrow->look_at_all;
	burrow->look_at_all = false;
	LWLockRelease(burrow->lock);

	for (int i = 0; i < n; i++)
		add_look(wanted[i], 0, 0);
	if (all)
	{
		List	   *databases = burrow_databases_read(launcher_cxt);
		ListCell   *lc;

		foreach(lc, databases)
			add_look(((BurrowDatabase *) lfirst(lc))->dboid, 0, 0);
		list_free_deep(databases);

		/* and those that are gone */
		for (int i = 0; i < burrow->nsubscriptions; i++)
		{
			BurrowSubscriptionSlot *sub = &burrow->subscriptions[i];
			Oid			dboid;

			LWLockAcquire(burrow->lock, LW_SHARED);
			dboid = sub->in_use ? sub->dboid : InvalidOid;
			LWLockRelease(burrow->lock);
			if (OidIsValid(dboid))
				add_look(dboid, 0, 0);
		}
	}
}

/* Discovery workers that have ended. */
static void
reap_probes(TimestampTz now)
{
	for (int i = 0; i < BURROW_MAX_PROBES; i++)
	{
		BurrowProbe *probe = &burrow->probes[i];
		Look	   *look = &probe_looks[i];
		bool		done;
		bool		held;

		if (probe_handles[i] == NULL || !has_stopped(probe_handles[i]))
			continue;
		forget_handle(&probe_handles[i]);

		LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
		done = probe->done;
		held = burrow_registry_is_locked_out(look->dboid);
		memset(probe, 0, sizeof(*probe));
		LWLockRelease(burrow->lock);

		/* Its error is in the log; whatever it was may pass. */
		if (!done && held)
			add_look(look->dboid, 0, 0);
		else if (!done)
		{
			int			delay_ms = next_delay(look->delay_ms);

			add_look(look->dboid, TimestampTzPlusMilliseconds(now, delay_ms), delay_ms);
		}
	}
}

/*
 * May a discovery worker be started for this look now?  Takes an entry for it:
 * its number, or -1.
 */
static int
take_probe(const Look *look, TimestampTz now)
{
	int			found = -1;
	bool		possible = look->not_before <= now;

	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	possible = possible && !burrow_registry_is_locked_out(look->dboid);
	for (int i = 0; i < BURROW_MAX_PROBES; i++)
	{
		if (burrow->probes[i].dboid == look->dboid)
			possible = false;	/* one at a time in a database */
		if (!OidIsValid(burrow->probes[i].dboid))
			found = i;
	}
	if (!possible)
		found = -1;
	if (found >= 0)
	{
		BurrowProbe *probe = &burrow->probes[found];

		probe->dboid = look->dboid;
		probe->launcher_pid = MyProcPid;
		probe->proc = NULL;
		probe->done = false;
	}
	LWLockRelease(burrow->lock);
	return found;
}

static void
give_probe_back(int number)
{
	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	memset(&burrow->probes[number], 0, sizeof(BurrowProbe));
	LWLockRelease(burrow->lock);
}

static void
start_probes(TimestampTz now)
{
	List	   *databases = NIL;
	ListCell   *lc;

	foreach(lc, looks)
	{
		Look	   *look = lfirst(lc);
		BurrowDatabaseFate fate;
		int			number;

		if (crowded_until > now)
			break;
		number = take_probe(look, now);
		if (number < 0)
			continue;
		if (databases == NIL)
			databases = burrow_databases_read(launcher_cxt);
		fate = burrow_databases_fate(databases, look->dboid);
		if (fate != BURROW_DATABASE_OPEN)
		{
			give_probe_back(number);
			close_slots(look->dboid, fate);
		}
		else if (burrow_bgw_start_discovery(look->dboid, &probe_handles[number]))
		{
			probe_looks[number] = *look;
			report_not_crowded();
		}
		else
		{
			give_probe_back(number);
			report_crowded(now);
			break;
		}
		looks = foreach_delete_current(looks, lc);
		pfree(look);
	}
	list_free_deep(databases);
}

/*
 * Consumer groups are everybody's business once each database has been looked at since the server
 * started: see shmem/groups.c.  Until then says of which database nothing is known.
 */
static void
publish_known(void)
{
	static bool known = false;
	Oid			database = looks != NIL ? ((Look *) linitial(looks))->dboid : InvalidOid;

	if (known)
		return;
	for (int i = 0; i < BURROW_MAX_PROBES; i++)
	{
		if (probe_handles[i] != NULL)
			database = probe_looks[i].dboid;
	}
	known = !OidIsValid(database);
	burrow_groups_set_known(known, database);
}

/* ---- consumers ---- */

/*
 * A consumer has died that should run: when will it be started again?
 *
 * Locks: caller holds burrow->lock exclusively.
 */
static void
set_backoff(BurrowSubscriptionSlot *sub, TimestampTz now)
{
	Assert(LWLockHeldByMeInMode(burrow->lock, LW_EXCLUSIVE));

	if (TimestampDifferenceExceeds(sub->started_at, now, GOOD_RUN_MS) ||
		sub->leave == BURROW_LEAVE_PLACE_TAKEN)
		sub->restart_delay_ms = 0;
	sub->restart_delay_ms = next_delay(sub->restart_delay_ms);
	sub->restart_at = TimestampTzPlusMilliseconds(now, sub->restart_delay_ms);
	sub->restarts++;
	sub->state = BURROW_RETRYING;
}

/* Deal with the end of this slot's consumer, if it has ended. */
static void
reap_consumer(int slot, TimestampTz now)
{
	static const BurrowTroubleReport unexpected = {.sqlstate = "57P01", .message = "consumer exited unexpectedly"};
	BurrowSubscriptionSlot *sub = &burrow->subscriptions[slot];
	bool		stopped = consumer_handles[slot] != NULL && has_stopped(consumer_handles[slot]);
	bool		died;
	bool		told;
	int			delay_ms;
	Oid			unwanted = InvalidOid;
	char		name[BURROW_NAME_MAX + 1];

	if (stopped)
		forget_handle(&consumer_handles[slot]);

	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	if (stopped && sub->starting)
	{
		sub->starting = false;	/* it never came */
		sub->ended = true;
	}
	died = sub->ended && sub->wanted &&
		(sub->leave == BURROW_LEAVE_DIED || sub->leave == BURROW_LEAVE_PLACE_TAKEN);
	if (died)
		set_backoff(sub, now);
	else if (sub->ended)
	{
		sub->restart_at = 0;
		sub->restart_delay_ms = 0;
		if (!sub->wanted)
			unwanted = sub->dboid;
	}
	sub->ended = false;
	told = sub->troubles[BURROW_TROUBLE_CONSUMER].since != 0 && sub->troubles[BURROW_TROUBLE_CONSUMER].at >= sub->started_at;
	delay_ms = sub->restart_delay_ms;
	strlcpy(name, sub->name, sizeof(name));
	LWLockRelease(burrow->lock);

	/* how it is to be shown now is for a discovery worker to say */
	if (OidIsValid(unwanted))
		add_look(unwanted, 0, 0);
	if (died && !told)
		burrow_troubles_set(slot, BURROW_TROUBLE_CONSUMER, &unexpected);
	if (died)
		ereport(LOG,
				(errmsg("consumer of subscription \"%s\" has ended, it will be started again in %d s",
						name, delay_ms / 1000)));
}

/* When may this slot's consumer be started?  0: it may not. */
static TimestampTz
start_time(const BurrowSubscriptionSlot *sub)
{
	Assert(LWLockHeldByMe(burrow->lock));

	if (!sub->in_use || !sub->wanted || sub->dropped || sub->ended || sub->starting ||
		sub->consumer_pid != 0 || !burrow_enabled || burrow_registry_is_locked_out(sub->dboid))
		return 0;
	return Max(Max(sub->restart_at, burrow->start_not_before),
			   TimestampTzPlusMilliseconds(sub->started_at, START_INTERVAL_MS));
}

/* False: there is no background worker slot. */
static bool
start_consumer(int slot, TimestampTz now)
{
	BurrowSubscriptionSlot *sub = &burrow->subscriptions[slot];
	TimestampTz at;
	uint32		generation;
	Oid			dboid;
	int32		subid;
	char		name[BURROW_NAME_MAX + 1];
	bool		started;

	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	at = start_time(sub);
	if (at == 0 || at > now)
	{
		LWLockRelease(burrow->lock);
		return true;
	}
	generation = ++burrow->last_generation;
	sub->generation = generation;
	sub->starting = true;
	sub->started_at = now;
	sub->leave = BURROW_LEAVE_DIED;
	sub->state = BURROW_STARTING;
	pg_atomic_write_u32(&sub->requests, 0);
	for (int i = 0; i < lengthof(sub->ready); i++)
		pg_atomic_write_u64(&sub->ready[i], 0);
	dboid = sub->dboid;
	subid = sub->subid;
	strlcpy(name, sub->title, sizeof(name));
	LWLockRelease(burrow->lock);

	forget_handle(&consumer_handles[slot]);
	started = burrow_bgw_start_consumer(slot, generation, dboid, subid, name, &consumer_handles[slot]);
	if (!started)
	{
		LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
		sub->starting = false;
		sub->started_at = 0;
		sub->state = BURROW_RETRYING;
		LWLockRelease(burrow->lock);
		burrow_registry_set_error(slot, "53400", "no background worker slot is free", NULL);
	}
	else
		burrow_worker_share_announce(); /* it has the place that was free: there is to be another */
	return started;
}

/* Free the slots of subscriptions that are gone, once nobody refers to them. */
static void
free_dropped(void)
{
	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	for (int i = 0; i < burrow->nsubscriptions; i++)
	{
		BurrowSubscriptionSlot *sub = &burrow->subscriptions[i];
		bool		gone = sub->in_use && sub->dropped && burrow_registry_is_idle(i);

		if (!gone && !burrow_subscription_slots_is_evictable(i))
			continue;
		if (gone)
			sub->in_use = false;
		if (burrow->short_of_slots)
		{
			/* one that found no slot may have this one; only a look tells which */
			burrow->short_of_slots = false;
			burrow->look_at_all = true;
			SetLatch(MyLatch);
		}
	}
	LWLockRelease(burrow->lock);
}

static void
reap_consumers(TimestampTz now)
{
	for (int i = 0; i < burrow->nsubscriptions; i++)
		reap_consumer(i, now);
}

static void
start_consumers(TimestampTz now)
{
	for (int i = 0; i < burrow->nsubscriptions && crowded_until <= now; i++)
	{
		if (!start_consumer(i, now))
			report_crowded(now);
	}
	/* nothing that is due found no place */
	if (crowded_until <= now)
		report_not_crowded();
}

/* ---- the process ---- */

/* The exporter is a static worker: where it was not wanted at the server's start, a reload does not bring it. */
static void
report_no_exporter(void)
{
	static bool reported = false;
	bool		is_missing = !burrow_has_exporter && burrow_metrics_listen[0] != '\0';

	if (is_missing && !reported)
		ereport(WARNING,
				(errcode(ERRCODE_CANT_CHANGE_RUNTIME_PARAM),
				 errmsg("burrow.metrics_listen takes effect when the server is started again"),
				 errdetail("It was empty at the server's start, so that there is no exporter.")));
	reported = is_missing;
}

static void
reload_config(void)
{
	bool		was_enabled = burrow_enabled;

	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
	report_no_exporter();
	if (burrow_enabled == was_enabled)
		return;

	/* discovery workers say anew what is wanted, and how it is shown */
	burrow_registry_look_at(InvalidOid);
	if (burrow_enabled)
		return;
	for (int i = 0; i < burrow->nsubscriptions; i++)
	{
		bool		running;

		LWLockAcquire(burrow->lock, LW_SHARED);
		running = burrow->subscriptions[i].in_use &&
			(burrow->subscriptions[i].starting || burrow->subscriptions[i].consumer_pid != 0);
		LWLockRelease(burrow->lock);
		if (running)
			burrow_registry_request(i, BURROW_REQUEST_LEAVE);
	}
}

/* Milliseconds until something is due; -1: nothing is. */
static long
time_to_sleep(TimestampTz now)
{
	TimestampTz next = 0;
	ListCell   *lc;

	/* what is not due because it waits for a process or a lockout gets its wake-up from there */
	foreach(lc, looks)
	{
		const Look *look = lfirst(lc);

		if (look->not_before > now && (next == 0 || look->not_before < next))
			next = look->not_before;
	}
	LWLockAcquire(burrow->lock, LW_SHARED);
	for (int i = 0; i < burrow->nsubscriptions; i++)
	{
		TimestampTz at = start_time(&burrow->subscriptions[i]);

		if (at > now && (next == 0 || at < next))
			next = at;
	}
	LWLockRelease(burrow->lock);

	/* when no process can be started, whatever is due has to wait for that */
	if (crowded_until > now)
		next = crowded_until;
	return next == 0 ? -1L : Max(TimestampDifferenceMilliseconds(now, next), 1L);
}

static void
sleep_until_due(TimestampTz now)
{
	long		timeout = time_to_sleep(now);
	int			events = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH;

	if (timeout >= 0)
		events |= WL_TIMEOUT;
	pgstat_report_stat(true);
	(void) WaitLatch(MyLatch, events, timeout, burrow_wait_event(BURROW_WAIT_LAUNCHER));
	ResetLatch(MyLatch);
}

/*
 * SIGTERM is die(), which exits with code 1 so that the postmaster starts the
 * launcher again if it was pg_terminate_backend().  A cancel has nothing to cancel.
 */
void
burrow_launcher_main(Datum arg)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGINT, SIG_IGN);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();

	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	burrow_bgw_set_overrides();
	launcher_cxt = AllocSetContextCreate(TopMemoryContext, "burrow launcher", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(launcher_cxt);
	consumer_handles = palloc0(sizeof(BackgroundWorkerHandle *) * burrow->nsubscriptions);
	burrow_registry_attach_launcher();
	pgstat_report_activity(STATE_IDLE, "starting what subscriptions need");
	ereport(LOG, (errmsg("burrow launcher started")));
	if (burrow->start_not_before > GetCurrentTimestamp())
		ereport(LOG,
				(errmsg("consumers will be started in %ld s, because the server crashed soon after they were started",
						(TimestampDifferenceMilliseconds(GetCurrentTimestamp(), burrow->start_not_before) + 999) / 1000),
				 errhint("Setting burrow.enabled to off keeps them from being started.")));

	for (;;)
	{
		TimestampTz now;

		CHECK_FOR_INTERRUPTS();
		if (catchupInterruptPending)
			ProcessCatchupInterrupt();
		if (ConfigReloadPending)
			reload_config();

		now = GetCurrentTimestamp();
		take_freed_place();
		take_looks();
		reap_probes(now);
		reap_consumers(now);
		start_probes(now);
		publish_known();
		free_dropped();
		start_consumers(now);
		sleep_until_due(now);
	}
}
