/*
 * consumer.h
 *	  The consumer process's own state, shared by the files that make it up:
 *
 *		consumer.c		start, main loop
 *		connection.c	the Kafka clients and what they have to say
 *		ending.c		draining, final commit, leaving
 *		part.c			one epoch of one partition
 *		assignment.c	partitions come and go: rebalances
 *		seek.c			partitions are moved because somebody asked for it
 *		location.c		where the partitions of an assignment start
 *		continuity.c	is the topic still the one that we know?
 *		ends.c			where partitions end, for the lag
 *		intake.c		messages out of Kafka's queues into the scheduler
 *		pool.c			workers: start, give chunks, let go
 *		result.c		what workers send back
 *		failure.c		what follows from a failure
 *		retry.c			messages that wait for their next attempt
 *		redelivery.c	dead letters that are to be tried again
 *		park.c			messages that wait behind a dead letter of their key
 *		outbox.c		dead letters on their way to the dead-letter topic
 *		commit.c		what is durable, and telling Kafka
 *		fold.c			what workers have done beyond the head, in one row
 *
 * All of it is private to one process and one thread; what others may see is in
 * shmem/.  Times are TimestampTz (microseconds) read once a turn of the loop.  Functions
 * without a BurrowConsumer are used by dry_fetch.c, too.
 */
#ifndef BURROW_PROC_CONSUMER_H
#define BURROW_PROC_CONSUMER_H

#include "lib/ilist.h"
#include "lib/pairingheap.h"
#include "postmaster/bgworker.h"
#include "storage/latch.h"
#include "utils/dsa.h"
#include "utils/timestamp.h"

#include "catalog/position.h"
#include "catalog/seek.h"
#include "catalog/subscription.h"
#include "core/breaker.h"
#include "core/frame.h"
#include "core/offset_set.h"
#include "core/parking.h"
#include "core/policy.h"
#include "core/scheduler.h"
#include "core/sizer.h"
#include "core/start_position.h"
#include "core/tracker.h"
#include "kafka/kafka.h"
#include "shmem/partitions.h"
#include "shmem/registry.h"
#include "shmem/transport.h"

typedef struct BurrowConsumer BurrowConsumer;
typedef struct BurrowPart BurrowPart;
typedef struct BurrowPlace BurrowPlace;	/* see park.c */
typedef struct BurrowOutbox BurrowOutbox;

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
	bool		unfit;			/* the handler could not be called */
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
	BurrowFailure *failure;		/* a dead letter's, until it is written; NULL: it is parked */
} BurrowRetry;

/* A message that was taken and is not resolved: one palloc with its frame. */
typedef struct BurrowMessage
{
	BurrowSchedItem item;		/* must be first */
	BurrowTrackerRef ref;
	BurrowPart *part;
	BurrowRetry *retry;			/* NULL: it has not failed */
	BurrowMessageHeader frame;	/* key, value and headers follow */
} BurrowMessage;

typedef enum BurrowPartState
{
	BURROW_PART_LOCATING,		/* start not known yet -> ACTIVE, CLOSED */
	BURROW_PART_ACTIVE,			/* -> CLOSING */
	BURROW_PART_CLOSING,		/* being revoked: nothing new is taken -> CLOSED */
	BURROW_PART_CLOSED			/* epoch over; kept while a worker holds a message of it */
} BurrowPartState;

/* The lane of what the consumer resolves itself (dead letters, what is skipped); no worker
 * has it. */
#define BURROW_RESOLVED_LANE	BURROW_MAX_WORKERS

/* One epoch of one partition. */
struct BurrowPart
{
	dlist_node	node;			/* in consumer->parts */
	dlist_node	readable_node;	/* in consumer->readable, if readable */
	char		topic[BURROW_TOPIC_MAX + 1];
	int32		partition;
	BurrowPartState state;
	bool		revoked;		/* closing because of a rebalance */
	uint32		id;				/* wake-up id, not 0 */
	int			slot;			/* shared partition slot */
	BurrowKafkaPartition *queue;	/* NULL before the assign and after the revoke */
	BurrowSchedPartition *sched;
	BurrowTracker tracker;
	uint64		held;			/* messages in workers' hands */
	bool		readable;		/* the queue may hold something */
	int			turn;			/* messages left of its turn to be read; 0: none has begun */
	bool		dirty;			/* shared slot is to be brought up to date */
	bool		moving;			/* in consumer->moving: heads may move */
	dlist_node	moving_node;
	bool		window_full;
	int64		end;			/* end of the partition; -1: not known */
	BurrowOffsetSet skip;		/* done before this epoch, beyond its start */

