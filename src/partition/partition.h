/*
 * partition.h
 *	  One epoch of one partition, and what is known of its messages.
 */
#ifndef BURROW_PARTITION_PARTITION_H
#define BURROW_PARTITION_PARTITION_H

#include "lib/ilist.h"
#include "lib/pairingheap.h"
#include "utils/dsa.h"

#include "core/frame.h"
#include "core/offset_set.h"
#include "core/policy.h"
#include "core/scheduler.h"
#include "core/tracker.h"
#include "kafka/kafka.h"
#include "partition/context.h"
#include "partition/obstacle.h"
#include "shmem/partitions.h"

/* A tracker segment with what only the consumer needs to know of its slots. */
typedef struct BurrowSegment
{
	BurrowTrackerSegment tracker;	/* must be first */
	TimestampTz taken_at[BURROW_TRACKER_SEGMENT_SLOTS];
} BurrowSegment;

/* An attempt's error: one palloc with its texts. */
typedef struct BurrowFailure
{
	char		sqlstate[6];
	BurrowErrorOrigin origin;
	bool		fresh;			/* the session could not be to blame */
	bool		ours;			/* its texts are Burrow's own */
	BurrowVerdict verdict;		/* once it is judged */
	const char *message;		/* these may be NULL */
	const char *detail;
	const char *hint;
	const char *context;
} BurrowFailure;

/* What is known of a message that has failed. */
typedef struct BurrowRetry
{
	pairingheap_node heap_node; /* in consumer->retries, while it waits for its time */
	dlist_node	node;			/* in consumer->waiting then, or in consumer->letters */
	struct BurrowMessage *m;
	TimestampTz at;				/* not before */
	TimestampTz first_failed_at;
	uint64		successes_before;	/* of the subscription, when it first failed */
	uint32		environment_failures;	/* attempts counted that were perhaps not its fault */
	uint32		doubts;			/* failures that were perhaps the session's, and not counted */
	bool		wants_fresh;	/* its next attempt is to be in a fresh session */
	uint64		after_session;	/* it waits for one with a higher number; 0: not, or not yet */
	dlist_node	fresh_node;		/* in consumer->wanting_fresh, if it does */
	BurrowFailure *failure;		/* a dead letter's, until it is written; NULL: it is parked */
} BurrowRetry;

/* A message that was taken and is not resolved: one palloc with its frame. */
typedef struct BurrowMessage
{
	BurrowSchedulerItem item;	/* must be first */
	BurrowTrackerRef ref;
	BurrowPartition *part;
	BurrowRetry *retry;			/* NULL: it has not failed */
	BurrowMessageHeader frame;	/* key, value and headers follow */
} BurrowMessage;

typedef enum BurrowPartitionState
{
	BURROW_PARTITION_RESOLVING_START,	/* start not known yet -> ACTIVE, CLOSED */
	BURROW_PARTITION_ACTIVE,	/* -> CLOSING */
	BURROW_PARTITION_CLOSING,	/* being revoked: nothing new is taken -> CLOSED */
	BURROW_PARTITION_CLOSED		/* epoch over; kept while a worker holds a message of it */
} BurrowPartitionState;

/* How far it is known where a partition starts, while its state is RESOLVING_START. */
typedef enum BurrowStartStep
{
	BURROW_STEP_ASK,			/* the group's offset is to be asked for -> ASKED */
	BURROW_STEP_ASKED,			/* -> ASK after an error, LOOK_UP */
	BURROW_STEP_LOOK_UP,		/* brokers are to be asked for offsets, and for what is there ->
								 * KNOWN */
	BURROW_STEP_KNOWN,			/* -> STORED */
	BURROW_STEP_STORED			/* may be assigned -> ACTIVE */
} BurrowStartStep;

/* The lane of what the consumer resolves itself (dead letters, what is skipped); no worker
 * has it. */
#define BURROW_RESOLVED_LANE	BURROW_MAX_WORKERS

