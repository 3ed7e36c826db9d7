/*
 * owner.c
 *	  May a subscription's handler run with its owner's rights?
 *
 * A subscription is made when all of this is true, and much later it need not be: roles are
 * dropped where this library is not loaded, locked (NOLOGIN), and lose privileges.  So it is asked again, here and
 * in no other place, by whoever makes or changes a subscription, by the consumer before it starts a worker, and by a
 * worker when a catalog has changed that the answer rests on.
 *
 * Runs in: backends, consumers, workers, dry runs.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "commands/dbcommands.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

#include "catalog/citus.h"
#include "catalog/owner.h"
#include "compat.h"

/* ---- the role ---- */

static bool
role_is_gone(const BurrowSubscription *sub, BurrowOwnerTrouble *trouble)
{
	const char *name = sub->owner_name;
	bool		named = !OidIsValid(sub->owner);

	if (!named && SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(sub->owner)))
		return false;
	trouble->sqlerrcode = ERRCODE_UNDEFINED_OBJECT;
	if (!named)
	{
		trouble->message = psprintf("owner of subscription \"%s\" does not exist any more", sub->name);
		trouble->statement = psprintf("SELECT burrow.alter(%s, owner => current_user), burrow.resume(%s);",
									  quote_literal_cstr(sub->name), quote_literal_cstr(sub->name));
		return true;
	}
	trouble->message = psprintf("owner of subscription \"%s\", role \"%s\", does not exist", sub->name, name);
	trouble->detail = pstrdup("There was no role of this name when the subscription came here with a dump.");
	/* one that was made since does not get it unasked */
	trouble->statement = psprintf("%sSELECT burrow.alter(%s, owner => %s), burrow.resume(%s);",
								  OidIsValid(get_role_oid(name, true)) ? "" :
								  psprintf("CREATE ROLE %s LOGIN; ", quote_identifier(name)),
								  quote_literal_cstr(sub->name), quote_literal_cstr(name),
								  quote_literal_cstr(sub->name));
	return true;
}

static char *
connects_as(const BurrowSubscription *sub)
{
	return psprintf("The workers of subscription \"%s\" connect as this role.", sub->name);
}

static bool
role_may_not_connect(const BurrowSubscription *sub, const char *name, BurrowOwnerTrouble *trouble)
{
	HeapTuple	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(sub->owner));
	bool		can_login = HeapTupleIsValid(tuple) && ((Form_pg_authid) GETSTRUCT(tuple))->rolcanlogin;

	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	trouble->sqlerrcode = ERRCODE_INSUFFICIENT_PRIVILEGE;
	trouble->detail = connects_as(sub);
	if (burrow_database_aclcheck(MyDatabaseId, sub->owner, ACL_CONNECT) != ACLCHECK_OK)
	{
		trouble->message = psprintf("role \"%s\" may not connect to database \"%s\"", name,
									get_database_name(MyDatabaseId));
		trouble->statement = psprintf("GRANT CONNECT ON DATABASE %s TO %s;",
									  quote_identifier(get_database_name(MyDatabaseId)), quote_identifier(name));
		return true;
	}
	if (!can_login)
	{
		trouble->message = psprintf("role \"%s\" is not permitted to log in", name);
		trouble->statement = psprintf("ALTER ROLE %s LOGIN;", quote_identifier(name));
		return true;
	}
	return false;
}

/* ---- the handler ---- */

/* The function's row; NULL: there is none of this signature. */
static HeapTuple
find_function(const char *signature)
{
	LOCAL_FCINFO(fcinfo, 1);
	Oid			userid;
	int			sec_context;
	Datum		result;

	/* whether the owner may look into its schema is asked below */
	GetUserIdAndSecContext(&userid, &sec_context);
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, sec_context | SECURITY_LOCAL_USERID_CHANGE);
	InitFunctionCallInfoData(*fcinfo, NULL, 1, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = CStringGetTextDatum(signature);
	fcinfo->args[0].isnull = false;
	result = to_regprocedure(fcinfo);
	SetUserIdAndSecContext(userid, sec_context);
	return fcinfo->isnull ? NULL : SearchSysCache1(PROCOID, result);
}

