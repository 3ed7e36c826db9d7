/*
 * discovery.c
 *	  A short-lived worker that makes the registry say what one database's catalog
 *	  says.
 *
 * Runs in: a dynamic background worker, connected to the database as the bootstrap
 * superuser; started by the launcher, which can read shared catalogs only.
 * Owns: its entry among the probes; whether a subscription slot is wanted, dropped,
 * and how the ones that do not run are shown.
 * Locking: burrow->lock, over the whole comparison, which is in memory.
 *
 * Only one runs in a database at a time, and what commits while it runs puts the
 * database on the launcher's list again.  So what it writes may be old, but never
 * for long.
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "catalog/access.h"
#include "catalog/encoding.h"
#include "catalog/identity.h"
#include "catalog/subscription.h"
#include "guc.h"
#include "runtime/bgw.h"
#include "runtime/resting_state.h"
#include "shmem/groups.h"
#include "shmem/registry.h"
#include "shmem/shared_text.h"
#include "shmem/subscription_slots.h"

/* So that a table that somebody has locked does not keep a place for discovery
 * workers from other databases for long. */
#define DISCOVERY_LOCK_TIMEOUT "30s"

/* What the catalog says of a subscription. */
typedef struct Found
{
	const BurrowIdentity *sub;
	BurrowState state;			/* STARTING: it should run; otherwise how it is shown */
	BurrowLabels labels;
} Found;

/* How a subscription that does not run is shown. */
static BurrowState
resting_state(const BurrowIdentity *sub)
{
	if (!burrow_enabled || !sub->at_home ||
		!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(sub->owner)))
		return BURROW_DISABLED;
	return burrow_resting_state(sub->status);
}

/* Locks: caller holds burrow->lock exclusively.  False: no slot is free. */
static bool
reconcile_one(const Found *found)
{
	const BurrowIdentity *sub = found->sub;
	BurrowState state = found->state;
	bool		rests = burrow_identity_rests(sub);
	int			number = rests ? burrow_registry_find(MyDatabaseId, sub->subid) :
	burrow_subscription_slots_reserve(MyDatabaseId, sub->subid);
	BurrowSubscriptionSlot *slot;
	bool		wanted = state == BURROW_STARTING;

	if (number < 0)
		return rests;
	slot = &burrow->subscriptions[number];
	slot->owner = sub->owner;
	strlcpy(slot->name, sub->name, sizeof(slot->name));
	burrow_shared_text_copy(slot->title, sizeof(slot->title), sub->name);
	slot->labels = found->labels;
	slot->rests = rests;
	slot->dropped = false;
	if (wanted && !slot->wanted)
	{
		slot->restart_at = 0;
		slot->restart_delay_ms = 0;
	}
	slot->wanted = wanted;

	/* The consumer shows its state itself, and the launcher that of one that died. */
	if (slot->consumer_pid == 0 && !slot->starting &&
		!(wanted && slot->state == BURROW_RETRYING))
		slot->state = state;
	return true;
}

/* Locks: caller holds burrow->lock exclusively. */
static void
mark_dropped(const List *subs)
{
	for (int i = 0; i < burrow->nsubscriptions; i++)
	{
		BurrowSubscriptionSlot *slot = &burrow->subscriptions[i];
		bool		found = false;
		ListCell   *lc;

		if (!slot->in_use || slot->dboid != MyDatabaseId)
			continue;
		foreach(lc, subs)
			found |= ((const Found *) lfirst(lc))->sub->subid == slot->subid;
		if (!found)
		{
			slot->dropped = true;
			slot->wanted = false;
		}
	}
}

/*
 * Returns the name of a subscription for which there was no slot, the first time
 * that this happens since all had one; NULL otherwise.
 */
static const char *
reconcile(const List *subs)
{
	const char *left_out = NULL;
	BurrowProbe *probe;
	ListCell   *lc;

	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	probe = burrow_registry_my_probe();
	if (probe != NULL)
	{
		bool		told = burrow->short_of_slots;

		mark_dropped(subs);
		foreach(lc, subs)
		{
			const Found *found = lfirst(lc);

			if (reconcile_one(found))
				continue;
			burrow->short_of_slots = true;
			if (!told)
				left_out = found->sub->name;
			told = true;
		}
		probe->done = true;
	}
	LWLockRelease(burrow->lock);
	return left_out;
}

