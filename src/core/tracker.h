/*
 * tracker.h
 *	  One partition's offset window: which messages were taken, which are done,
 *	  and how far Kafka's committed offset may move.
 *
 * Pure: no PostgreSQL, no Kafka, no clock, no allocation.  The caller hands in
 * segments of slots (in dynamic shared memory) and takes them back when the
 * head has left them and nobody holds a message of theirs.
 *
 * Slots are in order of arrival, so a hole in the offsets (compaction,
 * transaction markers) costs nothing.  The consumer is the only process that
 * calls anything here, but for burrow_tracker_complete(), which a worker calls
 * from its commit callback on the slot that it was given.
 *
 * Two heads.  The *done head* passes a slot as soon as it is done; the slot is
 * free from then on.  The *durable head* follows when the write-ahead log is
 * flushed up to every commit that the done head has counted on; pairs (offset,
 * highest LSN) wait for that in a small queue.  Only the durable head is
 * committable.
 *
 * What was done before this epoch counts on an LSN, too: that with which what was
 * read of it is durable.  All heads of the epoch count on it, and each message that
 * comes and is found to be done already.  So the committable offset is the one
 * answer to the question what Kafka may be told, from the epoch's first moment.
 */
#ifndef BURROW_CORE_TRACKER_H
#define BURROW_CORE_TRACKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "the marks need lock-free 64-bit atomics");

/* Values of a slot's state; any other value is the LSN of the commit. */
#define BURROW_SLOT_PENDING		UINT64_C(0)
#define BURROW_SLOT_DONE		UINT64_C(1) /* done, and nothing to flush */

#define BURROW_TRACKER_SEGMENT_SLOTS	256

/* Pairs that wait to be durable.  When full, the newest pair is widened. */
#define BURROW_TRACKER_UNFLUSHED	64

/* In shared memory.  16 bytes. */
typedef struct BurrowTrackerSlot
{
	int64_t		offset;			/* consumer, before the slot is handed to a worker */
	_Atomic uint64_t state;		/* consumer sets PENDING; the worker that holds the message stores
								 * the mark, once; no lock needed: one writer at a time,
								 * release/acquire */
} BurrowTrackerSlot;

/* Private to the consumer: describes one segment of slots. */
typedef struct BurrowTrackerSegment
{
	struct BurrowTrackerSegment *next;
	BurrowTrackerSlot *slots;	/* BURROW_TRACKER_SEGMENT_SLOTS of them */
	uint64_t	handle;			/* the caller's name for the slots in other processes; not looked
								 * at here */
	uint64_t	base;			/* arrival number of slots[0] */
	uint32_t	holds;			/* messages of this segment in a worker's hands */
	bool		whole;			/* all slots are known to be done, and their offsets follow each
								 * other */
	uint64_t	highest;		/* LSN of a whole one */
} BurrowTrackerSegment;

/* Names one taken message. */
typedef struct BurrowTrackerRef
{
	BurrowTrackerSegment *segment;
	uint32_t	index;
} BurrowTrackerRef;

typedef struct BurrowTrackerUnflushed
{
	int64_t		offset;			/* committable once lsn is durable */
	uint64_t	lsn;
} BurrowTrackerUnflushed;

typedef struct BurrowTracker
{
	/* oldest to newest; head lies in the first, tail in the last */
	BurrowTrackerSegment *first;
	BurrowTrackerSegment *last;
	BurrowTrackerSegment *retired;	/* left by the head, still held */
	BurrowTrackerSegment *free; /* to be taken back by the caller */
	uint64_t	head;			/* arrival number of the oldest message pending */
	uint64_t	tail;			/* arrival number of the next message taken */
	uint64_t	window;			/* most messages from head to tail */
	int64_t		last_offset;	/* newest offset taken, or start - 1 */
	int64_t		head_offset;	/* all below it is done */
	uint64_t	start_lsn;		/* what was done before this epoch counts on it; 0: nothing was */
	uint64_t	head_lsn;		/* highest LSN that head_offset counts on; not below start_lsn */
	int64_t		durable_offset; /* all below it is done and durable */
	bool		has_end;
	uint64_t	end_arrival;	/* messages taken when the end was noted */
	int64_t		end_offset;		/* position at the partition's end, then */
	uint32_t	unflushed_first;
	uint32_t	nunflushed;
	BurrowTrackerUnflushed unflushed[BURROW_TRACKER_UNFLUSHED];
} BurrowTracker;

