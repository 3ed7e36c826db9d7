/*
 * position.c
 *	  Where a partition stands, kept in the database (burrow.progress).
 *
 * One statement for all partitions, because there may be a thousand of them.
 *
 * Runs in: the consumer.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "catalog/access.h"
#include "catalog/done_set.h"
#include "catalog/position.h"
#include "catalog/subscription.h"
#include "core/kafka_time.h"

StaticAssertDecl(BURROW_TIME_MIN_US == MIN_TIMESTAMP && BURROW_TIME_END_US == END_TIMESTAMP &&
				 BURROW_EPOCH_MS == (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * (USECS_PER_DAY / 1000),
				 "core/kafka_time.h knows PostgreSQL's timestamps");

/* Two arrays, which SQL unnests side by side. */
static void
name_arrays(const BurrowPosition *positions, int n, Datum *topics, Datum *partitions)
{
	Datum	   *elements = palloc(sizeof(Datum) * n);

	for (int i = 0; i < n; i++)
		elements[i] = CStringGetTextDatum(positions[i].topic);
	*topics = PointerGetDatum(construct_array(elements, n, TEXTOID, -1, false, TYPALIGN_INT));

	for (int i = 0; i < n; i++)
		elements[i] = Int32GetDatum(positions[i].partition);
	*partitions = PointerGetDatum(construct_array(elements, n, INT4OID, sizeof(int32), true, TYPALIGN_INT));
}

/* And two more. */
static void
value_arrays(const BurrowPosition *positions, int n, Datum *lows, Datum *dones)
{
	Datum	   *elements = palloc(sizeof(Datum) * n);

	for (int i = 0; i < n; i++)
		elements[i] = Int64GetDatum(positions[i].low);
	*lows = PointerGetDatum(construct_array(elements, n, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));

	for (int i = 0; i < n; i++)
		elements[i] = burrow_done_set_datum(&positions[i].done, positions[i].low);
	*dones = PointerGetDatum(construct_array(elements, n, BYTEAOID, -1, false, TYPALIGN_INT));
}

/* And two, whose elements may be NULL: messages that were read.  One whose time the column cannot hold is
 * left out: without it nothing could be compared. */
