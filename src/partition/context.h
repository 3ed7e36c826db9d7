/*
 * context.h
 *	  The consumer process's own state, which every part of it is handed.
 *
 * All of it is private to one process and one thread; what others may see is in
 * shmem/.  Times are TimestampTz (microseconds) read once a turn of the loop.
 */
#ifndef BURROW_PARTITION_CONTEXT_H
#define BURROW_PARTITION_CONTEXT_H

#include "lib/ilist.h"
#include "lib/pairingheap.h"
#include "utils/dsa.h"
#include "utils/timestamp.h"

#include "catalog/seek_request.h"
#include "catalog/start_from.h"
#include "catalog/subscription.h"
#include "core/breaker.h"
#include "core/scheduler.h"
#include "kafka/kafka.h"
#include "shmem/registry.h"

typedef struct BurrowConsumer BurrowConsumer;
typedef struct BurrowPartition BurrowPartition;
typedef struct BurrowKeyParking BurrowKeyParking;	/* see dead_letter/key_parking.c */
typedef struct BurrowPublisher BurrowPublisher; /* see dead_letter/publisher.c */

/* Why the consumer is on its way out. */
typedef enum BurrowStopReason
{
	BURROW_STOP_NONE = 0,
	BURROW_STOP_CATALOG,		/* paused, disabled or dropped */
	BURROW_STOP_RESTART,		/* options changed: start anew at once */
	BURROW_STOP_LEAVE,			/* database is wanted, or burrow.enabled is off */
	BURROW_STOP_HALT,			/* a message failed for good */
	BURROW_STOP_SHUTDOWN		/* SIGTERM */
} BurrowStopReason;

/* How far the end has come. */
typedef enum BurrowShutdownPhase
{
	BURROW_SHUTDOWN_NOT,		/* -> DRAINING */
	BURROW_SHUTDOWN_DRAINING,	/* messages in hand are waited for -> COMMITTING */
	BURROW_SHUTDOWN_COMMITTING, /* the final commit is waited for, and dead letters that are being
								 * produced -> LEAVING, CLOSING, OVER */
	BURROW_SHUTDOWN_LEAVING,	/* out of the group for good -> CLOSING, OVER */
	BURROW_SHUTDOWN_CLOSING,	/* the client is being closed -> OVER */
	BURROW_SHUTDOWN_OVER
} BurrowShutdownPhase;

struct BurrowConsumer
{
	/* who we are */
	int			slot;			/* subscription slot */
	uint32		generation;
	int32		subid;
	Oid			dboid;
	BurrowSubscription *sub;
	MemoryContext sub_cxt;		/* owns sub */
	BurrowStartFrom start;

	/* Kafka */
	const BurrowKafkaFunctions *kafka;
	char	   *bootstrap_servers;	/* that the client was made with */
	BurrowKafkaClient *client;	/* NULL: not connected yet */
	BurrowKafkaClient *metadata_client; /* only asks questions: joins no group, fetches nothing,
										 * so its answers do not wait behind fetches */
	TimestampTz connect_again_at;	/* no attempt to make them before; 0: at once */
	int			wake_read;
	int			wake_write;
	int64		poll_interval_us;	/* keeps the membership */

	/* messages */
	BurrowScheduler *sched;
	dsa_area   *area;			/* tracker segments */
	MemoryContext message_cxt;	/* messages and tracker segments */
	MemoryContext turn_cxt;		/* reset each turn of the loop */
	dlist_head	parts;			/* all epochs that still matter */
	dlist_head	readable;		/* parts whose queue may hold something */
	dlist_head	moving;			/* parts whose heads may move, or whose slot is dirty */
	BurrowPartition **part_by_id;	/* index id - 1; NULL: free */
	uint32		nids;
	uint32		epoch;			/* last given */
	uint64		bytes;			/* of all messages taken and not resolved */
	TimestampTz segments_again_at;	/* no tracker segment could be had: not before; 0: at once */

	struct BurrowPool *pool;	/* see delivery/pool.c */
	uint64		chunk;			/* number of the last chunk that was given out or written */
	uint64	   *lane_chunks;	/* by lane: that which its worker runs; 0: none; delivery/pool.c's */

	/* obstacles: see intake.c */
	TimestampTz obstructed_since;	/* some partition has one; 0: none has */
	TimestampTz goals_ask_at;	/* when to ask next where the others end */

	/* trouble with fetching partitions: see intake.c */
	bool		unfetched;		/* some cannot be fetched, or are suspected */
	TimestampTz fetch_look_at;	/* when to look at one of them next; 0: never */

	/* failures */
	BurrowBreaker breaker;
	TimestampTz wait_until;		/* the environment is at fault: nothing is given out before */
	bool		wait_is_ours;	/* no: rows of Burrow's could not be written */
	pairingheap *retries;		/* by time */
	dlist_head	waiting;		/* the same */
	uint64		nwaiting;
	dlist_head	wanting_fresh;	/* of these: whose time has come, but not their session */
	BurrowRetryInfo retries_told;	/* what the views have */
	dlist_head	letters;		/* dead letters to be written */
	bool		redeliver;		/* there may be dead letters that are to be tried again */
	TimestampTz redeliver_at;	/* they could not be read: not before; 0: at once */
	uint32		nletter_parts;	/* parts that hold such */
	dlist_head	places;			/* partitions that have, or had, parked keys */
	bool		park_stale;		/* the table is to be read for them again */
	bool		park_known;		/* it was read once */
	TimestampTz letters_again_at;	/* they could not be written: not before; 0: at once */
	BurrowPublisher *outbox;

