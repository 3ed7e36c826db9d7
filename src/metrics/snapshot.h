/*
 * snapshot.h
 *	  What shared memory says of all subscriptions, copied in one go.
 */
#ifndef BURROW_METRICS_SNAPSHOT_H
#define BURROW_METRICS_SNAPSHOT_H

#include "shmem/history.h"
#include "shmem/partitions.h"
#include "shmem/shared.h"

typedef enum BurrowWorkerState
{
	BURROW_WORKER_STARTING = 0,
	BURROW_WORKER_IDLE,
	BURROW_WORKER_RUNNING,
	BURROW_NWORKER_STATES
} BurrowWorkerState;

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
	uint64		counters[BURROW_NCOUNTERS];
	uint64		failures[BURROW_SQLSTATE_CLASSES];
	uint64		restarts;
	uint64		retries_waiting;
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
	TimestampTz oldest_pending_since;
} BurrowPartitionSnapshot;

typedef struct BurrowSnapshot
{
	TimestampTz at;
	char		librdkafka[BURROW_LIBRDKAFKA_MAX];	/* "": no consumer has run yet */
	int			nsubscriptions;
	BurrowSubscriptionSnapshot *subscriptions;
	int			npartitions;	/* 0 where they were not asked for */
	BurrowPartitionSnapshot *partitions;
} BurrowSnapshot;

/*
 * Of a database's subscriptions, or all (InvalidOid); with or without each partition by itself.  In the
 * current memory context.  Needs no database.  Locks: takes burrow->lock, shared.
 */
extern BurrowSnapshot *burrow_snapshot_take(Oid dboid, bool partitions);

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
