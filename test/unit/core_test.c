/*
 * core_test.c
 *	  A randomized run through all core modules, to be built with ASan and UBSan.
 *
 * The property tests say whether the modules are right; this says whether they stay
 * within their memory while they are used hard: every input buffer is an allocation
 * of exactly its size, segments and items are freed as soon as they come back, and
 * at the end nothing is left.  What can be checked cheaply is checked as well.
 *
 * Usage: core_test [seed]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/frame.h"
#include "core/histogram.h"
#include "core/offset_metadata.h"
#include "core/offset_set.h"
#include "core/scheduler.h"
#include "core/start_position.h"
#include "core/tracker.h"

#define REQUIRE(condition) \
	((condition) ? (void) 0 : fail(__FILE__, __LINE__, #condition))

static uint64_t seed;
static uint64_t random_state;

_Noreturn static void
fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: not true: %s (seed %llu)\n", file, line, what,
			(unsigned long long) seed);
	abort();
}

/* xorshift64*: the same on every machine */
static uint64_t
random64(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * UINT64_C(0x2545F4914F6CDD1D);
}

static uint64_t
below(uint64_t n)
{
	return random64() % n;
}

static void *
allocate(size_t size)
{
	void	   *p = malloc(size);

	REQUIRE(p != NULL);
	return p;
}

static void *
resize(void *pointer, size_t size)
{
	if (size == 0)
	{
		free(pointer);
		return NULL;
	}
	pointer = realloc(pointer, size);
	REQUIRE(pointer != NULL);
	return pointer;
}

/* ---- tracker ---- */

#define TRACKED		5000

typedef struct Tracked
{
	BurrowTrackerRef ref;
	int64_t		offset;
	uint64_t	state;
	bool		held;
} Tracked;

static void
free_segments(BurrowTracker *t)
{
	BurrowTrackerSegment *segment;

	while ((segment = burrow_tracker_take_free(t)) != NULL)
	{
		REQUIRE(segment->holds == 0);
		free(segment->slots);
		free(segment);
	}
}

static void
add_segment(BurrowTracker *t)
{
	BurrowTrackerSegment *segment = allocate(sizeof(BurrowTrackerSegment));

	segment->slots = allocate(BURROW_TRACKER_SEGMENT_SLOTS * sizeof(BurrowTrackerSlot));
	burrow_tracker_add_segment(t, segment);
}

static void
count_done(void *arg, int64_t first, int64_t last)
{
	REQUIRE(first <= last);
	*(uint64_t *) arg += (uint64_t) (last - first + 1);
}

/* Below the committable offset all is done and durable; at the head nothing is. */
static void
check_heads(const BurrowTracker *t, const Tracked *all, size_t n, uint64_t flushed)
{
	int64_t		pending;

	REQUIRE(burrow_tracker_committable(t) <= burrow_tracker_head(t));
	for (size_t i = 0; i < n; i++)
	{
		if (all[i].offset < burrow_tracker_head(t))
			REQUIRE(all[i].state != BURROW_SLOT_PENDING);
		if (all[i].offset < burrow_tracker_committable(t))
			REQUIRE(all[i].state <= flushed);
	}
	if (burrow_tracker_oldest_pending(t, &pending))
		REQUIRE(pending >= burrow_tracker_head(t));
	else
		REQUIRE(n == 0 || burrow_tracker_depth(t) == 0 ||
				burrow_tracker_head(t) <= all[n - 1].offset + 1);
}

/* Let go of some messages in hand, or of all. */
static void
let_go(BurrowTracker *t, Tracked *all, size_t n, uint64_t one_in)
{
	for (size_t i = 0; i < n; i++)
	{
		if (all[i].held && below(one_in) == 0)
		{
			all[i].held = false;
			burrow_tracker_release(t, all[i].ref);
		}
	}
	free_segments(t);
}

