/*
 * progress.c
 *	  A worker's row of burrow.progress, written in the handlers' transaction.
 *
 * Runs in: workers.
 * Owns: the places where the rows were found last.
 * Locking: RowExclusiveLock on burrow.progress until the transaction ends.  A row has
 * one writer, so no row lock is ever waited for, but for one of an administrator's or
 * an unsubscribe's.
 *
 * The row is written from C and not by an SQL statement: the owner of the subscription
 * is not allowed to change it, its isolation level and read-only transactions must not
 * matter, and it happens in each transaction, so it must be cheap.  A remembered TID
 * leads to the row without an index scan, and without a walk over the versions that a
 * long-running transaction elsewhere keeps alive.  The place is believed only after a
 * look: VACUUM FULL and CLUSTER move the rows into another file, and what lies at the
 * place now may be another row.  Versions that nobody needs are pruned before each
 * update, because only scans do that otherwise; so nearly all updates are HOT, and the
 * indexes are opened only for those that are not.
 *
 * Rows are looked at with SnapshotSelf: what the last transaction of this lane left is
 * what counts, whatever the handlers' own snapshot may be.
 *
 * A head that stands still must not let the row grow with what passes it.  The
 * consumer's folds (offsets/progress_merge.c) take over what is done; what a fold has may leave the
 * row.  The row is thought of as two generations: the newer one's offsets are known
 * here, the older ones are the rest of the row, and for each generation the last chunk.
 * A fold drops a generation when it has all of its chunks, and makes older what is
 * left; so the row has no more than was done in the time of two folds.
 *
 * A row that is not where it was is looked for by its key, and made if there is none.
 * Then the subscription's row is locked as a foreign key check would: no progress may
 * be left over of a subscription that is gone, and none be given to another one that
 * got its number.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/relation.h"
#include "access/skey.h"
#include "access/stratnum.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "commands/extension.h"
#include "executor/executor.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/uuid.h"

#include "burrow.h"
#include "catalog/done_set.h"
#include "catalog/progress.h"
#include "compat.h"

/* The columns of burrow.progress. */
enum
{
	COLUMN_SUBID = 1,
	COLUMN_TOPIC,
	COLUMN_PARTITION,
	COLUMN_LANE,
	COLUMN_LOW,
	COLUMN_DONE,
	COLUMN_SEEN_OFFSET,			/* these two are NULL in the workers' rows */
	COLUMN_SEEN_TIME,
	COLUMNS = COLUMN_SEEN_TIME
};

#define KEY_COLUMNS		COLUMN_LANE

/* Where a row was after the last commit. */
typedef struct Place
{
	uint32		number;			/* key of the hash table */
	Oid			relid;			/* InvalidOid: not known */
	Oid			file;			/* the relation's file number then */
	ItemPointerData tid;
	Buffer		buffer;			/* that may hold its page still; InvalidBuffer: none known */

	/* What the row has. */
	uint64		folded;			/* the last fold that was acted on */
	uint64		older_chunk;	/* the last chunk of the older generation */
	uint64		newer_chunk;	/* and of the newer one */
	BurrowOffsetSet newer;		/* in TopMemoryContext */
} Place;

/* A row as it was found. */
typedef struct Row
{
	HeapTuple	tuple;
	Datum		values[COLUMNS];	/* point into the tuple */
	bool		isnull[COLUMNS];
} Row;

static HTAB *places = NULL;

/* What burrow_progress_committed() makes true of the place; NULL: nothing. */
static struct
{
	Place	   *place;
	Oid			relid;
	Oid			file;
	ItemPointerData tid;
	bool		anew;			/* the row was not known before */
	size_t		done_bytes;
	BurrowProgress progress;
}			written;

static Place *
find_place(uint32 number)
{
	Place	   *place;
	bool		found;

	if (places == NULL)
	{
		HASHCTL		control = {.keysize = sizeof(uint32), .entrysize = sizeof(Place)};

		places = hash_create("burrow progress", 16, &control, HASH_ELEM | HASH_BLOBS);
	}
	place = hash_search(places, &number, HASH_ENTER, &found);
	if (!found)
	{
		place->relid = InvalidOid;
		place->buffer = InvalidBuffer;
		place->folded = place->older_chunk = place->newer_chunk = 0;
		burrow_done_set_init(&place->newer);
	}
	return place;
}

