/*
 * database_lockout.c
 *	  Keeps Burrow's processes out of a database for a while.
 *
 * Runs in: the backend whose command needs the database (launcher/database_hooks.c), which
 * owns the lockout until it releases it or exits.
 * Owns: burrow->lockouts.
 * Locking: burrow->lock, for a few assignments at a time.
 *
 * The launcher starts nothing in a database that is locked out, consumers are asked to leave
 * it, and both are decided under the lock: so after the lockout is there, whoever is in
 * the database has been asked, and nobody else comes but those on their way in.
 */
#include "postgres.h"

#include <signal.h>

#include "miscadmin.h"
#include "storage/condition_variable.h"
#include "storage/ipc.h"
#include "utils/wait_event.h"

#include "shmem/database_lockout.h"
#include "shmem/registry.h"
#include "shmem/wait_events.h"

static bool holding = false;	/* this process has a lockout */

/*
 * There is room for each backend's share, so that none waits because others hold theirs: how long is
 * theirs to choose.
 *
 * Locks: caller holds burrow->lock exclusively.  False: this backend's share is used up.
 */
static bool
add_lockout(Oid dboid)
{
	BurrowDatabaseLockout *free = NULL;
	int			mine = 0;

	Assert(LWLockHeldByMeInMode(burrow->lock, LW_EXCLUSIVE));

	for (int i = 0; i < burrow_registry_lockouts(); i++)
	{
		BurrowDatabaseLockout *lockout = &burrow->lockouts[i];

		if (!OidIsValid(lockout->dboid))
			free = free == NULL ? lockout : free;
		else if (lockout->pid == MyProcPid)
		{
			if (lockout->dboid == dboid)
				return true;
			mine++;
		}
	}
	if (mine == BURROW_BACKEND_LOCKOUTS)
		return false;
	Assert(free != NULL);
	free->dboid = dboid;
	free->pid = MyProcPid;
	burrow->nlockouts++;
	return true;
}

static void
check_added(bool added)
{
	if (!added)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("cannot keep burrow's workers out of more than %d databases in one transaction", BURROW_BACKEND_LOCKOUTS),
				 errhint("Use a transaction for each of these commands.")));
}

static void
release_at_exit(int code, Datum arg)
{
	burrow_database_lockout_release();
}

/*
 * Is one of Burrow's processes connected to the database?  Those on their way in do
 * not count: they may be waiting for the very lock that the command holds, and will
 * find that they are not wanted, or that the database is gone.  Reading databaseId
 * needs no ProcArrayLock: it is set once, before the process can do anything there.
 *
 * Locks: caller holds burrow->lock.
 */
static bool
is_occupied(Oid dboid)
{
	Assert(LWLockHeldByMe(burrow->lock));

	for (int i = 0; i < burrow->nsubscriptions; i++)
	{
		PGPROC	   *proc = burrow->subscriptions[i].consumer_proc;

		if (proc != NULL && proc->databaseId == dboid)
			return true;
	}
	for (int i = 0; i < burrow->nworkers; i++)
	{
		BurrowWorkerSlot *worker = &burrow->workers[i];

		if (worker->in_use && worker->proc != NULL && worker->proc->databaseId == dboid)
			return true;
	}
	for (int i = 0; i < BURROW_MAX_PROBES; i++)
	{
		PGPROC	   *proc = burrow->probes[i].proc;

		if (proc != NULL && proc->databaseId == dboid)
			return true;
	}
	return false;
}

static void
ask_to_leave(Oid dboid)
{
	for (int i = 0; i < burrow->nsubscriptions; i++)
	{
		BurrowSubscriptionSlot *sub = &burrow->subscriptions[i];
		bool		there;

		LWLockAcquire(burrow->lock, LW_SHARED);
		there = sub->in_use && sub->dboid == dboid && (sub->starting || sub->consumer_proc != NULL);
		LWLockRelease(burrow->lock);
		if (there)
			burrow_registry_request(i, BURROW_REQUEST_LEAVE);
	}
}

bool
burrow_database_lockout_take(Oid dboid, int timeout_ms)
{
	static bool registered = false;
	TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), timeout_ms);
	bool		added;
	bool		free = false;

	if (!registered)
	{
		before_shmem_exit(release_at_exit, (Datum) 0);
		registered = true;
	}
	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	added = add_lockout(dboid);
	LWLockRelease(burrow->lock);
	check_added(added);
	holding = true;
	ask_to_leave(dboid);

	ConditionVariablePrepareToSleep(&burrow->gone);
	for (;;)
	{
		long		left;

		LWLockAcquire(burrow->lock, LW_SHARED);
		free = !is_occupied(dboid);
		LWLockRelease(burrow->lock);

		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), end);
		if (free || left <= 0)
			break;
		(void) ConditionVariableTimedSleep(&burrow->gone, left, burrow_wait_event(BURROW_WAIT_LEAVE));
	}
	ConditionVariableCancelSleep();
	return free;
}

bool
burrow_database_lockout_is_held(void)
{
	return holding;
}

void
burrow_database_lockout_release(void)
{
	if (!holding)
		return;
	holding = false;

	for (int i = 0; i < burrow_registry_lockouts(); i++)
	{
		BurrowDatabaseLockout *lockout = &burrow->lockouts[i];
		Oid			dboid = InvalidOid;

		/* nobody else writes or removes this backend's */
		if (lockout->pid != MyProcPid)
			continue;

		LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
		if (OidIsValid(lockout->dboid) && lockout->pid == MyProcPid)
		{
			dboid = lockout->dboid;
			lockout->dboid = InvalidOid;
			lockout->pid = 0;
			burrow->nlockouts--;
		}
		LWLockRelease(burrow->lock);
		if (OidIsValid(dboid))
			burrow_registry_look_at(dboid);
	}
}

void
burrow_database_lockout_terminate_workers(Oid dboid)
{
	for (int i = 0; i < burrow->nworkers; i++)
	{
		BurrowWorkerSlot *worker = &burrow->workers[i];
		pid_t		pid = 0;

		LWLockAcquire(burrow->lock, LW_SHARED);
		if (worker->in_use && worker->proc != NULL && worker->proc->databaseId == dboid)
			pid = worker->pid;
		LWLockRelease(burrow->lock);
		if (pid != 0)
			(void) kill(pid, SIGTERM);
	}
}