static void
test_tracker(void)
{
	static Tracked all[TRACKED];
	BurrowTracker t;
	size_t		n = 0;
	uint64_t	lsn = 100;
	uint64_t	flushed = 100;
	uint64_t	window = below(4) == 0 ? 1 + below(20) : 1 + below(3000);
	int64_t		offset = (int64_t) below(1000);

	burrow_tracker_init(&t, offset, window);
	for (int step = 0; step < 30000 && n < TRACKED; step++)
	{
		uint64_t	what = below(100);

		if (what < 60)
		{
			BurrowTrackerRef ref;
			BurrowTrackerBegin result = burrow_tracker_begin(&t, offset, &ref);

			if (result == BURROW_TRACKER_NEED_SEGMENT)
			{
				add_segment(&t);
				result = burrow_tracker_begin(&t, offset, &ref);
			}
			REQUIRE((result == BURROW_TRACKER_TAKEN) == (result != BURROW_TRACKER_FULL));
			if (result == BURROW_TRACKER_TAKEN)
			{
				all[n] = (Tracked) {ref, offset, BURROW_SLOT_PENDING, below(3) == 0};
				if (all[n].held)
					burrow_tracker_pin(&t, ref);
				n++;
				offset += 1 + (int64_t) below(3);
				REQUIRE(burrow_tracker_begin(&t, offset - 4, &ref) == BURROW_TRACKER_REPEATED);
			}
		}
		else if (what < 95 && n > 0)
		{
			size_t		i = n - 1 - below(n < 200 ? n : 200);

			/* mostly the oldest, or the window stays full */
			if (below(2))
				for (i = 0; i < n - 1 && all[i].state != BURROW_SLOT_PENDING; i++)
					;
			if (all[i].state == BURROW_SLOT_PENDING)
			{
				all[i].state = below(10) == 0 ? BURROW_SLOT_DONE : (lsn += below(3));
				burrow_tracker_complete(burrow_tracker_slot(all[i].ref), all[i].state);
				REQUIRE(burrow_tracker_is_done(burrow_tracker_slot(all[i].ref)));
			}
		}
		else
		{
			flushed += below(lsn - flushed + 1);
			burrow_tracker_advance(&t, flushed);
			let_go(&t, all, n, 3);
			if (below(50) == 0)
				check_heads(&t, all, n, flushed);
		}
		if (below(500) == 0)
		{
			uint64_t	done = 0;

			burrow_tracker_record_end(&t, offset);
			burrow_tracker_each_done(&t, flushed, count_done, &done);
			REQUIRE(done <= burrow_tracker_depth(&t));
		}
	}
	if (below(2))
	{
		for (size_t i = 0; i < n; i++)
			if (all[i].state == BURROW_SLOT_PENDING)
				burrow_tracker_complete(burrow_tracker_slot(all[i].ref), ++lsn);
		burrow_tracker_record_end(&t, offset);
		burrow_tracker_advance(&t, lsn);
		REQUIRE(burrow_tracker_committable(&t) == offset);
		REQUIRE(burrow_tracker_flush_target(&t) == 0);
	}
	burrow_tracker_close(&t);
	free_segments(&t);
	let_go(&t, all, n, 1);
	REQUIRE(burrow_tracker_close(&t));
	REQUIRE(t.first == NULL && t.retired == NULL && t.free == NULL);
}

/* ---- scheduler ---- */

#define CHUNKS		16
#define PARTITIONS	5

typedef struct SchedTest
{
	BurrowScheduler *s;
	BurrowSchedulerPartition *partitions[PARTITIONS];
	BurrowSchedulerItem *chunks[CHUNKS];
	bool		dead[CHUNKS];	/* of a partition that was removed */
	uint64_t	added;
	uint64_t	gone;
} SchedTest;

static void
drop_item(void *arg, BurrowSchedulerItem *item)
{
	((SchedTest *) arg)->gone++;
	free(item);
}

static void
finish_item(SchedTest *test, BurrowSchedulerItem *item)
{
	burrow_scheduler_finish(test->s, item);
	test->gone++;
	free(item);
}

/* No order of the chunk is in another chunk, and each comes as it arrived. */
static void
check_chunk(const SchedTest *test, const BurrowSchedulerItem *chunk)
{
	for (const BurrowSchedulerItem *i = chunk; i != NULL; i = i->next)
	{
		REQUIRE(i->partition == chunk->partition);
		REQUIRE(!i->alone || (i == chunk && i->next == NULL));
		if (!i->ordered)
			continue;
		for (const BurrowSchedulerItem *j = i->next; j != NULL; j = j->next)
			REQUIRE(!j->ordered || j->order != i->order || j->arrival > i->arrival);
		for (int k = 0; k < CHUNKS; k++)
			for (const BurrowSchedulerItem *j = test->chunks[k]; j != NULL; j = j->next)
				REQUIRE(!j->ordered || j->order != i->order || j->partition != i->partition);
	}
}

