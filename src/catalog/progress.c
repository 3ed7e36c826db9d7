/*
 * progress.c
 *	  A worker's row of burrow.progress, written in the handlers' transaction.
 *
 * Runs in: workers.
 * Owns: hints where the rows were found last.
 * Locking: RowExclusiveLock on burrow.progress until the transaction ends.  A row has
 * one writer, so no row lock is ever waited for, but for one of an administrator's or
 * an unsubscribe's.
 *
 * The row is written from C and not by an SQL statement: the owner of the subscription
 * is not allowed to change it, its isolation level and read-only transactions must not
 * matter, and it happens in each transaction, so it must be cheap.  A remembered TID
 * leads to the row without an index scan, and without a walk over the versions that a
 * long-running transaction elsewhere keeps alive.  The hint is believed only after a
 * look: VACUUM FULL and CLUSTER move the rows into another file, and what lies at the
 * remembered place may be another row by now.  Versions that nobody needs are pruned before an
 * update of a page that fills up, because only scans do that otherwise; so nearly all updates are HOT, and the
 * indexes are opened only for those that are not.
 *
 * Rows are looked at with SnapshotSelf: what the last transaction of this lane left is
 * what counts, whatever the handlers' own snapshot may be.
 *
 * A head that stands still must not let the row grow with the messages that pass it: offsets that
 * a progress merge of the consumer's has (offsets/progress_merge.c) may leave the row.
 * core/progress_row.h says which, with the rule that has to be true after each commit.
 *
 * What was written becomes the hint of the row when the transaction is committed,
 * and is forgotten when it is rolled back, by a callback: whoever saves may fail after it, and
 * the next commit of this process may be of a transaction that has saved nothing.
 *
 * Administrators may add columns to the table and drop them again (catalog/progress_columns.c).  What those have is kept,
 * and in a new row it is their default.
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
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "rewrite/rewriteHandler.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/uuid.h"

#include "burrow.h"
#include "catalog/access.h"
#include "catalog/done_set.h"
#include "catalog/progress.h"
#include "catalog/progress_columns.h"
#include "compat.h"
#include "core/check.h"
#include "core/progress_row.h"

#define KEY_COLUMNS		(BURROW_PROGRESS_LANE + 1)

/*
 * Bytes that are free in a page when its dead versions are removed.  What is left is room for the updates that come before it can
 * be done: others have the page pinned, or a transaction that takes long can still see the versions.
 */
#define PRUNE_BELOW		(BLCKSZ / 2)

/* The table, open. */
typedef struct Table
{
	Relation	rel;			/* NULL: it is not there */
	const int  *at;				/* index of each column of ours */
} Table;

/* Where a row was after the last commit. */
typedef struct RowHint
{
	uint32		number;			/* key of the hash table */
	Oid			relid;			/* InvalidOid: not known */
	Oid			file;			/* the relation's file number then */
	ItemPointerData tid;
	TransactionId xid;			/* that wrote it */
	Buffer		buffer;			/* that may hold its page still; InvalidBuffer: none known */
	BurrowProgressRow row;		/* what it has; in TopMemoryContext, and so is done */
	BurrowOffsetSet done;
	bool		done_known;		/* it is what the row has beyond its head */
} RowHint;

/* A row as it was found: all columns of the table. */
typedef struct Row
{
	HeapTuple	tuple;
	Datum	   *values;			/* point into the tuple */
	bool	   *isnull;
} Row;

static HTAB *row_hints = NULL;

/* What burrow_progress_committed() takes over into the hint; NULL: nothing. */
static struct
{
	RowHint    *hint;
	uint64		transaction;	/* that wrote it, by the count of those that have ended */
	bool		committed;		/* and so it is true */
	Oid			relid;
	Oid			file;
	ItemPointerData tid;
	TransactionId xid;
	bool		anew;			/* the row was not known before */
	size_t		done_bytes;
	BurrowProgressStep step;	/* its offsets are the caller's */
}			written;

/* Transactions of this process that have ended. */
static uint64 ended = 0;

/*
 * A transaction that was rolled back leaves nothing to be made true, nor does one before it
 * whose caller has not asked.  One that is already committed is not rolled back any more,
 * whatever is raised by others' callbacks.
 */
