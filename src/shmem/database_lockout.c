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

static bool holding = false;	/* this process has a lockout */

/* Locks: caller holds burrow->lock exclusively.  False: all entries are taken. */
static bool
add_lockout(Oid dboid)
{
	Assert(LWLockHeldByMeInMode(burrow->lock, LW_EXCLUSIVE));

	for (int i = 0; i < BURROW_MAX_LOCKOUTS; i++)
	{
		BurrowDatabaseLockout *lockout = &burrow->lockouts[i];

		if (!OidIsValid(lockout->dboid) || (lockout->dboid == dboid && lockout->pid == MyProcPid))
		{
			lockout->dboid = dboid;
			lockout->pid = MyProcPid;
			return true;
		}
	}
	return false;
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
	bool		held = false;
	bool		free = false;

	if (!registered)
	{
		before_shmem_exit(release_at_exit, (Datum) 0);
		registered = true;
	}
	holding = true;

	ConditionVariablePrepareToSleep(&burrow->gone);
	for (;;)
	{
		long		left;

		LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
		if (!held)
		{
			held = add_lockout(dboid);
			if (held)
			{
				LWLockRelease(burrow->lock);
				ask_to_leave(dboid);
				continue;
			}
		}
		free = held && !is_occupied(dboid);
		LWLockRelease(burrow->lock);

		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), end);
		if (free || left <= 0)
			break;
		(void) ConditionVariableTimedSleep(&burrow->gone, left, PG_WAIT_EXTENSION);
	}
	ConditionVariableCancelSleep();
	return free;
}

void
burrow_database_lockout_release(void)
{
	if (!holding)
		return;
	holding = false;

	for (int i = 0; i < BURROW_MAX_LOCKOUTS; i++)
	{
		BurrowDatabaseLockout *lockout = &burrow->lockouts[i];
		Oid			dboid = InvalidOid;

		LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
		if (OidIsValid(lockout->dboid) && lockout->pid == MyProcPid)
		{
			dboid = lockout->dboid;
			lockout->dboid = InvalidOid;
			lockout->pid = 0;
		}
		LWLockRelease(burrow->lock);
		if (OidIsValid(dboid))
			burrow_registry_look_at(dboid);
	}
	/* another command may be waiting for an entry */
	ConditionVariableBroadcast(&burrow->gone);
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
