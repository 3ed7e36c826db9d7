/*
 * histogram.c
 *	  Times in logarithmic buckets.
 *
 * Bucket i holds the times from 2^(i/4) up to, not including, 2^((i+1)/4)
 * microseconds; the first also holds 0, the last everything longer.  The place
 * within a doubling is found by comparing the number's leading bits with the three
 * roots between, which is exact, needs no libm and takes about a nanosecond.
 *
 * The bounds of Prometheus's histograms cost one more comparison: a bucket that has one
 * counts in either of two places, each of which only grows, so that what is read is
 * never less than what was read before.
 *
 * Runs in: whichever process writes the times (one for each histogram), and the
 * backends that show them.
 *
 * Locking: none.  One writer makes a plain load and store of an atomic enough; a
 * read-modify-write would cost a locked instruction for each message.  A reader
 * may see a time in its bucket and not yet in the sum.
 */
#include "core/histogram.h"

#define BUCKETS_A_DOUBLING	4
#define US_PER_S			1000000

/* 2^(63 + i/4), rounded up: the least 64-bit number, its highest bit set, in quarter i */
static const uint64_t quarter_start[BUCKETS_A_DOUBLING] = {
	UINT64_C(0x8000000000000000),
	UINT64_C(0x9837F0518DB8A970),
	UINT64_C(0xB504F333F9DE6485),
	UINT64_C(0xD744FCCAD69D6AF5)
};

/* 2^(i/4) */
static const double quarter_root[BUCKETS_A_DOUBLING + 1] = {
	1.0, 1.189207115002721, 1.4142135623730951, 1.681792830507429, 2.0
};

/* Which bound lies in a bucket, plus 1; 0: none. */
static const uint8_t bound_in[BURROW_HISTOGRAM_BUCKETS] = {
#define X(number, us, text, bucket) [bucket] = (number) + 1,
	BURROW_HISTOGRAM_BOUNDS(X)
#undef X
};

static const uint32_t bounds[BURROW_HISTOGRAM_NBOUNDS] = {
#define X(number, us, text, bucket) us,
	BURROW_HISTOGRAM_BOUNDS(X)
#undef X
};

static const char *const bound_texts[BURROW_HISTOGRAM_NBOUNDS] = {
#define X(number, us, text, bucket) text,
	BURROW_HISTOGRAM_BOUNDS(X)
#undef X
};

static unsigned
bucket_of(uint64_t us)
{
	unsigned	doubling;
	uint64_t	leading;
	unsigned	bucket;

	if (us <= 1)
		return 0;
	doubling = 63 - (unsigned) __builtin_clzll(us);
	leading = us << (63 - doubling);
	bucket = doubling * BUCKETS_A_DOUBLING
		+ (leading >= quarter_start[1])
		+ (leading >= quarter_start[2])
		+ (leading >= quarter_start[3]);
	return bucket < BURROW_HISTOGRAM_BUCKETS ? bucket : BURROW_HISTOGRAM_BUCKETS - 1;
}

static double
bucket_end(unsigned bucket)
{
	return (double) (UINT64_C(1) << (bucket / BUCKETS_A_DOUBLING))
		* quarter_root[bucket % BUCKETS_A_DOUBLING + 1];
}

static inline void
add_to(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter,
						  atomic_load_explicit(counter, memory_order_relaxed) + n,
						  memory_order_relaxed);
}

void
burrow_histogram_reset(BurrowHistogram *h)
{
	for (unsigned i = 0; i < BURROW_HISTOGRAM_BUCKETS; i++)
		atomic_store_explicit(&h->count[i], 0, memory_order_relaxed);
	for (unsigned i = 0; i < BURROW_HISTOGRAM_NBOUNDS; i++)
		atomic_store_explicit(&h->beyond[i], 0, memory_order_relaxed);
	atomic_store_explicit(&h->sum_s, 0, memory_order_relaxed);
	atomic_store_explicit(&h->sum_us, 0, memory_order_relaxed);
}

