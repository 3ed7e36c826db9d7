/*
 * array_builder.h
 *	  Writes an array element by element, where it stays.
 *
 * Process: worker, dry run; everything is in the memory context that was current at the begin.
 */
#ifndef BURROW_HANDLER_ARRAY_BUILDER_H
#define BURROW_HANDLER_ARRAY_BUILDER_H

#include "utils/array.h"

typedef struct BurrowArrayBuilder
{
	ArrayType  *array;
	Size		used;			/* of it, bytes */
	Size		size;
	bits8	   *nulls;			/* NULL: no element is */
} BurrowArrayBuilder;

/*
 * An array of n elements that will take so many bytes in all.  If they take more it grows, up to PostgreSQL's limit;
 * beyond is an error, PROGRAM_LIMIT_EXCEEDED.  any_null: elements are NULL of which nobody says otherwise.
 */
extern void burrow_array_builder_begin(BurrowArrayBuilder *b, Oid type, int n, bool any_null, Size bytes);
extern void burrow_array_builder_set_not_null(BurrowArrayBuilder *b, int i);
/* Where the next element goes, if it is of at most so many bytes.  Elements begin at multiples of 8 if they are
 * ended by _end() only. */
extern char *burrow_array_builder_reserve(BurrowArrayBuilder *b, Size len);
/* It was written up to there; zeros follow up to the next multiple of align. */
extern void burrow_array_builder_end(BurrowArrayBuilder *b, char *end, Size align);
/* The next element of so many bytes, of a type with the alignment of an integer. */
extern char *burrow_array_builder_add(BurrowArrayBuilder *b, Size len);
extern void burrow_array_builder_add_varlena(BurrowArrayBuilder *b, const char *data, Size len);
extern Datum burrow_array_builder_finish(BurrowArrayBuilder *b);

#endif							/* BURROW_HANDLER_ARRAY_BUILDER_H */
