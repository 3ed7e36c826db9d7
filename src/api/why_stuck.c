/*
 * why_stuck.c
 *	  What burrow.why_stuck() cannot ask in SQL.
 *
 * Runs in: backends.
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "api/call.h"
#include "burrow.h"
#include "catalog/access.h"
#include "catalog/owner.h"
#include "shmem/registry.h"

PG_FUNCTION_INFO_V1(burrow_sql_visible_subid);
PG_FUNCTION_INFO_V1(burrow_sql_start_trouble);
PG_FUNCTION_INFO_V1(burrow_sql_owner_trouble);

static bool
may_see(Oid owner)
{
	return has_privs_of_role(GetUserId(), owner) || has_privs_of_role(GetUserId(), ROLE_PG_MONITOR);
}

/* _visible_subid(subscription): a name that is misspelt must not look as if all were well. */
Datum
burrow_sql_visible_subid(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	BurrowIdentity *sub;

	burrow_registry_require();
	sub = burrow_identity_find(name, false);
	if (sub == NULL || !may_see(sub->owner))
		burrow_call_subscription_missing(name);
	PG_RETURN_INT32(sub->subid);
}

/* _owner_trouble(subid): why the handler may not run with the owner's rights, or NULLs. */
Datum
burrow_sql_owner_trouble(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	Datum		values[2] = {0};
	bool		nulls[2] = {true, true};
	BurrowSubscription *sub;
	BurrowOwnerTrouble trouble;

	burrow_registry_require();
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	/* another version's row cannot be read, and is what keeps it from running */
	sub = burrow_access_other_version() != NULL ? NULL : burrow_subscription_load(PG_GETARG_INT32(0));
	if (sub != NULL && may_see(sub->owner) && !burrow_owner_may_run(sub, &trouble))
	{
		values[0] = CStringGetTextDatum(trouble.message);
		values[1] = CStringGetTextDatum(trouble.statement);
		nulls[0] = nulls[1] = false;
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/* In the order of BurrowStartTrouble.  %d: a number of processes with which there would be room. */
static const struct
{
	const char *cause;
	const char *next_statement;
}			start_troubles[] =

{
	[BURROW_START_NO_LAUNCHER] = {
		"the launcher does not run",
		"ALTER SYSTEM SET max_worker_processes = %d; -- and restart the server"
	},
	[BURROW_START_LAUNCHER_GONE] = {
		"the launcher has ended, and is started again by the server",
		"SELECT pid, backend_start FROM pg_stat_activity WHERE backend_type = 'burrow launcher';"
	},
	[BURROW_START_CROWDED] = {
		"no background worker slot is free",
		"ALTER SYSTEM SET max_worker_processes = %d; -- and restart the server"
	},
};

static void
set_trouble(Datum *values, bool *nulls, const char *cause, TimestampTz since, const char *next_statement)
{
	values[0] = CStringGetTextDatum(cause);
	values[1] = TimestampTzGetDatum(since);
	values[2] = CStringGetTextDatum(next_statement);
	nulls[0] = nulls[2] = false;
	nulls[1] = since == 0;
}

/* _start_trouble(): why consumers are not started, or NULLs. */
Datum
burrow_sql_start_trouble(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	Datum		values[3] = {0};
	bool		nulls[3] = {true, true, true};
	TimestampTz since;
	BurrowStartTrouble trouble;
	const char *version;

	burrow_registry_require();
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	version = burrow_access_other_version();
	trouble = burrow_registry_start_trouble(&since);
	if (version != NULL)
		set_trouble(values, nulls, psprintf(BURROW_OTHER_VERSION, version), 0, burrow_access_version_statement(version));
	else if (trouble != BURROW_START_FREE)
		set_trouble(values, nulls, start_troubles[trouble].cause, since,
					psprintf(start_troubles[trouble].next_statement, Max(8, 2 * max_worker_processes)));
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