	/* Where it starts; see location.c. */
	bool		located;
	int64		start;
	bool		old;			/* it is where we were before, and not what somebody wants now */
	int64		low;			/* of the log, when it was looked at */
	bool		start_stored;	/* the database has it, in the consumer's row alone */
	bool		start_acked;	/* Kafka has it, or an offset below it, with our tag */
	bool		start_by_rows;	/* below it is done what Kafka does not know, our rows do */
	uint64		rows_lsn;		/* the rows read are durable with this; 0: they are, or none were */
	bool		sought;			/* burrow.seek() gave it, and that is still in the catalog: no
								 * message is taken */

	/* Commits; next to read, -1: none. */
	int64		committed;		/* acknowledged, by this epoch */
	int64		sent;			/* in the commit under way; -1: not part of it */
	int64		stored;			/* in the consumer's row; -1: not known */
	uint64		ndone;			/* messages, in this epoch */
	uint64		ndone_sent;		/* ndone when Kafka was last told, without what was not
								 * flushed; anything else: it is to be told again */
	bool		lost;			/* Kafka said that it is not there: what comes may be another topic's
								 * and is not taken */
	bool		runs_full;		/* the commit's metadata has no room: no more are taken */

	/* Folds; see fold.c. */
	uint64	   *folded;			/* by lane, the resolved one's last: its chunks up to this one are
								 * in our row; NULL: none */
	uint64		fold_base;		/* of ndone: these are folded, or below the head */
	bool		fold_wanted;	/* a worker's row has grown */
	int64		fold_mark;		/* when the head comes here, all that was done until now is below it */

	BurrowPlace *place;			/* the partition's parked keys; NULL: park_key is off */

	/* Not a partition of Kafka's, but dead letters of one; see redelivery.c. */
	bool		letters;
	bool		guest;			/* sched belongs to the part of the partition itself */
	uint32		unresolved;		/* messages */

	/* The last message that was taken, in this epoch or before; see continuity.c. */
	int64		seen_offset;	/* -1: none */
	int64		seen_ms;		/* its timestamp; -1: none */
	TimestampTz seen_stored_at; /* when the consumer's row was written last */

	int64		newest_done_ms; /* Kafka's timestamp of the newest message done; 0: none */

	/* Its end, as it is shown. */
	int64		end_seen;		/* where it was reached, and nothing was taken since; -1: not */
	TimestampTz end_seen_at;
	TimestampTz asked_at;		/* the question that the broker has answered last; 0: none */
	TimestampTz bounds_at;		/* when it was last known, from either; 0: never */
	TimestampTz behind_since;	/* when it first had a message again after its end was
								 * reached; 0: not yet */
};

typedef enum BurrowLaneState
{
	BURROW_LANE_FREE,			/* -> STARTING */
	BURROW_LANE_STARTING,		/* -> IDLE, LEAVING */
	BURROW_LANE_IDLE,			/* -> BUSY, LEAVING */
	BURROW_LANE_BUSY,			/* -> IDLE, LEAVING */
	BURROW_LANE_LEAVING			/* its queue is detached -> FREE when the process is gone */
} BurrowLaneState;

/* One worker, seen from the consumer. */
typedef struct BurrowLane
{
	dlist_node	idle_node;		/* in pool->idle, if idle */
	BurrowLaneState state;
	int			lane;
	int			worker;			/* worker slot */
	BackgroundWorkerHandle *handle;
	BurrowTransport *transport;
	bool		retire;			/* let it go when its chunk is done */
	bool		cancelled;		/* its messages were cancelled: see pool.c */
	TimestampTz idle_since;

	/* The chunk in hand. */
	uint64		chunk;
	BurrowPart *part;			/* is there for as long as the lane has a message of it */
	TimestampTz given_at;
	bool		carrying;		/* it may have messages that the worker has not begun */
	dlist_node	carrying_node;	/* in pool->carrying, if so */
	int			nmessages;		/* without those taken back */
	int			capacity;		/* of the three arrays below, in messages */
	BurrowMessage **messages;	/* NULL: resolved already, but never all */
	BurrowFailure **failures;	/* that came for it; NULL: none */
	bool		failed;			/* some did */
	bool		sending;		/* not all of it fits into the queue yet */
	int			iovcnt;
	shm_mq_iovec *iov;
	BurrowChunkHeader header;	/* followed by the topic */
	char		topic[BURROW_FRAME_ALIGN(BURROW_TOPIC_MAX)];
} BurrowLane;

