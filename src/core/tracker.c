/*
 * tracker.c
 *	  One partition's offset window; tracker.h has the contract.
 *
 * Runs in: the consumer, but for burrow_tracker_complete(), which is one atomic
 * store in a worker's commit callback.
 *
 * Owns: no memory.  The segments are the caller's; each is in exactly one of
 * three lists:
 *
 *		first..last		from the head's segment to the tail's
 *		retired			left by the head, and a worker still holds a message
 *		free			nobody's: the caller may take it back
 *
 * A worker that holds a message may still store its mark after the head has
 * passed the slot by another way (the consumer marked it, or the epoch was
 * closed).  That is why a segment with holds is retired and not free: a late mark
 * then goes into a slot that counts for nothing, never into one in use again.
 *
 * Locking: none.  A mark is a release store and is read by an acquire load, so
 * whoever sees it sees what the worker did before.  Everything else belongs to one
 * process.
 *
 * Two heads, because the slots should not wait for the disk: the ring is free as
 * soon as the work is done, and the few pairs that remember what is not flushed
 * yet are cheap.  One head that waits for the flush would need a window as deep as
 * the messages of a walwriter's round (some 100,000 at full speed).
 */
#include "core/tracker.h"

#include "core/check.h"
#include "core/offset.h"

#define SEGMENT_END(segment)	((segment)->base + BURROW_TRACKER_SEGMENT_SLOTS)

/* The segment has left the chain: it is free, or will be when nobody holds it. */
static void
give_back(BurrowTracker *t, BurrowTrackerSegment *segment)
{
	if (segment->holds > 0)
	{
		segment->next = t->retired;
		t->retired = segment;
	}
	else
	{
		segment->next = t->free;
		t->free = segment;
	}
}

static inline BurrowTrackerUnflushed *
unflushed_at(BurrowTracker *t, uint32_t i)
{
	return &t->unflushed[(t->unflushed_first + i) % BURROW_TRACKER_UNFLUSHED];
}

/* Let the durable head follow: drop the pairs that are durable by now. */
static void
pass_durable(BurrowTracker *t, uint64_t flushed)
{
	while (t->nunflushed > 0 && unflushed_at(t, 0)->lsn <= flushed)
	{
		t->durable_offset = unflushed_at(t, 0)->offset;
		t->unflushed_first = (t->unflushed_first + 1) % BURROW_TRACKER_UNFLUSHED;
		t->nunflushed--;
	}
}

/*
 * The done head is now at offset, and counts on head_lsn.
 *
 * head_lsn only grows, so the pairs are ascending in both fields, and if it is
 * durable, all pairs were (pass_durable() has run with the same LSN).  A commit that
 * is not above the newest pair's costs no pair of its own: a chunk's messages share
 * their LSN.  When there is no room the newest pair takes the offset in, at the
 * price of waiting for the later LSN; the older pairs still let it move meanwhile.
 */
static inline void
move_head(BurrowTracker *t, int64_t offset, uint64_t flushed)
{
	BurrowTrackerUnflushed *newest;

	/* never back, whatever comes after the end of the partition was noted */
	if (offset <= t->head_offset)
		return;
	t->head_offset = offset;

	if (t->head_lsn <= flushed)
	{
		BURROW_CHECK(t->nunflushed == 0);
		t->durable_offset = offset;
		return;
	}
	if (t->nunflushed > 0)
	{
		newest = unflushed_at(t, t->nunflushed - 1);
		if (newest->lsn == t->head_lsn || t->nunflushed == BURROW_TRACKER_UNFLUSHED)
		{
			newest->offset = offset;
			newest->lsn = t->head_lsn;
			return;
		}
	}
	newest = unflushed_at(t, t->nunflushed++);
	newest->offset = offset;
	newest->lsn = t->head_lsn;
}

void
burrow_tracker_init(BurrowTracker *t, int64_t start, uint64_t window)
{
	t->first = t->last = t->retired = t->free = NULL;
	t->head = t->tail = 0;
	t->window = window;
	t->last_offset = burrow_offset_before(start);
	t->head_offset = t->durable_offset = start;
	t->start_lsn = t->head_lsn = 0;
	t->has_end = false;
	t->end_arrival = 0;
	t->end_offset = 0;
	t->unflushed_first = t->nunflushed = 0;
}

/*
 * As if a message below the start had been taken and its commit had that LSN: head_lsn only
 * grows, so whatever the head passes later waits for it.
 */
