/*
 * snapshot.h
 *	  What shared memory says of all subscriptions, copied in one go.
 */
#ifndef BURROW_METRICS_SNAPSHOT_H
#define BURROW_METRICS_SNAPSHOT_H

#include "shmem/history.h"
#include "shmem/partitions.h"
#include "shmem/shared.h"
#include "shmem/worker_slots.h"

/* What it waits for, without the error's text, which may quote a message. */
typedef struct BurrowTroubleSnapshot
{
	TimestampTz since;			/* 0: not for this */
	BurrowKafkaCause cause;
	char		sqlstate[6];
} BurrowTroubleSnapshot;

/* A subscription, with what its partitions and workers add up to. */
typedef struct BurrowSubscriptionSnapshot
{
	Oid			dboid;
	int32		subid;
	int			slot;
	Oid			owner;
	BurrowLabels labels;
	BurrowState state;			/* as burrow.subscriptions shows it */
	bool		attached;		/* its consumer is there */
	uint64		counters[BURROW_NCOUNTERS]; /* since the server's start */
	uint64		stats_base[BURROW_NCOUNTERS];	/* of these what burrow.stats does not show */
	uint64		failures[BURROW_SQLSTATE_CLASSES];
	uint64		restarts;
	uint64		retries_waiting;
	BurrowRetryInfo retries;	/* more of them */
	BurrowShortage shortage;
	TimestampTz error_at;		/* the last error; 0: none */
	char		error_sqlstate[6];
	BurrowTroubleSnapshot troubles[BURROW_NTROUBLES];
	int64		letters_pending;	/* -1: not counted yet */
	uint64		parked_keys;
	bool		connected;		/* Kafka answers, as far as the consumer knows */
	TimestampTz last_progress_at;	/* 0: none yet */
	TimestampTz last_commit_at; /* the same */
	int			workers[BURROW_NWORKER_STATES];
	int			workers_wanted;
	uint64		jobs_queued;
	uint64		inflight;
	uint64		inflight_bytes;
	BurrowHistogram handler_time;
	BurrowHistogram end_to_end_time;
	BurrowHistogram kafka_commit_time;
	BurrowSizes transaction_messages;

	/* Of its partitions. */
	int			partitions;
	BurrowLag	lag;
	uint64		taken;			/* messages taken and not done */
	TimestampTz oldest_pending_since;	/* 0: nothing is pending */
	TimestampTz last_message_at;	/* 0: not known */
} BurrowSubscriptionSnapshot;

/* Offsets are "next to read"; -1: not known. */
typedef struct BurrowPartitionSnapshot
{
	int			subscription;	/* index in the array of those */
	char		topic[BURROW_TOPIC_MAX + 1];
	int32		partition;
	int64		committed;
	int64		processed;
	int64		end;
	uint64		taken;			/* messages taken and not done */
	int64		oldest_pending;
	TimestampTz oldest_pending_since;	/* 0: nothing is pending */
	bool		window_full;
	TimestampTz blocked_since;	/* behind an open transaction; 0: not */
	TimestampTz trouble_since;	/* it cannot be fetched; 0: it can */
	char		trouble_sqlstate[6];
} BurrowPartitionSnapshot;

typedef struct BurrowWorkerSnapshot
{
	int			subscription;	/* index in the array of those */
	int			lane;
	pid_t		pid;			/* 0: it starts */
	BurrowWorkerState state;
	TimestampTz since;			/* of the message in hand, or of the commit; 0: neither */
	char		topic[BURROW_TOPIC_MAX + 1];	/* "": not known */
	int32		partition;
	int64		offset;
	uint64		messages_processed;
	uint64		messages_failed;
} BurrowWorkerSnapshot;

typedef struct BurrowSnapshot
{
	TimestampTz at;
	char		librdkafka[BURROW_LIBRDKAFKA_MAX];	/* "": no consumer has run yet */
	int			nsubscriptions;
	BurrowSubscriptionSnapshot *subscriptions;
	int			npartitions;	/* 0 where they were not asked for */
	BurrowPartitionSnapshot *partitions;
	int			nworkers;		/* the same */
	BurrowWorkerSnapshot *workers;
} BurrowSnapshot;

/* What is asked for beside the subscriptions: each of these by itself. */
#define BURROW_SNAPSHOT_PARTITIONS	1
#define BURROW_SNAPSHOT_WORKERS		2

/*
 * Of a database's subscriptions, or all (InvalidOid).  In the current memory context.  Needs no database.
 * Locks: takes burrow->lock, shared.
 */
extern BurrowSnapshot *burrow_snapshot_take(Oid dboid, int with);

/*
 * The last n steps of the history of a subscription, of this number in the snapshot, that were over when that was
 * taken; the oldest first.  n is at most BURROW_HISTORY_STEPS.  Needs no database.  Locks: takes burrow->lock, shared.
 */
extern void burrow_snapshot_history(const BurrowSnapshot *snapshot, int number, int n, BurrowHistoryStep * steps);

/* As burrow.partitions has it; both offsets are known. */
static inline int64
burrow_snapshot_lag(int64 committed, int64 end)
{
	return end < committed ? 0 : end - committed;
}

#endif							/* BURROW_METRICS_SNAPSHOT_H */
