/*
 * row.c
 *	  Rows of a function that returns a set, column by column, each by its name.
 *
 * Runs in: backends.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "api/row.h"
#include "catalog/access.h"
#include "shmem/registry.h"

static void
clear(BurrowRow *row)
{
	row->next = 0;
	row->nput = 0;
	row->stray = NULL;
	memset(row->nulls, true, sizeof(row->nulls));
}

void
burrow_row_begin(BurrowRow *row, FunctionCallInfo fcinfo)
{
	burrow_registry_require();
	InitMaterializedSRF(fcinfo, 0);
	row->rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	row->other_version = false;
	if (row->rsinfo->setDesc->natts > BURROW_ROW_MAX)
		elog(ERROR, "row has more than %d columns", BURROW_ROW_MAX);
	clear(row);
}

/* Columns come in the order of burrow.sql, so it is the next one nearly always.  -1: there is none. */
static int
find_column(const BurrowRow *row, const char *name, Oid type)
{
	TupleDesc	desc = row->rsinfo->setDesc;

	for (int tried = 0; tried < desc->natts; tried++)
	{
		int			column = (row->next + tried) % desc->natts;

		if (strcmp(NameStr(TupleDescAttr(desc, column)->attname), name) == 0)
			return TupleDescAttr(desc, column)->atttypid == type ? column : -1;
	}
	return -1;
}

static void
put(BurrowRow *row, const char *name, Oid type, Datum value, bool isnull)
{
	int			column = find_column(row, name, type);

	if (column < 0)
	{
		row->stray = name;
		return;
	}
	row->values[column] = value;
	row->nulls[column] = isnull;
	row->next = column + 1;
	row->nput++;
}

void
burrow_row_end(BurrowRow *row)
{
	if ((row->stray != NULL || row->nput != row->rsinfo->setDesc->natts) && !row->other_version)
	{
		row->other_version = burrow_access_other_version() != NULL;
		if (!row->other_version)
			elog(ERROR, "row has %d of %d columns%s%s", row->nput, row->rsinfo->setDesc->natts,
				 row->stray != NULL ? " and not " : "", row->stray != NULL ? row->stray : "");
	}
	tuplestore_putvalues(row->rsinfo->setResult, row->rsinfo->setDesc, row->values, row->nulls);
	clear(row);
}

void
burrow_row_put_int(BurrowRow *row, const char *name, int value, bool isnull)
{
	put(row, name, INT4OID, Int32GetDatum(value), isnull);
}

void
burrow_row_put_bool(BurrowRow *row, const char *name, bool value)
{
	put(row, name, BOOLOID, BoolGetDatum(value), false);
}

void
burrow_row_put_int64(BurrowRow *row, const char *name, int64 value, bool isnull)
{
	put(row, name, INT8OID, Int64GetDatum(value), isnull);
}

void
burrow_row_put_float(BurrowRow *row, const char *name, double value, bool isnull)
{
	put(row, name, FLOAT8OID, Float8GetDatum(value), isnull);
}

void
burrow_row_put_offset(BurrowRow *row, const char *name, int64 value)
{
	burrow_row_put_int64(row, name, value, value < 0);
}

void
burrow_row_put_seconds(BurrowRow *row, const char *name, int64 us)
{
	burrow_row_put_float(row, name, (double) us / USECS_PER_SEC, us < 0);
}

void
burrow_row_put_time(BurrowRow *row, const char *name, TimestampTz value)
{
	put(row, name, TIMESTAMPTZOID, TimestampTzGetDatum(value), value == 0);
}

void
burrow_row_put_text(BurrowRow *row, const char *name, const char *value)
{
	bool		isnull = value == NULL || value[0] == '\0';

	put(row, name, TEXTOID, isnull ? (Datum) 0 : CStringGetTextDatum(value), isnull);
}
