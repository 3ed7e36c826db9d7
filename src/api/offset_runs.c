/*
 * offset_runs.c
 *	  burrow.offset_runs(): what burrow.progress.done says, for people.
 *
 * The column codes its runs as distances from the row's low, so that must be given to get
 * offsets; without it the answer is what lies beyond low, counted from 0.
 *
 * Runs in: backends.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/multirangetypes.h"
#include "utils/rangetypes.h"
#include "utils/typcache.h"

#include "catalog/done_set.h"
#include "compat.h"
#include "core/offset.h"

PG_FUNCTION_INFO_V1(burrow_sql_offset_runs);

/* [first, last], as int8range has it: [first, last + 1) */
static RangeType *
make_run(TypeCacheEntry *type, const BurrowOffsetRun *run)
{
	RangeBound	lower = {.val = Int64GetDatum(run->first), .inclusive = true, .lower = true};
	RangeBound	upper = {.inclusive = false, .lower = false};

	if (run->last == PG_INT64_MAX)
		upper.infinite = true;
	else
		upper.val = Int64GetDatum(burrow_offset_after(run->last));
	return burrow_make_range(type, &lower, &upper);
}

Datum
burrow_sql_offset_runs(PG_FUNCTION_ARGS)
{
	bytea	   *done = PG_GETARG_BYTEA_PP(0);
	int64		low = PG_GETARG_INT64(1);
	TypeCacheEntry *type = lookup_type_cache(INT8MULTIRANGEOID, TYPECACHE_MULTIRANGE_INFO);
	BurrowOffsetSet set;
	RangeType **runs;

	if (low < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\": \"%lld\"", "low", (long long) low),
				 errdetail("It must not be negative.")));
	burrow_done_set_init(&set);
	if (!burrow_offset_set_decode(&set, low, (const uint8 *) VARDATA_ANY(done), VARSIZE_ANY_EXHDR(done)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid runs of offsets"),
				 errdetail("These %d bytes, beyond offset %lld, are no value of \"burrow.progress.done\".",
						   (int) VARSIZE_ANY_EXHDR(done), (long long) low)));

	runs = palloc(sizeof(RangeType *) * Max(set.nruns, 1));
	for (size_t i = 0; i < set.nruns; i++)
		runs[i] = make_run(type->rngtype, &set.runs[i]);
	PG_RETURN_MULTIRANGE_P(make_multirange(INT8MULTIRANGEOID, type->rngtype, (int32) set.nruns, runs));
}
