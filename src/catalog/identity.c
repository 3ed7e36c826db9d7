/*
 * identity.c
 *	  What is known of a subscription whatever the extension's version is.
 *
 * Runs in: backends and discovery workers.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "burrow.h"
#include "catalog/access.h"
#include "catalog/identity.h"

#define SELECT_IDENTITY(owner, join_group) \
	"SELECT s.subid, s.name, " owner ", s.status, s.consumer_group, " join_group "," \
	" s.system_identifier, s.dboid FROM burrow.subscription s"

/* An owner was a regrole in 0.1.0, and groups were not shared.  The lock is kept, or ALTER EXTENSION UPDATE could
 * change that before the statement is executed. */
static const char *
select_identity(void)
{
	Oid			table = burrow_access_table("subscription");
	bool		is_first = false;

	if (OidIsValid(table))
	{
		LockRelationOid(table, AccessShareLock);
		is_first = get_attnum(table, "join_group") == InvalidAttrNumber;
	}
	return is_first ?
		SELECT_IDENTITY("s.owner::pg_catalog.oid", "false") :
		SELECT_IDENTITY("burrow._role_oid(s.owner)", "s.join_group");
}

static void *
read_row(uint64 row)
{
	BurrowIdentity *sub = palloc(sizeof(BurrowIdentity));

	sub->subid = DatumGetInt32(burrow_access_column(row, 1));
	sub->name = TextDatumGetCString(burrow_access_column(row, 2));
	sub->owner = DatumGetObjectId(burrow_access_column(row, 3));
	sub->status = burrow_subscription_status(TextDatumGetCString(burrow_access_column(row, 4)));
	sub->consumer_group = TextDatumGetCString(burrow_access_column(row, 5));
	sub->join_group = DatumGetBool(burrow_access_column(row, 6));
	sub->at_home = (uint64) DatumGetInt64(burrow_access_column(row, 7)) == GetSystemIdentifier() &&
		DatumGetObjectId(burrow_access_column(row, 8)) == MyDatabaseId;
	return sub;
}

BurrowIdentity *
burrow_identity_find(const char *name, bool lock)
{
	return burrow_access_find_subscription(select_identity(), name, lock, read_row);
}

List *
burrow_identity_list(void)
{
	MemoryContext caller = CurrentMemoryContext;
	BurrowCatalogAccess access;
	List	   *list;

	if (!burrow_access_begin(&access))
		return NIL;
	list = burrow_access_rows(burrow_access_execute(psprintf("%s ORDER BY s.subid", select_identity()), 0, NULL, NULL, NULL, SPI_OK_SELECT),
							  read_row, caller);
	burrow_access_end(&access);
	return list;
}