/* Some of a chunk is finished, the rest put back, newest first or oldest first. */
static void
end_chunk(SchedTest *test, int k)
{
	BurrowSchedulerItem *item = test->chunks[k];
	BurrowSchedulerItem *back = NULL;
	bool		newest_first = below(2);

	test->chunks[k] = NULL;
	while (item != NULL)
	{
		BurrowSchedulerItem *next = item->next;

		if (test->dead[k] || below(4) > 0)
			finish_item(test, item);
		else if (newest_first)
		{
			item->next = back;
			back = item;
		}
		else
			burrow_scheduler_put_back(test->s, item);
		item = next;
	}
	while (back != NULL)
	{
		item = back;
		back = item->next;
		burrow_scheduler_put_back(test->s, item);
	}
}

static void
replace_partition(SchedTest *test, size_t which)
{
	BurrowSchedulerPartition *p = test->partitions[which];

	for (int k = 0; k < CHUNKS; k++)
		if (test->chunks[k] != NULL && test->chunks[k]->partition == p)
			test->dead[k] = true;
	burrow_scheduler_remove_partition(test->s, p, drop_item, test);
	test->partitions[which] = burrow_scheduler_add_partition(test->s);
}

static void
test_scheduler(void)
{
	SchedTest	test = {.s = burrow_scheduler_create(allocate, free)};
	uint64_t	orders = 1 + below(below(2) ? 10 : 20000);
	uint64_t	backlog = 1 + below(5000);

	for (size_t i = 0; i < PARTITIONS; i++)
		test.partitions[i] = burrow_scheduler_add_partition(test.s);
	for (int step = 0; step < 20000; step++)
	{
		int			k = (int) below(CHUNKS);

		for (uint64_t n = below(20); n > 0 && test.added - test.gone < backlog; n--)
		{
			BurrowSchedulerItem *item = allocate(sizeof(BurrowSchedulerItem));

			item->ordered = below(5) > 0;
			item->alone = below(20) == 0;
			item->order = below(orders);
			item->bytes = (uint32_t) below(100);
			item->kind = below(10) == 0;
			burrow_scheduler_add(test.s, test.partitions[below(PARTITIONS)], item);
			test.added++;
		}
		if (test.chunks[k] != NULL)
			end_chunk(&test, k);
		else
		{
			uint32_t	n;
			BurrowSchedulerItem *chunk =
				burrow_scheduler_pick(test.s, (BurrowSchedulerLimits) {1 + (uint32_t) below(10), below(400)}, &n);

			REQUIRE((chunk == NULL) == (n == 0));
			check_chunk(&test, chunk);
			test.chunks[k] = chunk;
			test.dead[k] = false;
		}
		if (below(1000) == 0)
			replace_partition(&test, below(PARTITIONS));
		REQUIRE(burrow_scheduler_ready(test.s) + burrow_scheduler_blocked(test.s) +
				burrow_scheduler_in_hand(test.s) == test.added - test.gone);
	}
	for (size_t i = 0; i < PARTITIONS; i++)
		replace_partition(&test, i);
	REQUIRE(burrow_scheduler_ready(test.s) + burrow_scheduler_blocked(test.s) == 0);
	for (int k = 0; k < CHUNKS; k++)
		end_chunk(&test, k);
	REQUIRE(burrow_scheduler_in_hand(test.s) == 0 && test.added == test.gone);
	burrow_scheduler_destroy(test.s);
}

/* Destroyed with everything in it: only the items are the caller's. */
static void
test_scheduler_destroy(void)
{
	BurrowScheduler *s = burrow_scheduler_create(allocate, free);
	BurrowSchedulerPartition *p = burrow_scheduler_add_partition(s);
	BurrowSchedulerItem items[200];
	uint32_t	n;

	for (size_t i = 0; i < 200; i++)
	{
		items[i] = (BurrowSchedulerItem) {.order = i % 50, .ordered = i % 3 != 0};
		burrow_scheduler_add(s, p, &items[i]);
	}
	burrow_scheduler_pick(s, (BurrowSchedulerLimits) {70, UINT64_MAX}, &n);
	REQUIRE(n == 70);
	burrow_scheduler_finish(s, &items[0]);
	burrow_scheduler_destroy(s);
}

