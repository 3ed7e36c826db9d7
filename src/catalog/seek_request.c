/*
 * seek_request.c
 *	  Where partitions are to be moved, in the catalog.
 *
 * Runs in: backends that call burrow.seek(), and the consumer.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/uuid.h"

#include "burrow.h"
#include "catalog/access.h"
#include "catalog/seek_request.h"

static void
begin(BurrowCatalogAccess *access)
{
	if (!burrow_access_begin(access))
		elog(ERROR, "could not find extension \"%s\"", BURROW_EXTENSION);
}

void
burrow_seek_request_ask(int32 subid, const BurrowSeek *seek)
{
	BurrowCatalogAccess access;
	Oid			types[] = {INT4OID, TEXTOID, INT4OID, INT8OID};
	Datum		values[] = {
		Int32GetDatum(subid), CStringGetTextDatum(seek->topic),
		Int32GetDatum(seek->partition), Int64GetDatum(seek->offset)
	};

	begin(&access);
	burrow_access_execute("INSERT INTO burrow.pending_seek (subid, topic, partition, \"offset\")"
						  " VALUES ($1, $2, $3, $4)"
						  " ON CONFLICT (subid, topic, partition) DO UPDATE SET \"offset\" = excluded.\"offset\"",
						  4, types, values, NULL, SPI_OK_INSERT);
	burrow_access_end(&access);
}

void
burrow_seek_request_skip(int32 subid, const char *uuid, const BurrowSeek *seek)
{
	BurrowCatalogAccess access;
	Oid			types[] = {INT4OID, UUIDOID, TEXTOID, INT4OID, INT8OID};
	Datum		values[] = {
		Int32GetDatum(subid), DirectFunctionCall1(uuid_in, CStringGetDatum(uuid)),
		CStringGetTextDatum(seek->topic), Int32GetDatum(seek->partition), Int64GetDatum(seek->offset)
	};

	if (!burrow_access_begin(&access))
		return;
	burrow_access_execute("INSERT INTO burrow.pending_seek (subid, topic, partition, \"offset\")"
						  " SELECT s.subid, $3, $4, $5 FROM burrow.subscription s"
						  " WHERE s.subid OPERATOR(pg_catalog.=) $1 AND s.uuid OPERATOR(pg_catalog.=) $2"
						  " AND s.seek_time IS NULL"
						  " ON CONFLICT (subid, topic, partition) DO NOTHING",
						  5, types, values, NULL, SPI_OK_INSERT);
	burrow_access_end(&access);
}

void
burrow_seek_request_forget(int32 subid)
{
	BurrowCatalogAccess access;
	Oid			types[] = {INT4OID};
	Datum		values[] = {Int32GetDatum(subid)};

	begin(&access);
	burrow_access_execute("DELETE FROM burrow.pending_seek WHERE subid OPERATOR(pg_catalog.=) $1",
						  1, types, values, NULL, SPI_OK_DELETE);
	burrow_access_end(&access);
}

void
burrow_seek_request_load(int32 subid, BurrowPendingSeeks *pending)
{
	BurrowCatalogAccess access;
	Oid			types[] = {INT4OID};
	Datum		values[] = {Int32GetDatum(subid)};
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext old;
	TupleDesc	desc;
	bool		isnull;

	memset(pending, 0, sizeof(BurrowPendingSeeks));
	if (!burrow_access_begin(&access))
		return;
	/* one statement, so that both are of one moment */
	pending->n = (int) burrow_access_execute("SELECT p.topic, p.partition, p.\"offset\", s.seek_time"
											 " FROM burrow.subscription s LEFT JOIN burrow.pending_seek p"
											 " ON p.subid OPERATOR(pg_catalog.=) s.subid"
											 " WHERE s.subid OPERATOR(pg_catalog.=) $1"
											 " ORDER BY p.topic, p.partition",
											 1, types, values, NULL, SPI_OK_SELECT);
	desc = SPI_tuptable->tupdesc;
	old = MemoryContextSwitchTo(caller);
	pending->seeks = palloc(sizeof(BurrowSeek) * Max(pending->n, 1));
	if (pending->n > 0)
	{
		Datum		time = SPI_getbinval(SPI_tuptable->vals[0], desc, 4, &isnull);

		pending->has_time = !isnull;
		pending->time = isnull ? 0 : DatumGetTimestampTz(time);
		(void) SPI_getbinval(SPI_tuptable->vals[0], desc, 1, &isnull);
		if (isnull)
			pending->n = 0;
	}
	for (int i = 0; i < pending->n; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		BurrowSeek *seek = &pending->seeks[i];

		seek->topic = TextDatumGetCString(SPI_getbinval(tuple, desc, 1, &isnull));
		seek->partition = DatumGetInt32(SPI_getbinval(tuple, desc, 2, &isnull));
		seek->offset = DatumGetInt64(SPI_getbinval(tuple, desc, 3, &isnull));
	}
	MemoryContextSwitchTo(old);
	burrow_access_end(&access);
}

