/*
 * worker_state.h
 *	  A worker's state, and that of the chunk in its hand.
 */
#ifndef BURROW_WORKER_WORKER_STATE_H
#define BURROW_WORKER_WORKER_STATE_H

#include "portability/instr_time.h"

#include "core/frame.h"
#include "core/policy.h"
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
	bool		permitted;		/* the handler may be called, as far as the catalogs are known */
	uint64		permitted_at;	/* burrow_owner_changes() then */
} BurrowWorker;

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
	TimestampTz told_at;		/* when the consumer was last told of a commit, or the chunk's
								 * begin */
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
	int			converted;		/* which message of an array handler's call raised it before the
								 * call; -1: it came later */
	bool		fresh;			/* the session could not be to blame for it */

	bool		stopped;		/* what is not done goes back */
	bool		not_permitted;	/* a right is missing that the handler's call needs */
	bool		gone;			/* the consumer is */
} BurrowChunk;

static inline int
burrow_chunk_timeout_ms(const BurrowChunk *c)
{
	return (int) Min((c->setup->handler_timeout_us + 999) / 1000, (int64) INT_MAX);
}

/* Microseconds since then; *then becomes now. */
static inline uint32
burrow_chunk_elapsed_us(instr_time *then)
{
	instr_time	now;
	instr_time	elapsed;

	INSTR_TIME_SET_CURRENT(now);
	elapsed = now;
	INSTR_TIME_SUBTRACT(elapsed, *then);
	*then = now;
	return (uint32) Min(INSTR_TIME_GET_MICROSEC(elapsed), (uint64) PG_UINT32_MAX);
}

static inline bool
burrow_chunk_is_resolved(const BurrowChunk *c, uint32 index)
{
	return c->result->results[index].outcome != 0;
}

#endif							/* BURROW_WORKER_WORKER_STATE_H */
