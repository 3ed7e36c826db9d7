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
#include "utils/builtins.h"

#include "burrow.h"
#include "catalog/access.h"
#include "catalog/identity.h"

#define SELECT_IDENTITY \
	"SELECT s.subid, s.name, burrow._role_oid(s.owner), s.status, s.consumer_group, s.join_group," \
	" s.system_identifier, s.dboid FROM burrow.subscription s"

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
	return burrow_access_find_subscription(SELECT_IDENTITY, name, lock, read_row);
}

List *
burrow_identity_list(void)
{
	MemoryContext caller = CurrentMemoryContext;
	BurrowCatalogAccess access;
	List	   *list;

	if (!burrow_access_begin(&access))
		return NIL;
	list = burrow_access_rows(burrow_access_execute(SELECT_IDENTITY " ORDER BY s.subid", 0, NULL, NULL, NULL, SPI_OK_SELECT),
							  read_row, caller);
	burrow_access_end(&access);
	return list;
}
