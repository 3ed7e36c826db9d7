/*
 * history.h
 *	  What each subscription did in the last hour, in steps of ten seconds.
 *
 * A ring of about 14 kB for each subscription slot, in main shared memory.  Its only
 * writer is the subscription's consumer: so a step without one, or in which it could not do anything
 * else, is a gap, and is told apart from one in which nothing was done.
 */
#ifndef BURROW_SHMEM_HISTORY_H
#define BURROW_SHMEM_HISTORY_H

#include "utils/timestamp.h"

#include "burrow.h"

#define BURROW_HISTORY_STEP_US	INT64CONST(10000000)
#define BURROW_HISTORY_STEPS	360

/* Counters that it keeps. */
typedef enum BurrowHistoryCounter
{
	BURROW_HISTORY_PROCESSED,
	BURROW_HISTORY_FAILED,
	BURROW_HISTORY_DEAD_LETTERED,
	BURROW_HISTORY_PARKED,
	BURROW_HISTORY_SKIPPED,
	BURROW_HISTORY_NCOUNTERS
}			BurrowHistoryCounter;

/* One step, as it is read. */
typedef struct BurrowHistoryStep
{
	TimestampTz at;				/* when it began */
	bool		known;			/* false: a gap, and the rest says nothing */
	uint32		counts[BURROW_HISTORY_NCOUNTERS];	/* in this step */
	int64		lag;			/* at its end; -1: not known */
	int64		lag_us;			/* the same */
}			BurrowHistoryStep;

extern Size burrow_history_shmem_size(void);
extern void burrow_history_startup_shmem(void); /* caller holds AddinShmemInitLock */

/* Forgets all; a slot gets another subscription.  Locks: caller holds burrow->lock exclusively. */
extern void burrow_history_reset(int slot);

/* A consumer begins to write, or ends.  Locks: caller holds burrow->lock exclusively. */
extern void burrow_history_begin(int slot, TimestampTz now);
extern void burrow_history_end(int slot);

/* Is the step over that is being written?  When the one of `now` will be: *due.  Process: the consumer. */
extern bool burrow_history_is_over(int slot, TimestampTz now, TimestampTz *due);
/* It ends with this lag; -1: not known.  Process: the consumer.  Locks: takes burrow->lock. */
extern void burrow_history_write(int slot, TimestampTz now, int64 lag, int64 lag_us);

/*
 * The last n steps that are over, the oldest first; n is at most BURROW_HISTORY_STEPS.  Needs no database.
 * Locks: caller holds burrow->lock.
 */
extern void burrow_history_read(int slot, TimestampTz now, int n, BurrowHistoryStep * steps);

/* Messages that are done in a step, whatever has become of them. */
extern uint64 burrow_history_done(const BurrowHistoryStep * step);

#endif							/* BURROW_SHMEM_HISTORY_H */
