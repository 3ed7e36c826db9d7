/*
 * offset_set.c
 *	  Sets of offsets as runs, and their delta-coded bytes.
 *
 * Runs in: consumer and workers (progress rows), backends (burrow.offset_runs).
 *
 * Owns: the array of runs, through the set's own resize function, which must not
 * return NULL for a size above 0 but may leave by longjmp: memory is asked for
 * before anything is changed, so the set is whole then.
 *
 * A sorted array, not a tree: the sets are small (some hundred runs), are mostly
 * appended to and cut off below, and are read as a whole when they are coded.
 * Joining two large ones takes linear time, for the progress merge of a partition
 * whose head stands still.
 *
 * Decoding takes no byte on trust: it reads what Kafka or a table returned.
 */
#include "core/offset_set.h"

#include <string.h>

#include "core/check.h"

#define FIRST_ALLOCATION	8

/* No offset lies between them: a run that ends with a and one that begins with b
 * (a run not before it) are one. */
static inline bool
touches(int64_t a, int64_t b)
{
	return a >= b || a + 1 == b;	/* a < b, so a + 1 does not overflow */
}

static void
reserve(BurrowOffsetSet *s, size_t nruns)
{
	size_t		allocated = s->allocated > 0 ? s->allocated : FIRST_ALLOCATION;

	if (nruns <= s->allocated)
		return;
	while (allocated < nruns)
		allocated *= 2;
	s->runs = s->resize(s->runs, allocated * sizeof(BurrowOffsetRun));
	s->allocated = allocated;
}