static void
seen_arrays(const BurrowPosition *positions, int n, Datum *offsets, Datum *times)
{
	Datum	   *elements = palloc(sizeof(Datum) * n);
	TimestampTz *seen_times = palloc(sizeof(TimestampTz) * n);
	bool	   *nulls = palloc(sizeof(bool) * n);
	int			lower_bound = 1;

	for (int i = 0; i < n; i++)
	{
		nulls[i] = !burrow_kafka_time_to_us(positions[i].last_read_timestamp, &seen_times[i]) ||
			positions[i].last_read_offset < 0;
		elements[i] = Int64GetDatum(positions[i].last_read_offset);
	}
	*offsets = PointerGetDatum(construct_md_array(elements, nulls, 1, &n, &lower_bound, INT8OID,
												  sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	for (int i = 0; i < n; i++)
		elements[i] = TimestampTzGetDatum(seen_times[i]);
	*times = PointerGetDatum(construct_md_array(elements, nulls, 1, &n, &lower_bound, TIMESTAMPTZOID,
												sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/* And one, whose elements may be NULL: ids of topics.  False: all are. */
static bool
topic_id_array(const BurrowPosition *positions, int n, Datum *topic_ids)
{
	Datum	   *elements = palloc0(sizeof(Datum) * n);
	bool	   *nulls = palloc(sizeof(bool) * n);
	int			lower_bound = 1;
	bool		any = false;

	for (int i = 0; i < n; i++)
	{
		nulls[i] = !burrow_topic_id_is_known(&positions[i].topic_id);
		if (nulls[i])
			continue;
		elements[i] = CStringGetTextDatum(positions[i].topic_id.text);
		any = true;
	}
	*topic_ids = PointerGetDatum(construct_md_array(elements, nulls, 1, &n, &lower_bound, TEXTOID,
													-1, false, TYPALIGN_INT));
	return any;
}

/* One row of burrow.progress: lane, low, done, seen_offset, seen_time, and the topic's id. */
static void
take_row(BurrowPosition *position, HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;
	int32		lane = DatumGetInt32(SPI_getbinval(tuple, desc, 2, &isnull));
	int64		low = DatumGetInt64(SPI_getbinval(tuple, desc, 3, &isnull));

	Datum		seen;
	char	   *topic_id = SPI_getvalue(tuple, desc, 7);

	position->topic_id = burrow_topic_id_read(topic_id);
	position->alone = position->low < 0 && lane < 0;
	position->low = Max(position->low, low);
	burrow_done_set_read(&position->done, low, SPI_getbinval(tuple, desc, 4, &isnull));
	seen = SPI_getbinval(tuple, desc, 5, &isnull);
	if (!isnull)
	{
		position->last_read_offset = DatumGetInt64(seen);
		position->last_read_timestamp =
			burrow_kafka_time_from_us(DatumGetTimestampTz(SPI_getbinval(tuple, desc, 6, &isnull)));
	}
}

void
burrow_position_load(int32 subid, BurrowPosition *positions, int n)
{
	BurrowCatalogAccess access;
	Oid			types[] = {INT4OID, TEXTARRAYOID, INT4ARRAYOID};
	Datum		values[3];
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext old;
	uint64		nrows;

	for (int i = 0; i < n; i++)
	{
		positions[i].low = -1;
		positions[i].last_read_offset = -1;
		positions[i].last_read_timestamp = BURROW_KAFKA_NO_TIME;
		positions[i].topic_id = (BurrowTopicId) {""};
		positions[i].alone = false;
		burrow_done_set_init(&positions[i].done);
	}
	if (n == 0 || !burrow_access_begin(&access))
		return;

	values[0] = Int32GetDatum(subid);
	name_arrays(positions, n, &values[1], &values[2]);
	nrows = burrow_access_execute("SELECT w.n, p.lane, p.low, p.done, p.seen_offset, p.seen_time, t.topic_id"
								  " FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3))"
								  " WITH ORDINALITY AS w (topic, partition, n)"
								  " JOIN burrow.progress p"
								  " ON p.subid OPERATOR(pg_catalog.=) $1"
								  " AND p.topic OPERATOR(pg_catalog.=) w.topic"
								  " AND p.partition OPERATOR(pg_catalog.=) w.partition"
								  " LEFT JOIN burrow.topic_identity t"
								  " ON t.subid OPERATOR(pg_catalog.=) $1"
								  " AND t.topic OPERATOR(pg_catalog.=) w.topic"
								  " AND t.partition OPERATOR(pg_catalog.=) w.partition",
								  3, types, values, NULL, SPI_OK_SELECT);
	old = MemoryContextSwitchTo(caller);
	for (uint64 row = 0; row < nrows; row++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[row];
		bool		isnull;
		int64		i = DatumGetInt64(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 1, &isnull));

		take_row(&positions[i - 1], tuple, SPI_tuptable->tupdesc);
	}
	MemoryContextSwitchTo(old);
	burrow_access_end(&access);
}

bool
burrow_position_exists(int32 subid, const char *topic)
{
	BurrowCatalogAccess access;
	Oid			types[] = {INT4OID, TEXTOID};
	Datum		values[] = {Int32GetDatum(subid), topic != NULL ? CStringGetTextDatum(topic) : (Datum) 0};
	bool		exists;

	if (!burrow_access_begin(&access))
		return false;
	exists = burrow_access_execute("SELECT FROM burrow.progress p"
								   " WHERE p.subid OPERATOR(pg_catalog.=) $1"
								   " AND ($2 IS NULL OR p.topic OPERATOR(pg_catalog.=) $2) LIMIT 1",
								   2, types, values, topic != NULL ? NULL : " n", SPI_OK_SELECT) > 0;
	burrow_access_end(&access);
	return exists;
}

/* Of each position what it has, or nothing. */
static void
store_topic_ids(int32 subid, const BurrowPosition *positions, int n)
{
	Oid			types[] = {INT4OID, TEXTARRAYOID, INT4ARRAYOID, TEXTARRAYOID};
	Datum		values[lengthof(types)];
	bool		any;

	values[0] = Int32GetDatum(subid);
	name_arrays(positions, n, &values[1], &values[2]);
	any = topic_id_array(positions, n, &values[3]);
	burrow_access_execute("DELETE FROM burrow.topic_identity t"
						  " USING ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4))"
						  " AS w (topic, partition, topic_id)"
						  " WHERE t.subid OPERATOR(pg_catalog.=) $1"
						  " AND t.topic OPERATOR(pg_catalog.=) w.topic"
						  " AND t.partition OPERATOR(pg_catalog.=) w.partition"
						  " AND t.topic_id IS DISTINCT FROM w.topic_id",
						  lengthof(types), types, values, NULL, SPI_OK_DELETE);
	if (any)
		burrow_access_execute("INSERT INTO burrow.topic_identity (subid, topic, partition, topic_id)"
							  " SELECT $1, w.topic, w.partition, w.topic_id"
							  " FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4))"
							  " AS w (topic, partition, topic_id)"
							  " WHERE w.topic_id IS NOT NULL"
							  " ON CONFLICT DO NOTHING",
							  lengthof(types), types, values, NULL, SPI_OK_INSERT);
}

static bool
any_new_id(const BurrowPosition *positions, int n)
{
	for (int i = 0; i < n; i++)
		if (positions[i].has_new_id)
			return true;
	return false;
}

static void
write_rows(int32 subid, const BurrowPosition *positions, int n, bool settle)
{
	Oid			types[] = {
		INT4OID, TEXTARRAYOID, INT4ARRAYOID, INT8ARRAYOID, BYTEAARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID
	};
	Datum		values[lengthof(types)];

	values[0] = Int32GetDatum(subid);
	name_arrays(positions, n, &values[1], &values[2]);
	value_arrays(positions, n, &values[3], &values[4]);
	seen_arrays(positions, n, &values[5], &values[6]);
	if (settle)
		burrow_access_execute("DELETE FROM burrow.progress p"
							  " USING ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3)) AS w (topic, partition)"
							  " WHERE p.subid OPERATOR(pg_catalog.=) $1"
							  " AND p.topic OPERATOR(pg_catalog.=) w.topic"
							  " AND p.partition OPERATOR(pg_catalog.=) w.partition"
							  " AND p.lane OPERATOR(pg_catalog.>=) 0",
							  3, types, values, NULL, SPI_OK_DELETE);
	if (settle || any_new_id(positions, n))
		store_topic_ids(subid, positions, n);
	burrow_access_execute("INSERT INTO burrow.progress AS p (subid, topic, partition, lane, low, done, seen_offset, seen_time)"
						  " SELECT $1, w.topic, w.partition, -1, w.low, w.done, w.seen_offset, w.seen_time"
						  " FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3),"
						  " pg_catalog.unnest($4), pg_catalog.unnest($5), pg_catalog.unnest($6), pg_catalog.unnest($7))"
						  " AS w (topic, partition, low, done, seen_offset, seen_time)"
						  " ON CONFLICT (subid, topic, partition, lane) DO UPDATE"
						  " SET low = excluded.low, done = excluded.done,"
						  " seen_offset = excluded.seen_offset, seen_time = excluded.seen_time"
						  " WHERE p.low OPERATOR(pg_catalog.<>) excluded.low"
						  " OR p.done OPERATOR(pg_catalog.<>) excluded.done"
						  " OR p.seen_offset IS DISTINCT FROM excluded.seen_offset",
						  lengthof(types), types, values, NULL, SPI_OK_INSERT);
}

static void
store(int32 subid, const char *uuid, const BurrowPosition *positions, int n, bool settle)
{
	BurrowCatalogAccess access;

	if (n == 0 || !burrow_access_begin(&access))
		return;
	if (burrow_subscription_hold(subid, uuid))
		write_rows(subid, positions, n, settle);
	burrow_access_end(&access);
}

void
burrow_position_store(int32 subid, const char *uuid, const BurrowPosition *positions, int n)
{
	store(subid, uuid, positions, n, false);
}

void
burrow_position_settle(int32 subid, const char *uuid, const BurrowPosition *positions, int n)
{
	store(subid, uuid, positions, n, true);
}
