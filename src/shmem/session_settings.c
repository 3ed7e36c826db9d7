/*
 * session_settings.c
 *	  Settings of roles and databases have changed: the sessions that have them are to know.
 *
 * Runs in: backends.
 * Owns: what this transaction has changed.
 * Locking: takes burrow->lock, for a look at each slot.
 *
 * ALTER ROLE ... SET and ALTER DATABASE ... SET are about sessions that begin later; a
 * worker's would go on with the old settings for an hour.  Nobody is told of such a change:
 * pg_db_role_setting has no cache, so its changes send no invalidation that a callback could
 * hear of.  But whoever makes one has this library, and passes by its object_access_hook; so
 * the consumers concerned are told with the commit, as of other changes, and none has to
 * look at the catalog now and then.  COMMIT PREPARED calls nothing of ours, so a transaction with
 * a change that concerns somebody who runs is not prepared.
 */
#include "postgres.h"

#include "access/xact.h"
#include "storage/lwlock.h"

#include "shmem/registry.h"
#include "shmem/session_settings.h"

#define MAX_CHANGES		16		/* more of them: all sessions */

static struct
{
	Oid			dboid;
	Oid			roleid;
}			changes[MAX_CHANGES];
static int	nchanges = 0;

static inline bool
concerns(int change, const BurrowSubscriptionSlot *sub)
{
	return (!OidIsValid(changes[change].dboid) || changes[change].dboid == sub->dboid) &&
		(!OidIsValid(changes[change].roleid) || changes[change].roleid == sub->owner);
}

/* Is there a consumer whose workers' sessions have the old settings? */
static bool
is_concerned(const BurrowSubscriptionSlot *sub)
{
	bool		concerned = false;

	LWLockAcquire(burrow->lock, LW_SHARED);
	for (int change = 0; change < nchanges && sub->in_use && sub->consumer_proc != NULL; change++)
		concerned |= concerns(change, sub);
	LWLockRelease(burrow->lock);
	return concerned;
}

/* Runs in the commit callback: neither raises nor allocates. */
static void
announce(void)
{
	for (int i = 0; i < burrow->nsubscriptions; i++)
	{
		if (is_concerned(&burrow->subscriptions[i]))
			burrow_registry_request(i, BURROW_REQUEST_RENEW);
	}
}

static void
refuse_prepare(void)
{
	for (int i = 0; i < burrow->nsubscriptions; i++)
	{
		if (is_concerned(&burrow->subscriptions[i]))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot PREPARE a transaction that has changed settings of burrow subscriptions that run"),
					 errdetail("COMMIT PREPARED would not tell their workers."),
					 errhint("Use COMMIT, or pause these subscriptions meanwhile.")));
	}
}

static void
end_of_transaction(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_PRE_PREPARE)
		refuse_prepare();
	if (event == XACT_EVENT_COMMIT && nchanges > 0)
		announce();
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		nchanges = 0;
}

/* A subtransaction that is rolled back takes nothing back: a fresh session does no harm. */
void
burrow_session_settings_change(Oid dboid, Oid roleid)
{
	static bool registered = false;

	if (!registered)
		RegisterXactCallback(end_of_transaction, NULL);
	registered = true;
	if (nchanges == MAX_CHANGES)
	{
		nchanges = 0;
		dboid = roleid = InvalidOid;
	}
	changes[nchanges].dboid = dboid;
	changes[nchanges].roleid = roleid;
	nchanges++;
}
