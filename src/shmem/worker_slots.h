/*
 * worker_slots.h
 *	  Which workers run, for whom, and what is in their hands.
 */
#ifndef BURROW_SHMEM_WORKER_SLOTS_H
#define BURROW_SHMEM_WORKER_SLOTS_H

#include "shmem/shared.h"

/*
 * Workers of older consumers, which their consumer's end left with a message, and where they may still
 * commit something: the hands of those that have one go into the array, which has room for
 * burrow->nworkers.  False: there are no such workers any more.  The exit of one wakes the consumer.
 */
extern bool burrow_worker_slot_find_old(int slot, uint32 generation, uint64 *hands, int *nhands);
extern void burrow_worker_slot_signal_old(int slot, uint32 generation, int signo);

/* Reserve a worker slot; -1: none is free. */
extern int	burrow_worker_slot_reserve(int slot, uint32 generation, int lane);
/*
 * The consumer's view of a worker slot that it reserved, which may have been freed by
 * the worker and be another's since: each does nothing, or says false, if so.
 */
/* Has the worker taken the slot, and not left it yet? */
extern bool burrow_worker_slot_is_attached(int worker, int slot, uint32 generation, int lane);
/* Send a signal to the worker, if it has taken the slot. */
extern void burrow_worker_slot_signal(int worker, int slot, uint32 generation, int lane, int signo);
/*
 * Which message had it in hand when it went?  False: none, or it was told to go, because
 * its database is wanted.  Locks: takes burrow->lock, shared.
 */
extern bool burrow_worker_slot_message_in_hand(int worker, int slot, uint32 generation, int lane, int64 *offset);
/* Free the slot of a process that never came or is gone. */
extern void burrow_worker_slot_free(int worker, int slot, uint32 generation, int lane);
/* Process: worker.  False: the generation is old or the consumer gone, leave.  Registers
 * the freeing at exit. */
extern bool burrow_worker_slot_attach(int worker, uint32 generation);
/*
 * Process: worker.  From here on it may commit in this partition; called before the next look whether
 * its consumer is still there.  topic NULL: not any more.
 */
extern void burrow_worker_slot_set_hand(int worker, const char *topic, int32 partition);
/* A number that stands for a partition; two may share one, and then one waits for the other. */
extern uint64 burrow_worker_slot_hand(const char *topic, int32 partition);
/* Process: worker.  A result was sent: set the lane's bit and the consumer's latch. */
extern void burrow_worker_slot_result_ready(int slot, int lane);
/*
 * Process: consumer.  It is about to send a chunk to this worker, which is idle: wakes it, and has it wait a moment for
 * the chunk without sleeping.  Whether one was sent or not, the second call follows.
 */
extern void burrow_worker_slot_announce(int worker);
extern void burrow_worker_slot_announced_is_sent(int worker);

/* What a worker does, as burrow.workers shows it. */
typedef enum BurrowWorkerState
{
	BURROW_WORKER_IS_STARTING = 0,
	BURROW_WORKER_IS_IDLE,
	BURROW_WORKER_IS_RUNNING,
	BURROW_WORKER_IS_COMMITTING,
	BURROW_NWORKER_STATES
} BurrowWorkerState;

extern const char *const burrow_worker_state_names[];

/* *since: of the message in hand, or of the commit; 0: neither.  Locks: caller holds burrow->lock. */
extern BurrowWorkerState burrow_worker_slot_state(BurrowWorkerSlot *worker, TimestampTz *since);

#endif							/* BURROW_SHMEM_WORKER_SLOTS_H */
