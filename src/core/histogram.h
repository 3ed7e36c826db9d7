/*
 * histogram.h
 *	  Times in logarithmic buckets, for percentiles.
 *
 * Pure.  Four buckets for each doubling, from 1 microsecond to about 12 days, so
 * a percentile is right within 19 %.  One writer; readers may be elsewhere in
 * shared memory and see each bucket whole (64-bit atomics, relaxed order).
 */
#ifndef BURROW_CORE_HISTOGRAM_H
#define BURROW_CORE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#define BURROW_HISTOGRAM_BUCKETS	160

typedef struct BurrowHistogram
{
	_Atomic uint64_t count[BURROW_HISTOGRAM_BUCKETS];
	_Atomic uint64_t sum_us;
} BurrowHistogram;

extern void burrow_histogram_reset(BurrowHistogram *h);
extern void burrow_histogram_add(BurrowHistogram *h, uint64_t us);
/* p from 0 to 1; microseconds, the upper bound of the bucket; -1 when empty */
extern double burrow_histogram_percentile(const BurrowHistogram *h, double p);
extern uint64_t burrow_histogram_count(const BurrowHistogram *h);
extern uint64_t burrow_histogram_sum(const BurrowHistogram *h);

#endif							/* BURROW_CORE_HISTOGRAM_H */
