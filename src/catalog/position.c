/*
 * position.c
 *	  Where a partition stands, kept in the database (burrow.progress, lane -1).
 *
 * One statement for all partitions: the consumer calls this before each commit to
 * Kafka, with as many partitions as have moved.
 *
 * Runs in: the consumer.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "catalog/access.h"
#include "catalog/position.h"

/* Three arrays, which SQL unnests side by side. */
static void
position_arrays(const BurrowPosition *positions, int n, Datum *topics, Datum *partitions, Datum *lows)
{
	Datum	   *elements = palloc(sizeof(Datum) * n);

	for (int i = 0; i < n; i++)
		elements[i] = CStringGetTextDatum(positions[i].topic);
	*topics = PointerGetDatum(construct_array(elements, n, TEXTOID, -1, false, TYPALIGN_INT));

	for (int i = 0; i < n; i++)
		elements[i] = Int32GetDatum(positions[i].partition);
	*partitions = PointerGetDatum(construct_array(elements, n, INT4OID, sizeof(int32), true, TYPALIGN_INT));

	for (int i = 0; i < n; i++)
		elements[i] = Int64GetDatum(positions[i].low);
	*lows = PointerGetDatum(construct_array(elements, n, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

void
burrow_position_load(int32 subid, BurrowPosition *positions, int n)
{
	BurrowCatalogAccess access;
	Oid			types[] = {INT4OID, TEXTARRAYOID, INT4ARRAYOID};
	Datum		values[3];
	Datum		lows;
	uint64		nrows;

	for (int i = 0; i < n; i++)
		positions[i].low = -1;
	if (n == 0 || !burrow_catalog_begin(&access))
		return;

	values[0] = Int32GetDatum(subid);
	position_arrays(positions, n, &values[1], &values[2], &lows);
	nrows = burrow_catalog_execute("SELECT w.n, p.low"
								   " FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3))"
								   " WITH ORDINALITY AS w (topic, partition, n)"
								   " JOIN burrow.progress p"
								   " ON p.subid OPERATOR(pg_catalog.=) $1"
								   " AND p.topic OPERATOR(pg_catalog.=) w.topic"
								   " AND p.partition OPERATOR(pg_catalog.=) w.partition"
								   " AND p.lane OPERATOR(pg_catalog.=) -1",
								   3, types, values, NULL, SPI_OK_SELECT);
	for (uint64 row = 0; row < nrows; row++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[row];
		bool		isnull;
		int64		i = DatumGetInt64(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 1, &isnull));

		positions[i - 1].low = DatumGetInt64(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 2, &isnull));
	}
	burrow_catalog_end(&access);
}

bool
burrow_position_exists(int32 subid)
{
	BurrowCatalogAccess access;
	Oid			types[] = {INT4OID};
	Datum		values[] = {Int32GetDatum(subid)};
	bool		exists;

	if (!burrow_catalog_begin(&access))
		return false;
	exists = burrow_catalog_execute("SELECT FROM burrow.progress p"
									" WHERE p.subid OPERATOR(pg_catalog.=) $1 LIMIT 1",
									1, types, values, NULL, SPI_OK_SELECT) > 0;
	burrow_catalog_end(&access);
	return exists;
}

void
burrow_position_store(int32 subid, const char *uuid, const BurrowPosition *positions, int n)
{
	BurrowCatalogAccess access;
	Oid			types[] = {INT4OID, TEXTARRAYOID, INT4ARRAYOID, INT8ARRAYOID, UUIDOID};
	Datum		values[5];

	if (n == 0 || !burrow_catalog_begin(&access))
		return;

	values[0] = Int32GetDatum(subid);
	position_arrays(positions, n, &values[1], &values[2], &values[3]);
	values[4] = DirectFunctionCall1(uuid_in, CStringGetDatum(uuid));
	burrow_catalog_execute("INSERT INTO burrow.progress AS p (subid, topic, partition, lane, low)"
						   " SELECT $1, w.topic, w.partition, -1, w.low"
						   " FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4))"
						   " AS w (topic, partition, low)"
						   " WHERE EXISTS (SELECT FROM burrow.subscription s"
						   " WHERE s.subid OPERATOR(pg_catalog.=) $1"
						   " AND s.uuid OPERATOR(pg_catalog.=) $5)"
						   " ON CONFLICT (subid, topic, partition, lane) DO UPDATE"
						   " SET low = excluded.low"
						   " WHERE p.low OPERATOR(pg_catalog.<>) excluded.low",
						   5, types, values, NULL, SPI_OK_INSERT);
	burrow_catalog_end(&access);
}
