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

static Datum
column(uint64 row, int number)
{
	bool		isnull;

	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, number, &isnull);
}

/* Row number `row` of SPI's result, made in cxt. */
static BurrowIdentity *
read_row(uint64 row, MemoryContext cxt)
{
	MemoryContext old = MemoryContextSwitchTo(cxt);
	BurrowIdentity *sub = palloc(sizeof(BurrowIdentity));

	sub->subid = DatumGetInt32(column(row, 1));
	sub->name = TextDatumGetCString(column(row, 2));
	sub->owner = DatumGetObjectId(column(row, 3));
	sub->status = burrow_subscription_status(TextDatumGetCString(column(row, 4)));
	sub->consumer_group = TextDatumGetCString(column(row, 5));
	sub->join_group = DatumGetBool(column(row, 6));
	sub->at_home = (uint64) DatumGetInt64(column(row, 7)) == GetSystemIdentifier() &&
		DatumGetObjectId(column(row, 8)) == MyDatabaseId;
	MemoryContextSwitchTo(old);
	return sub;
}

BurrowIdentity *
burrow_identity_find(const char *name, bool lock)
{
	MemoryContext caller = CurrentMemoryContext;
	BurrowCatalogAccess access;
	BurrowIdentity *sub = NULL;
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(name)};

	if (!burrow_access_begin(&access))
		elog(ERROR, "could not find extension \"%s\"", BURROW_EXTENSION);
	if (burrow_access_execute(lock ?
							  SELECT_IDENTITY " WHERE s.name OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE" :
							  SELECT_IDENTITY " WHERE s.name OPERATOR(pg_catalog.=) $1",
							  1, types, values, NULL, SPI_OK_SELECT) > 0)
		sub = read_row(0, caller);
	burrow_access_end(&access);
	return sub;
}

List *
burrow_identity_list(void)
{
	MemoryContext caller = CurrentMemoryContext;
	BurrowCatalogAccess access;
	List	   *list = NIL;
	uint64		n;

	if (!burrow_access_begin(&access))
		return NIL;
	n = burrow_access_execute(SELECT_IDENTITY " ORDER BY s.subid", 0, NULL, NULL, NULL, SPI_OK_SELECT);
	for (uint64 i = 0; i < n; i++)
	{
		BurrowIdentity *sub = read_row(i, caller);
		MemoryContext old = MemoryContextSwitchTo(caller);

		list = lappend(list, sub);
		MemoryContextSwitchTo(old);
	}
	burrow_access_end(&access);
	return list;
}
