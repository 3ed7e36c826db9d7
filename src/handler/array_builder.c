/*
 * array_builder.c
 *	  Writes an array element by element, where it stays.
 *
 * Runs in: workers, and processes of burrow.dry_run().
 *
 * construct_md_array() wants all elements as datums, and copies each.  An element here looks as
 * there: of a type of variable length it has a header of four bytes; it begins at its type's
 * alignment, and zeros are between.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "compat.h"
#include "handler/array_builder.h"

static Size
checked_size(Size size)
{
	if (!AllocSizeIsValid(size))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("array size exceeds the maximum allowed (%d)", (int) MaxAllocSize)));
	return size;
}

void
burrow_array_builder_begin(BurrowArrayBuilder *b, Oid type, int n, bool any_null, Size bytes)
{
	Size		overhead = any_null ? ARR_OVERHEAD_WITHNULLS(1, n) : ARR_OVERHEAD_NONULLS(1);

	b->used = overhead;
	b->size = checked_size(overhead + bytes);
	b->array = palloc(b->size);
	memset(b->array, 0, overhead);
	b->array->ndim = 1;
	b->array->dataoffset = any_null ? overhead : 0;
	b->array->elemtype = type;
	ARR_DIMS(b->array)[0] = n;
	ARR_LBOUND(b->array)[0] = 1;
	b->nulls = ARR_NULLBITMAP(b->array);
}

void
burrow_array_builder_set_not_null(BurrowArrayBuilder *b, int i)
{
	if (b->nulls != NULL)
		b->nulls[i / 8] |= 1 << (i % 8);
}

char *
burrow_array_builder_reserve(BurrowArrayBuilder *b, Size len)
{
	/* with what is between this element and the next */
	Size		needed = MAXALIGN(b->used + len);

	if (needed > b->size)
	{
		b->size = Min(Max(checked_size(needed), b->size * 2), MaxAllocSize);
		b->array = repalloc(b->array, b->size);
		b->nulls = ARR_NULLBITMAP(b->array);
	}
	return (char *) b->array + b->used;
}

void
burrow_array_builder_end(BurrowArrayBuilder *b, char *end, Size align)
{
	Size		used = end - (char *) b->array;

	b->used = TYPEALIGN(align, used);
	memset(end, 0, b->used - used);
}

char *
burrow_array_builder_add(BurrowArrayBuilder *b, Size len)
{
	char	   *p = burrow_array_builder_reserve(b, len);

	burrow_array_builder_end(b, p + len, ALIGNOF_INT);
	return p;
}

void
burrow_array_builder_add_varlena(BurrowArrayBuilder *b, const char *data, Size len)
{
	char	   *p = burrow_array_builder_add(b, VARHDRSZ + len);

	SET_VARSIZE(p, VARHDRSZ + len);
	memcpy(VARDATA(p), data, len);
}

Datum
burrow_array_builder_finish(BurrowArrayBuilder *b)
{
	SET_VARSIZE(b->array, b->used);
	return PointerGetDatum(b->array);
}
