/*
 * access.c
 *	  Running SQL on Burrow's own tables.
 *
 * Nobody but their owner may read or write them.  Whoever is allowed to execute
 * Burrow's functions changes them through those, so the functions become the owner
 * for as long as their own statements run, as core's foreign key checks do.  What
 * runs then must not depend on what the caller could have prepared: search_path is
 * pg_catalog alone, and every name of ours is qualified.
 *
 * Runs in: backends, discovery workers and consumers.
 * Locking: none of its own; statements take the usual locks on the tables.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "burrow.h"
#include "catalog/access.h"

bool
burrow_access_extension_exists(void)
{
	return OidIsValid(get_extension_oid(BURROW_EXTENSION, true));
}

/*
 * Does this object of the extension's schema belong to the extension?  A schema, table or
 * type of that name may be anybody's: he would have functions run as whichever role he writes
 * into it.  Belonging cannot be taken away but by a superuser, so one that was found to
 * belong is not looked up again.
 */
static void
require_member(Oid classid, Oid objid, const char *kind, const char *name)
{
	static ObjectAddress members[16];
	static int	nmembers = 0;
	Oid			extension = get_extension_oid(BURROW_EXTENSION, false);

	/* objectSubId is not needed here, and says which extension it was */
	for (int i = 0; i < nmembers; i++)
	{
		if (members[i].classId == classid && members[i].objectId == objid &&
			members[i].objectSubId == (int32) extension)
			return;
	}
	if (getExtensionOfObject(classid, objid) != extension)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("%s \"%s.%s\" does not belong to extension \"%s\"", kind, BURROW_SCHEMA, name, BURROW_EXTENSION),
				 errhint("Look whose it is and where the extension's schema is, and put back what was moved or renamed.")));
	if (nmembers == lengthof(members))
		nmembers = 0;
	ObjectAddressSubSet(members[nmembers], classid, objid, (int32) extension);
	nmembers++;
}

Oid
burrow_access_table(const char *name)
{
	Oid			schema;
	Oid			relid;

	if (!burrow_access_extension_exists())
		return InvalidOid;
	schema = get_namespace_oid(BURROW_SCHEMA, true);
	relid = OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
	if (OidIsValid(relid))
		require_member(RelationRelationId, relid, "table", name);
	return relid;
}

Oid
burrow_access_type(const char *name)
{
	Oid			schema;
	Oid			type;

	if (!burrow_access_extension_exists())
		return InvalidOid;
	schema = get_namespace_oid(BURROW_SCHEMA, true);
	type = OidIsValid(schema) ? GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum(name),
												ObjectIdGetDatum(schema)) : InvalidOid;
	if (OidIsValid(type))
		require_member(TypeRelationId, type, "type", name);
	return type;
}

/* Every table that our statements name: whose owner they run as may touch no other. */
static const char *const tables[] = {
	"subscription", "progress", "topic_identity", "pending_seek", "dead_letter", "audit_entry"
};

/* Who owns burrow.subscription?  InvalidOid if the extension is not here. */
static Oid
catalog_owner(void)
{
	Oid			relids[lengthof(tables)];
	Oid			owner;
	HeapTuple	tuple;

	for (int i = 0; i < lengthof(tables); i++)
		relids[i] = burrow_access_table(tables[i]);
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relids[0]));
	if (!HeapTupleIsValid(tuple))
		return InvalidOid;
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

bool
burrow_access_begin(BurrowCatalogAccess *access)
{
	Oid			owner = catalog_owner();

	if (!OidIsValid(owner))
		return false;

	GetUserIdAndSecContext(&access->userid, &access->sec_context);
	SetUserIdAndSecContext(owner, access->sec_context |
						   SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION |
						   SECURITY_NOFORCE_RLS);
	access->guc_nest_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp",
							 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	return true;
}

void
burrow_access_end(BurrowCatalogAccess *access)
{
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "could not disconnect from SPI");
	AtEOXact_GUC(false, access->guc_nest_level);
	SetUserIdAndSecContext(access->userid, access->sec_context);
}

uint64
burrow_access_execute(const char *sql, int nargs, Oid *types, Datum *values,
					  const char *nulls, int expected)
{
	int			rc = SPI_execute_with_args(sql, nargs, types, values, nulls, false, 0);

	if (rc != expected)
		elog(ERROR, "unexpected result of \"%s\": %s", sql, SPI_result_code_string(rc));
	return SPI_processed;
}

Datum
burrow_access_column(uint64 row, int number)
{
	bool		isnull;

	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, number, &isnull);
}

List *
burrow_access_rows(uint64 n, BurrowAccessReader read, MemoryContext cxt)
{
	MemoryContext old = MemoryContextSwitchTo(cxt);
	List	   *list = NIL;

	for (uint64 row = 0; row < n; row++)
		list = lappend(list, read(row));
	MemoryContextSwitchTo(old);
	return list;
}

void *
burrow_access_find_subscription(const char *select, const char *name, bool lock, BurrowAccessReader read)
{
	MemoryContext caller = CurrentMemoryContext;
	BurrowCatalogAccess access;
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(name)};
	const char *sql = psprintf("%s WHERE s.name OPERATOR(pg_catalog.=) $1%s", select, lock ? " FOR NO KEY UPDATE" : "");
	List	   *found;

	if (!burrow_access_begin(&access))
		elog(ERROR, "could not find extension \"%s\"", BURROW_EXTENSION);
	found = burrow_access_rows(burrow_access_execute(sql, 1, types, values, NULL, SPI_OK_SELECT), read, caller);
	burrow_access_end(&access);
	return found != NIL ? linitial(found) : NULL;
}

/*
 * Not by SPI, because the views ask for each of their rows, and without a change of the
 * user, because everybody may know.
 */
char *
burrow_access_other_version(void)
{
	Relation	rel = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	char	   *version = NULL;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ,
				CStringGetDatum(BURROW_EXTENSION));
	scan = systable_beginscan(rel, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		Datum		value = heap_getattr(tuple, Anum_pg_extension_extversion, RelationGetDescr(rel), &isnull);

		version = TextDatumGetCString(value);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return version != NULL && strcmp(version, BURROW_VERSION) != 0 ? version : NULL;
}

void
burrow_access_check_version(void)
{
	const char *version = burrow_access_other_version();

	if (version != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg(BURROW_OTHER_VERSION, version),
				 errdetail("While they differ, subscriptions can be paused, disabled and unsubscribed, and nothing else."),
				 errhint("Use ALTER EXTENSION %s UPDATE, and restart the server if it still runs the old library.",
						 BURROW_EXTENSION)));
}

/*
 * What ends it: the files on disk are newer than the server's library, which was loaded when it
 * started, or newer than the SQL objects.
 */
char *
burrow_access_version_statement(const char *version)
{
	char	   *on_disk = NULL;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	if (SPI_execute("SELECT default_version FROM pg_catalog.pg_available_extensions"
					" WHERE name OPERATOR(pg_catalog.=) '" BURROW_EXTENSION "'", true, 1) == SPI_OK_SELECT &&
		SPI_processed == 1)
		on_disk = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	if (on_disk != NULL && strcmp(on_disk, version) == 0)
		version = "SELECT pg_postmaster_start_time(); -- and restart the server, whose library is of another version";
	else
		version = "ALTER EXTENSION " BURROW_EXTENSION " UPDATE;";
	SPI_finish();
	return pstrdup(version);
}
