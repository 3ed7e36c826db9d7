/*
 * chunk_context.h
 *	  What an error's context says of the chunk in hand.
 */
#ifndef BURROW_WORKER_CHUNK_CONTEXT_H
#define BURROW_WORKER_CHUNK_CONTEXT_H

/* An error context callback; arg is a BurrowChunk. */
extern void burrow_chunk_context(void *arg);

#endif							/* BURROW_WORKER_CHUNK_CONTEXT_H */