/* ---- offset sets and metadata ---- */

#define BITS	2000

static void
random_set(BurrowOffsetSet *s, bool *bits)
{
	memset(bits, 0, BITS * sizeof(bool));
	burrow_offset_set_init(s, resize);
	for (uint64_t n = below(200); n > 0; n--)
	{
		size_t		first = below(BITS);
		size_t		last = first + below(below(4) ? 3 : 60);

		if (last >= BITS)
			last = BITS - 1;
		burrow_offset_set_add(s, (int64_t) first, (int64_t) last);
		for (size_t i = first; i <= last; i++)
			bits[i] = true;
	}
}

static void
check_set(const BurrowOffsetSet *s, const bool *bits)
{
	for (size_t i = 0; i < BITS; i++)
		REQUIRE(burrow_offset_set_contains(s, (int64_t) i) == bits[i]);
	for (size_t i = 1; i < s->nruns; i++)
		REQUIRE(s->runs[i].first > s->runs[i - 1].last + 1);
}

static void
test_offset_set(void)
{
	BurrowOffsetSet a;
	BurrowOffsetSet b;
	bool		a_bits[BITS];
	bool		b_bits[BITS];
	int64_t		cut = (int64_t) below(BITS);
	size_t		size;
	uint8_t    *bytes;

	random_set(&a, a_bits);
	random_set(&b, b_bits);
	check_set(&a, a_bits);
	burrow_offset_set_union(&a, &b);
	for (size_t i = 0; i < BITS; i++)
		a_bits[i] |= b_bits[i];
	check_set(&a, a_bits);

	size = burrow_offset_set_encoded_size(&a, cut);
	bytes = allocate(size + 1);
	bytes = resize(bytes, size > 0 ? size : 1);
	REQUIRE(burrow_offset_set_encode(&a, cut, bytes, size) == size);
	burrow_offset_set_remove_below(&b, cut);
	REQUIRE(burrow_offset_set_decode(&b, cut, bytes, size));
	burrow_offset_set_remove_below(&a, cut);
	memset(a_bits, 0, (size_t) cut * sizeof(bool));
	check_set(&a, a_bits);
	check_set(&b, a_bits);

	/* and changed bytes */
	for (int i = 0; i < 20 && size > 0; i++)
	{
		bytes[below(size)] = (uint8_t) random64();
		burrow_offset_set_decode(&b, (int64_t) (random64() >> 1), bytes, size);
	}
	free(bytes);
	burrow_offset_set_reset(&a);
	burrow_offset_set_reset(&b);
}

static void
test_metadata(void)
{
	static const char uuid[] = "0b5e9c1a-7f2d-4e3b-9a68-1c2d3e4f5a6b";
	BurrowOffsetMetadata m = {.delivery = below(2) ? BURROW_EXACTLY_ONCE : BURROW_AT_LEAST_ONCE};
	BurrowOffsetMetadata found;
	BurrowOffsetSet done;
	BurrowOffsetSet out;
	bool		bits[BITS];
	size_t		room = BURROW_OFFSET_METADATA_MIN + 1 + below(800);
	char	   *text = allocate(room);
	bool		with_runs;
	size_t		len;

	memcpy(m.uuid, uuid, sizeof(uuid));
	random_set(&done, bits);
	burrow_offset_set_init(&out, resize);
	len = burrow_offset_metadata_encode(&m, &done, 0, text, room, &with_runs);
	REQUIRE(len < room && text[len] == '\0');
	text = resize(text, len);
	REQUIRE(burrow_offset_metadata_decode(text, len, 0, &found, &out));
	REQUIRE(found.delivery == m.delivery && strcmp(found.uuid, uuid) == 0);
	if (with_runs)
		check_set(&out, bits);
	else
		REQUIRE(out.nruns < done.nruns);
	for (size_t i = 0; i < out.nruns; i++)
		REQUIRE(out.runs[i].first == done.runs[i].first && out.runs[i].last == done.runs[i].last);
	REQUIRE(burrow_start_position_classify(true, &found, uuid) != BURROW_START_COMMIT_OTHER);

	for (int i = 0; i < 50; i++)
	{
		char		was;
		size_t		where = below(len);
		size_t		cut = below(2) ? len : below(len);
		char	   *copy;

		was = text[where];
		text[where] = below(2) ? (char) random64() : (char) (' ' + below(95));
		copy = allocate(cut > 0 ? cut : 1);
		memcpy(copy, text, cut);
		burrow_offset_metadata_decode(copy, cut, (int64_t) (random64() >> 1), &found,
									  below(2) ? &out : NULL);
		free(copy);
		text[where] = was;
	}
	free(text);
	burrow_offset_set_reset(&done);
	burrow_offset_set_reset(&out);
}

