/*
 * chunk.h
 *	  A worker's state, and running one chunk.
 */
#ifndef BURROW_PROC_CHUNK_H
#define BURROW_PROC_CHUNK_H

#include <signal.h>

#include "utils/timeout.h"

#include "core/tracker.h"
#include "proc/handler.h"
#include "shmem/registry.h"
#include "shmem/transport.h"

/* What SIGINT means right now; it changes in this order, round and round. */
typedef enum BurrowWorkerPhase
{
	BURROW_WORKER_IDLE = 0,		/* no chunk in hand: a cancel is for nobody */
	BURROW_WORKER_BETWEEN,		/* chunk in hand, no transaction: the rest goes back */
	BURROW_WORKER_RUNNING		/* in a transaction: cancel it */
} BurrowWorkerPhase;

typedef struct BurrowWorker
{
	BurrowWorkerArgs args;
	BurrowWorkerSlot *slot;
	BurrowTransport *transport;
	dsa_area   *area;			/* tracker segments */
	MemoryContext chunk_cxt;	/* reset after each chunk */
	MemoryContext message_cxt;	/* reset after each message */
	MemoryContext handler_cxt;	/* the prepared handler; reset with it */
	BurrowHandler *handler;		/* NULL: to be prepared */

	/* Shared with the SIGINT handler. */
	volatile sig_atomic_t phase;
	volatile sig_atomic_t stop; /* cancelled between two transactions */
	volatile uint64 cancelled;	/* the attempt that QueryCancelPending is for; 0: any */

	TimeoutId	timer;			/* of handler_timeout */
	volatile sig_atomic_t timed_out;	/* it has cancelled what runs */
} BurrowWorker;

/* Once, before the first chunk. */
extern void burrow_chunk_init(BurrowWorker *w);

/*
 * Runs the chunk and sends its results.  False: the consumer is gone, leave.  Raises
 * an error, which ends the process, for what is not a message's fault: a malformed
 * frame, or a session that is no longer the owner's.
 */
extern bool burrow_chunk_run(BurrowWorker *w, const void *data, Size len);

#endif							/* BURROW_PROC_CHUNK_H */