/* A table of Burrow's; NULL: the extension is not here any more. */
static Relation
open_table(const char *name, LOCKMODE mode)
{
	Oid			schema;
	Oid			relid;

	/* without the extension, a table of that name is somebody else's */
	if (!OidIsValid(get_extension_oid(BURROW_EXTENSION, true)))
		return NULL;
	schema = get_namespace_oid(BURROW_SCHEMA, true);
	relid = OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
	return OidIsValid(relid) ? try_relation_open(relid, mode) : NULL;
}

/* ---- the subscription ---- */

/* Is this row of burrow.subscription the one that we work for? */
static void
check_uuid(Relation rel, HeapTuple tuple, const char *uuid)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, get_attnum(RelationGetRelid(rel), "uuid"),
									 RelationGetDescr(rel), &isnull);

	if (isnull || strcmp(DatumGetCString(DirectFunctionCall1(uuid_out, value)), uuid) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the subscription is not the one that this worker was started for"),
				 errdetail("Its messages in hand are rolled back.")));
}

/*
 * Keeps the subscription from being deleted until our transaction ends.  False: it is
 * gone.
 */
static bool
lock_subscription(const BurrowProgress *p)
{
	Relation	rel = open_table("subscription", RowShareLock);
	bool		there = false;
	bool		again = rel != NULL;

	/* what this transaction itself did to the row must be visible to the lock */
	CommandCounterIncrement();
	while (again)
	{
		ScanKeyData key;
		SysScanDesc scan;
		HeapTuple	tuple;

		list_free(RelationGetIndexList(rel));
		ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(p->subid));
		scan = systable_beginscan(rel, rel->rd_pkindex, true, SnapshotSelf, 1, &key);
		tuple = systable_getnext(scan);
		again = false;
		if (HeapTupleIsValid(tuple))
		{
			HeapTupleData locked = {.t_self = tuple->t_self};
			TM_FailureData failure;
			Buffer		buffer;
			TM_Result	result;

			check_uuid(rel, tuple, p->uuid);
			result = heap_lock_tuple(rel, &locked, GetCurrentCommandId(false), LockTupleKeyShare,
									 LockWaitBlock, true, &buffer, &failure);
			ReleaseBuffer(buffer);
			there = (result == TM_Ok);
			again = (result == TM_Updated);
		}
		systable_endscan(scan);
	}
	if (rel != NULL)
		relation_close(rel, NoLock);
	return there;
}

/* ---- the row ---- */

static void
copy_row(Relation rel, HeapTuple tuple, Row *row)
{
	row->tuple = heap_copytuple(tuple);
	heap_deform_tuple(row->tuple, RelationGetDescr(rel), row->values, row->isnull);
}

static bool
is_ours(const Row *row, const BurrowProgress *p)
{
	text	   *topic = DatumGetTextPP(row->values[COLUMN_TOPIC - 1]);

	return DatumGetInt32(row->values[COLUMN_SUBID - 1]) == p->subid &&
		DatumGetInt32(row->values[COLUMN_PARTITION - 1]) == p->partition &&
		DatumGetInt32(row->values[COLUMN_LANE - 1]) == p->lane &&
		VARSIZE_ANY_EXHDR(topic) == strlen(p->topic) &&
		memcmp(VARDATA_ANY(topic), p->topic, strlen(p->topic)) == 0;
}

/*
 * The page of the place, pinned; InvalidBuffer: vacuum has cut it off with the empty end of
 * the file.  While a buffer holds it that is not so, and the kernel need not be asked for
 * the file's length.
 */
static Buffer
read_page(Relation rel, Place *place)
{
	BlockNumber block = ItemPointerGetBlockNumber(&place->tid);

	if (BufferIsValid(place->buffer) &&
		ReadRecentBuffer(burrow_relation_locator(rel), MAIN_FORKNUM, block, place->buffer))
		return place->buffer;
	place->buffer = block < RelationGetNumberOfBlocks(rel) ? ReadBuffer(rel, block) : InvalidBuffer;
	return place->buffer;
}

/* The row at the place where it was; false: it is not there. */
static bool
fetch_at(Place *place, const BurrowProgress *p, Relation *rel, Row *row)
{
	bool		ours = false;
	Buffer		page = InvalidBuffer;

	*rel = try_relation_open(place->relid, RowExclusiveLock);
	if (*rel == NULL)
		return false;

	if ((*rel)->rd_rel->relfilenode == place->file && RelationGetNumberOfAttributes(*rel) == COLUMNS)
		page = read_page(*rel, place);
	if (BufferIsValid(page))
	{
		HeapTupleData tuple = {.t_self = place->tid};
		Buffer		buffer;

		heap_page_prune_opt(*rel, page);
		if (heap_fetch(*rel, SnapshotSelf, &tuple, &buffer, false))
		{
			copy_row(*rel, &tuple, row);
			ReleaseBuffer(buffer);
			ours = is_ours(row, p);
		}
		ReleaseBuffer(page);
	}
	if (!ours)
	{
		relation_close(*rel, NoLock);
		*rel = NULL;
	}
	return ours;
}

