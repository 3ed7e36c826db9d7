/*
 * offset_set.h
 *	  Sets of offsets as runs, and their delta-coded bytes.
 *
 * Pure.  Memory comes from the function given (realloc-like; new size 0 frees; it
 * must not return NULL otherwise, but may leave by longjmp).
 */
#ifndef BURROW_CORE_OFFSET_SET_H
#define BURROW_CORE_OFFSET_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct BurrowOffsetRun
{
	int64_t		first;
	int64_t		last;			/* inclusive */
} BurrowOffsetRun;

typedef struct BurrowOffsetSet
{
	BurrowOffsetRun *runs;		/* ascending, never touching */
	size_t		nruns;
	size_t		allocated;
	void	   *(*resize) (void *pointer, size_t size);
} BurrowOffsetSet;

extern void burrow_offset_set_init(BurrowOffsetSet *s, void *(*resize) (void *, size_t));
extern void burrow_offset_set_reset(BurrowOffsetSet *s);	/* frees */
/* both inclusive; an empty range adds nothing */
extern void burrow_offset_set_add(BurrowOffsetSet *s, int64_t first, int64_t last);
/* in any order; quick where they follow each other */
extern void burrow_offset_set_add_each(BurrowOffsetSet *s, const int64_t *offsets, size_t n);
extern void burrow_offset_set_union(BurrowOffsetSet *s, const BurrowOffsetSet *other);
/* drop all below offset */
extern void burrow_offset_set_remove_below(BurrowOffsetSet *s, int64_t offset);
extern bool burrow_offset_set_contains(const BurrowOffsetSet *s, int64_t offset);
/* the first offset, from this one on, that is not in the set; of one in a run that ends
 * at INT64_MAX, itself */
extern int64_t burrow_offset_set_next_missing(const BurrowOffsetSet *s, int64_t offset);

/*
 * Bytes: each run as two unsigned LEB128 numbers: distance from the end of the
 * run before (from base for the first), length minus one.  The distance of a later
 * run is at least 2 and is coded minus 2.  What lies below base is left out: it is
 * done by definition.  encode returns the bytes written; 0, and nothing written,
 * when they would pass room.
 */
extern size_t burrow_offset_set_encoded_size(const BurrowOffsetSet *s, int64_t base);
extern size_t burrow_offset_set_encode(const BurrowOffsetSet *s, int64_t base, uint8_t *out, size_t room);
/* The set, up to what takes this many bytes: it shares the runs of s, and must not be changed or reset. */
extern BurrowOffsetSet burrow_offset_set_within(const BurrowOffsetSet *s, int64_t base, size_t room);
/* Adds what the bytes say to s.  False (and s as it was) if they are malformed:
 * cut off, overlong, or beyond INT64_MAX. */
extern bool burrow_offset_set_decode(BurrowOffsetSet *s, int64_t base, const uint8_t *in, size_t len);
/* Would decode take them?  Needs no memory. */
extern bool burrow_offset_set_check(int64_t base, const uint8_t *in, size_t len);

#endif							/* BURROW_CORE_OFFSET_SET_H */