static void
transaction_event(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT && written.transaction == ended)
		written.committed = true;
	else if ((event == XACT_EVENT_ABORT && !(written.committed && written.transaction + 1 == ended)) ||
			 event == XACT_EVENT_COMMIT)
		written.hint = NULL;
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT)
		ended++;
}

static RowHint *
find_row_hint(uint32 number)
{
	RowHint    *hint;
	bool		found;

	if (row_hints == NULL)
	{
		HASHCTL		control = {.keysize = sizeof(uint32), .entrysize = sizeof(RowHint)};

		row_hints = hash_create("burrow progress", 16, &control, HASH_ELEM | HASH_BLOBS);
		RegisterXactCallback(transaction_event, NULL);
	}
	hint = hash_search(row_hints, &number, HASH_ENTER, &found);
	if (!found)
	{
		hint->relid = InvalidOid;
		hint->buffer = InvalidBuffer;
		burrow_progress_row_init(&hint->row, burrow_done_set_resize);
		burrow_done_set_init(&hint->done);
		hint->done_known = false;
	}
	return hint;
}

/* A table of Burrow's; NULL: the extension is not here any more. */
static Relation
open_table(const char *name, LOCKMODE mode)
{
	Oid			relid = burrow_access_table(name);

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
		ScanKeyInit(&key, get_attnum(RelationGetRelid(rel), "subid"), BTEqualStrategyNumber, F_INT4EQ,
					Int32GetDatum(p->subid));
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

static inline Datum
value_of(const Table *table, const Row *row, int column)
{
	return row->values[table->at[column]];
}

static void
make_row(const Table *table, Row *row)
{
	int			natts = RelationGetNumberOfAttributes(table->rel);

	row->tuple = NULL;
	row->values = palloc0(sizeof(Datum) * natts);
	row->isnull = palloc(sizeof(bool) * natts);
	memset(row->isnull, true, sizeof(bool) * natts);
}

static void
copy_row(const Table *table, HeapTuple tuple, Row *row)
{
	make_row(table, row);
	row->tuple = heap_copytuple(tuple);
	heap_deform_tuple(row->tuple, RelationGetDescr(table->rel), row->values, row->isnull);
}

static bool
is_ours(const Table *table, const Row *row, const BurrowProgress *p)
{
	text	   *topic = DatumGetTextPP(value_of(table, row, BURROW_PROGRESS_TOPIC));

	return DatumGetInt32(value_of(table, row, BURROW_PROGRESS_SUBID)) == p->subid &&
		DatumGetInt32(value_of(table, row, BURROW_PROGRESS_PARTITION)) == p->partition &&
		DatumGetInt32(value_of(table, row, BURROW_PROGRESS_LANE)) == p->lane &&
		VARSIZE_ANY_EXHDR(topic) == strlen(p->topic) &&
		memcmp(VARDATA_ANY(topic), p->topic, strlen(p->topic)) == 0;
}

/*
 * What the fillfactor of the table keeps free is room for updates, but heap_page_prune_opt() tries to have all of it free
 * again, after each of them.  So it is asked when half of it is used.
 */
static bool
wants_pruning(Page page)
{
	return PageIsFull(page) || PageGetHeapFreeSpace(page) < PRUNE_BELOW;
}

/*
 * The page that the hint names, pinned; InvalidBuffer: vacuum has cut it off with the empty end of
 * the file.  While a buffer holds it that is not so, and the kernel need not be asked for
 * the file's length.
 */
static Buffer
read_page(Relation rel, RowHint *hint)
{
	BlockNumber block = ItemPointerGetBlockNumber(&hint->tid);

	if (BufferIsValid(hint->buffer) &&
		ReadRecentBuffer(burrow_relation_locator(rel), MAIN_FORKNUM, block, hint->buffer))
		return hint->buffer;
	hint->buffer = block < RelationGetNumberOfBlocks(rel) ? ReadBuffer(rel, block) : InvalidBuffer;
	return hint->buffer;
}

/*
 * The version that the last commit has left is recognised by who wrote it: it needs no look into the commit log, where
 * what commits asynchronously is looked up each time.  False: it may be another one, or somebody has locked or changed it.
 */
static bool
fetch_as_left(Relation rel, const RowHint *hint, Buffer buffer, HeapTuple tuple)
{
	OffsetNumber number = ItemPointerGetOffsetNumber(&hint->tid);
	Page		page = BufferGetPage(buffer);
	bool		as_left = false;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	if (number <= PageGetMaxOffsetNumber(page) && ItemIdIsNormal(PageGetItemId(page, number)))
	{
		ItemId		item = PageGetItemId(page, number);

		tuple->t_data = (HeapTupleHeader) PageGetItem(page, item);
		tuple->t_len = ItemIdGetLength(item);
		tuple->t_tableOid = RelationGetRelid(rel);
		as_left = HeapTupleHeaderGetRawXmin(tuple->t_data) == hint->xid &&
			!HeapTupleHeaderXminInvalid(tuple->t_data) && (tuple->t_data->t_infomask & HEAP_XMAX_INVALID) != 0;
	}
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	return as_left;
}

/* The row where the hint says; false: it is not there. */
static bool
fetch_at(RowHint *hint, const BurrowProgress *p, Table *table, Row *row)
{
	bool		ours = false;
	Buffer		page = InvalidBuffer;

	table->rel = try_relation_open(hint->relid, RowExclusiveLock);
	if (table->rel == NULL)
		return false;

	if (table->rel->rd_rel->relfilenode == hint->file)
	{
		table->at = burrow_progress_columns(table->rel);
		page = read_page(table->rel, hint);
	}
	if (BufferIsValid(page))
	{
		HeapTupleData tuple = {.t_self = hint->tid};
		Buffer		buffer;

		if (wants_pruning(BufferGetPage(page)))
			heap_page_prune_opt(table->rel, page);
		if (fetch_as_left(table->rel, hint, page, &tuple))
		{
			copy_row(table, &tuple, row);
			ours = is_ours(table, row, p);
		}
		else if (heap_fetch(table->rel, SnapshotSelf, &tuple, &buffer, false))
		{
			hint->done_known = false;
			copy_row(table, &tuple, row);
			ReleaseBuffer(buffer);
			ours = is_ours(table, row, p);
		}
		ReleaseBuffer(page);
	}
	if (!ours)
	{
		relation_close(table->rel, NoLock);
		table->rel = NULL;
	}
	return ours;
}

/* The row by its key; false: there is none, or the table is gone. */
static bool
fetch_by_key(const BurrowProgress *p, Table *table, Row *row)
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

	table->rel = open_table("progress", RowExclusiveLock);
	if (table->rel == NULL)
		return false;

	table->at = burrow_progress_columns(table->rel);
	for (int i = 0; i < KEY_COLUMNS; i++)
		ScanKeyEntryInitialize(&keys[i], 0, table->at[i] + 1, BTEqualStrategyNumber, InvalidOid,
							   TupleDescAttr(RelationGetDescr(table->rel), table->at[i])->attcollation,
							   equal[i], values[i]);
	list_free(RelationGetIndexList(table->rel));
	scan = systable_beginscan(table->rel, table->rel->rd_pkindex, true, SnapshotSelf, KEY_COLUMNS, keys);
	tuple = systable_getnext(scan);
	found = HeapTupleIsValid(tuple);
	if (found)
		copy_row(table, tuple, row);
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
insert_index_entries(Relation rel, HeapTuple tuple, bool is_version, bool only_summarizing)
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
		(void) burrow_insert_index_entries(result, slot, estate, only_summarizing);
	ExecDropSingleTupleTableSlot(slot);
	ExecCloseIndices(result);
	FreeExecutorState(estate);
}