typedef struct BurrowPool
{
	BurrowWorkerSetup *setup;
	int			nlanes;			/* not FREE */
	int			nstarting;
	int			nidle;
	int			nbusy;
	int			nleaving;
	int			nsending;
	uint64		chunk;			/* number of the last chunk */
	BurrowSizer sizer;
	dlist_head	idle;			/* used last first, so that the rest can leave */
	dlist_head	carrying;		/* lanes; the oldest chunk first: see recall.c */
	TimestampTz start_again_at; /* no worker could be started: not before; 0: now */
	int64		start_delay_us; /* after workers that ended at their start; 0: none did */
	bool		told_short;		/* the log knows that slots are missing */
	bool		gave_retry;		/* the last chunk was a retry */
	BurrowLane *lanes[BURROW_MAX_WORKERS];	/* NULL: never used */
} BurrowPool;

/* An assignment, from its event to its answer. */
typedef enum BurrowAssignStep
{
	BURROW_ASSIGN_NONE,
	BURROW_ASSIGN_ASK,			/* committed offsets are to be asked for -> ASKED */
	BURROW_ASSIGN_ASKED,		/* -> ASK after an error, RESOLVE */
	BURROW_ASSIGN_RESOLVE		/* starts are to be looked up -> NONE when answered */
} BurrowAssignStep;

/* Why the consumer is on its way out. */
typedef enum BurrowEnding
{
	BURROW_ENDING_NOT = 0,
	BURROW_ENDING_CATALOG,		/* paused, disabled or dropped */
	BURROW_ENDING_RESTART,		/* options changed: start anew at once */
	BURROW_ENDING_LEAVE,		/* database is wanted, or burrow.enabled is off */
	BURROW_ENDING_HALT,			/* a message failed for good */
	BURROW_ENDING_SHUTDOWN		/* SIGTERM */
} BurrowEnding;

/* How far the end has come. */
typedef enum BurrowEndPhase
{
	BURROW_END_NOT,				/* -> DRAINING */
	BURROW_END_DRAINING,		/* messages in hand are waited for -> COMMITTING */
	BURROW_END_COMMITTING,		/* the final commit is waited for, and dead letters that are
								 * being produced -> LEAVING, CLOSING, OVER */
	BURROW_END_LEAVING,			/* out of the group for good -> CLOSING, OVER */
	BURROW_END_CLOSING,			/* the client is being closed -> OVER */
	BURROW_END_OVER
} BurrowEndPhase;

struct BurrowConsumer
{
	/* who we are */
	int			slot;			/* subscription slot */
	uint32		generation;
	int32		subid;
	Oid			dboid;
	BurrowSubscription *sub;
	MemoryContext sub_cxt;		/* owns sub */
	BurrowStart start;

	/* Kafka */
	const BurrowKafkaFunctions *kafka;
	char	   *bootstrap_servers;	/* that the client was made with */
	BurrowKafkaClient *client;	/* NULL: not connected yet */
	BurrowKafkaClient *scout;	/* only asks questions: joins no group, fetches nothing,
								 * so its answers do not wait behind fetches */
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
	BurrowPart **part_by_id;	/* index id - 1; NULL: free */
	uint32		nids;
	uint32		epoch;			/* last given */
	uint64		bytes;			/* of all messages taken and not resolved */

	BurrowPool	pool;

	/* failures */
	BurrowBreaker breaker;
	TimestampTz wait_until;		/* the environment is at fault: nothing is given out before */
	pairingheap *retries;		/* by time */
	dlist_head	waiting;		/* the same */
	uint64		nwaiting;
	BurrowRetryInfo retries_told;	/* what the views have */
	dlist_head	letters;		/* dead letters to be written */
	bool		redeliver;		/* there may be dead letters that are to be tried again */
	TimestampTz redeliver_at;	/* they could not be read: not before; 0: at once */
	uint32		nletter_parts;	/* parts that hold such */
	dlist_head	places;			/* partitions that have, or had, parked keys */
	bool		park_stale;		/* the table is to be read for them again */
	bool		park_known;		/* it was read once */
	TimestampTz letters_again_at;	/* they could not be written: not before; 0: at once */
	BurrowOutbox *outbox;

	/* partitions come: see assignment.c */
	BurrowAssignStep assign_step;
	bool		assign_unanswered;	/* librdkafka waits for assign() */
	TimestampTz locate_again_at;	/* not before; 0: at once */
	bool		joined;			/* an assignment was answered once */

