/*
 * histogram.h
 *	  Times in logarithmic buckets, for percentiles, and for Prometheus by its bounds.
 *
 * Pure.  Four buckets for each doubling, from 1 microsecond to about 12 days, so
 * a percentile is right within 19 %.  A bucket in which one of the bounds of a Prometheus
 * histogram lies is divided there, so that the times up to each bound are known exactly.
 * One writer; readers may be elsewhere in shared memory and see each bucket whole (64-bit
 * atomics, relaxed order).
 */
#ifndef BURROW_CORE_HISTOGRAM_H
#define BURROW_CORE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#define BURROW_HISTOGRAM_BUCKETS	160

/*
 * Upper bounds that are exact, in microseconds, each with the bucket that it lies in: OpenTelemetry's for durations
 * of messaging, and three shorter ones, because many handlers take less than 5 ms.
 *
 *	X(number from 0, bound, as Prometheus writes it in seconds, bucket)
 */
#define BURROW_HISTOGRAM_BOUNDS(X) \
	X(0, 100, "0.0001", 26) \
	X(1, 500, "0.0005", 35) \
	X(2, 1000, "0.001", 39) \
	X(3, 5000, "0.005", 49) \
	X(4, 10000, "0.01", 53) \
	X(5, 25000, "0.025", 58) \
	X(6, 50000, "0.05", 62) \
	X(7, 75000, "0.075", 64) \
	X(8, 100000, "0.1", 66) \
	X(9, 250000, "0.25", 71) \
	X(10, 500000, "0.5", 75) \
	X(11, 750000, "0.75", 78) \
	X(12, 1000000, "1.0", 79) \
	X(13, 2500000, "2.5", 85) \
	X(14, 5000000, "5.0", 89) \
	X(15, 7500000, "7.5", 91) \
	X(16, 10000000, "10.0", 93)
#define BURROW_HISTOGRAM_NBOUNDS	17

typedef struct BurrowHistogram
{
	/* the times of a bucket up to the bound in it; all, where there is none */
	_Atomic uint64_t count[BURROW_HISTOGRAM_BUCKETS];
	/* those beyond the bound */
	_Atomic uint64_t beyond[BURROW_HISTOGRAM_NBOUNDS];

	/*
	 * Seconds, and what is beyond them in microseconds: of messages from years ago the sum in
	 * microseconds would not fit after some thousands
	 */
	_Atomic uint64_t sum_s;
	_Atomic uint64_t sum_us;
} BurrowHistogram;

extern void burrow_histogram_reset(BurrowHistogram *h);
/* Of one that another process may be writing. */
extern void burrow_histogram_copy(BurrowHistogram *to, const BurrowHistogram *from);
/* Takes off what had been counted when a copy of it was made earlier. */
extern void burrow_histogram_subtract(BurrowHistogram *h, const BurrowHistogram *earlier);
extern void burrow_histogram_add(BurrowHistogram *h, uint64_t us);
/* p from 0 to 1; microseconds, the upper bound of the bucket; -1 when empty */
extern double burrow_histogram_percentile(const BurrowHistogram *h, double p);
extern uint64_t burrow_histogram_count(const BurrowHistogram *h);
/* seconds */
extern double burrow_histogram_sum(const BurrowHistogram *h);

/*
 * How many times are up to each bound, and in the last element all; from one reading, so that none is less
 * than the one before.
 */
extern void burrow_histogram_cumulative(const BurrowHistogram *h, uint64_t cumulative[BURROW_HISTOGRAM_NBOUNDS + 1]);
/* "0.005" */
extern const char *burrow_histogram_bound(unsigned number);

#endif							/* BURROW_CORE_HISTOGRAM_H */