/* One epoch of one partition. */
struct BurrowPartition
{
	dlist_node	node;			/* in consumer->parts */
	dlist_node	readable_node;	/* in consumer->readable, if readable */
	char		topic[BURROW_TOPIC_MAX + 1];
	int32		partition;
	BurrowPartitionState state;
	bool		revoked;		/* closing because of a rebalance */
	uint32		id;				/* wake-up id, not 0 */
	int			slot;			/* shared partition slot */
	BurrowKafkaPartition *queue;	/* NULL before the assign and after the revoke */
	BurrowSchedulerPartition *sched;
	BurrowTracker tracker;
	uint64		held;			/* messages in workers' hands */
	bool		readable;		/* the queue may hold something */
	int			turn;			/* messages left of its turn to be read; 0: none has begun */
	bool		dirty;			/* shared slot is to be brought up to date */
	bool		moving;			/* in consumer->moving: heads may move */
	dlist_node	moving_node;
	bool		window_full;
	bool		starved;		/* there was no memory for its tracker */
	int64		end_offset;		/* end of the partition; -1: not known */
	BurrowOffsetSet skip;		/* done before this epoch, beyond its start */

	/* Where it starts; see start.c. */
	BurrowStartStep step;
	uint64		asked_tag;		/* ASKED: of the question */
	TimestampTz again_at;		/* not before; 0: at once */
	int64		again_us;		/* the last delay, while there is no answer for it */
	TimestampTz stuck_since;	/* there is no answer for it, and others go on without it; 0: no */
	char	   *stuck_text;		/* why; NULL: it was never stuck */
	bool		with_others;	/* start_from is a moment, the same one for all that it is applied
								 * to */
	bool		given;			/* burrow.seek() gave a number: does the topic hold it? */
	bool		located;
	int64		start;
	bool		resumed;		/* it is where we were before, and not what somebody wants now */
	int64		log_start_offset;	/* of the log, when it was looked at */
	bool		start_stored;	/* the database has it, in the consumer's row alone */
	bool		start_acked;	/* Kafka has it, or an offset below it, with our tag */
	uint64		rows_lsn;		/* the rows that were read are durable with this; 0: there were
								 * none */
	int64		told;			/* Kafka knows what is done below it: before that is so, no more
								 * is told of the start */
	bool		seek_pending;	/* burrow.seek() gave it, and that is still in the catalog: no
								 * message is taken */

	/* Commits; next to read, -1: none. */
	int64		committed;		/* acknowledged, by this epoch */
	int64		sent;			/* in the commit under way; -1: not part of it */
	int64		stored;			/* in the consumer's row; -1: not known */
	uint64		ndone;			/* messages, in this epoch */
	uint64		ndone_sent;		/* ndone when Kafka was last told, without what was not flushed;
								 * anything else: it is to be told again */
	bool		unknown_to_broker;	/* Kafka said that it is not there: what comes may be another
									 * topic's and is not taken */
	bool		runs_full;		/* the commit's metadata has no room: no more are taken */

	/* Trouble with fetching it; see intake.c. */
	TimestampTz unfetched_since;	/* 0: none */
	TimestampTz look_at;		/* is it over?  Not before */
	bool		paused;			/* the client leaves it out */
	bool		suspected;		/* an answer was too large, perhaps of this one */

	/* What cannot be passed, here or elsewhere; see intake.c. */
	BurrowObstacle *obstacle;	/* nothing behind it is taken; NULL: none */
	int64		goal;			/* that of another one waits until the head is here; -1: not known */

	/* Folds; see progress_merge.c. */
	uint64	   *folded;			/* by lane, the resolved one's last: its chunks up to this one are
								 * in our row; NULL: none */
	uint64		fold_base;		/* of ndone: these are folded, or below the head */
	bool		fold_wanted;	/* a worker's row has grown */
	int64		fold_mark;		/* when the head comes here, all that was done until now is below
								 * it */

	BurrowKeyParking *place;	/* the partition's parked keys; NULL: park_key is off */

	/* Not a partition of Kafka's, but dead letters of one; see redelivery.c. */
	bool		is_redelivery;
	bool		shares_queue;	/* sched belongs to the part of the partition itself */
	uint32		unresolved;		/* messages */

