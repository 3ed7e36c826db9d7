/*
 * done_set.c
 *	  Sets of offsets that are done, as burrow.progress keeps them.
 *
 * Runs in: consumers and workers.
 */
#include "postgres.h"

#include "fmgr.h"

#include "catalog/done_set.h"
#include "compat.h"

void *
burrow_done_set_resize(void *pointer, size_t size)
{
	if (size == 0)
	{
		if (pointer != NULL)
			pfree(pointer);
		return NULL;
	}
	return pointer == NULL ? palloc(size) : repalloc(pointer, size);
}

void
burrow_done_set_init(BurrowOffsetSet *set)
{
	burrow_offset_set_init(set, burrow_done_set_resize);
}

void
burrow_done_set_read(BurrowOffsetSet *set, int64 low, Datum done)
{
	bytea	   *bytes = DatumGetByteaPP(done);

	if (!burrow_offset_set_decode(set, low, (const uint8 *) VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes)))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("column \"%s\" of table \"%s\" has a malformed value", "done", "burrow.progress"),
				 errdetail("It has %d bytes, beyond offset %lld.",
						   (int) VARSIZE_ANY_EXHDR(bytes), (long long) low)));
}

Datum
burrow_done_set_datum(const BurrowOffsetSet *set, int64 low)
{
	size_t		size = burrow_offset_set_encoded_size(set, low);
	bytea	   *bytes = palloc(VARHDRSZ + size);

	SET_VARSIZE(bytes, VARHDRSZ + size);
	(void) burrow_offset_set_encode(set, low, (uint8 *) VARDATA(bytes), size);
	return PointerGetDatum(bytes);
}
