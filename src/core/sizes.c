/*
 * sizes.c
 *	  How many messages transactions had: a histogram as Prometheus has it.
 *
 * Runs in: whichever process writes the sizes (one for each histogram), and those that show them.
 *
 * Locking: none.  One writer makes a plain load and store of an atomic enough.
 */
#include "core/sizes.h"

static const uint32_t bounds[BURROW_SIZES_NBOUNDS] = {
#define X(number, size) size,
	BURROW_SIZES_BOUNDS(X)
#undef X
};

static const char *const bound_texts[BURROW_SIZES_NBOUNDS] = {
#define X(number, size) #size ".0",
	BURROW_SIZES_BOUNDS(X)
#undef X
};

static inline uint64_t
read_from(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static inline void
add_to(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, read_from(counter) + n, memory_order_relaxed);
}

void
burrow_sizes_reset(BurrowSizes * s)
{
	for (unsigned i = 0; i <= BURROW_SIZES_NBOUNDS; i++)
		atomic_store_explicit(&s->count[i], 0, memory_order_relaxed);
	atomic_store_explicit(&s->sum, 0, memory_order_relaxed);
}

void
burrow_sizes_copy(BurrowSizes * to, const BurrowSizes * from)
{
	for (unsigned i = 0; i <= BURROW_SIZES_NBOUNDS; i++)
		atomic_init(&to->count[i], read_from(&from->count[i]));
	atomic_init(&to->sum, read_from(&from->sum));
}

void
burrow_sizes_add(BurrowSizes * s, uint32_t size)
{
	unsigned	i = 0;

	while (i < BURROW_SIZES_NBOUNDS && size > bounds[i])
		i++;
	add_to(&s->count[i], 1);
	add_to(&s->sum, size);
}

void
burrow_sizes_cumulative(const BurrowSizes * s, uint64_t cumulative[BURROW_SIZES_NBOUNDS + 1])
{
	uint64_t	total = 0;

	for (unsigned i = 0; i <= BURROW_SIZES_NBOUNDS; i++)
	{
		total += read_from(&s->count[i]);
		cumulative[i] = total;
	}
}

uint64_t
burrow_sizes_sum(const BurrowSizes * s)
{
	return read_from(&s->sum);
}

const char *
burrow_sizes_bound(unsigned number)
{
	return bound_texts[number];
}
