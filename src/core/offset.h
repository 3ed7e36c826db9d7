/*
 * offset.h
 *	  Arithmetic on offsets, which come from Kafka and may be any number of 64 bits.
 *
 * Pure.  Whoever may commit to a group, or answers as a broker, may put an offset at the end of what 64
 * bits hold.  No sum and no difference here wraps around, or an offset beyond the log's end would become
 * one below its start: it stays at the end, which no topic holds, and that is found out where positions are
 * compared with the log.  Outside core/ no offset is added to or subtracted from but by these; the lint
 * sees to it.
 */
#ifndef BURROW_CORE_OFFSET_H
#define BURROW_CORE_OFFSET_H

#include <stdint.h>

/* The next one.  There is none after the last: it stays. */
static inline int64_t
burrow_offset_after(int64_t offset)
{
	return offset < INT64_MAX ? offset + 1 : INT64_MAX;
}

/* The one before. */
static inline int64_t
burrow_offset_before(int64_t offset)
{
	return offset > INT64_MIN ? offset - 1 : INT64_MIN;
}

/* As many offsets later: n is not negative. */
static inline int64_t
burrow_offset_later(int64_t offset, int64_t n)
{
	return offset <= 0 || n <= INT64_MAX - offset ? offset + n : INT64_MAX;
}

/* How many there are from the first on, and before the second: 0, if that does not come after it; the largest
 * number, if they are more. */
static inline int64_t
burrow_offset_count(int64_t from, int64_t until)
{
	uint64_t	n = (uint64_t) until - (uint64_t) from;

	if (until <= from)
		return 0;
	return n <= INT64_MAX ? (int64_t) n : INT64_MAX;
}

#endif							/* BURROW_CORE_OFFSET_H */