/* What the array of consumer groups is to know of this database; begun: before the list was read. */
static void
sync_groups(const List *all, uint64 begun)
{
	BurrowGroupWish *wishes = palloc(sizeof(BurrowGroupWish) * (list_length(all) + 1));
	int			n = 0;
	int			left_out;
	ListCell   *lc;

	foreach(lc, all)
	{
		const BurrowIdentity *sub = ((const Found *) lfirst(lc))->sub;

		/* a copy is in no group until it is resumed */
		if (sub->at_home)
			wishes[n++] = (BurrowGroupWish) {MyDatabaseId, sub->subid, sub->owner, sub->join_group, sub->consumer_group};
	}
	left_out = burrow_groups_sync(begun, wishes, n);
	if (left_out > 0)
		ereport(WARNING,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("too many subscriptions"),
				 errdetail("%d of this database cannot be started: the server has room for %d, disabled ones among them.",
						   left_out, burrow_groups_room()),
				 errhint("Unsubscribe some, or raise burrow.max_subscriptions and restart the server.")));
}

/*
 * A consumer that should not run has been told so by the commit that said so.
 * Tell it again, in case somebody wrote to the catalog by hand.
 */
static void
stop_unwanted(void)
{
	for (int i = 0; i < burrow->nsubscriptions; i++)
	{
		BurrowSubscriptionSlot *slot = &burrow->subscriptions[i];
		bool		unwanted;

		LWLockAcquire(burrow->lock, LW_SHARED);
		unwanted = slot->in_use && slot->dboid == MyDatabaseId && !slot->wanted &&
			slot->consumer_pid != 0;
		LWLockRelease(burrow->lock);
		if (unwanted)
			burrow_registry_request(i, BURROW_REQUEST_RELOAD);
	}
}

/*
 * The extension's version is not the library's: nothing is started, what runs is told to end, and
 * burrow.why_stuck() says why.  The end of ALTER EXTENSION UPDATE has this database looked at again.
 */
static BurrowState
mismatched_state(const BurrowIdentity *sub)
{
	BurrowState state = resting_state(sub);

	return state == BURROW_STARTING ? BURROW_RETRYING : state;
}

/* Not under the lock: it allocates. */
static void
set_labels(BurrowLabels *labels, const BurrowIdentity *sub)
{
	strlcpy(labels->database, burrow_encoding_to_utf8(get_database_name(MyDatabaseId)), sizeof(labels->database));
	strlcpy(labels->subscription, burrow_encoding_to_utf8(sub->name), sizeof(labels->subscription));
	strlcpy(labels->consumer_group, burrow_encoding_to_utf8(sub->consumer_group), sizeof(labels->consumer_group));
}

static List *
find_all(void)
{
	const char *version = burrow_access_other_version();
	List	   *all = NIL;
	ListCell   *lc;

	foreach(lc, burrow_identity_list())
	{
		Found	   *found = palloc(sizeof(Found));

		found->sub = lfirst(lc);
		found->state = version != NULL ? mismatched_state(found->sub) : resting_state(found->sub);
		set_labels(&found->labels, found->sub);
		all = lappend(all, found);
	}
	if (version != NULL && all != NIL)
		ereport(WARNING,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg(BURROW_OTHER_VERSION, version),
				 errdetail("The %d subscriptions of this database do not run until it does.", list_length(all)),
				 errhint("Use ALTER EXTENSION %s UPDATE, and restart the server if it still runs the old library.",
						 BURROW_EXTENSION)));
	return all;
}

void
burrow_discovery_main(Datum arg)
{
	Oid			dboid = DatumGetObjectId(arg);
	const char *left_out;
	List	   *found;
	uint64		begun;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();

	if (!burrow_registry_attach_probe(dboid))
		proc_exit(0);

	BackgroundWorkerInitializeConnectionByOid(dboid, InvalidOid, 0);
	burrow_bgw_set_overrides();
	SetConfigOption("lock_timeout", DISCOVERY_LOCK_TIMEOUT, PGC_SUSET, PGC_S_OVERRIDE);

	begun = burrow_groups_begin_sync();
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	pgstat_report_activity(STATE_RUNNING, "reading burrow subscriptions");
	found = find_all();
	/* before consumers may start, which need to be known there */
	sync_groups(found, begun);
	left_out = reconcile(found);
	if (left_out != NULL)
		ereport(WARNING,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("no slot for subscription \"%s\"", left_out),
				 errdetail("All %d slots are in use, by the subscriptions of all databases.",
						   burrow->nsubscriptions),
				 errhint("Increase burrow.max_subscriptions and restart the server.")));
	PopActiveSnapshot();
	CommitTransactionCommand();
	stop_unwanted();
	burrow_registry_wake_launcher();
	proc_exit(0);
}