static bool
function_may_not_run(const BurrowSubscription *sub, const char *name, Form_pg_proc proc, BurrowOwnerTrouble *trouble)
{
	char	   *function_owner = GetUserNameFromId(proc->proowner, true);

	trouble->sqlerrcode = ERRCODE_INSUFFICIENT_PRIVILEGE;
	trouble->detail = psprintf("The workers of subscription \"%s\" call it as this role.", sub->name);
	if (burrow_namespace_aclcheck(proc->pronamespace, sub->owner, ACL_USAGE) != ACLCHECK_OK)
	{
		const char *schema = get_namespace_name(proc->pronamespace);

		trouble->message = psprintf("role \"%s\" may not use schema \"%s\"", name, schema);
		trouble->statement = psprintf("GRANT USAGE ON SCHEMA %s TO %s;", quote_identifier(schema), quote_identifier(name));
		return true;
	}
	if (burrow_function_aclcheck(proc->oid, sub->owner, ACL_EXECUTE) != ACLCHECK_OK)
	{
		trouble->message = psprintf("role \"%s\" may not execute function %s", name, sub->handler);
		trouble->statement = psprintf("GRANT EXECUTE ON FUNCTION %s TO %s;", sub->handler, quote_identifier(name));
		return true;
	}
	if (superuser_arg(sub->owner) && !superuser_arg(proc->proowner) && !sub->options.run_as_owner)
	{
		trouble->message = psprintf("function %s is owned by role \"%s\", who is not a superuser", sub->handler,
									function_owner != NULL ? function_owner : "?");
		trouble->detail = psprintf("Subscription \"%s\" would run it with the rights of role \"%s\", and who owns the function can replace it.",
								   sub->name, name);
		trouble->statement = psprintf("ALTER FUNCTION %s OWNER TO %s;", sub->handler, quote_identifier(name));
		return true;
	}
	return false;
}

/* ---- other nodes ---- */

/* Progress is in this database, and what the handler has written elsewhere would commit without it. */
static bool
nodes_commit_apart(const BurrowSubscription *sub, BurrowOwnerTrouble *trouble)
{
	if (sub->options.delivery != BURROW_EXACTLY_ONCE || burrow_citus_find() != BURROW_CITUS_ONE_PHASE)
		return false;
	trouble->sqlerrcode = ERRCODE_FEATURE_NOT_SUPPORTED;
	trouble->message = psprintf("subscription \"%s\" cannot be exactly once beside this build of Citus", sub->name);
	trouble->detail = pstrdup(BURROW_CITUS_ONE_PHASE_DETAIL);
	trouble->statement = psprintf("SELECT burrow.alter(%s, delivery => 'at_least_once');", quote_literal_cstr(sub->name));
	return true;
}

bool
burrow_owner_may_run(const BurrowSubscription *sub, BurrowOwnerTrouble *trouble)
{
	HeapTuple	tuple;
	const char *name;
	bool		bad;

	memset(trouble, 0, sizeof(*trouble));
	if (role_is_gone(sub, trouble))
		return false;
	name = GetUserNameFromId(sub->owner, false);
	if (role_may_not_connect(sub, name, trouble) || nodes_commit_apart(sub, trouble))
		return false;
	tuple = find_function(sub->handler);
	if (!HeapTupleIsValid(tuple))
		return true;
	bad = function_may_not_run(sub, name, (Form_pg_proc) GETSTRUCT(tuple), trouble);
	ReleaseSysCache(tuple);
	return !bad;
}

/* ---- changes ---- */

static uint64 changes = 0;

static void
record_change(Datum arg, int cacheid, uint32 hashvalue)
{
	changes++;
}

uint64
burrow_owner_changes(void)
{
	static bool watching = false;
	static const int caches[] = {AUTHOID, AUTHMEMMEMROLE, DATABASEOID, PROCOID, NAMESPACEOID};

	for (int i = 0; !watching && i < lengthof(caches); i++)
		CacheRegisterSyscacheCallback(caches[i], record_change, (Datum) 0);
	watching = true;
	return changes;
}
