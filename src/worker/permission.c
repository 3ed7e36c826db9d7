/*
 * permission.c
 *	  May this session still call the handler?
 *
 * A client's session goes on when its role is locked out of the database, until somebody ends
 * it.  A worker's is nobody's to end, so it asks before each message.  That costs next to
 * nothing: the catalogs are read only when one that matters has changed.
 *
 * Runs in: workers.
 */
#include "postgres.h"

#include "utils/inval.h"

#include "catalog/owner.h"
#include "worker/permission.h"

static bool
may_run(BurrowWorker *w)
{
	BurrowWorkerSetup *setup = unconstify(BurrowWorkerSetup *, w->transport->setup);
	BurrowSubscription asked = {
		.owner = w->args.owner,
		.name = setup->subscription,
		.handler = setup->handler,
		.options = {.run_as_owner = setup->run_as_owner, .delivery = setup->delivery},
	};
	BurrowOwnerTrouble trouble;

	return burrow_owner_may_run(&asked, &trouble);
}

bool
burrow_permission_holds(BurrowWorker *w)
{
	uint64		changes;

	AcceptInvalidationMessages();
	changes = burrow_owner_changes();
	if (!w->permitted || w->permitted_at != changes)
	{
		w->permitted = may_run(w);
		w->permitted_at = changes;
	}
	return w->permitted;
}