/* Three arrays, which SQL unnests side by side. */
static void
make_arrays(const BurrowSeek *seeks, int n, Datum arrays[3])
{
	Datum	   *elements = palloc(sizeof(Datum) * Max(n, 1));

	for (int i = 0; i < n; i++)
		elements[i] = CStringGetTextDatum(seeks[i].topic);
	arrays[0] = PointerGetDatum(construct_array(elements, n, TEXTOID, -1, false, TYPALIGN_INT));
	for (int i = 0; i < n; i++)
		elements[i] = Int32GetDatum(seeks[i].partition);
	arrays[1] = PointerGetDatum(construct_array(elements, n, INT4OID, sizeof(int32), true, TYPALIGN_INT));
	for (int i = 0; i < n; i++)
		elements[i] = Int64GetDatum(seeks[i].offset);
	arrays[2] = PointerGetDatum(construct_array(elements, n, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

bool
burrow_seek_request_fix(int32 subid, const char *uuid, TimestampTz time, const BurrowSeek *seeks, int n)
{
	BurrowCatalogAccess access;
	Oid			types[] = {INT4OID, TEXTARRAYOID, INT4ARRAYOID, INT8ARRAYOID};
	Datum		values[4];
	Oid			time_types[] = {INT4OID, UUIDOID, TIMESTAMPTZOID};
	Datum		time_values[] = {
		Int32GetDatum(subid),
		DirectFunctionCall1(uuid_in, CStringGetDatum(uuid)),
		TimestampTzGetDatum(time)
	};
	bool		fixed;

	if (!burrow_access_begin(&access))
		return false;
	fixed = burrow_access_execute("UPDATE burrow.subscription SET seek_time = NULL"
								  " WHERE subid OPERATOR(pg_catalog.=) $1"
								  " AND uuid OPERATOR(pg_catalog.=) $2"
								  " AND seek_time OPERATOR(pg_catalog.=) $3",
								  3, time_types, time_values, NULL, SPI_OK_UPDATE) > 0;
	if (fixed)
	{
		values[0] = Int32GetDatum(subid);
		make_arrays(seeks, n, &values[1]);
		/* a seek of its own is newer than the time's */
		burrow_access_execute("INSERT INTO burrow.pending_seek (subid, topic, partition, \"offset\")"
							  " SELECT $1, w.topic, w.partition, w.\"offset\""
							  " FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4))"
							  " AS w (topic, partition, \"offset\")"
							  " ON CONFLICT (subid, topic, partition) DO NOTHING",
							  4, types, values, NULL, SPI_OK_INSERT);
	}
	burrow_access_end(&access);
	return fixed;
}

void
burrow_seek_request_remove(int32 subid, const BurrowSeek *seeks, int n)
{
	BurrowCatalogAccess access;
	Oid			types[] = {INT4OID, TEXTARRAYOID, INT4ARRAYOID, INT8ARRAYOID};
	Datum		values[4];

	if (n == 0 || !burrow_access_begin(&access))
		return;
	values[0] = Int32GetDatum(subid);
	make_arrays(seeks, n, &values[1]);
	burrow_access_execute("DELETE FROM burrow.pending_seek p"
						  " USING ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4))"
						  " AS w (topic, partition, \"offset\")"
						  " WHERE p.subid OPERATOR(pg_catalog.=) $1"
						  " AND p.topic OPERATOR(pg_catalog.=) w.topic"
						  " AND p.partition OPERATOR(pg_catalog.=) w.partition"
						  " AND p.\"offset\" OPERATOR(pg_catalog.=) w.\"offset\"",
						  4, types, values, NULL, SPI_OK_DELETE);
	burrow_access_end(&access);
}
