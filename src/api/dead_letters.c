/*
 * dead_letters.c
 *	  SQL functions about messages that cannot be handled.
 *
 * Runs in: backends and workers.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "api/call.h"
#include "catalog/access.h"
#include "catalog/audit.h"
#include "catalog/dead_letter.h"
#include "catalog/sqlstates.h"
#include "catalog/subscription.h"
#include "compat.h"
#include "core/policy.h"
#include "shmem/registry.h"

PG_FUNCTION_INFO_V1(burrow_sql_reject);
PG_FUNCTION_INFO_V1(burrow_sql_retry_dead_letters);
PG_FUNCTION_INFO_V1(burrow_sql_discard_dead_letters);
PG_FUNCTION_INFO_V1(burrow_sql_key_order);

/* For handlers: the message will never be any good, so another attempt is of no use. */
Datum
burrow_sql_reject(PG_FUNCTION_ARGS)
{
	ereport(ERROR,
			(errcode(burrow_sqlstate_pack(BURROW_SQLSTATE_REJECTED)),
			 PG_ARGISNULL(0) ? errmsg("message was rejected") :
			 errmsg("message was rejected: %s", text_to_cstring(PG_GETARG_TEXT_PP(0)))));
	PG_RETURN_VOID();
}

/*
 * Which letters are meant; what is NULL leaves all.  They are locked in the order in which everybody locks them
 * (catalog/dead_letter.h), and a plan of a statement has no order.
 */
#define MEANT \
	" (SELECT topic, partition, \"offset\" FROM burrow.dead_letter" \
	" WHERE subid OPERATOR(pg_catalog.=) $1" \
	" AND ($2 IS NULL OR topic OPERATOR(pg_catalog.=) $2)" \
	" AND ($3 IS NULL OR partition OPERATOR(pg_catalog.=) $3)" \
	" AND ($4 IS NULL OR \"offset\" OPERATOR(pg_catalog.>=) $4)" \
	" AND ($5 IS NULL OR \"offset\" OPERATOR(pg_catalog.<=) $5)" \
	" AND ($6 IS NULL OR pg_catalog.starts_with(sqlstate, $6))" \
	" AND ($7 IS NULL OR last_failed_at OPERATOR(pg_catalog.<) (pg_catalog.now() OPERATOR(pg_catalog.-) $7))" \
	" ORDER BY topic, partition, \"offset\" FOR UPDATE) m" \
	" WHERE d.subid OPERATOR(pg_catalog.=) $1 AND d.topic OPERATOR(pg_catalog.=) m.topic" \
	" AND d.partition OPERATOR(pg_catalog.=) m.partition AND d.\"offset\" OPERATOR(pg_catalog.=) m.\"offset\""

/* The filter, and how many letters it has matched; nothing was done to none. */
static void
write_audit(const char *action, const BurrowSubscription *sub, int n, const char *const *names, const Oid *types,
			const Datum *values, const char *nulls, uint64 letters)
{
	BurrowAudit audit;

	if (letters == 0)
		return;
	burrow_audit_begin(&audit);
	for (int i = 1; i < n; i++)
	{
		Oid			output;
		bool		is_varlena;

		if (nulls[i] != ' ')
			continue;
		getTypeOutputInfo(types[i], &output, &is_varlena);
		burrow_audit_add_text(&audit, names[i], OidOutputFunctionCall(output, values[i]));
	}
	burrow_audit_add_number(&audit, "letters", (int64) letters);
	burrow_audit_end(&audit, action, sub->subid, sub->name, sub->owner);
}

/* Runs a statement on the letters that the call's arguments mean; returns how many. */
static uint64
change_letters(FunctionCallInfo fcinfo, const char *action, const char *statement, int expected)
{
	static const char *const names[] = {
		NULL, "topic", "partition", "from_offset", "to_offset", "sqlstate", "older_than"
	};
	Oid			types[] = {INT4OID, TEXTOID, INT4OID, INT8OID, INT8OID, TEXTOID, INTERVALOID};
	Datum		values[lengthof(types)];
	char		nulls[lengthof(types) + 1] = "       ";
	BurrowCall	call;
	BurrowCatalogAccess access;
	BurrowSubscription *sub;
	char	   *name;
	uint64		n;

	burrow_call_begin(&call, fcinfo, psprintf("burrow.%s()", action));
	name = burrow_call_required_text(&call, "subscription");
	sub = burrow_call_subscription(name, false);
	values[0] = Int32GetDatum(sub->subid);
	for (int i = 1; i < lengthof(names); i++)
	{
		if (!burrow_call_argument(&call, names[i], &values[i]))
			nulls[i] = 'n';
	}

	if (!burrow_access_begin(&access))
		elog(ERROR, "could not find extension \"%s\"", BURROW_EXTENSION);
	/* it may have gone while we waited for who unsubscribes */
	if (!burrow_subscription_hold(sub->subid, sub->uuid))
		burrow_call_subscription_missing(name);
	n = burrow_access_execute(statement, lengthof(types), types, values, nulls, expected);
	burrow_access_end(&access);
	write_audit(action, sub, lengthof(names), names, types, values, nulls, n);
	return n;
}

Datum
burrow_sql_retry_dead_letters(PG_FUNCTION_ARGS)
{
	uint64		n = change_letters(fcinfo, "retry_dead_letters",
								   "UPDATE burrow.dead_letter d SET retry_asked_at = pg_catalog.now() FROM" MEANT,
								   SPI_OK_UPDATE);

	if (n > 0)
		burrow_registry_wake_at_commit();
	PG_RETURN_INT64((int64) n);
}

Datum
burrow_sql_discard_dead_letters(PG_FUNCTION_ARGS)
{
	uint64		n = change_letters(fcinfo, "discard_dead_letters",
								   "DELETE FROM burrow.dead_letter d USING" MEANT, SPI_OK_DELETE);

	/* keys may be parked no more */
	if (n > 0)
		burrow_registry_wake_at_commit();
	PG_RETURN_INT64((int64) n);
}

/* _key_order(bytea) */
Datum
burrow_sql_key_order(PG_FUNCTION_ARGS)
{
	bytea	   *key = PG_GETARG_BYTEA_PP(0);

	PG_RETURN_INT64((int64) burrow_key_order(VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key)));
}
