/*
 * audit.c
 *	  Who has changed which subscription, when, and how (burrow.audit_entry).
 *
 * An entry is written in the transaction that makes the change, so the two cannot part.  The line in the
 * log is written at once, and stays when the transaction is rolled back.
 *
 * Each entry that is written removes some of those that are too old, so the table does not grow beyond
 * what was done within burrow.audit_retention, and no call has much to remove.
 *
 * While the extension's version is not the library's, the table is another version's, or not there: then
 * there is only the log.
 *
 * Runs in: backends, and workers whose handler calls Burrow's functions.
 * Locking: waits for no row.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"

#include "compat.h"
#include "catalog/access.h"
#include "catalog/audit.h"
#include "guc.h"

/* Most bytes of one value. */
#define VALUE_MAX	1000

/* Old entries that one call removes. */
#define REMOVED_AT_ONCE		100

void
burrow_audit_begin(BurrowAudit *audit)
{
	initStringInfo(&audit->details);
	appendStringInfoChar(&audit->details, '{');
}

static void
add_name(BurrowAudit *audit, const char *name)
{
	if (audit->details.len > 1)
		appendStringInfoString(&audit->details, ", ");
	escape_json(&audit->details, name);
	appendStringInfoString(&audit->details, ": ");
}

static void
add_value(BurrowAudit *audit, const char *value)
{
	int			length = value != NULL ? (int) strlen(value) : 0;

	if (value == NULL)
		appendStringInfoString(&audit->details, "null");
	else if (length <= VALUE_MAX)
		escape_json(&audit->details, value);
	else
		escape_json(&audit->details, psprintf("%.*s...", burrow_clip_length(value, length, VALUE_MAX), value));
}

void
burrow_audit_add_text(BurrowAudit *audit, const char *name, const char *value)
{
	add_name(audit, name);
	add_value(audit, value);
}

void
burrow_audit_add_number(BurrowAudit *audit, const char *name, int64 value)
{
	add_name(audit, name);
	appendStringInfo(&audit->details, INT64_FORMAT, value);
}

void
burrow_audit_add_change(BurrowAudit *audit, const char *name, const char *before, const char *after)
{
	if (before == after || (before != NULL && after != NULL && strcmp(before, after) == 0))
		return;
	add_name(audit, name);
	appendStringInfoString(&audit->details, "{\"before\": ");
	add_value(audit, before);
	appendStringInfoString(&audit->details, ", \"after\": ");
	add_value(audit, after);
	appendStringInfoChar(&audit->details, '}');
}

/* Under a snapshot of the whole transaction others' removals would be an error. */
static void
remove_old(void)
{
	Oid			types[] = {INT4OID, INT4OID};
	Datum		values[] = {Int32GetDatum(burrow_audit_retention), Int32GetDatum(REMOVED_AT_ONCE)};

	if (burrow_audit_retention < 0 || IsolationUsesXactSnapshot())
		return;
	burrow_access_execute("DELETE FROM burrow.audit_entry WHERE id OPERATOR(pg_catalog.=) ANY (ARRAY("
						  "SELECT id FROM burrow.audit_entry WHERE at OPERATOR(pg_catalog.<)"
						  " (pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) pg_catalog.make_interval(secs => $1))"
						  " ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED))",
						  lengthof(types), types, values, NULL, SPI_OK_DELETE);
}

static void
write_entry(const char *action, int32 subid, const char *subscription, Oid owner, const char *role,
			const char *session_role, const char *details)
{
	BurrowCatalogAccess access;
	Oid			types[] = {TEXTOID, INT4OID, TEXTOID, OIDOID, TEXTOID, TEXTOID, TEXTOID};
	Datum		values[] = {
		CStringGetTextDatum(action), Int32GetDatum(subid), CStringGetTextDatum(subscription),
		ObjectIdGetDatum(owner), CStringGetTextDatum(role), CStringGetTextDatum(session_role),
		CStringGetTextDatum(details)
	};

	if (burrow_audit_retention == 0 || burrow_access_other_version() != NULL || !burrow_access_begin(&access))
		return;
	burrow_access_execute("INSERT INTO burrow.audit_entry (at, action, subid, subscription, owner, role, session_role, details)"
						  " VALUES (pg_catalog.clock_timestamp(), $1, $2, $3, $4, $5, $6, $7::pg_catalog.jsonb)",
						  lengthof(types), types, values, NULL, SPI_OK_INSERT);
	remove_old();
	burrow_access_end(&access);
}

void
burrow_audit_end(BurrowAudit *audit, const char *action, int32 subid, const char *subscription, Oid owner)
{
	const char *role = GetUserNameFromId(GetUserId(), false);
	const char *session_role = GetUserNameFromId(GetSessionUserId(), false);

	appendStringInfoChar(&audit->details, '}');
	write_entry(action, subid, subscription, owner, role, session_role, audit->details.data);
	ereport(LOG,
			(errmsg("subscription \"%s\": %s by role \"%s\"", subscription, action, role),
			 errdetail("Session of role \"%s\"; %s", session_role, audit->details.data),
			 errhidestmt(true), errhidecontext(true)));
}