	/* The last message that was taken, in this epoch or before; see topic_identity.c. */
	int64		last_read_offset;	/* -1: none */
	int64		last_read_timestamp;	/* its timestamp; BURROW_KAFKA_NO_TIME: none */
	uint64		identify_tag;	/* of the question for its topic's id, not answered yet; 0: none */
	bool		identified;		/* it was, or cannot be asked: the rest may be asked */
	BurrowTopicId topic_id;		/* as it was then */
	BurrowTopicId kept_topic_id;	/* kept with the position that it goes on from */
	TimestampTz seen_stored_at; /* when the consumer's row was written last */

	TimestampTz newest_done_at; /* Kafka's timestamp of the newest message done; DT_NOBEGIN: none */

	/* Its end, as it is shown. */
	int64		last_eof_offset;	/* where it was reached, and nothing was taken since; -1: not */
	TimestampTz last_eof_at;
	TimestampTz asked_at;		/* the question that the broker has answered last; 0: none */
	TimestampTz bounds_at;		/* when it was last known, from either; 0: never */
	TimestampTz behind_since;	/* when it first had a message again after its end was reached; 0:
								 * not yet */

	/* What is behind its end, under read_committed; see lag.c. */
	int64		high_watermark; /* as Kafka told it last; -1: not known */
	TimestampTz blocked_since;	/* the end was reached, and a transaction keeps the rest back; 0:
								 * not */
	int64		blocked_at;		/* that end */
};

/* There must be no open one of this partition, but for dead letters. */
extern BurrowPartition *burrow_partition_new(BurrowConsumer *c, const char *topic, int32 partition);
/* Everything that it needs before its messages may come. */
extern void burrow_partition_open(BurrowConsumer *c, BurrowPartition *part);
/* The part that holds dead letters of this partition; NULL: none. */
extern BurrowPartition *burrow_partition_find_letters(BurrowConsumer *c, const char *topic, int32 partition);
/* The queue of the partition may hold something. */
extern void burrow_partition_readable(BurrowConsumer *c, BurrowPartition *part);
/* Something of the partition was taken or done: its heads are looked at this turn. */
extern void burrow_partition_moved(BurrowConsumer *c, BurrowPartition *part);
/* Gives back the tracker's segments that nobody needs any more. */
extern void burrow_partition_release_segments(BurrowConsumer *c, BurrowPartition *part);

/*
 * Who has something of a partition that stops is told: before, while its messages are still there,
 * and after they were dropped.  Set once, by who knows them all.
 */
typedef void (*BurrowPartitionStop) (BurrowConsumer *c, BurrowPartition *part);
extern void burrow_partition_on_stop(BurrowPartitionStop before, BurrowPartitionStop after);

/* Takes no more of it, and drops what no worker has. */
extern void burrow_partition_stop(BurrowConsumer *c, BurrowPartition *part);
/* It is no longer ours.  Freed here, or when the last worker lets go of it. */
extern void burrow_partition_close(BurrowConsumer *c, BurrowPartition *part);
/* Not closed; NULL: none. */
extern BurrowPartition *burrow_partition_find(BurrowConsumer *c, const char *topic, int32 partition);
/* Does a worker still hold a message of an older epoch of this partition, or may it, of an older
 * consumer's? */
extern bool burrow_partition_has_straggler(BurrowConsumer *c, const BurrowPartition *part);
/* A worker has let go of a message of this part, which may have been freed by it afterwards. */
extern void burrow_partition_release(BurrowConsumer *c, BurrowPartition *part);
/* Nobody holds the message any more. */
extern void burrow_partition_forget_message(BurrowConsumer *c, BurrowMessage *m);
/* The message is resolved, or dropped. */
extern void burrow_partition_free_message(BurrowConsumer *c, BurrowMessage *m);
/* Bring the shared slot up to date. */
extern void burrow_partition_publish(BurrowConsumer *c, BurrowPartition *part);
#endif							/* BURROW_PARTITION_PARTITION_H */
