/*
 * chunk.h
 *	  A worker's state, and running one chunk.
 */
#ifndef BURROW_WORKER_CHUNK_H
#define BURROW_WORKER_CHUNK_H

#include "core/tracker.h"
#include "handler/handler.h"
#include "shmem/registry.h"
#include "shmem/transport.h"

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
} BurrowWorker;

/* Once, before the first chunk. */
extern void burrow_chunk_init(BurrowWorker *w);

/*
 * Runs the chunk and sends its results.  False: the consumer is gone, leave.  Raises
 * an error, which ends the process, for what is not a message's fault: a malformed
 * frame, or a session that is no longer the owner's.
 */
extern bool burrow_chunk_run(BurrowWorker *w, const void *data, Size len);

#endif							/* BURROW_WORKER_CHUNK_H */