/*
 * The row's next version, where no columns were added to the table and dropped: done comes last then, behind low, and the bytes
 * before them stay as they are.  NULL: it has to be made of its values.
 */
static HeapTuple
next_version(const Table *table, const Row *row, int64 low, Datum done)
{
	const int  *at = table->at;
	int			natts = RelationGetNumberOfAttributes(table->rel);
	char	   *place = DatumGetPointer(value_of(table, row, BURROW_PROGRESS_DONE));
	Size		before = place - (char *) row->tuple->t_data;
	Size		size = VARSIZE_ANY_EXHDR(DatumGetPointer(done));
	bool		is_short = size + VARHDRSZ_SHORT <= VARATT_SHORT_MAX;
	HeapTuple	tuple;

	if (natts != BURROW_PROGRESS_COLUMNS || HeapTupleHeaderGetNatts(row->tuple->t_data) != natts ||
		HeapTupleHasExternal(row->tuple) || at[BURROW_PROGRESS_DONE] != at[BURROW_PROGRESS_LOW] + 1)
		return NULL;
	for (int i = at[BURROW_PROGRESS_DONE] + 1; i < natts; i++)
		if (!row->isnull[i])
			return NULL;

	tuple = palloc(HEAPTUPLESIZE + before + VARHDRSZ + size);
	tuple->t_len = before + (is_short ? VARHDRSZ_SHORT : VARHDRSZ) + size;
	ItemPointerSetInvalid(&tuple->t_self);
	tuple->t_tableOid = InvalidOid;
	tuple->t_data = (HeapTupleHeader) ((char *) tuple + HEAPTUPLESIZE);
	memcpy(tuple->t_data, row->tuple->t_data, before);
	place = (char *) tuple->t_data + before;
	memcpy(place - sizeof(low), &low, sizeof(low));
	if (is_short)
		SET_VARSIZE_SHORT(place, VARHDRSZ_SHORT + size);
	else
		SET_VARSIZE(place, VARHDRSZ + size);
	memcpy(VARDATA_ANY(place), VARDATA_ANY(DatumGetPointer(done)), size);
	return tuple;
}