/* The row by its key; false: there is none, or the table is gone (*rel is NULL then). */
static bool
fetch_by_key(const BurrowProgress *p, Relation *rel, Row *row)
{
	static const RegProcedure equal[KEY_COLUMNS] = {F_INT4EQ, F_TEXTEQ, F_INT4EQ, F_INT4EQ};
	Datum		values[KEY_COLUMNS] = {
		Int32GetDatum(p->subid), CStringGetTextDatum(p->topic),
		Int32GetDatum(p->partition), Int32GetDatum(p->lane)
	};
	ScanKeyData keys[KEY_COLUMNS];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found;

	*rel = open_table("progress", RowExclusiveLock);
	if (*rel == NULL)
		return false;
	if (RelationGetNumberOfAttributes(*rel) != COLUMNS)
		elog(ERROR, "table \"burrow.progress\" has %d columns", RelationGetNumberOfAttributes(*rel));

	for (int i = 0; i < KEY_COLUMNS; i++)
		ScanKeyEntryInitialize(&keys[i], 0, i + 1, BTEqualStrategyNumber, InvalidOid,
							   TupleDescAttr(RelationGetDescr(*rel), i)->attcollation, equal[i], values[i]);
	list_free(RelationGetIndexList(*rel));
	scan = systable_beginscan(*rel, (*rel)->rd_pkindex, true, SnapshotSelf, KEY_COLUMNS, keys);
	tuple = systable_getnext(scan);
	found = HeapTupleIsValid(tuple);
	if (found)
		copy_row(*rel, tuple, row);
	systable_endscan(scan);
	return found;
}

/*
 * A new version of a row has the same key, and the old one was the only live one and is
 * ours until the transaction ends: whoever inserts that key finds it and waits, so there
 * is nothing to check.  And the check is not cheap: it goes through all versions that
 * somebody's old snapshot keeps, for each page that they fill; the rate would sink for
 * as long as the snapshot is held.
 */
static void
insert_index_entries(Relation rel, HeapTuple tuple, bool is_version)
{
	EState	   *estate = CreateExecutorState();
	ResultRelInfo *result = makeNode(ResultRelInfo);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsHeapTuple);

	InitResultRelInfo(result, rel, 1, NULL, 0);
	ExecOpenIndices(result, false);
	ExecStoreHeapTuple(tuple, slot, false);
	/* other indexes than the primary key are an administrator's, and may be of any kind */
	if (is_version && result->ri_NumIndices == 1 && result->ri_IndexRelationDescs[0]->rd_index->indisprimary)
	{
		Relation	key = result->ri_IndexRelationDescs[0];
		IndexInfo  *info = result->ri_IndexRelationInfo[0];
		Datum		values[INDEX_MAX_KEYS];
		bool		isnull[INDEX_MAX_KEYS];

		FormIndexDatum(info, slot, estate, values, isnull);
		index_insert(key, values, isnull, &tuple->t_self, rel, UNIQUE_CHECK_NO, true, info);
	}
	else
		(void) burrow_insert_index_entries(result, slot, estate);
	ExecDropSingleTupleTableSlot(slot);
	ExecCloseIndices(result);
	FreeExecutorState(estate);
}

/* False: somebody else has changed it since it was fetched. */
static bool
update_row(Relation rel, Row *row, int64 low, Datum done, ItemPointer tid)
{
	LockTupleMode lockmode;
	TM_FailureData failure;
	TM_Result	result;
	HeapTuple	tuple;

	row->values[COLUMN_LOW - 1] = Int64GetDatum(low);
	row->values[COLUMN_DONE - 1] = done;
	tuple = heap_form_tuple(RelationGetDescr(rel), row->values, row->isnull);
	result = burrow_heap_update(rel, &row->tuple->t_self, tuple, GetCurrentCommandId(true), &failure, &lockmode);
	if (result == TM_Updated || result == TM_Deleted)
		return false;
	if (result != TM_Ok)
		elog(ERROR, "unexpected result %d of updating \"burrow.progress\"", result);
	if (!HeapTupleIsHeapOnly(tuple))
		insert_index_entries(rel, tuple, true);
	*tid = tuple->t_self;
	return true;
}