/* ---- frame ---- */

static size_t
random_chunk(char **frame)
{
	uint32_t	n = 1 + (uint32_t) below(4);
	uint32_t	topic_len = 1 + (uint32_t) below(20);
	size_t		room = 4096;
	size_t		used = sizeof(BurrowChunkHeader) + BURROW_FRAME_ALIGN(topic_len);
	BurrowChunkHeader *header = allocate(room);

	memset(header, 0, room);
	*header = (BurrowChunkHeader) {.magic = BURROW_CHUNK_MAGIC, .nmessages = n, .topic_len = topic_len};
	for (uint32_t i = 0; i < n; i++)
	{
		BurrowMessageHeader *m = (BurrowMessageHeader *) ((char *) header + used);
		bool		headers = below(2);
		char	   *p;

		m->key_len = (uint32_t) below(40);
		m->value_len = (uint32_t) below(200);
		m->nheaders = headers ? 2 : 0;
		m->headers_len = headers ? (uint32_t) (burrow_frame_header_size(3, -1) +
											   burrow_frame_header_size(5, 7)) : 0;
		m->flags = BURROW_MESSAGE_HAS_KEY | BURROW_MESSAGE_HAS_VALUE;
		m->total = (uint32_t) burrow_frame_message_size(m->key_len, m->value_len, m->headers_len);
		memset(burrow_frame_key(m), 'k', m->key_len);
		memset(burrow_frame_value(m), 'v', m->value_len);
		burrow_frame_end_value(m);
		p = burrow_frame_headers(m);
		if (headers)
		{
			p = burrow_frame_put_header(p, "abc", 3, NULL, -1);
			p = burrow_frame_put_header(p, "defgh", 5, "1234567", 7);
		}
		REQUIRE(p == burrow_frame_headers(m) + m->headers_len);
		used += m->total;
	}
	*frame = resize(header, used);
	return used;
}

static uint64_t
sum_bytes(const char *p, size_t n)
{
	uint64_t	sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (unsigned char) p[i];
	return sum;
}

/* Makes sure that what was read counts as used. */
static volatile uint64_t sink;

/* Reads every byte that a chunk is said to have; false if it is malformed. */
static bool
read_everything(const char *frame, size_t len)
{
	BurrowChunkReader r;
	BurrowMessageView m;
	BurrowHeaderView h;

	if (!burrow_frame_read_chunk(&r, frame, len))
		return false;
	sink += sum_bytes(r.topic, r.header->topic_len);
	for (uint32_t i = 0; i < r.header->nmessages; i++)
	{
		const char *p;

		if (!burrow_frame_next_message(&r, &m))
			return false;
		if (m.key != NULL)
			sink += sum_bytes(m.key, m.header->key_len);
		if (m.value != NULL)
			sink += sum_bytes(m.value, m.header->value_len);
		p = m.headers;
		for (uint32_t k = 0; k < m.header->nheaders; k++)
		{
			if (!burrow_frame_get_header(&p, m.headers + m.header->headers_len, &h))
				return false;
			sink += sum_bytes(h.name, h.name_len);
			if (h.value != NULL)
				sink += sum_bytes(h.value, (size_t) h.value_len);
		}
	}
	return burrow_frame_at_end(&r);
}