static HeapTuple
made_version(const Table *table, Row *row, int64 low, Datum done)
{
	TupleDesc	desc = RelationGetDescr(table->rel);

	row->values[table->at[BURROW_PROGRESS_LOW]] = Int64GetDatum(low);
	row->values[table->at[BURROW_PROGRESS_DONE]] = done;
	/* what a dropped column had need not be kept */
	for (int i = 0; i < desc->natts; i++)
		row->isnull[i] |= TupleDescAttr(desc, i)->attisdropped;
	return heap_form_tuple(desc, row->values, row->isnull);
}

/* False: somebody else has changed it since it was fetched. */
static bool
update_row(const Table *table, Row *row, int64 low, Datum done, ItemPointer tid)
{
	BurrowIndexes indexes;
	TM_FailureData failure;
	TM_Result	result;
	HeapTuple	tuple = next_version(table, row, low, done);

	if (tuple == NULL)
		tuple = made_version(table, row, low, done);
	result = burrow_heap_update(table->rel, &row->tuple->t_self, tuple, GetCurrentCommandId(true), &failure, &indexes);
	if (result == TM_Updated || result == TM_Deleted)
		return false;
	if (result != TM_Ok)
		elog(ERROR, "unexpected result %d of updating \"burrow.progress\"", result);
	if (indexes != BURROW_INDEXES_NONE)
		insert_index_entries(table->rel, tuple, true, indexes == BURROW_INDEXES_SUMMARIZING);
	*tid = tuple->t_self;
	return true;
}

/*
 * What an INSERT puts into columns that are not ours.  Their expressions are the table
 * owner's, and so are the privileges that they need.
 */
static void
set_defaults(const Table *table, Row *row)
{
	TupleDesc	desc = RelationGetDescr(table->rel);
	EState	   *estate = CreateExecutorState();
	Oid			userid;
	int			sec_context;

	GetUserIdAndSecContext(&userid, &sec_context);
	SetUserIdAndSecContext(table->rel->rd_rel->relowner, sec_context |
						   SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);
		Node	   *expression;

		if (attribute->attisdropped || attribute->attgenerated != '\0')
			continue;
		expression = build_column_default(table->rel, i + 1);
		if (expression != NULL)
			row->values[i] = ExecEvalExpr(ExecPrepareExpr((Expr *) expression, estate),
										  GetPerTupleExprContext(estate), &row->isnull[i]);
	}
	SetUserIdAndSecContext(userid, sec_context);
	/* the values may be in its memory: it goes with the caller's */
}

static void
insert_row(const Table *table, const BurrowProgress *p, Datum done, ItemPointer tid)
{
	Datum		values[] = {
		Int32GetDatum(p->subid), CStringGetTextDatum(p->topic), Int32GetDatum(p->partition),
		Int32GetDatum(p->lane), Int64GetDatum(p->head), done
	};
	Row			row;
	HeapTuple	tuple;

	make_row(table, &row);
	if (RelationGetNumberOfAttributes(table->rel) > BURROW_PROGRESS_COLUMNS)
		set_defaults(table, &row);
	for (int i = 0; i < (int) lengthof(values); i++)
	{
		row.values[table->at[i]] = values[i];
		row.isnull[table->at[i]] = false;
	}
	tuple = heap_form_tuple(RelationGetDescr(table->rel), row.values, row.isnull);
	simple_heap_insert(table->rel, tuple);
	insert_index_entries(table->rel, tuple, false, false);
	*tid = tuple->t_self;
}

