/*
 * server_changes.c
 *	  Foreign servers, user mappings or privileges have changed: consumers are to look at theirs.
 *
 * Runs in: backends.
 * Owns: what this transaction has changed.
 * Locking: takes burrow->lock, for a look at each slot.
 *
 * A consumer whose topic is quiet starts no transaction for a long time, and would not hear of
 * an invalidation.  So whoever makes the change tells it, with the commit.  Told too often does no
 * harm: the consumer compares, and goes on if its own server is what it was.  COMMIT PREPARED
 * calls nothing of ours: such a change is seen at the consumer's next look at the catalog.
 */
#include "postgres.h"

#include "access/xact.h"
#include "storage/lwlock.h"

#include "shmem/registry.h"
#include "shmem/server_changes.h"

static bool changed = false;
static Oid	changed_database = InvalidOid;	/* InvalidOid: all of them */

/* Runs in the commit callback: neither raises nor allocates. */
static void
announce(void)
{
	for (int i = 0; i < burrow->nsubscriptions; i++)
	{
		BurrowSubscriptionSlot *sub = &burrow->subscriptions[i];
		bool		concerned;

		LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
		concerned = sub->in_use && (!OidIsValid(changed_database) || changed_database == sub->dboid);
		/* one that waits to be started again: the change may be what it needed */
		if (concerned)
			sub->restart_at = 0;
		LWLockRelease(burrow->lock);
		if (concerned)
			burrow_registry_request(i, BURROW_REQUEST_RELOAD);
	}
	burrow_registry_wake_launcher();
}

static void
end_of_transaction(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT && changed && burrow != NULL)
		announce();
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		changed = false;
}

/* A subtransaction that is rolled back takes nothing back. */
void
burrow_server_changes_record(Oid dboid)
{
	static bool registered = false;

	if (!registered)
		RegisterXactCallback(end_of_transaction, NULL);
	registered = true;
	if (!changed)
		changed_database = dboid;
	else if (changed_database != dboid)
		changed_database = InvalidOid;
	changed = true;
}
