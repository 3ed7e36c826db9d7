/*
 * owner_dependency.c
 *	  Roles that own subscriptions are known to the cluster as such (pg_shdepend).
 *
 * DROP ROLE asks pg_shdepend, in all databases and without this library, whether something
 * depends on the role.  A subscription is no object that PostgreSQL knows, so what depends is the
 * table burrow.subscription, once for each of the role's rows, in the way of a privilege: as
 * a privilege it is described ("privileges for table burrow.subscription"), goes with the table, and is
 * left alone by REASSIGN OWNED.  DROP OWNED would look for the privilege; launcher/owner_hooks.c deletes
 * the role's subscriptions before that, and with them the entries.
 *
 * The number of entries follows the number of rows, so that transactions that make and end
 * subscriptions of one role need not wait for each other: each one adds or takes away as many
 * as it has changed, and takes away those that nobody else does.
 *
 * Runs in: backends, workers, consumers: wherever a row is written.
 */
#include "postgres.h"

#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/syscache.h"

#include "catalog/access.h"
#include "catalog/owner_dependency.h"

#define ENTRIES_OF_TABLE \
	" FROM pg_catalog.pg_shdepend d WHERE d.dbid OPERATOR(pg_catalog.=) $1" \
	" AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass" \
	" AND d.objid OPERATOR(pg_catalog.=) $2 AND d.objsubid OPERATOR(pg_catalog.=) 0" \
	" AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_authid'::pg_catalog.regclass" \
	" AND d.deptype OPERATOR(pg_catalog.=) 'a'"
#define ENTRIES ENTRIES_OF_TABLE " AND d.refobjid OPERATOR(pg_catalog.=) $3"

/* Rows without an entry; below 0: entries without a row.  One statement, so that both are of one moment. */
static int64
missing_entries(Oid *types, Datum *values)
{
	bool		isnull;

	burrow_access_execute("SELECT (SELECT pg_catalog.count(*) FROM burrow.subscription s"
						  " WHERE burrow._role_oid(s.owner) OPERATOR(pg_catalog.=) $3)"
						  " OPERATOR(pg_catalog.-) (SELECT pg_catalog.count(*)" ENTRIES ")",
						  3, types, values, NULL, SPI_OK_SELECT);
	return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
}

void
burrow_owner_dependency_follow(Oid role)
{
	BurrowCatalogAccess access;
	ObjectAddress table;
	ObjectAddress owner = {AuthIdRelationId, role, 0};
	Oid			types[] = {OIDOID, OIDOID, OIDOID, INT8OID};
	Datum		values[4];
	int64		missing;

	/* one that is not here, or cannot be dropped anyway */
	if (!OidIsValid(role) || IsPinnedObject(AuthIdRelationId, role) ||
		!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(role)) || !burrow_access_begin(&access))
		return;
	table = (ObjectAddress) {RelationRelationId, burrow_access_table("subscription"), 0};
	values[0] = ObjectIdGetDatum(MyDatabaseId);
	values[1] = ObjectIdGetDatum(table.objectId);
	values[2] = ObjectIdGetDatum(role);
	/* whoever owns the table: system catalogs are superusers' */
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, access.sec_context |
						   SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
	missing = missing_entries(types, values);
	for (; missing > 0; missing--)
		recordSharedDependencyOn(&table, &owner, SHARED_DEPENDENCY_ACL);
	if (missing < 0)
	{
		values[3] = Int64GetDatum(-missing);
		burrow_access_execute("DELETE FROM pg_catalog.pg_shdepend WHERE ctid OPERATOR(pg_catalog.=) ANY"
							  " (ARRAY(SELECT d.ctid" ENTRIES " LIMIT $4 FOR UPDATE SKIP LOCKED))",
							  4, types, values, NULL, SPI_OK_DELETE);
	}
	burrow_access_end(&access);
}

void
burrow_owner_dependency_follow_all(void)
{
	BurrowCatalogAccess access;
	Oid			types[] = {OIDOID, OIDOID};
	Datum		values[] = {ObjectIdGetDatum(MyDatabaseId), ObjectIdGetDatum(burrow_access_table("subscription"))};
	MemoryContext context = CurrentMemoryContext;
	List	   *roles = NIL;
	ListCell   *lc;

	if (!burrow_access_begin(&access))
		return;
	burrow_access_execute("SELECT DISTINCT d.refobjid" ENTRIES_OF_TABLE, 2, types, values, NULL, SPI_OK_SELECT);
	for (uint64 i = 0; i < SPI_tuptable->numvals; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(context);
		bool		isnull;

		roles = lappend_oid(roles, DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull)));
		MemoryContextSwitchTo(old);
	}
	burrow_access_end(&access);
	foreach(lc, roles)
		burrow_owner_dependency_follow(lfirst_oid(lc));
}
