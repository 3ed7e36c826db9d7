/*
 * stats_reset.c
 *	  burrow.stats_reset(): burrow.stats begins to count anew.
 *
 * At once, whatever becomes of the transaction, as with PostgreSQL's own functions of this kind.
 *
 * Runs in: backends.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"

#include "api/call.h"
#include "shmem/registry.h"
#include "shmem/subscription_slots.h"

PG_FUNCTION_INFO_V1(burrow_sql_stats_reset);

/* Rights are asked for without the lock: roles are in a catalog. */
static void
reset_own(void)
{
	int32	   *subids = palloc(sizeof(int32) * burrow->nsubscriptions);
	Oid		   *owners = palloc(sizeof(Oid) * burrow->nsubscriptions);
	int			n = 0;

	LWLockAcquire(burrow->lock, LW_SHARED);
	for (int i = 0; i < burrow->nsubscriptions; i++)
	{
		const BurrowSubscriptionSlot *slot = &burrow->subscriptions[i];

		if (!slot->in_use || slot->dboid != MyDatabaseId)
			continue;
		subids[n] = slot->subid;
		owners[n++] = slot->owner;
	}
	LWLockRelease(burrow->lock);
	for (int i = 0; i < n; i++)
		if (has_privs_of_role(GetUserId(), owners[i]))
			burrow_subscription_slots_reset_stats(MyDatabaseId, subids[i]);
}

Datum
burrow_sql_stats_reset(PG_FUNCTION_ARGS)
{
	BurrowCall	call;
	char	   *name;

	burrow_call_begin_reading(&call, fcinfo);
	name = burrow_call_text(&call, "subscription");
	if (name == NULL)
		reset_own();
	else
		burrow_subscription_slots_reset_stats(MyDatabaseId, burrow_call_subscription(name, false)->subid);
	PG_RETURN_VOID();
}
