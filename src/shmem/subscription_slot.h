/*
 * subscription_slot.h
 *	  What everybody may know of a subscription that runs, or could.
 */
#ifndef BURROW_SHMEM_SUBSCRIPTION_SLOT_H
#define BURROW_SHMEM_SUBSCRIPTION_SLOT_H

#include "port/atomics.h"
#include "storage/proc.h"
#include "utils/timestamp.h"

#include "burrow.h"
#include "core/histogram.h"
#include "core/sizes.h"
#include "core/sqlstate_class.h"
#include "shmem/counters.h"
#include "shmem/trouble_kinds.h"

/* What a subscription does, as burrow.subscriptions shows it. */
typedef enum BurrowState
{
	BURROW_STARTING = 0,		/* -> any */
	BURROW_RUNNING,				/* -> RETRYING, and any of the ends below */
	BURROW_RETRYING,			/* goes on by itself when what it waits for is over -> RUNNING */
	BURROW_STALLED,				/* as RETRYING; and it is not known why */
	BURROW_PAUSED,				/* consumer gone; resume -> STARTING */
	BURROW_HALTED,				/* consumer gone; resume -> STARTING */
	BURROW_DISABLED				/* copied, not enabled, burrow.enabled off, database locked out */
} BurrowState;

extern const char *const burrow_state_names[];

/*
 * How a consumer's end is meant.  The consumer says so before it exits
 * (burrow_registry_leave); one that says nothing has died.
 */
typedef enum BurrowLeave
{
	BURROW_LEAVE_DIED = 0,		/* started again after a backoff */
	BURROW_LEAVE_PLACE_TAKEN,	/* Kafka still has its place taken, for a known time: started
								 * again after the shortest backoff, as often as that takes */
	BURROW_LEAVE_RESTART,		/* started again at once: options have changed */
	BURROW_LEAVE_STOPPED		/* by itself or on request: a discovery worker reads the catalog
								 * once more and says whether it should run */
} BurrowLeave;

/* An error that the views show.  Written by the consumer or the launcher. */
typedef struct BurrowErrorInfo
{
	TimestampTz at;				/* 0: none */
	char		sqlstate[6];
	char		message[512];	/* the owner's: may quote a message's contents */
	char		public_message[256];	/* everybody's who may see the subscription; "": message
										 * is */
} BurrowErrorInfo;

/* Messages that wait for their retry, and the one that has failed first of those. */
typedef struct BurrowRetryInfo
{
	uint64		n;				/* 0: none, and the rest says nothing */
	char		topic[BURROW_TOPIC_MAX + 1];
	int32		partition;
	int64		offset;
	uint32		attempt;		/* the next one */
	TimestampTz since;			/* it failed first */
	TimestampTz at;				/* of the next attempt */
	TimestampTz wait_until;		/* the whole subscription waits; 0: it does not */
} BurrowRetryInfo;

/* What a worker could not be started for. */
typedef enum BurrowShortage
{
	BURROW_SHORT_OF_NOTHING = 0,
	BURROW_SHORT_OF_SLOTS,		/* burrow.max_workers */
	BURROW_SHORT_OF_PROCESSES,	/* max_worker_processes */
	BURROW_SHORT_OF_MEMORY,		/* dynamic shared memory */
	BURROW_SHORT_OF_ROLE,		/* burrow.max_workers_per_role */
	BURROW_SHORT_OF_SHARE		/* other subscriptions have some of what is its share */
} BurrowShortage;

/* Assigned partitions whose start is not known yet, and the first of those for which Kafka has no
 * answer while others go on. */
typedef struct BurrowStartInfo
{
	uint32		n;
	uint32		nstuck;			/* 0: the rest says nothing */
	char		topic[BURROW_TOPIC_MAX + 1];
	int32		partition;
	TimestampTz since;
	char		message[256];
} BurrowStartInfo;

/*
 * Names as the labels of metrics: in UTF-8, because the exporter is in no database, and room for what
 * becomes of bytes that have no place in it (catalog/encoding.h).
 */
typedef struct BurrowLabels
{
	char		database[4 * NAMEDATALEN];
	char		subscription[4 * BURROW_NAME_MAX + 1];
	char		consumer_group[4 * BURROW_GROUP_MAX + 1];
} BurrowLabels;

/*
 * What had been counted when burrow.stats_reset() was called.  The views take it off; the counters themselves
 * go on, for they have one writer, and metrics do not go back.
 */
typedef struct BurrowStatsBase
{
	uint64		counters[BURROW_NCOUNTERS];
	BurrowHistogram handler_time;
	BurrowHistogram end_to_end_time;
}			BurrowStatsBase;