static void
change_bytes(char *bytes, size_t len)
{
	for (uint64_t n = 1 + below(4); n > 0; n--)
	{
		static const uint32_t edges[] = {0, 1, 7, 8, 64, 255, 0x7FFFFFFF, 0x80000000,
			0xFFFFFFF8, 0xFFFFFFFF};

		if (below(2) || len < 4)
			bytes[below(len)] = (char) random64();
		else
			memcpy(bytes + below(len / 4) * 4, &edges[below(10)], 4);
	}
}

static void
test_frame(void)
{
	char	   *frame;
	size_t		len = random_chunk(&frame);

	REQUIRE(read_everything(frame, len));
	for (int i = 0; i < 60; i++)
	{
		size_t		cut = below(3) ? len : below(len + 1);
		char	   *copy = allocate(cut > 0 ? cut : 1);

		memcpy(copy, frame, cut);
		if (cut > 0 && below(4))
			change_bytes(copy, cut);
		else if (cut < len)
			REQUIRE(!read_everything(copy, cut));
		read_everything(copy, cut);
		burrow_frame_read_failure(copy, cut);
		burrow_frame_read_result_chunk(copy, cut);
		free(copy);
	}
	free(frame);
}

static void
test_results(void)
{
	char		text[BURROW_FAILURE_TEXT_MAX + 100];
	char	   *buf = allocate(BURROW_FAILURE_SIZE_MAX);
	size_t		len;

	memset(text, 'x', sizeof(text));
	text[below(sizeof(text))] = '\0';
	text[sizeof(text) - 1] = '\0';
	len = burrow_frame_put_failure(buf, 1, 2, "22P02", 2, false, text, below(2) ? text : NULL,
								   below(2) ? text : NULL, text);
	buf = resize(buf, len);
	REQUIRE(burrow_frame_read_failure(buf, len) == (void *) buf);
	REQUIRE(burrow_frame_read_failure(buf, len - 1) == NULL);
	for (int i = 0; i < 20; i++)
	{
		const BurrowResultFailure *f;
		const BurrowResultChunk *c;

		change_bytes(buf, len < 40 ? len : 40);
		if ((f = burrow_frame_read_failure(buf, len)) != NULL)
			REQUIRE(sizeof(*f) + f->message_len + f->detail_len + f->hint_len + f->context_len == len);
		if ((c = burrow_frame_read_result_chunk(buf, len)) != NULL)
			REQUIRE(sizeof(*c) + c->nmessages * sizeof(c->results[0]) == len);
	}
	free(buf);
}

/* ---- the rest ---- */

static void
test_histogram(void)
{
	BurrowHistogram *h = allocate(sizeof(BurrowHistogram));
	double		last = 0;

	burrow_histogram_reset(h);
	REQUIRE(burrow_histogram_percentile(h, 0.5) < 0);
	for (int i = 0; i < 1000; i++)
		burrow_histogram_add(h, random64() >> below(64));
	REQUIRE(burrow_histogram_count(h) == 1000);
	for (int i = 0; i <= 100; i++)
	{
		double		p = burrow_histogram_percentile(h, i / 100.0);

		REQUIRE(p >= last);
		last = p;
	}
	free(h);
}

static void
test_start_position(void)
{
	for (int i = 0; i < 100; i++)
	{
		BurrowStartPositionInput in = {
			.commit = (BurrowStartCommit) below(5), .committed = (int64_t) below(10),
			.has_row = below(2), .low = (int64_t) below(10),
			.delivery = below(2) ? BURROW_EXACTLY_ONCE : BURROW_AT_LEAST_ONCE,
			.group_has_others = below(2)
		};
		BurrowStartPosition out = burrow_start_position_decide(&in);

		REQUIRE(out.offset == -1 || out.offset == in.committed || out.offset == in.low);
	}
}

int
main(int argc, char **argv)
{
	static void (*const tests[]) (void) = {
		test_tracker, test_scheduler, test_scheduler_destroy, test_offset_set, test_metadata,
		test_frame, test_results, test_histogram, test_start_position
	};
	static const int rounds[] = {60, 20, 1, 1000, 1000, 10000, 2000, 50, 50};

	seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 20240607;
	random_state = seed * 2 + 1;
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
	{
		for (int round = 0; round < rounds[i]; round++)
			tests[i] ();
	}
	printf("core_test: ok (seed %llu)\n", (unsigned long long) seed);
	return 0;
}