typedef enum BurrowTrackerBegin
{
	BURROW_TRACKER_TAKEN,
	BURROW_TRACKER_FULL,		/* the window is full: backpressure */
	BURROW_TRACKER_REPEATED,	/* offset not above the last taken: drop it */
	BURROW_TRACKER_NEED_SEGMENT /* call burrow_tracker_add_segment() first */
} BurrowTrackerBegin;

/* start: the offset of the first message that may come; it is committable. */
extern void burrow_tracker_init(BurrowTracker *t, int64_t start, uint64_t window);

/*
 * To be called next, if what was done before is known from a place that has to be durable with
 * lsn itself: all below told (not above start) may be committed at once, whatever lies beyond
 * only when lsn is durable.
 */
extern void burrow_tracker_count_on(BurrowTracker *t, int64_t told, uint64_t lsn);

/* Room for one more message within the window? */
extern bool burrow_tracker_has_room(const BurrowTracker *t);

/* Would the next message need another segment? */
extern bool burrow_tracker_needs_segment(const BurrowTracker *t);

/* Append an empty segment.  The tracker owns the descriptor until it comes
 * back through burrow_tracker_take_free(). */
extern void burrow_tracker_add_segment(BurrowTracker *t, BurrowTrackerSegment *segment);

/* Take a message: a slot in arrival order.  O(1). */
extern BurrowTrackerBegin burrow_tracker_begin(BurrowTracker *t, int64_t offset,
											   BurrowTrackerRef *ref);

static inline BurrowTrackerSlot *
burrow_tracker_slot(BurrowTrackerRef ref)
{
	return &ref.segment->slots[ref.index];
}

/* A worker has, or no longer has, this message in its hands. */
extern void burrow_tracker_pin(BurrowTracker *t, BurrowTrackerRef ref);
extern void burrow_tracker_release(BurrowTracker *t, BurrowTrackerRef ref);

/* Any process: mark done.  lsn: BURROW_SLOT_DONE or the commit's LSN. */
static inline void
burrow_tracker_complete(BurrowTrackerSlot *slot, uint64_t lsn)
{
	atomic_store_explicit(&slot->state, lsn, memory_order_release);
}

static inline bool
burrow_tracker_is_done(BurrowTrackerSlot *slot)
{
	return atomic_load_explicit(&slot->state, memory_order_acquire) != BURROW_SLOT_PENDING;
}

/* The message was done before this epoch: it counts on what that counts on. */
extern void burrow_tracker_found_done(BurrowTracker *t, BurrowTrackerRef ref);

/* The partition's end was reached at this position: when all that was taken so
 * far is done, the position is committable though no message is there. */
extern void burrow_tracker_record_end(BurrowTracker *t, int64_t end_offset);

/* Move the heads.  flushed: the durable LSN.  True if the durable head moved.
 * O(1) amortised. */
extern bool burrow_tracker_advance(BurrowTracker *t, uint64_t flushed);

/* The offset to commit to Kafka (next to read): all below is done and durable. */
extern int64_t burrow_tracker_committable(const BurrowTracker *t);

/* All below is done, durable or not (next to read). */
extern int64_t burrow_tracker_head(const BurrowTracker *t);

/* The LSN to flush so that committable reaches head; 0 when it has. */
extern uint64_t burrow_tracker_flush_target(const BurrowTracker *t);

/* The highest LSN of all that is done, beyond the head too; 0: nothing was to be flushed.
 * Looks at every slot. */
extern uint64_t burrow_tracker_highest_lsn(const BurrowTracker *t);

/* The offset to take next: all below it is taken, or there is no such message. */
extern int64_t burrow_tracker_position(const BurrowTracker *t);

/* Messages taken and not passed by the done head. */
extern uint64_t burrow_tracker_depth(const BurrowTracker *t);

/* The oldest message pending; false if none is. */
extern bool burrow_tracker_oldest_pending(const BurrowTracker *t, int64_t *offset);

/* Calls add(arg, first, last) for the messages beyond the done head that are done and
 * durable, in order of arrival; a run of consecutive offsets may come in pieces.  What
 * is known to be done as a whole is not looked at again: O(segments) then. */
extern void burrow_tracker_each_done(BurrowTracker *t, uint64_t flushed,
									 void (*add) (void *arg, int64_t first, int64_t last), void *arg);

/* Take back a segment that is no longer needed; NULL if there is none. */
extern BurrowTrackerSegment *burrow_tracker_take_free(BurrowTracker *t);

/* The epoch is over: all segments become free as soon as nobody holds a message
 * of theirs.  True when no message is held. */
extern bool burrow_tracker_close(BurrowTracker *t);

#endif							/* BURROW_CORE_TRACKER_H */
