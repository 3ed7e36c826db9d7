/*
 * sizes.h
 *	  How many messages transactions had: a histogram as Prometheus has it.
 *
 * Pure.  One writer; readers may be elsewhere in shared memory and see each number whole (64-bit atomics, relaxed
 * order).
 */
#ifndef BURROW_CORE_SIZES_H
#define BURROW_CORE_SIZES_H

#include <stdatomic.h>
#include <stdint.h>

/* X(number from 0, upper bound) */
#define BURROW_SIZES_BOUNDS(X) \
	X(0, 1) \
	X(1, 2) \
	X(2, 5) \
	X(3, 10) \
	X(4, 20) \
	X(5, 50) \
	X(6, 100) \
	X(7, 200) \
	X(8, 500) \
	X(9, 1000)
#define BURROW_SIZES_NBOUNDS	10

typedef struct BurrowSizes
{
	_Atomic uint64_t count[BURROW_SIZES_NBOUNDS + 1];	/* up to each bound, and beyond the last */
	_Atomic uint64_t sum;
}			BurrowSizes;

extern void burrow_sizes_reset(BurrowSizes * s);

/* Of one that another process may be writing. */
extern void burrow_sizes_copy(BurrowSizes * to, const BurrowSizes * from);
extern void burrow_sizes_add(BurrowSizes * s, uint32_t size);

/* How many are up to each bound, and in the last element all. */
extern void burrow_sizes_cumulative(const BurrowSizes * s, uint64_t cumulative[BURROW_SIZES_NBOUNDS + 1]);
extern uint64_t burrow_sizes_sum(const BurrowSizes * s);

/* "5.0", as OpenMetrics writes it */
extern const char *burrow_sizes_bound(unsigned number);

#endif							/* BURROW_CORE_SIZES_H */
