/*
 * scheduler.h
 *	  Which messages may run now, in which chunk.
 *
 * Pure: no PostgreSQL, no Kafka, no clock.  Memory comes from the two functions
 * given at creation.  Messages are the caller's: each embeds a BurrowSchedulerItem.
 *
 * A message has an order: a 64-bit number within its partition (the hash of its
 * key; one constant for the whole partition; or none, when it is free).  At most
 * one chunk at a time holds messages of an order, and within an order messages
 * are picked as they came.  Several messages of one order may share a chunk.
 * A chunk stays within one partition, and its items are of one kind.  Partitions
 * take turns.
 *
 * An item is *ready* (could be picked now), *blocked* (its order is held by
 * somebody, or waits for its first item's return) or *in hand* (picked).
 */
#ifndef BURROW_CORE_SCHEDULER_H
#define BURROW_CORE_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct BurrowScheduler BurrowScheduler;
typedef struct BurrowSchedulerPartition BurrowSchedulerPartition;

typedef struct BurrowSchedulerItem
{
	/* set by the caller before burrow_scheduler_add() */
	uint64_t	order;			/* looked at only if ordered */
	bool		ordered;
	bool		alone;			/* shares its chunk with no other; may be set while in hand too */
	uint8_t		kind;			/* what may share a chunk */
	uint32_t	bytes;			/* what it counts for in a chunk's byte limit */
	/* the scheduler's */
	struct BurrowSchedulerItem *next;
	BurrowSchedulerPartition *partition;
	struct BurrowSchedulerOrder *record;	/* NULL if not ordered */
	uint64_t	arrival;
} BurrowSchedulerItem;

typedef struct BurrowSchedulerLimits
{
	uint32_t	messages;		/* most messages in the chunk, at least 1 */
	uint64_t	bytes;			/* most bytes; one message is always allowed */
} BurrowSchedulerLimits;

/* allocate must not return NULL (it may leave by longjmp). */
extern BurrowScheduler *burrow_scheduler_create(void *(*allocate) (size_t size),
												void (*release) (void *pointer));
extern void burrow_scheduler_destroy(BurrowScheduler *s);

extern BurrowSchedulerPartition *burrow_scheduler_add_partition(BurrowScheduler *s);

/* Unlinks every item that is not in hand and calls drop(arg, item) on each.  The
 * partition itself is freed at once if nothing of it is in hand, else with the
 * last burrow_scheduler_finish() of its items. */
extern void burrow_scheduler_remove_partition(BurrowScheduler *s, BurrowSchedulerPartition *p,
											  void (*drop) (void *arg, BurrowSchedulerItem *item), void *arg);

/* A message has come. */
extern void burrow_scheduler_add(BurrowScheduler *s, BurrowSchedulerPartition *p, BurrowSchedulerItem *item);

/* The same, but it comes before all that waits in its order; a free one as any other. */
extern void burrow_scheduler_add_first(BurrowScheduler *s, BurrowSchedulerPartition *p, BurrowSchedulerItem *item);

/* Pick a chunk: a list linked by next, of one partition; NULL if nothing is ready.
 * Sets *n.  The oldest message ready comes first, and with it what waits in its
 * order, as it came; then the oldest of the rest, up to the limits, or to one of
 * another kind.  An item that is to be alone is a chunk by itself.  Items are in hand
 * until finished or put back; one that waits for its retry stays in hand, and so holds
 * its order. */
extern BurrowSchedulerItem *burrow_scheduler_pick(BurrowScheduler *s, BurrowSchedulerLimits limits, uint32_t *n);

/* In hand -> gone (done, dead-lettered, skipped).  Its order goes on. */
extern void burrow_scheduler_finish(BurrowScheduler *s, BurrowSchedulerItem *item);

/* In hand -> waiting again, in its old place: before all others of its order that
 * wait, and (free or not) before what came later.  O(1) if the items of one order
 * are put back newest first, which those that came first must be.  Not for items of a removed partition: finish those. */
extern void burrow_scheduler_put_back(BurrowScheduler *s, BurrowSchedulerItem *item);

/* What is waiting and what runs. */
extern uint64_t burrow_scheduler_ready(const BurrowScheduler *s);
extern uint64_t burrow_scheduler_blocked(const BurrowScheduler *s);
extern uint64_t burrow_scheduler_in_hand(const BurrowScheduler *s);
extern uint64_t burrow_scheduler_partition_in_hand(const BurrowSchedulerPartition *p);

#endif							/* BURROW_CORE_SCHEDULER_H */