	/* partitions come: see assignment.c */
	bool		assign_unanswered;	/* librdkafka waits for assign() */
	uint32		nresolving;		/* parts whose start is not known or not used yet */
	uint64		start_tag;		/* of the last question for committed offsets */
	BurrowStartInfo start_told; /* what the views have of partitions that are not started yet */

	/* workers that an older consumer has left with a message; see assignment.c */
	bool		old_workers;	/* there may be some */
	uint64	   *old_hands;		/* where they may commit: see burrow_worker_slot_hand() */
	int			nold_hands;
	TimestampTz straggler_deadline; /* cancel what older epochs have in hand after it; 0: nobody
									 * waits */

	/* seeks: see seek.c */
	BurrowPendingSeeks seeks;	/* not done yet */
	bool		seek_acked;		/* Kafka has acknowledged the position of one */
	TimestampTz seek_again_at;	/* they could not be removed: not before; 0: at once */
	const BurrowSeek *rejected_seek;	/* that cannot be done and halts; NULL: none */

	/* partitions go */
	BurrowKafkaList *revoked;	/* to be answered; NULL: none */
	bool		revoke_lost;	/* the assignment was lost: nothing may be committed */
	bool		revoke_flushed;
	TimestampTz revoke_deadline;	/* cancel what is in hand after it */
	TimestampTz kill_deadline;	/* and terminate its workers after this; 0: not cancelled yet */
	int64		max_poll_us;	/* max.poll.interval.ms */

	/* ends of partitions */
	bool		refresh_ends;	/* ask for all that were not since refreshed_at */
	TimestampTz refreshed_at;
	TimestampTz ends_look_at;	/* when to see next whose end is to be asked for */
	TimestampTz watermarks_at;	/* when to look next at the high watermarks */

	/* ids of topics: see topic_watch.c */
	uint64		watch_tag;		/* of the last question */
	uint64		watch_asked;	/* of that for those that run, not answered yet; 0: none */
	TimestampTz watch_at;		/* when to ask for these next; 0: at once */

	/* commits */
	bool		committing;		/* one is under way */
	uint64		stored_tag;		/* it has failed, and Kafka was asked what it has; 0: it was not */
	char		failed_text[BURROW_KAFKA_TEXT_MAX];
	TimestampTz commit_sent_at;
	TimestampTz commit_answered_at; /* or the start */
	TimestampTz commit_not_before;	/* by count, or after a failure */
	int64		store_delay_us; /* positions cannot be stored: between two tries; 0: they can */
	uint64		done_since_commit;	/* messages */
	bool		commit_now;		/* asked for */
	bool		owing;			/* something is done that Kafka does not know */
	uint64		durable_lsn;	/* as this turn's look found it: all that Kafka is told counts on
								 * it */
	bool		without_runs;	/* the broker does not take commits with runs */
	bool		sent_runs;		/* the commit under way has some */
	bool		without_tag;	/* nor with any metadata */
	uint64		unconfirmed_lsn;	/* flushed here, and not confirmed by the standbys; 0: none */
	TimestampTz unconfirmed_since;
	bool		finishing;		/* what closing parts are told of now is all that will be told */
	uint64		final_lsn;		/* the last commit waits until this is durable; 0: for nothing */
	TimestampTz final_until;	/* but not longer */

	/* trouble */
	bool		degraded;		/* state is retrying */
	bool		auth_failed;	/* by authentication or authorization */
	bool		connection_suspect; /* a connection was lost: is that all? */
	int			log_lines;		/* librdkafka's lines shown since the last change */
	char		transport_text[BURROW_KAFKA_TEXT_MAX];	/* why a connection was lost last */
	bool		transport_auth_failed;	/* it seems by authentication */
	bool		refusal_told;	/* the state says that it is */
	bool		missing_told;	/* the state says that the topic is not there */
	uint32		fingerprint;	/* of what the client was started for: see kafka_client.h */
	bool		lost;			/* an assignment was, and none has come since */
	bool		came_back;		/* one has: look whether it is for what there is now */
	TimestampTz probe_at;		/* when to look whether the trouble is over */

	TimestampTz topic_missing_since;	/* 0: Kafka has it, or it was not looked at */
	char		missing_topic[BURROW_TOPIC_MAX + 1];	/* one that was lost; "": none */

	/* the end */
	BurrowStopReason ending;
	bool		gives_up_place; /* in the group: the next start is for other partitions, or
								 * another group */
	BurrowShutdownPhase end_phase;
	TimestampTz end_deadline;	/* of this phase */
	BurrowHalt	halt;
	MemoryContext halt_cxt;

	TimestampTz now;			/* this turn's */
};

/* a - b in whole milliseconds, rounded up, not negative; for timeouts */
static inline long
burrow_ms_until(TimestampTz at, TimestampTz now)
{
	return at <= now ? 0 : (long) ((at - now + 999) / 1000);
}

/* The earlier of two points in time, where 0 means never. */
static inline TimestampTz
burrow_earlier(TimestampTz a, TimestampTz b)
{
	if (a == 0 || b == 0)
		return a + b;
	return Min(a, b);
}

#endif							/* BURROW_PARTITION_CONTEXT_H */