void
burrow_histogram_copy(BurrowHistogram *to, const BurrowHistogram *from)
{
	for (unsigned i = 0; i < BURROW_HISTOGRAM_BUCKETS; i++)
		atomic_init(&to->count[i], atomic_load_explicit(&from->count[i], memory_order_relaxed));
	for (unsigned i = 0; i < BURROW_HISTOGRAM_NBOUNDS; i++)
		atomic_init(&to->beyond[i], atomic_load_explicit(&from->beyond[i], memory_order_relaxed));
	atomic_init(&to->sum_s, atomic_load_explicit(&from->sum_s, memory_order_relaxed));
	atomic_init(&to->sum_us, atomic_load_explicit(&from->sum_us, memory_order_relaxed));
}

static inline void
take_from(_Atomic uint64_t *counter, const _Atomic uint64_t *earlier)
{
	add_to(counter, -atomic_load_explicit(earlier, memory_order_relaxed));
}

void
burrow_histogram_subtract(BurrowHistogram *h, const BurrowHistogram *earlier)
{
	for (unsigned i = 0; i < BURROW_HISTOGRAM_BUCKETS; i++)
		take_from(&h->count[i], &earlier->count[i]);
	for (unsigned i = 0; i < BURROW_HISTOGRAM_NBOUNDS; i++)
		take_from(&h->beyond[i], &earlier->beyond[i]);
	take_from(&h->sum_s, &earlier->sum_s);
	take_from(&h->sum_us, &earlier->sum_us);
}

void
burrow_histogram_add(BurrowHistogram *h, uint64_t us)
{
	unsigned	bucket = bucket_of(us);
	unsigned	bound = bound_in[bucket];

	add_to(bound != 0 && us > bounds[bound - 1] ? &h->beyond[bound - 1] : &h->count[bucket], 1);
	if (us >= US_PER_S)
	{
		add_to(&h->sum_s, us / US_PER_S);
		us %= US_PER_S;
	}
	add_to(&h->sum_us, us);
}

/* All times of a bucket. */
static uint64_t
bucket_count(const BurrowHistogram *h, unsigned bucket)
{
	uint64_t	n = atomic_load_explicit(&h->count[bucket], memory_order_relaxed);

	if (bound_in[bucket] != 0)
		n += atomic_load_explicit(&h->beyond[bound_in[bucket] - 1], memory_order_relaxed);
	return n;
}

/*
 * The counts are copied first: with a writer at work the total must be the total of
 * what is then walked, or the walk could run off the end.
 */
double
burrow_histogram_percentile(const BurrowHistogram *h, double p)
{
	uint64_t	count[BURROW_HISTOGRAM_BUCKETS];
	uint64_t	total = 0;
	uint64_t	before = 0;
	unsigned	bucket = 0;
	double		rank;

	for (unsigned i = 0; i < BURROW_HISTOGRAM_BUCKETS; i++)
	{
		count[i] = bucket_count(h, i);
		total += count[i];
	}
	if (total == 0)
		return -1;

	/* the shortest time that at least p of all times do not pass; at p <= 0 the first */
	rank = p * (double) total;
	for (unsigned i = 0; i < BURROW_HISTOGRAM_BUCKETS; i++)
	{
		if (count[i] == 0)
			continue;
		bucket = i;
		before += count[i];
		if ((double) before >= rank)
			break;
	}
	return bucket_end(bucket);
}

uint64_t
burrow_histogram_count(const BurrowHistogram *h)
{
	uint64_t	total = 0;

	for (unsigned i = 0; i < BURROW_HISTOGRAM_BUCKETS; i++)
		total += bucket_count(h, i);
	return total;
}

void
burrow_histogram_cumulative(const BurrowHistogram *h, uint64_t cumulative[BURROW_HISTOGRAM_NBOUNDS + 1])
{
	uint64_t	total = 0;

	for (unsigned i = 0; i < BURROW_HISTOGRAM_BUCKETS; i++)
	{
		total += atomic_load_explicit(&h->count[i], memory_order_relaxed);
		if (bound_in[i] != 0)
		{
			cumulative[bound_in[i] - 1] = total;
			total += atomic_load_explicit(&h->beyond[bound_in[i] - 1], memory_order_relaxed);
		}
	}
	cumulative[BURROW_HISTOGRAM_NBOUNDS] = total;
}

const char *
burrow_histogram_bound(unsigned number)
{
	return bound_texts[number];
}

double
burrow_histogram_sum(const BurrowHistogram *h)
{
	return atomic_load_explicit(&h->sum_s, memory_order_relaxed) + atomic_load_explicit(&h->sum_us, memory_order_relaxed) / (double) US_PER_S;
}