	/* seeks: see seek.c */
	BurrowPendingSeeks seeks;	/* not done yet */
	bool		seek_acked;		/* Kafka has acknowledged the position of one */
	TimestampTz seek_again_at;	/* they could not be removed: not before; 0: at once */
	const BurrowSeek *refused_seek; /* that cannot be done and halts; NULL: none */

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

	/* commits */
	bool		committing;		/* one is under way */
	TimestampTz commit_sent_at;
	TimestampTz commit_answered_at; /* or the start */
	TimestampTz commit_not_before;	/* by count, or after a failure */
	uint64		done_since_commit;	/* messages */
	bool		commit_now;		/* asked for */
	bool		owing;			/* something is done that Kafka does not know */
	bool		without_runs;	/* the broker does not take commits with runs */
	uint64		unconfirmed_lsn;	/* flushed here, and not confirmed by the standbys; 0: none */
	TimestampTz unconfirmed_since;
	bool		finishing;		/* what closing parts are told of now is all that will be told */
	uint64		final_lsn;		/* the last commit waits until this is durable; 0: for nothing */
	TimestampTz final_until;	/* but not longer */

	/* trouble */
	bool		troubled;		/* state is retrying */
	bool		refused;		/* by authentication or authorization */
	bool		suspicious;		/* a connection was lost: is that all? */
	int			log_lines;		/* librdkafka's lines shown since the last change */
	char		transport_text[BURROW_KAFKA_TEXT_MAX];	/* why a connection was lost last */
	bool		transport_refused;	/* it seems by authentication */
	bool		refusal_told;	/* the state says that it is */
	TimestampTz probe_at;		/* when to look whether the trouble is over */

	TimestampTz topic_missing_since;	/* 0: Kafka has it, or it was not looked at */
	char		missing_topic[BURROW_TOPIC_MAX + 1];	/* one that was lost; "": none */

