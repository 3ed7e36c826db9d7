/*
 * cancel.h
 *	  What cancels a worker's transaction before its end.
 *
 * All of it is the process's own.  A cancel comes from the consumer, which names the
 * attempt that it means; from somebody else (pg_cancel_backend, lock_timeout), who means
 * what runs now; from handler_timeout; or because the other messages of the transaction have
 * waited long enough for the one that runs (core/sizer.h).
 */
#ifndef BURROW_HANDLER_CANCEL_H
#define BURROW_HANDLER_CANCEL_H

#include "shmem/registry.h"

/* What a cancel means right now; it changes in this order, round and round. */
typedef enum BurrowWorkerPhase
{
	BURROW_WORKER_IDLE = 0,		/* no chunk in hand: a cancel is for nobody */
	BURROW_WORKER_BETWEEN,		/* chunk in hand, no transaction: the rest goes back */
	BURROW_WORKER_RUNNING		/* in a transaction: cancel it */
} BurrowWorkerPhase;

/* The handler of SIGINT; may come before burrow_cancel_init(). */
extern void burrow_cancel_signal(SIGNAL_ARGS);
/* Once, when the worker has its slot. */
extern void burrow_cancel_init(BurrowWorkerSlot *slot);

extern BurrowWorkerPhase burrow_cancel_phase(void);
extern void burrow_cancel_begin_chunk(void);
extern void burrow_cancel_end_chunk(void);
/* Was it cancelled between two transactions? */
extern bool burrow_cancel_stopped(void);

extern void burrow_cancel_begin_transaction(void);
/* Also after an error, then before the abort: nothing cancels what comes now. */
extern void burrow_cancel_end_transaction(void);
/* Others wait for what this transaction runs from now on, so long ... */
extern void burrow_cancel_begin_max_wait(int64 max_wait_us);
/* ... until now. */
extern void burrow_cancel_end_max_wait(void);
/* Has that been too long?  Then the transaction is not to be committed, also if a handler
 * has swallowed the cancel.  Until the next one begins. */
extern bool burrow_cancel_overdue(void);

/* From now on this attempt is in hand: a cancel that meant an earlier one is void. */
extern void burrow_cancel_begin_attempt(uint64 attempt);

/* handler_timeout of the call that begins; 0: none. */
extern void burrow_cancel_begin_call(int64 timeout_us);
/* The call has come to its end. */
extern void burrow_cancel_end_call(void);
/* Has handler_timeout cancelled the call?  Until the next transaction begins. */
extern bool burrow_cancel_timed_out(void);

#endif							/* BURROW_HANDLER_CANCEL_H */
