/*
 * progress_columns.c
 *	  Where the columns of burrow.progress are.
 *
 * Runs in: workers, and consumers that write dead letters.
 * Owns: what was found last.
 * Locking: the caller's, of the table.
 *
 * Administrators may add columns to the table and drop them again, so ours are found by their names.  What was found
 * holds until PostgreSQL says that the table may have changed: it is asked for in each transaction.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/inval.h"

#include "catalog/progress_columns.h"

static const struct
{
	const char *name;
	Oid			type;
}			columns[BURROW_PROGRESS_COLUMNS] = {
	[BURROW_PROGRESS_SUBID] = {"subid", INT4OID},
	[BURROW_PROGRESS_TOPIC] = {"topic", TEXTOID},
	[BURROW_PROGRESS_PARTITION] = {"partition", INT4OID},
	[BURROW_PROGRESS_LANE] = {"lane", INT4OID},
	[BURROW_PROGRESS_LOW] = {"low", INT8OID},
	[BURROW_PROGRESS_DONE] = {"done", BYTEAOID},
	[BURROW_PROGRESS_SEEN_OFFSET] = {"seen_offset", INT8OID},
	[BURROW_PROGRESS_SEEN_TIME] = {"seen_time", TIMESTAMPTZOID},
};

/* In the table with this OID; InvalidOid: not known. */
static struct
{
	Oid			relid;
	int			at[BURROW_PROGRESS_COLUMNS];
}			found;

static void
relation_changed(Datum arg, Oid relid)
{
	if (relid == found.relid || relid == InvalidOid)
		found.relid = InvalidOid;
}

static bool
is_column(TupleDesc desc, int n, int column)
{
	Form_pg_attribute attribute = TupleDescAttr(desc, n);

	return !attribute->attisdropped && attribute->atttypid == columns[column].type &&
		strcmp(NameStr(attribute->attname), columns[column].name) == 0;
}

static int
find(TupleDesc desc, int column)
{
	for (int n = 0; n < desc->natts; n++)
		if (is_column(desc, n, column))
			return n;
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("table \"%s\" has no column \"%s\" of type %s", "burrow.progress",
					columns[column].name, format_type_be(columns[column].type)),
			 errdetail("Columns may be added to the table, but those of Burrow must stay as they are.")));
}

const int *
burrow_progress_columns(Relation rel)
{
	static bool told_of_changes = false;

	if (!told_of_changes)
		CacheRegisterRelcacheCallback(relation_changed, 0);
	told_of_changes = true;
	if (found.relid != RelationGetRelid(rel))
	{
		found.relid = InvalidOid;
		for (int i = 0; i < BURROW_PROGRESS_COLUMNS; i++)
			found.at[i] = find(RelationGetDescr(rel), i);
		found.relid = RelationGetRelid(rel);
	}
	return found.at;
}