void
burrow_tracker_count_on(BurrowTracker *t, int64_t told, uint64_t lsn)
{
	BURROW_CHECK(t->tail == 0 && t->nunflushed == 0 && t->head_lsn == 0);
	BURROW_CHECK(told <= t->head_offset && lsn > BURROW_SLOT_DONE);
	t->start_lsn = t->head_lsn = lsn;
	if (told == t->head_offset)
		return;
	t->durable_offset = told;
	t->unflushed[0] = (BurrowTrackerUnflushed) {t->head_offset, lsn};
	t->nunflushed = 1;
}

bool
burrow_tracker_has_room(const BurrowTracker *t)
{
	return t->tail - t->head < t->window;
}

bool
burrow_tracker_needs_segment(const BurrowTracker *t)
{
	return t->last == NULL || t->tail == SEGMENT_END(t->last);
}

/*
 * A segment that is not needed (the newest has room still, or the epoch is over)
 * is free at once.
 */
void
burrow_tracker_add_segment(BurrowTracker *t, BurrowTrackerSegment *segment)
{
	segment->next = NULL;
	segment->base = t->tail;
	segment->holds = 0;
	segment->whole = false;

	if (t->window == 0 || (t->last != NULL && t->tail < SEGMENT_END(t->last)))
		give_back(t, segment);
	else if (t->last == NULL)
		t->first = t->last = segment;
	else
	{
		t->last->next = segment;
		t->last = segment;
	}
}

BurrowTrackerBegin
burrow_tracker_begin(BurrowTracker *t, int64_t offset, BurrowTrackerRef *ref)
{
	BurrowTrackerSlot *slot;

	if (offset <= t->last_offset)
		return BURROW_TRACKER_REPEATED;
	if (!burrow_tracker_has_room(t))
		return BURROW_TRACKER_FULL;
	if (burrow_tracker_needs_segment(t))
		return BURROW_TRACKER_NEED_SEGMENT;

	ref->segment = t->last;
	ref->index = (uint32_t) (t->tail - t->last->base);
	slot = burrow_tracker_slot(*ref);
	slot->offset = offset;
	/* the queue that carries the message to its worker orders this store */
	atomic_store_explicit(&slot->state, BURROW_SLOT_PENDING, memory_order_relaxed);
	t->last_offset = offset;
	t->tail++;
	return BURROW_TRACKER_TAKEN;
}

void
burrow_tracker_pin(BurrowTracker *t, BurrowTrackerRef ref)
{
	(void) t;
	ref.segment->holds++;
}

/*
 * The walk is short: a retired segment is one whose messages are all marked, and
 * the result of one of them is still on its way to the consumer.
 */
void
burrow_tracker_release(BurrowTracker *t, BurrowTrackerRef ref)
{
	BurrowTrackerSegment *segment = ref.segment;

	BURROW_CHECK(segment->holds > 0);
	if (--segment->holds > 0)
		return;
	for (BurrowTrackerSegment **link = &t->retired; *link != NULL; link = &(*link)->next)
	{
		if (*link == segment)
		{
			*link = segment->next;
			give_back(t, segment);
			return;
		}
	}
}

void
burrow_tracker_found_done(BurrowTracker *t, BurrowTrackerRef ref)
{
	burrow_tracker_complete(burrow_tracker_slot(ref), t->start_lsn > 0 ? t->start_lsn : BURROW_SLOT_DONE);
}

void
burrow_tracker_record_end(BurrowTracker *t, int64_t end_offset)
{
	t->has_end = true;
	t->end_arrival = t->tail;
	t->end_offset = end_offset;
}

bool
burrow_tracker_advance(BurrowTracker *t, uint64_t flushed)
{
	int64_t		before = t->durable_offset;

	pass_durable(t, flushed);
	while (t->head < t->tail)
	{
		BurrowTrackerSegment *segment = t->first;
		BurrowTrackerSlot *slot = &segment->slots[t->head - segment->base];
		uint64_t	state = atomic_load_explicit(&slot->state, memory_order_acquire);

		if (state == BURROW_SLOT_PENDING)
			break;
		if (state != BURROW_SLOT_DONE && state > t->head_lsn)
			t->head_lsn = state;
		move_head(t, burrow_offset_after(slot->offset), flushed);
		if (++t->head == SEGMENT_END(segment))
		{
			t->first = segment->next;
			if (t->first == NULL)
				t->last = NULL;
			give_back(t, segment);
		}
	}
	if (t->has_end && t->head >= t->end_arrival)
	{
		t->has_end = false;
		move_head(t, t->end_offset, flushed);
	}
	return t->durable_offset > before;
}

int64_t
burrow_tracker_committable(const BurrowTracker *t)
{
	return t->durable_offset;
}

int64_t
burrow_tracker_head(const BurrowTracker *t)
{
	return t->head_offset;
}

