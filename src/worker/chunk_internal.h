/*
 * chunk_internal.h
 *	  What the two files behind chunk.h share:
 *
 *		chunk.c			transactions: calling the handler, marks, what follows a failure
 *		chunk_frame.c	the chunk as it comes, its results as they go
 */
#ifndef BURROW_WORKER_CHUNK_INTERNAL_H
#define BURROW_WORKER_CHUNK_INTERNAL_H

#include "portability/instr_time.h"

#include "core/frame.h"
#include "core/policy.h"
#include "worker/chunk.h"

typedef struct BurrowChunk
{
	BurrowWorker *w;
	const BurrowChunkHeader *header;
	const BurrowWorkerSetup *setup;
	char		topic[BURROW_TOPIC_MAX + 1];
	BurrowMessageView *messages;
	BurrowTrackerSlot **slots;	/* where each one's mark goes */
	BurrowResultChunk *result;	/* outcome 0: not known yet */
	Size		result_size;
	TimestampTz begun_at;
	TimestampTz told_at;		/* when the consumer was last told of a commit, or the chunk's begin */
	char		activity[BURROW_TOPIC_MAX + 80];	/* for pg_stat_activity, up to the offset */
	int			activity_len;

	/* The transaction: its messages, in order, whose handler was called or is in hand. */
	instr_time	began;
	uint32	   *members;
	uint32		nmembers;
	uint32		current;		/* the message in hand */
	uint32		next;			/* the one after the last member */
	uint32		begun;			/* all before it are ours: see core/claim.h */
	bool		array;			/* all members in one call */
	int64	   *offsets;		/* the members', for their progress */
	bool		called;			/* all members' calls have come to their end */
	bool		saving;			/* progress is being written */
	bool		committed;		/* and marked */
	ErrorData  *error;			/* why it failed */
	bool		preparing;		/* the handler is being looked up */
	BurrowErrorOrigin origin;	/* where the error was raised */
	bool		fresh;			/* the session could not be to blame for it */

	bool		stopped;		/* what is not done goes back */
	bool		gone;			/* the consumer is */
} BurrowChunk;

static inline bool
burrow_chunk_is_resolved(const BurrowChunk *c, uint32 index)
{
	return c->result->results[index].outcome != 0;
}

/* All of the frame is checked, and malformed is an error.  In the current memory context. */
extern BurrowChunk *burrow_chunk_decode(BurrowWorker *w, const void *data, Size len);

/* The message has failed with c->error; those behind it in its order go back. */
extern void burrow_chunk_message_failed(BurrowChunk *c, uint32 index);
/* Progress could not be written, because of c->error: what is not done goes back. */
extern void burrow_chunk_frame_save_failed(BurrowChunk *c);
/* The chunk is at its end: what is not resolved goes back. */
extern void burrow_chunk_send_result(BurrowChunk *c);

#endif							/* BURROW_WORKER_CHUNK_INTERNAL_H */
