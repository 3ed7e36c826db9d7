/*
 * why_stuck.c
 *	  What burrow.why_stuck() cannot ask in SQL.
 *
 * Runs in: backends.
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "api/call.h"
#include "shmem/registry.h"

PG_FUNCTION_INFO_V1(burrow_sql_visible_subid);

/* _visible_subid(subscription): a name that is misspelt must not look as if all were well. */
Datum
burrow_sql_visible_subid(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	BurrowSubscription *sub;

	burrow_registry_require();
	sub = burrow_subscription_find(name, false);
	if (sub == NULL ||
		(!has_privs_of_role(GetUserId(), sub->owner) && !has_privs_of_role(GetUserId(), ROLE_PG_MONITOR)))
		burrow_call_subscription_missing(name);
	PG_RETURN_INT32(sub->subid);
}
