/*
 * chunk_frame.h
 *	  The chunk as it comes, its results as they go.
 */
#ifndef BURROW_WORKER_CHUNK_FRAME_H
#define BURROW_WORKER_CHUNK_FRAME_H

#include "worker/worker_state.h"

/* All of the frame is checked, and malformed is an error.  In the current memory context. */
extern BurrowChunk *burrow_chunk_frame_decode(BurrowWorker *w, const void *data, Size len);

/* The message has failed with c->error; those behind it in its order go back. */
extern void burrow_chunk_frame_message_failed(BurrowChunk *c, uint32 index);
/* Progress could not be written, because of c->error: what is not done goes back. */
extern void burrow_chunk_frame_save_failed(BurrowChunk *c);
/* The chunk is at its end: what is not resolved goes back. */
extern void burrow_chunk_frame_send_result(BurrowChunk *c);

#endif							/* BURROW_WORKER_CHUNK_FRAME_H */
