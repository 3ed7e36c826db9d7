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

bool
burrow_permission_holds(BurrowWorker *w)
{
	BurrowWorkerSetup *setup = unconstify(BurrowWorkerSetup *, w->transport->setup);
	BurrowSubscription asked = {
		.owner = w->args.owner,
		.name = setup->subscription,
		.handler = setup->handler,
		.options = {.run_as_owner = setup->run_as_owner, .delivery = setup->delivery},
	};
	BurrowOwnerTrouble trouble;
	uint64		changes;

	AcceptInvalidationMessages();
	changes = burrow_owner_changes();
	if (w->permitted && w->permitted_at == changes)
		return true;
	w->permitted = burrow_owner_may_run(&asked, &trouble);
	w->permitted_at = changes;
	return w->permitted;
}