	/* the end */
	BurrowEnding ending;
	BurrowEndPhase end_phase;
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

/* ---- consumer.c ---- */
extern void burrow_consumer_end(BurrowConsumer *c, BurrowEnding ending);
extern void burrow_consumer_trouble(BurrowConsumer *c, const char *sqlstate, const char *text);
extern void burrow_consumer_trouble_over(BurrowConsumer *c);
/* Brings the state that the views show up to date: starting, running or retrying. */
extern void burrow_consumer_show_state(BurrowConsumer *c);
/* A short transaction with a snapshot; the turn's memory context is current after it. */
extern void burrow_consumer_start_transaction(BurrowConsumer *c);
extern void burrow_consumer_commit_transaction(BurrowConsumer *c);
/* For the rest of the transaction: nobody who has locked a table is waited for for long. */
extern void burrow_consumer_limit_lock_waits(void);
/* Calls work(c, arg) in such a transaction, with that limit.  False: it failed and was rolled back, and the
 * state says why it could not do "what"; to be tried again. */
extern bool burrow_consumer_try(BurrowConsumer *c, void (*work) (BurrowConsumer *c, void *arg), void *arg,
								const char *what);

/* ---- connection.c ---- */

/* While in trouble: between two looks whether it is over. */
#define BURROW_PROBE_US		INT64CONST(5000000)
/* After a connection was lost, before looking whether that is all. */
#define BURROW_SUSPECT_US	INT64CONST(1000000)

extern void burrow_connection_make_pipe(int *read_end, int *write_end);
/* A client that only asks questions, and may read so many messages of a partition; an error if
 * librdkafka makes none. */
extern BurrowKafkaClient *burrow_connection_open_scout(const BurrowKafkaFunctions *kafka,
													   const BurrowSubscription *sub,
													   int wake_write, int messages);
/* The id of the cluster; NULL: not known.  halt->message: NULL, or it is not the subscription's. */
extern const char *burrow_connection_cluster(const BurrowKafkaFunctions *kafka, BurrowKafkaClient *scout,
											 const BurrowSubscription *sub, BurrowHalt *halt);
/* One attempt to make the clients; false: Kafka does not answer.  May end the consumer. */
extern bool burrow_connection_open(BurrowConsumer *c);
/* Serves the events of both clients. */
extern void burrow_connection_serve(BurrowConsumer *c);
/* Takes the numbers of readable queues out of the pipe. */
extern void burrow_connection_read_pipe(BurrowConsumer *c);
/* A client for dead letters; an error if librdkafka makes none. */
extern BurrowKafkaClient *burrow_connection_open_producer(BurrowConsumer *c);
/* Is it in doubt whether Kafka, or the topic, is there? */
extern bool burrow_connection_is_in_doubt(const BurrowConsumer *c);
/* Finds out, if that is due. */
extern void burrow_connection_probe(BurrowConsumer *c);

/* ---- ending.c ---- */
extern void burrow_ending_advance(BurrowConsumer *c);
extern TimestampTz burrow_ending_next(const BurrowConsumer *c);
/* The subscription is on its way to halt; copies the texts.  The first reason is kept. */
extern void burrow_ending_halt(BurrowConsumer *c, const BurrowHalt *halt);
/* A rebalance while the group is being left. */
extern void burrow_ending_answer_rebalance(BurrowConsumer *c, const BurrowKafkaEvent *event);
/* Tells the launcher how the end is meant. */
extern void burrow_ending_tell(BurrowConsumer *c);

/* ---- part.c ---- */
extern BurrowPart *burrow_part_new(BurrowConsumer *c, const char *topic, int32 partition);
/* Everything that it needs before its messages may come. */
extern void burrow_part_open(BurrowConsumer *c, BurrowPart *part);
/* The part that holds dead letters of this partition; NULL: none. */
extern BurrowPart *burrow_part_find_letters(BurrowConsumer *c, const char *topic, int32 partition);
/* Takes no more of it, and drops what no worker has. */
extern void burrow_part_stop(BurrowConsumer *c, BurrowPart *part);
/* It is no longer ours.  Freed here, or when the last worker lets go of it. */
extern void burrow_part_close(BurrowConsumer *c, BurrowPart *part);
/* Not closed; NULL: none. */
extern BurrowPart *burrow_part_find(BurrowConsumer *c, const char *topic, int32 partition);
/* Does a worker still hold a message of an older epoch of this partition? */
extern bool burrow_part_has_straggler(BurrowConsumer *c, const BurrowPart *part);
/* A worker has let go of a message of this part, which may have been freed by it afterwards. */
extern void burrow_part_release(BurrowConsumer *c, BurrowPart *part);
/* Bring the shared slot up to date. */
extern void burrow_part_publish(BurrowConsumer *c, BurrowPart *part);

/* ---- assignment.c ---- */
extern void burrow_assignment_assign(BurrowConsumer *c, const BurrowKafkaList *list);
extern void burrow_assignment_revoke(BurrowConsumer *c, const BurrowKafkaList *list, bool lost);
/* Moves on what waits for time or for workers; called each turn. */
extern void burrow_assignment_advance(BurrowConsumer *c);
extern TimestampTz burrow_assignment_next(BurrowConsumer *c);
/* Cancels, then terminates, what is in hand of closing partitions after the deadline. */
extern void burrow_assignment_enforce(BurrowConsumer *c, TimestampTz deadline);
/* Takes no more messages of any partition; drops what no worker has. */
extern void burrow_assignment_stop(BurrowConsumer *c);
/* Lets go of all partitions and their queues. */
extern void burrow_assignment_close(BurrowConsumer *c);

/* ---- location.c ---- */
/* The partitions that are being located: those whose start is not known, or all. */
extern BurrowKafkaList *burrow_location_list(BurrowConsumer *c, bool unlocated_only);
/* Asks for the group's committed offsets; waits for workers of an older epoch. */
extern void burrow_location_ask(BurrowConsumer *c);
/* They have come. */
extern void burrow_location_fetched(BurrowConsumer *c, const BurrowKafkaEvent *event);
/* Looks up the log's start or end, or a time.  False: not all are known yet. */
extern bool burrow_location_resolve(BurrowConsumer *c);
/* All starts are known: they go into the database.  False: not now. */
extern bool burrow_location_store(BurrowConsumer *c);
/* Has the broker turn special offsets and times into offsets, all of them, or says why not. */
extern bool burrow_location_look_up(const BurrowKafkaFunctions *kafka, BurrowKafkaClient *scout,
									BurrowKafkaList *list, char *text);

/* What Kafka and the database say together of where a partition starts. */
typedef struct BurrowLocation
{
	BurrowStartCommit commit;	/* what Kafka's is */
	BurrowStartPosition decided;	/* see core/start_position.h */
	int64		start;			/* the first from there on that is not done; -1: HALT */
	bool		located;		/* false: start is a special offset or a time, to be looked up */
} BurrowLocation;

/* Adds to skip what is done beyond the start; in the current memory context. */
extern BurrowLocation burrow_location_decide(const BurrowSubscription *sub, const BurrowStart *option,
											 const BurrowKafkaTopicPartition *item, const BurrowPosition *row,
											 bool group_has_others, BurrowOffsetSet *skip);
/* Why, when it says HALT. */
extern BurrowHalt burrow_location_behind(const char *topic, int32 partition, int64 committed, int64 low);

/* ---- seek.c ---- */
/* Reads what is pending.  The current memory context has to last. */
extern void burrow_seek_init(BurrowConsumer *c);
/* Is something pending that was not when this consumer started? */
extern bool burrow_seek_is_new(BurrowConsumer *c);
/* Halts if one cannot be done.  False: Kafka has not answered. */
extern bool burrow_seek_check(BurrowConsumer *c);
/* Is the partition to be moved?  Then it says where it starts, and whether that is known or
 * still to be looked up. */
extern bool burrow_seek_decide(const BurrowPendingSeeks *pending, const char *topic, int32 partition,
							   int64 *start, bool *located);
extern bool burrow_seek_locate(BurrowConsumer *c, BurrowPart *part);
/* All starts are known: those that are at a time are stored as offsets.  False: not now. */
extern bool burrow_seek_fix_time(BurrowConsumer *c);
/* Kafka has acknowledged positions: those that were sought are done. */
extern void burrow_seek_run(BurrowConsumer *c);
extern TimestampTz burrow_seek_next(const BurrowConsumer *c);

/* ---- continuity.c ---- */
#define BURROW_HINT_SEEK	"Use burrow.seek() to say where to go on."

/* All starts are known: halts where one cannot be gone on from.  False: it did, or Kafka has
 * not answered. */
extern bool burrow_continuity_check(BurrowConsumer *c);
/* The topic does not hold what comes next. */
extern BurrowHalt burrow_continuity_gap(const char *topic, int32 partition, int64 position, const char *detail);
extern void burrow_continuity_halt_gap(BurrowConsumer *c, const BurrowPart *part, int64 position, const char *detail);
/* What a log holds, as a sentence. */
extern const char *burrow_continuity_bounds_text(int64 low, int64 end);
/* Kafka said that this partition is not there (any more). */
extern void burrow_continuity_lose(BurrowConsumer *c, BurrowPart *part);
/* The topic, or pattern, to look for. */
extern const char *burrow_continuity_wanted_topic(const BurrowConsumer *c);
/* So many partitions has it, says Kafka. */
extern void burrow_continuity_note_topic(BurrowConsumer *c, int partitions);
/* A message was taken. */
static inline void
burrow_continuity_note_message(BurrowPart *part, int64 offset, int64 timestamp_ms)
{
	part->seen_offset = offset;
	part->seen_ms = timestamp_ms;
}
/* What is to be kept of it with the position. */
extern void burrow_continuity_fill(const BurrowPart *part, BurrowPosition *position);
/* It is not kept for long enough: retention would take it before it is looked at. */
extern bool burrow_continuity_is_stale(const BurrowConsumer *c, const BurrowPart *part);

/* ---- ends.c ---- */
/* Asks for the ends of partitions that are behind, or that somebody waits for; after the turn
 * of what has come, because what is in a queue then is held back. */
extern void burrow_ends_refresh(BurrowConsumer *c);
/* The queue of a partition is empty: has its end been reached? */
extern void burrow_ends_queue_empty(BurrowPart *part);
extern TimestampTz burrow_ends_next(BurrowConsumer *c);

/* ---- intake.c ---- */
extern void burrow_intake_readable(BurrowConsumer *c, BurrowPart *part);
/* Takes what there is room for; true if it stopped early and should be called again soon. */
extern bool burrow_intake_run(BurrowConsumer *c);
extern void burrow_message_free(BurrowConsumer *c, BurrowMessage *m);
/* More slots for the partition's tracker; false: no dynamic shared memory. */
extern bool burrow_intake_add_segment(BurrowConsumer *c, BurrowPart *part);

/* ---- pool.c ---- */
extern void burrow_pool_init(BurrowConsumer *c);
/* New setup: workers leave after what they have in hand, and others start. */
extern void burrow_pool_replace(BurrowConsumer *c);
/* Gives chunks to idle workers; starts workers that are missing, ends idle ones. */
extern void burrow_pool_dispatch(BurrowConsumer *c);
extern TimestampTz burrow_pool_next(const BurrowConsumer *c);
/* Cancels (SIGINT) or terminates (SIGTERM) the workers that hold a message of a
 * closing partition. */
extern void burrow_pool_cancel(BurrowConsumer *c);
extern void burrow_pool_terminate(BurrowConsumer *c);
extern void burrow_pool_detach_all(BurrowConsumer *c);
/* Workers that came, workers whose start failed, workers that are gone for good. */
extern void burrow_pool_look_at_processes(BurrowConsumer *c);
/* Has the lane's worker taken its slot, and not left it yet? */
extern bool burrow_pool_is_attached(const BurrowConsumer *c, const BurrowLane *lane);
extern void burrow_pool_set_idle(BurrowConsumer *c, BurrowLane *lane);
/* The lane has no chunk any more. */
extern void burrow_pool_forget_chunk(BurrowConsumer *c, BurrowLane *lane);
/* Our end of its queues is closed: its process will exit. */
extern void burrow_pool_let_go(BurrowConsumer *c, BurrowLane *lane);

/* ---- recall.c ---- */
/* The lane's new chunk is about to be sent. */
extern void burrow_recall_given(BurrowConsumer *c, BurrowLane *lane);
extern void burrow_recall_forget(BurrowLane *lane);
/* The part is closing: takes back what is not begun of it. */
extern void burrow_recall_part(BurrowConsumer *c, const BurrowPart *part);
/* Takes back what others can have, or what has waited for too long.  True: there was some. */
extern bool burrow_recall_run(BurrowConsumer *c);
extern TimestampTz burrow_recall_next(const BurrowConsumer *c);

/* ---- result.c ---- */
/* Lets go of what a busy worker has done so far, or what has failed. */
extern void burrow_result_resolve_known(BurrowConsumer *c, BurrowLane *lane);
/* The message is to be run again; nothing is known against it. */
extern void burrow_result_returned(BurrowConsumer *c, BurrowMessage *m);
/* Reads results and notices workers that came or went. */
extern void burrow_result_collect(BurrowConsumer *c);
/* The process is gone, or on its way out with its transaction aborted. */
extern void burrow_result_lane_gone(BurrowConsumer *c, BurrowLane *lane);

/* ---- failure.c ---- */
extern void burrow_failure_init(BurrowConsumer *c);
extern BurrowFailure *burrow_failure_new(BurrowConsumer *c, const char *sqlstate, const char *message,
										 const char *detail, const char *hint, const char *context);
extern BurrowFailure *burrow_failure_from_frame(BurrowConsumer *c, const BurrowResultFailure *frame);
/* Every outcome is told in its order: a success, or a failure, which is judged. */
extern void burrow_failure_success(BurrowConsumer *c);
extern void burrow_failure_judge(BurrowConsumer *c, BurrowMessage *m, BurrowFailure *failure);
/* The worker has let go of the message: does what the judgement says; frees failure. */
extern void burrow_failure_act(BurrowConsumer *c, BurrowMessage *m, BurrowFailure *failure);
/* A message just picked is to be written as a dead letter, without having failed. */
extern void burrow_failure_park(BurrowConsumer *c, BurrowMessage *m);
/* A dead letter just picked is not to be tried: its row stays as it is. */
extern void burrow_failure_leave(BurrowConsumer *c, BurrowMessage *m);
/* Writes dead letters.  True: some were written. */
extern bool burrow_failure_run(BurrowConsumer *c);
extern TimestampTz burrow_failure_next(const BurrowConsumer *c);
/* The environment is at fault: messages are tried one at a time, after a wait. */
extern bool burrow_failure_is_waiting(const BurrowConsumer *c);
extern bool burrow_failure_may_dispatch(const BurrowConsumer *c);

/* ---- retry.c ---- */
extern void burrow_retry_init(BurrowConsumer *c);
/* The message's record, made at its first failure. */
extern BurrowRetry *burrow_retry_record(BurrowConsumer *c, BurrowMessage *m);
/* The message, which is in hand and stays so, waits until then. */
extern void burrow_retry_add(BurrowConsumer *c, BurrowMessage *m, TimestampTz at);
extern bool burrow_retry_is_due(const BurrowConsumer *c);
/* The one that is due first. */
extern BurrowMessage *burrow_retry_take(BurrowConsumer *c);
/* Gives up what waits of this part: whoever gets it next will read it again. */
extern void burrow_retry_drop(BurrowConsumer *c, BurrowPart *part);
extern TimestampTz burrow_retry_next(const BurrowConsumer *c);
/* Brings what the views show up to date. */
extern void burrow_retry_publish(BurrowConsumer *c);

/* ---- redelivery.c ---- */
/* Gives dead letters that somebody wants to be tried again to the scheduler. */
extern void burrow_redelivery_run(BurrowConsumer *c);
extern TimestampTz burrow_redelivery_next(const BurrowConsumer *c);
/* The partition comes, or goes: its letters, which were taken out of their rows without
 * regard to it, or together with it, are given up and read again. */
extern void burrow_redelivery_give_up(BurrowConsumer *c, BurrowPart *letters);

/* ---- park.c ---- */
extern void burrow_park_init(BurrowConsumer *c);
/* The partition's place; made if there is none; NULL: park_key is off. */
extern BurrowPlace *burrow_park_place(BurrowConsumer *c, const char *topic, int32 partition);
/* Was the table read, or need not be?  Before that no message may come. */
extern bool burrow_park_is_known(const BurrowConsumer *c);
/* Reads which keys are parked and which of them are to be tried again; in a transaction,
 * while no letter is in hand or waits to be written. */
extern void burrow_park_read(BurrowConsumer *c);
extern void burrow_park_each(BurrowConsumer *c, void (*change) (BurrowParking *keys));
/* May a letter of this key be read, to be tried again? */
extern bool burrow_park_is_retried(const BurrowPlace *place, uint64 order);
/* Is a message that is parked now to be tried again at once? */
extern bool burrow_park_is_asked(const BurrowMessage *m);
/* The message is a dead letter now: its key is parked. */
extern void burrow_park_key(BurrowMessage *m);
/* Takes out of a chunk, just picked, what must not be handled; *n becomes what is left. */
extern BurrowSchedItem *burrow_park_sort(BurrowConsumer *c, BurrowSchedItem *items, uint32 *n);

/* ---- outbox.c ---- */
extern void burrow_outbox_init(BurrowConsumer *c);
/* There may be rows that are not produced. */
extern void burrow_outbox_wake(BurrowConsumer *c);
extern void burrow_outbox_run(BurrowConsumer *c);
extern TimestampTz burrow_outbox_next(const BurrowConsumer *c);
/* Does Kafka have, and the rows say so, all that was handed over? */
extern bool burrow_outbox_settled(const BurrowConsumer *c);
/* Has Kafka not taken what was handed over last? */
extern bool burrow_outbox_is_failing(const BurrowConsumer *c);

/* ---- commit.c ---- */
/*
 * Stores positions in a transaction of its own; settle: and deletes the workers' rows
 * (catalog/position.h).  False: somebody has locked the table; try again.
 */
extern bool burrow_commit_store(BurrowConsumer *c, const BurrowPosition *positions, int n, bool settle);
/* Something of the part was taken or done: look at its heads this turn. */
extern void burrow_commit_moved(BurrowConsumer *c, BurrowPart *part);
extern uint64 burrow_durable_lsn(const BurrowConsumer *c);
/* Moves the durable heads; sends a commit if one is due. */
extern void burrow_commit_run(BurrowConsumer *c);
/* At least once: may more be taken of this part, if this is done beyond its head? */
extern void burrow_commit_check_room(BurrowPart *part, const BurrowOffsetSet *done);
extern void burrow_commit_answer(BurrowConsumer *c, const BurrowKafkaEvent *event);
extern TimestampTz burrow_commit_next(BurrowConsumer *c);
/* The last commit before partitions are given up: flushes all that is done, and sends it
 * when standbys have confirmed it, or have had their time. */
extern void burrow_commit_begin_final(BurrowConsumer *c);
/* Is all that could be committed acknowledged; of the closing parts only, or of all? */
extern bool burrow_commit_settled(BurrowConsumer *c, bool closing_only);

/* ---- fold.c ---- */
/* Everything of this part that is done and is not below its head; allocated in the
 * current memory context. */
extern void burrow_fold_collect(BurrowPart *part, BurrowOffsetSet *done);
/* The last of the lane's chunks that is in our row; 0: none. */
extern uint64 burrow_fold_chunk(const BurrowPart *part, int lane);
/* So much, in bytes, does the lane's row hold beyond the head after a chunk that was sent
 * when the last fold had its chunks up to folded. */
extern void burrow_fold_note(BurrowPart *part, int lane, uint64 folded, size_t row_bytes);
/* Makes a fold of the part if one is due. */
extern void burrow_fold_run(BurrowConsumer *c, BurrowPart *part);

#endif							/* BURROW_PROC_CONSUMER_H */