/* The index of the first run that ends at or after offset; nruns if none does. */
static size_t
find(const BurrowOffsetSet *s, int64_t offset)
{
	size_t		low = 0;
	size_t		high = s->nruns;

	while (low < high)
	{
		size_t		middle = low + (high - low) / 2;

		if (s->runs[middle].last < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void
burrow_offset_set_init(BurrowOffsetSet *s, void *(*resize) (void *, size_t))
{
	s->runs = NULL;
	s->nruns = 0;
	s->allocated = 0;
	s->resize = resize;
}

void
burrow_offset_set_reset(BurrowOffsetSet *s)
{
	if (s->runs != NULL)
		s->resize(s->runs, 0);
	burrow_offset_set_init(s, s->resize);
}

/*
 * Adds first..last; an empty range adds nothing.  O(1) at the end, where offsets
 * mostly come.
 */
void
burrow_offset_set_add(BurrowOffsetSet *s, int64_t first, int64_t last)
{
	size_t		from;
	size_t		to;

	if (first > last)
		return;

	/* runs from..to-1 overlap the new one or touch it */
	if (s->nruns == 0 || !touches(s->runs[s->nruns - 1].last, first))
		from = s->nruns;
	else
		from = find(s, first > INT64_MIN ? first - 1 : first);
	for (to = from; to < s->nruns && touches(last, s->runs[to].first); to++)
		;

	if (from == to)
	{
		reserve(s, s->nruns + 1);
		memmove(&s->runs[from + 1], &s->runs[from], (s->nruns - from) * sizeof(BurrowOffsetRun));
		s->runs[from] = (BurrowOffsetRun) {first, last};
		s->nruns++;
		return;
	}

	if (s->runs[from].first < first)
		first = s->runs[from].first;
	if (s->runs[to - 1].last > last)
		last = s->runs[to - 1].last;
	s->runs[from] = (BurrowOffsetRun) {first, last};
	memmove(&s->runs[from + 1], &s->runs[to], (s->nruns - to) * sizeof(BurrowOffsetRun));
	s->nruns -= to - from - 1;
}

void
burrow_offset_set_add_each(BurrowOffsetSet *s, const int64_t *offsets, size_t n)
{
	size_t		first = 0;

	for (size_t i = 1; i <= n; i++)
	{
		if (i < n && offsets[i] > offsets[i - 1] && offsets[i] - 1 == offsets[i - 1])
			continue;
		burrow_offset_set_add(s, offsets[first], offsets[i - 1]);
		first = i;
	}
}

/*
 * Merges from the end into the room behind, then joins forward what touches: in
 * place and in linear time.
 */
void
burrow_offset_set_union(BurrowOffsetSet *s, const BurrowOffsetSet *other)
{
	size_t		mine = s->nruns;
	size_t		theirs = other->nruns;
	size_t		out = mine + theirs;
	size_t		last = 0;

	if (theirs == 0 || s == other)
		return;
	reserve(s, out);
	s->nruns = out;
	while (theirs > 0)
	{
		if (mine > 0 && s->runs[mine - 1].first > other->runs[theirs - 1].first)
			s->runs[--out] = s->runs[--mine];
		else
			s->runs[--out] = other->runs[--theirs];
	}

	for (size_t i = 1; i < s->nruns; i++)
	{
		BurrowOffsetRun run = s->runs[i];

		if (!touches(s->runs[last].last, run.first))
			s->runs[++last] = run;
		else if (run.last > s->runs[last].last)
			s->runs[last].last = run.last;
	}
	s->nruns = last + 1;
}

void
burrow_offset_set_remove_below(BurrowOffsetSet *s, int64_t offset)
{
	size_t		keep = find(s, offset);

	if (keep > 0)
	{
		s->nruns -= keep;
		memmove(&s->runs[0], &s->runs[keep], s->nruns * sizeof(BurrowOffsetRun));
	}
	if (s->nruns > 0 && s->runs[0].first < offset)
		s->runs[0].first = offset;
}

bool
burrow_offset_set_contains(const BurrowOffsetSet *s, int64_t offset)
{
	size_t		i = find(s, offset);

	return i < s->nruns && s->runs[i].first <= offset;
}

int64_t
burrow_offset_set_next_missing(const BurrowOffsetSet *s, int64_t offset)
{
	size_t		i = find(s, offset);

	if (i < s->nruns && s->runs[i].first <= offset && s->runs[i].last < INT64_MAX)
		return s->runs[i].last + 1;
	return offset;
}

/* ---- bytes ---- */

static inline size_t
number_size(uint64_t n)
{
	size_t		size = 1;

	while (n >= 0x80)
	{
		n >>= 7;
		size++;
	}
	return size;
}

static inline uint8_t *
put_number(uint8_t *out, uint64_t n)
{
	while (n >= 0x80)
	{
		*out++ = (uint8_t) (n | 0x80);
		n >>= 7;
	}
	*out++ = (uint8_t) n;
	return out;
}

/*
 * Reads a number at *in and moves it on.  False: cut off, above 64 bits, or longer
 * than it need be (each number has one form, so equal sets have equal bytes).
 */
static bool
get_number(const uint8_t **in, const uint8_t *end, uint64_t *n)
{
	unsigned	shift = 0;
	uint8_t		byte;

	*n = 0;
	do
	{
		if (*in == end)
			return false;
		byte = *(*in)++;
		if (shift == 63 && byte > 1)
			return false;
		*n |= (uint64_t) (byte & 0x7F) << shift;
		shift += 7;
	} while (byte & 0x80);
	return byte != 0 || shift == 7;
}

/*
 * Run i as two numbers.  before: the end of the run before, base for the first.
 * Differences are taken as unsigned numbers, where they cannot overflow.
 *
 * What lies below base is left out: it is done by definition, and without this a
 * caller's slip would become bytes that cannot be read back.
 */
static inline void
run_numbers(const BurrowOffsetRun *run, bool is_first, int64_t before,
			uint64_t *distance, uint64_t *length)
{
	int64_t		first = run->first;

	if (is_first && first < before)
		first = before;
	*distance = (uint64_t) first - (uint64_t) before - (is_first ? 0 : 2);
	*length = (uint64_t) run->last - (uint64_t) first;
}

/* Bytes of run i, where that at start is the first. */
static inline size_t
run_size(const BurrowOffsetSet *s, size_t i, size_t start, int64_t base)
{
	uint64_t	distance;
	uint64_t	length;

	run_numbers(&s->runs[i], i == start, i == start ? base : s->runs[i - 1].last,
				&distance, &length);
	return number_size(distance) + number_size(length);
}

size_t
burrow_offset_set_encoded_size(const BurrowOffsetSet *s, int64_t base)
{
	size_t		start = find(s, base);
	size_t		size = 0;

	for (size_t i = start; i < s->nruns; i++)
		size += run_size(s, i, start, base);
	return size;
}

BurrowOffsetSet
burrow_offset_set_within(const BurrowOffsetSet *s, int64_t base, size_t room)
{
	size_t		start = find(s, base);
	size_t		size = 0;
	BurrowOffsetSet within = *s;

	for (within.nruns = start; within.nruns < s->nruns; within.nruns++)
	{
		size += run_size(s, within.nruns, start, base);
		if (size > room)
			break;
	}
	return within;
}

/* Returns the bytes written; 0, and nothing written, if there is not the room. */
size_t
burrow_offset_set_encode(const BurrowOffsetSet *s, int64_t base, uint8_t *out, size_t room)
{
	size_t		size = burrow_offset_set_encoded_size(s, base);
	size_t		start = find(s, base);
	uint8_t    *p = out;

	if (size > room)
		return 0;
	for (size_t i = start; i < s->nruns; i++)
	{
		uint64_t	distance;
		uint64_t	length;

		run_numbers(&s->runs[i], i == start, i == start ? base : s->runs[i - 1].last,
					&distance, &length);
		p = put_number(p, distance);
		p = put_number(p, length);
	}
	BURROW_CHECK((size_t) (p - out) == size);
	return size;
}

/*
 * Reads one run at *in and moves it on.  previous: the run before, NULL for the
 * first.  All arithmetic is on what is left up to INT64_MAX, so nothing overflows.
 */
static bool
get_run(const uint8_t **in, const uint8_t *end, int64_t base,
		const BurrowOffsetRun *previous, BurrowOffsetRun *run)
{
	int64_t		before = previous != NULL ? previous->last : base;
	uint64_t	left = (uint64_t) INT64_MAX - (uint64_t) before;
	uint64_t	distance;
	uint64_t	length;

	if (!get_number(in, end, &distance) || !get_number(in, end, &length))
		return false;
	if (previous != NULL)
	{
		if (left < 2)
			return false;
		left -= 2;
	}
	if (distance > left || length > left - distance)
		return false;
	left -= distance;
	run->first = (int64_t) ((uint64_t) INT64_MAX - left);
	run->last = (int64_t) ((uint64_t) INT64_MAX - (left - length));
	return true;
}

bool
burrow_offset_set_check(int64_t base, const uint8_t *in, size_t len)
{
	const uint8_t *end = in + len;
	BurrowOffsetRun run;
	const BurrowOffsetRun *previous = NULL;

	while (in < end)
	{
		if (!get_run(&in, end, base, previous, &run))
			return false;
		previous = &run;
	}
	return true;
}

bool
burrow_offset_set_decode(BurrowOffsetSet *s, int64_t base, const uint8_t *in, size_t len)
{
	const uint8_t *end = in + len;
	BurrowOffsetSet found;
	BurrowOffsetRun run;
	const BurrowOffsetRun *previous = NULL;

	if (!burrow_offset_set_check(base, in, len))
		return false;

	burrow_offset_set_init(&found, s->resize);
	while (in < end && get_run(&in, end, base, previous, &run))
	{
		burrow_offset_set_add(&found, run.first, run.last);
		previous = &run;
	}
	burrow_offset_set_union(s, &found);
	burrow_offset_set_reset(&found);
	return true;
}