int64_t
burrow_tracker_position(const BurrowTracker *t)
{
	return burrow_offset_after(t->last_offset);
}

uint64_t
burrow_tracker_flush_target(const BurrowTracker *t)
{
	return t->nunflushed > 0 ? t->head_lsn : 0;
}

uint64_t
burrow_tracker_highest_lsn(const BurrowTracker *t)
{
	const BurrowTrackerSegment *segment = t->first;
	uint64_t	highest = t->head_lsn;

	for (uint64_t arrival = t->head; arrival < t->tail; arrival++)
	{
		uint64_t	state;

		if (arrival == SEGMENT_END(segment))
			segment = segment->next;
		state = atomic_load_explicit(&segment->slots[arrival - segment->base].state, memory_order_acquire);
		if (state != BURROW_SLOT_DONE && state > highest)
			highest = state;
	}
	return highest;
}

uint64_t
burrow_tracker_depth(const BurrowTracker *t)
{
	return t->tail - t->head;
}

/*
 * Looks past messages that were marked since the last burrow_tracker_advance(), so
 * it may be called at any time.
 */
bool
burrow_tracker_oldest_pending(const BurrowTracker *t, int64_t *offset)
{
	const BurrowTrackerSegment *segment = t->first;

	for (uint64_t arrival = t->head; arrival < t->tail; arrival++)
	{
		BurrowTrackerSlot *slot;

		if (arrival == SEGMENT_END(segment))
			segment = segment->next;
		slot = &segment->slots[arrival - segment->base];
		if (!burrow_tracker_is_done(slot))
		{
			*offset = slot->offset;
			return true;
		}
	}
	return false;
}

/* The slots from one index to before another. */
static void
each_done_of(BurrowTrackerSegment *segment, uint32_t from, uint32_t to, uint64_t flushed,
			 void (*add) (void *arg, int64_t first, int64_t last), void *arg)
{
	bool		whole = from == 0 && to == BURROW_TRACKER_SEGMENT_SLOTS;
	uint64_t	highest = 0;
	int64_t		first = 0;
	int64_t		last = -1;

	for (uint32_t i = from; i < to; i++)
	{
		BurrowTrackerSlot *slot = &segment->slots[i];
		uint64_t	state = atomic_load_explicit(&slot->state, memory_order_acquire);

		if (state == BURROW_SLOT_PENDING || slot->offset != segment->slots[from].offset + (i - from))
			whole = false;
		if (state != BURROW_SLOT_PENDING && state != BURROW_SLOT_DONE && state > highest)
			highest = state;
		if (state == BURROW_SLOT_PENDING || (state != BURROW_SLOT_DONE && state > flushed))
			continue;
		if (last >= first && slot->offset == last + 1)
			last++;
		else
		{
			if (last >= first)
				add(arg, first, last);
			first = last = slot->offset;
		}
	}
	if (last >= first)
		add(arg, first, last);
	segment->whole = whole;
	segment->highest = highest;
}

void
burrow_tracker_each_done(BurrowTracker *t, uint64_t flushed,
						 void (*add) (void *arg, int64_t first, int64_t last), void *arg)
{
	uint64_t	arrival = t->head;

	for (BurrowTrackerSegment *segment = t->first; arrival < t->tail; segment = segment->next)
	{
		uint64_t	end = SEGMENT_END(segment) < t->tail ? SEGMENT_END(segment) : t->tail;

		/* the head may be at the end of the first */
		if (arrival >= end)
			continue;
		if (segment->whole && arrival == segment->base && segment->highest <= flushed)
			add(arg, segment->slots[0].offset, segment->slots[BURROW_TRACKER_SEGMENT_SLOTS - 1].offset);
		else
			each_done_of(segment, (uint32_t) (arrival - segment->base), (uint32_t) (end - segment->base),
						 flushed, add, arg);
		arrival = end;
	}
}

BurrowTrackerSegment *
burrow_tracker_take_free(BurrowTracker *t)
{
	BurrowTrackerSegment *segment = t->free;

	if (segment != NULL)
	{
		t->free = segment->next;
		segment->next = NULL;
	}
	return segment;
}

/*
 * Nothing is taken any more (a window of 0 is full), and what was pending is given
 * up.  The offsets stay, and those that wait for a flush only still become
 * committable by burrow_tracker_advance().  May be called again, to ask.
 */
bool
burrow_tracker_close(BurrowTracker *t)
{
	while (t->first != NULL)
	{
		BurrowTrackerSegment *segment = t->first;

		t->first = segment->next;
		give_back(t, segment);
	}
	t->last = NULL;
	t->head = t->tail;
	t->window = 0;
	t->has_end = false;
	return t->retired == NULL;
}
