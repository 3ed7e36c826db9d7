/*
 * groups.h
 *	  What the modules of the consumer know of a partition: a group for each, which it alone writes
 *	  (the lint sees to that).  They are part of BurrowPartition, partition/partition.h.
 */
#ifndef BURROW_PARTITION_GROUPS_H
#define BURROW_PARTITION_GROUPS_H

#include "datatype/timestamp.h"

#include "core/topic_id.h"
#include "partition/obstacle.h"

/* How far it is known where a partition starts, while its state is RESOLVING_START.  One that waits for an answer
 * stays at its step (lookup.asked_tag). */
typedef enum BurrowStartStep
{
	BURROW_STEP_ASK,			/* the group's offset is to be asked for -> LOOK_UP, CHECK */
	BURROW_STEP_LOOK_UP,		/* the log's start or end, or a time, is to be asked for -> CHECK */
	BURROW_STEP_CHECK,			/* what the log holds is to be asked for -> COMPARE */
	BURROW_STEP_COMPARE,		/* that is known: is it the log that it was? -> CHECK after an
								 * error, KNOWN */
	BURROW_STEP_KNOWN,			/* -> STORED */
	BURROW_STEP_STORED			/* may be assigned -> ACTIVE */
} BurrowStartStep;

/* Where it starts: offsets/start.c's. */
typedef struct BurrowPartitionStart
{
	BurrowStartStep step;
	bool		with_others;	/* start_from is a moment, the same one for all that it is applied
								 * to */
	bool		located;		/* offset is a number, and not what is to be looked up */
	int64		offset;
	bool		resumed;		/* it is where we were before, and not what somebody wants now */
	bool		stored;			/* the database has it, in the consumer's row alone */
	uint64		rows_lsn;		/* the rows that were read are durable with this; 0: there were
								 * none */
	int64		told;			/* Kafka knows what is done below it: before that is so, no more
								 * is told of the start */
} BurrowPartitionStart;

/* The question for it that a step of its start takes, and that Kafka has no answer to: offsets/lookup.c's. */
typedef struct BurrowPartitionLookup
{
	uint64		asked_tag;		/* of the one that is not answered yet; 0: none */
	TimestampTz again_at;		/* not before; 0: at once */
	int64		again_us;		/* the last delay, while there is no answer for it */
	TimestampTz stuck_since;	/* there is no answer for it, and others go on without it; 0: no */
	char	   *stuck_text;		/* why; NULL: it was never stuck */
} BurrowPartitionLookup;

/* What burrow.seek() has asked for: offsets/seek.c's. */
typedef struct BurrowPartitionSeek
{
	bool		given;			/* it gave a number: does the topic hold it? */
	bool		pending;		/* it gave the start, and that is still in the catalog: no message
								 * is taken */
} BurrowPartitionSeek;

/* Is its log the one that we know?  offsets/topic_identity.c's. */
typedef struct BurrowPartitionIdentity
{
	int64		log_start_offset;	/* when it was looked at */
	int64		last_read_offset;	/* the last message that was taken, in this epoch or before;
									 * -1: none */
	int64		last_read_timestamp;	/* its timestamp; BURROW_KAFKA_NO_TIME: none */
	BurrowTopicId kept_topic_id;	/* kept with the position that it goes on from, or was stored
									 * last */
	TimestampTz stored_at;		/* when they were stored last */
	bool		unknown_to_broker;	/* Kafka said that it is not there: what comes may be another
									 * topic's and is not taken */
} BurrowPartitionIdentity;

/* The id that its topic has now: offsets/topic_watch.c's. */
typedef struct BurrowPartitionTopicId
{
	uint64		asked_tag;		/* of the question for it, not answered yet; 0: none */
	bool		identified;		/* it was, or cannot be asked: the rest may be asked */
	bool		unanswered;		/* the question has failed, and the start goes on without it */
	BurrowTopicId now;			/* as it was then, or was told first after that */
	TimestampTz told_at;		/* the last question whose answer has told it, or that there is
								 * none, while it runs; 0: none has */
	const char *untold;			/* why one since then has not; NULL: none has failed */
	bool		gone;			/* because there is no such topic */
} BurrowPartitionTopicId;

/* Commits: offsets/offset_commit.c's.  Offsets are those next to be read; -1: none. */
typedef struct BurrowPartitionCommit
{
	int64		acknowledged;	/* by this epoch */
	bool		start_acked;	/* Kafka has the start, or an offset below it, with our tag */
	int64		sent;			/* in the commit under way; -1: not part of it */
	int64		stored;			/* in the consumer's row; -1: not known */
	uint64		ndone;			/* messages, in this epoch */
	uint64		ndone_sent;		/* ndone when Kafka was last told, without what was not flushed;
								 * anything else: it is to be told again */
} BurrowPartitionCommit;

/* What is done beyond the head, in one row: offsets/progress_merge.c's. */
typedef struct BurrowPartitionMerge
{
	uint64	   *merged_chunks;	/* by lane, the resolved one's last: its chunks up to this one are
								 * in our row; NULL: none */
	uint64		base;			/* of ndone: these are merged, or below the head */
	bool		wanted;			/* a worker's row has grown */
	int64		mark;			/* when the head comes here, all that was done until now is below
								 * it */
	bool		no_room;		/* in the commit's metadata: no more are taken */
} BurrowPartitionMerge;

/* Trouble with fetching it: consumer/fetch_trouble.c's. */
typedef struct BurrowPartitionFetch
{
	TimestampTz failing_since;	/* 0: none */
	TimestampTz look_at;		/* is it over?  Not before */
	bool		paused;			/* the client leaves it out */
	bool		suspected;		/* an answer was too large, perhaps of this one */
} BurrowPartitionFetch;

/* Taking its messages: consumer/intake.c's. */
typedef struct BurrowPartitionIntake
{
	int			turn;			/* messages left of its turn to be read; 0: none has begun */
	bool		window_full;
	bool		starved;		/* there was no memory for its tracker */
	BurrowObstacle *obstacle;	/* nothing behind it is taken; NULL: none */
	int64		goal;			/* the obstacle of another one waits until the head is here; -1:
								 * not known */
} BurrowPartitionIntake;

/* Where it ends, as it is shown, and under read_committed what is behind that: partition/end.c's. */
typedef struct BurrowPartitionEnd
{
	int64		offset;			/* -1: not known */
	int64		eof_offset;		/* where it was reached, and nothing was taken since; -1: not */
	TimestampTz eof_at;
	TimestampTz asked_at;		/* the question that the broker has answered last; 0: none */
	TimestampTz known_at;		/* when it was last known, from either; 0: never */
	TimestampTz behind_since;	/* when it first had a message again after its end was reached; 0:
								 * not yet */
	const char *unanswered;		/* why the last question for it has failed; NULL: it has not */
	int64		high_watermark; /* as Kafka told it last; -1: not known */
	TimestampTz blocked_since;	/* the end was reached, and a transaction keeps the rest back; 0:
								 * not */
	int64		blocked_at;		/* that end */
	TimestampTz unread_since;	/* nothing is pending, and there is a next message that was not
								 * taken; 0: not */
	int64		unread_at;		/* its offset, or a lower one */
} BurrowPartitionEnd;

#endif							/* BURROW_PARTITION_GROUPS_H */
