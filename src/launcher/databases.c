/*
 * databases.c
 *	  Which databases the server has, and whether anything can run in them.
 *
 * Runs in: the launcher.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/snapmgr.h"

#include "launcher/databases.h"

/*
 * As in autovacuum.c, a plain scan: there are few rows, and this process has no use for relation
 * caches.
 */
List *
burrow_databases_read(MemoryContext cxt)
{
	List	   *databases = NIL;
	Relation	rel;
	TableScanDesc scan;
	HeapTuple	tup;

	/* without a lock_timeout: who has locked pg_database keeps out all that would be started, too */
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(rel, 0, NULL);
	while ((tup = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(tup);
		MemoryContext old = MemoryContextSwitchTo(cxt);
		BurrowDatabase *database = palloc(sizeof(BurrowDatabase));

		database->dboid = form->oid;
		database->open = form->datallowconn && !form->datistemplate &&
			form->datconnlimit != DATCONNLIMIT_INVALID_DB;
		databases = lappend(databases, database);
		MemoryContextSwitchTo(old);
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
	MemoryContextSwitchTo(cxt);
	/* who has set the latch while this waited for the table's lock is heard in another turn */
	SetLatch(MyLatch);
	return databases;
}

BurrowDatabaseFate
burrow_databases_fate(const List *databases, Oid dboid)
{
	ListCell   *lc;

	foreach(lc, databases)
	{
		const BurrowDatabase *database = lfirst(lc);

		if (database->dboid == dboid)
			return database->open ? BURROW_DATABASE_OPEN : BURROW_DATABASE_CLOSED;
	}
	return BURROW_DATABASE_GONE;
}