typedef struct BurrowSubscriptionSlot
{
	/* Identity: set when the slot is reserved, constant while in_use. */
	bool		in_use;
	Oid			dboid;
	int32		subid;
	/* Set by discovery. */
	Oid			owner;
	char		name[BURROW_NAME_MAX + 1];
	char		title[BURROW_TITLE_MAX + 1];	/* what of the name fits into a process's */
	BurrowLabels labels;
	bool		wanted;			/* the catalog says that it should run; a consumer that stops
								 * clears it until the catalog was read again */
	bool		rests;			/* the catalog says that it cannot run until it says otherwise:
								 * its slot goes to one that can, if there is no other */
	bool		dropped;		/* not in the catalog any more: the launcher frees the slot when
								 * no process refers to it */

	/* The launcher's: when to start the consumer (again). */
	uint32		generation;		/* of the consumer started last, unique in the server, so that
								 * worker slots cannot be mixed up; 0: none */
	bool		starting;		/* registered, has not attached yet */
	TimestampTz started_at;		/* when it was registered */
	TimestampTz restart_at;		/* not before; 0: at once */
	int			restart_delay_ms;	/* the last backoff; 0 after a good run */
	uint64		restarts;		/* ends that were not meant */

	/* Set at the consumer's exit, for the launcher to deal with. */
	bool		ended;
	BurrowLeave leave;			/* reset at each start */

	/* The consumer's, set while it is attached. */
	pid_t		consumer_pid;	/* 0: none */
	bool		in_group;		/* it may use its consumer group: see groups.c */
	PGPROC	   *consumer_proc;	/* for its latch; NULL: none */
	BurrowState state;
	BurrowErrorInfo last_error;
	BurrowTrouble troubles[BURROW_NTROUBLES];	/* under the lock: troubles.c */
	BurrowRetryInfo retries;	/* under the lock */
	BurrowStartInfo starting_partitions;	/* the same */
	TimestampTz stats_reset;
	BurrowStatsBase stats_base; /* under the lock */
	int			workers_wanted; /* pool size that it would like now */
	int			workers_claimed;	/* workers that it would not give back: see worker_share.c */
	uint64		worker_started; /* greater: a worker was started for it later; under the lock */
	BurrowShortage shortage;	/* why the pool is smaller than it should be */

	/* Requests to the consumer; no lock.  Any process sets bits and then its latch. */
	pg_atomic_uint32 requests;

	/*
	 * One bit a lane: this worker has sent a result.  No lock: the worker sets its bit, then the
	 * consumer's latch; the consumer exchanges words with 0.
	 */
	pg_atomic_uint64 ready[BURROW_MAX_WORKERS / 64];

	/* Written by the consumer alone, read by anybody; no lock. */
	pg_atomic_uint64 counters[BURROW_NCOUNTERS];
	pg_atomic_uint64 failures[BURROW_SQLSTATE_CLASSES]; /* of counters, messages_failed by class */
	pg_atomic_uint64 jobs_queued;	/* messages that could run or wait behind others */
	pg_atomic_uint64 inflight;	/* messages in workers' hands */
	pg_atomic_uint64 inflight_bytes;	/* bytes of all messages taken and not resolved */
	pg_atomic_uint64 unconfirmed_since; /* what is flushed here waits for standbys; 0: nothing
										 * does */
	pg_atomic_uint64 last_progress_at;	/* TimestampTz of the last commit that handled something;
										 * 0: none yet */
	pg_atomic_uint64 last_commit_at;	/* TimestampTz when Kafka acknowledged one; 0: none yet */
	pg_atomic_uint64 renewed_at;	/* TimestampTz when a new client was made because messages did
									 * not come; 0: not since they have */
	BurrowHistogram handler_time;
	BurrowHistogram end_to_end_time;
	BurrowSizes transaction_messages;	/* of those that were committed */
	pg_atomic_uint64 letters_pending;	/* rows of burrow.dead_letter, when they were counted
										 * last; -1: they were not */
	pg_atomic_uint64 parked_keys;	/* with park_key: keys that have such rows */
	BurrowHistogram kafka_commit_time;	/* from sending a commit to its acknowledgement */
} BurrowSubscriptionSlot;

#define BURROW_REQUEST_RELOAD	1	/* the catalog row has changed, or is gone */
#define BURROW_REQUEST_LEAVE	2	/* leave the database: drain and exit */
#define BURROW_REQUEST_REFRESH	4	/* ask for the partitions' ends, and commit what is done */
#define BURROW_REQUEST_RENEW	8	/* settings of the workers' sessions have changed */

#endif							/* BURROW_SHMEM_SUBSCRIPTION_SLOT_H */
