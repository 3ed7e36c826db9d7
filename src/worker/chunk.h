/*
 * chunk.h
 *	  Running one chunk.
 */
#ifndef BURROW_WORKER_CHUNK_H
#define BURROW_WORKER_CHUNK_H

#include "worker/worker_state.h"

/* Once, before the first chunk. */
extern void burrow_chunk_init(BurrowWorker *w);

/*
 * Runs the chunk and sends its results.  False: leave, since the consumer is gone or a right is missing.  Raises
 * an error, which ends the process, for what is not a message's fault: a malformed
 * frame, or a session that is no longer the owner's.
 */
extern bool burrow_chunk_run(BurrowWorker *w, const void *data, Size len);

#endif							/* BURROW_WORKER_CHUNK_H */