/*
 * What the row says afterwards: what it said, without what a merge has or lies below the
 * head, and this transaction's messages.  old is NULL if there is no row.
 */
static Datum
new_done(const BurrowProgress *p, RowHint *hint, const Table *table, const Row *old)
{
	BurrowProgressKeep keep = BURROW_PROGRESS_KEEP_ALL;
	BurrowOffsetSet *set = &hint->done;
	bool		known = hint->done_known && OidIsValid(hint->relid);
	Datum		done = old == NULL ? (Datum) 0 : PointerGetDatum(DatumGetByteaPP(value_of(table, old, BURROW_PROGRESS_DONE)));
	MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);

	if (OidIsValid(hint->relid))
		keep = burrow_progress_row_keep(&hint->row, p->merged_chunk);
	/* what is added to it now may be rolled back */
	hint->done_known = false;
	if (!known || keep != BURROW_PROGRESS_KEEP_ALL)
	{
		burrow_offset_set_reset(set);
		if (keep == BURROW_PROGRESS_KEEP_NEWER)
			burrow_offset_set_union(set, &hint->row.newer);
		else if (keep == BURROW_PROGRESS_KEEP_ALL && old != NULL)
			burrow_done_set_read(set, DatumGetInt64(value_of(table, old, BURROW_PROGRESS_LOW)), done);
	}
	burrow_offset_set_remove_below(set, p->head);
	burrow_offset_set_add_each(set, p->offsets, p->noffsets);
	MemoryContextSwitchTo(caller);
	return burrow_done_set_datum(set, p->head);
}

/* One attempt; false: the row was changed by somebody else meanwhile. */
static bool
try_save(const BurrowProgress *p, RowHint *hint)
{
	Table		table;
	Row			row;
	bool		there;
	Datum		done;
	bool		saved = true;

	there = OidIsValid(hint->relid) && fetch_at(hint, p, &table, &row);
	if (!there)
	{
		hint->relid = InvalidOid;
		hint->buffer = InvalidBuffer;
		if (!lock_subscription(p))
			return true;
		there = fetch_by_key(p, &table, &row);
		if (table.rel == NULL)
			return true;
	}

	done = new_done(p, hint, &table, there ? &row : NULL);
	if (there)
		saved = update_row(&table, &row, p->head, done, &written.tid);
	else
		insert_row(&table, p, done, &written.tid);
	if (saved)
	{
		written.hint = hint;
		written.done_bytes = VARSIZE_ANY_EXHDR(DatumGetPointer(done));
		written.anew = !OidIsValid(hint->relid);
		written.relid = RelationGetRelid(table.rel);
		written.file = table.rel->rd_rel->relfilenode;
		written.xid = GetCurrentTransactionId();
	}
	relation_close(table.rel, NoLock);
	return saved;
}

void
burrow_progress_save(const BurrowProgress *p)
{
	RowHint    *hint = find_row_hint(p->row_hint);

	written.hint = NULL;
	written.transaction = ended;
	written.committed = false;
	written.step = (BurrowProgressStep) {
		.chunk = p->chunk, .merged_chunk = p->merged_chunk, .head = p->head,
			.offsets = p->offsets, .noffsets = p->noffsets
	};
	while (!try_save(p, hint))
		hint->relid = InvalidOid;
}

size_t
burrow_progress_committed(void)
{
	RowHint    *hint = written.hint;
	MemoryContext old;

	if (hint == NULL)
		return 0;
	BURROW_CHECK(written.committed);
	old = MemoryContextSwitchTo(TopMemoryContext);
	burrow_progress_row_committed(&hint->row, &written.step, written.anew);
	MemoryContextSwitchTo(old);
	hint->relid = written.relid;
	hint->file = written.file;
	hint->tid = written.tid;
	hint->xid = written.xid;
	hint->done_known = true;
	written.hint = NULL;
	return written.done_bytes;
}