static void
insert_row(Relation rel, const BurrowProgress *p, Datum done, ItemPointer tid)
{
	Datum		values[COLUMNS] = {
		Int32GetDatum(p->subid), CStringGetTextDatum(p->topic), Int32GetDatum(p->partition),
		Int32GetDatum(p->lane), Int64GetDatum(p->head), done
	};
	bool		isnull[COLUMNS] = {false};
	HeapTuple	tuple;

	isnull[COLUMN_SEEN_OFFSET - 1] = isnull[COLUMN_SEEN_TIME - 1] = true;
	tuple = heap_form_tuple(RelationGetDescr(rel), values, isnull);

	simple_heap_insert(rel, tuple);
	insert_index_entries(rel, tuple, false);
	*tid = tuple->t_self;
}

/*
 * What the row says afterwards: what it said, without what a fold has or lies below the
 * head, and this transaction's messages.  old is NULL if there is no row.
 */
static Datum
new_done(const BurrowProgress *p, const Place *place, const Row *old)
{
	BurrowOffsetSet set;

	burrow_done_set_init(&set);
	if (!OidIsValid(place->relid) || p->folded == 0 || p->folded < place->older_chunk)
	{
		/* nothing can leave the row */
		if (old != NULL)
			burrow_done_set_read(&set, DatumGetInt64(old->values[COLUMN_LOW - 1]),
								 old->values[COLUMN_DONE - 1]);
	}
	else if (p->folded < place->newer_chunk)
		burrow_offset_set_union(&set, &place->newer);
	burrow_offset_set_remove_below(&set, p->head);
	for (int i = 0; i < p->noffsets; i++)
		burrow_offset_set_add(&set, p->offsets[i], p->offsets[i]);
	return burrow_done_set_datum(&set, p->head);
}

/* One attempt; false: the row was changed by somebody else meanwhile. */
static bool
try_save(const BurrowProgress *p, Place *place)
{
	Relation	rel = NULL;
	Row			row;
	bool		there;
	Datum		done;
	bool		saved = true;

	there = OidIsValid(place->relid) && fetch_at(place, p, &rel, &row);
	if (!there)
	{
		place->relid = InvalidOid;
		place->buffer = InvalidBuffer;
		if (!lock_subscription(p))
			return true;
		there = fetch_by_key(p, &rel, &row);
		if (rel == NULL)
			return true;
	}

	done = new_done(p, place, there ? &row : NULL);
	if (there)
		saved = update_row(rel, &row, p->head, done, &written.tid);
	else
		insert_row(rel, p, done, &written.tid);
	if (saved)
	{
		written.place = place;
		written.done_bytes = VARSIZE_ANY_EXHDR(DatumGetPointer(done));
		written.anew = !OidIsValid(place->relid);
		written.relid = RelationGetRelid(rel);
		written.file = rel->rd_rel->relfilenode;
	}
	relation_close(rel, NoLock);
	return saved;
}

void
burrow_progress_save(const BurrowProgress *p)
{
	Place	   *place = find_place(p->place);

	written.place = NULL;
	PushActiveSnapshot(GetTransactionSnapshot());
	while (!try_save(p, place))
		place->relid = InvalidOid;
	PopActiveSnapshot();
	written.progress = *p;
}

/* Keeps count of what the row has. */
static void
follow_folds(Place *place, const BurrowProgress *p, bool anew)
{
	MemoryContext old;

	if (anew)
	{
		/* left by an earlier worker of this lane, in some earlier chunk */
		place->older_chunk = p->chunk - 1;
		place->folded = p->folded;
		burrow_offset_set_reset(&place->newer);
	}
	else if (p->folded > place->folded)
	{
		place->older_chunk = p->folded < place->newer_chunk ? place->newer_chunk : 0;
		place->folded = p->folded;
		burrow_offset_set_reset(&place->newer);
	}
	burrow_offset_set_remove_below(&place->newer, p->head);
	place->newer_chunk = p->chunk;

	old = MemoryContextSwitchTo(TopMemoryContext);
	for (int i = 0; i < p->noffsets; i++)
		burrow_offset_set_add(&place->newer, p->offsets[i], p->offsets[i]);
	MemoryContextSwitchTo(old);
}

size_t
burrow_progress_committed(void)
{
	Place	   *place = written.place;

	if (place == NULL)
		return 0;
	follow_folds(place, &written.progress, written.anew);
	place->relid = written.relid;
	place->file = written.file;
	place->tid = written.tid;
	written.place = NULL;
	return written.done_bytes;
}
