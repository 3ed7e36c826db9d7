/*
 * pool.h
 *	  Workers: started, given chunks, let go.
 */
#ifndef BURROW_DELIVERY_POOL_H
#define BURROW_DELIVERY_POOL_H

#include "postmaster/bgworker.h"

#include "core/session_budget.h"
#include "partition/message_error.h"
#include "partition/partition.h"
#include "shmem/transport.h"

typedef enum BurrowLaneState
{
	BURROW_LANE_FREE,			/* -> STARTING */
	BURROW_LANE_STARTING,		/* -> IDLE, LEAVING */
	BURROW_LANE_IDLE,			/* -> BUSY, LEAVING */
	BURROW_LANE_BUSY,			/* -> IDLE, LEAVING */
	BURROW_LANE_LEAVING			/* its queue is detached -> FREE when the process is gone */
} BurrowLaneState;

/* One worker, seen from the consumer.  Each field has one writer, pool.c or for what a chunk is dispatch.c; results.c
 * fills and empties the arrays. */
typedef struct BurrowLane
{
	dlist_node	idle_node;		/* in pool->idle, if idle */
	BurrowLaneState state;
	int			lane;
	int			worker;			/* worker slot */
	BackgroundWorkerHandle *handle;
	BurrowTransport *transport;
	uint64		session;		/* number of this worker in the order of their starts */
	bool		retire;			/* let it go when its chunk is done */
	bool		cancelled;		/* its messages were cancelled: see pool.c */
	TimestampTz idle_since;

	/* The chunk in hand. */
	uint64		chunk;
	BurrowPartition *part;		/* is there for as long as the lane has a message of it */
	TimestampTz given_at;
	bool		prefetching;	/* it may have messages that the worker has not begun */
	dlist_node	prefetching_node;	/* in pool->prefetching, if so */
	int			nmessages;		/* without those taken back */
	int			capacity;		/* of the three arrays below, in messages */
	BurrowMessage **messages;	/* NULL: resolved already, but never all */
	BurrowFailure **failures;	/* that came for it; NULL: none */
	bool		failed;			/* some did */
	BurrowFailure *unsaved;		/* its progress could not be written; NULL: it was, so far */
	int64		unsaved_offset; /* of a message of that transaction */
	bool		sending;		/* not all of it fits into the queue yet */
	int			iovcnt;
	shm_mq_iovec *iov;
	BurrowChunkHeader header;	/* followed by the topic */
	char		topic[BURROW_FRAME_ALIGN(BURROW_TOPIC_MAX)];
} BurrowLane;

/* Written by pool.c alone. */
typedef struct BurrowPool
{
	BurrowWorkerSetup *setup;
	int			nlanes;			/* not FREE */
	int			nstarting;
	int			nidle;
	int			nbusy;
	int			nleaving;
	int			nsending;
	dlist_head	idle;			/* used last first, so that the rest can leave */
	dlist_head	prefetching;	/* lanes; the oldest chunk first: see reclaim.c */
	TimestampTz start_again_at; /* no worker could be started: not before; 0: now */
	int64		start_delay_us; /* after workers that ended at their start; 0: none did */
	TimestampTz started_at;		/* when the last worker was started */
	TimestampTz short_since;	/* the pool is smaller than it should be; 0: it is not */
	TimestampTz asked_others_at;	/* to give workers back */
	bool		told_short;		/* the log knows that slots are missing */
	uint64		sessions;		/* number of the worker started last */
	BurrowSessionBudget budget; /* for workers that errors cost */
	bool		renew;			/* settings of sessions have changed */
	TimestampTz renewed_at;		/* when all were replaced because of that; 0: never */
	BurrowLane *lanes[BURROW_MAX_WORKERS];	/* NULL: never used */
} BurrowPool;

extern void burrow_pool_init(const BurrowConsumer *c);
extern const BurrowPool *burrow_pool(void);
/* The idle worker that is given the next chunk; there is one. */
extern BurrowLane *burrow_pool_next(void);
/* New setup: workers leave after what they have in hand, and others start. */
extern void burrow_pool_replace(const BurrowConsumer *c);
/* The same, soon: the settings that a session begins with have changed. */
extern void burrow_pool_renew(void);
/* The time for that has come. */
extern void burrow_pool_renew_now(const BurrowConsumer *c);
/* May a session be replaced because of an error?  Not too many of them. */
extern bool burrow_pool_spend(const BurrowConsumer *c);
/* An error of the lane's may be its session's: that one is not used on. */
extern void burrow_pool_doubt(const BurrowConsumer *c, BurrowLane *lane);
/* Cancels (SIGINT) or terminates (SIGTERM) the workers that hold a message of a
 * closing partition. */
extern void burrow_pool_cancel(const BurrowConsumer *c);
extern void burrow_pool_terminate(const BurrowConsumer *c);
extern void burrow_pool_detach_all(const BurrowConsumer *c);
/* Workers that came, workers whose start failed, workers that are gone for good. */
extern void burrow_pool_look_at_processes(const BurrowConsumer *c);
/* Has the lane's worker taken its slot, and not left it yet? */
extern bool burrow_pool_is_attached(const BurrowConsumer *c, const BurrowLane *lane);
/* So many workers are wanted: starts those that are missing, if it is not too soon to try again. */
extern void burrow_pool_start_workers(const BurrowConsumer *c, int wanted);
/* Where some could not be started, because there was no room: it need not be waited to try again. */
extern void burrow_pool_start_again(const BurrowConsumer *c);
/* Workers that are not told to leave. */
extern int	burrow_pool_staying(void);
/* Lets so many go: idle ones at once, the others after what they have in hand. */
extern void burrow_pool_give_back(const BurrowConsumer *c, int n);
extern void burrow_pool_set_idle(const BurrowConsumer *c, BurrowLane *lane);
/* The lane, which is idle, is given a chunk. */
extern void burrow_pool_set_busy(BurrowLane *lane, int nmessages);
/* The last of its messages is taken back from it, and returned. */
extern BurrowMessage *burrow_pool_take_last(BurrowLane *lane);
/* One of its messages has failed. */
extern void burrow_pool_set_failed(BurrowLane *lane);
/* The progress of a transaction of its chunk could not be written, at a message of this offset; NULL: that has been
 * dealt with. */
extern void burrow_pool_set_unsaved(BurrowLane *lane, BurrowFailure *failure, int64 offset);
/* Not all of its chunk is in its queue. */
extern void burrow_pool_set_sending(BurrowLane *lane, bool sending);
/* Its chunk has messages that it may not have begun. */
extern void burrow_pool_start_prefetching(BurrowLane *lane);
/* All of its messages are begun, or taken back. */
extern void burrow_pool_stop_prefetching(BurrowLane *lane);
/* The lane has no chunk any more. */
extern void burrow_pool_forget_chunk(BurrowLane *lane);
/* Our end of its queues is closed: its process will exit. */
extern void burrow_pool_let_go(const BurrowConsumer *c, BurrowLane *lane);

#endif							/* BURROW_DELIVERY_POOL_H */
