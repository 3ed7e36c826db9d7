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

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "utils/builtins.h"
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
 * Who owns burrow.subscription?  InvalidOid if the extension is not here: a table of
 * that name without the extension is somebody else's, and would let him have
 * functions run as whichever role he writes into it.
 */
static Oid
catalog_owner(void)
{
	Oid			schema;
	Oid			relid;
	Oid			owner;
	HeapTuple	tuple;

	if (!burrow_access_extension_exists())
		return InvalidOid;
	schema = get_namespace_oid(BURROW_SCHEMA, true);
	if (!OidIsValid(schema))
		return InvalidOid;
	relid = get_relname_relid("subscription", schema);
	if (!OidIsValid(relid))
		return InvalidOid;
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
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

void
burrow_access_check_version(void)
{
	char	   *version;

	if (burrow_access_execute("SELECT extversion FROM pg_catalog.pg_extension"
							  " WHERE extname OPERATOR(pg_catalog.=) '" BURROW_EXTENSION "'",
							  0, NULL, NULL, NULL, SPI_OK_SELECT) != 1)
		elog(ERROR, "could not find extension \"%s\"", BURROW_EXTENSION);
	version = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	if (strcmp(version, BURROW_VERSION) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("version \"%s\" of extension \"%s\" does not fit the library's version \"%s\"",
						version, BURROW_EXTENSION, BURROW_VERSION),
				 errhint("Use ALTER EXTENSION %s UPDATE, and restart the server if it still runs the old library.",
						 BURROW_EXTENSION)));
	SPI_freetuptable(SPI_tuptable);
}
