/*
 * partitions.h
 *	  What everybody may know of the partitions that are consumed now.
 *
 * An array in main shared memory, sized by burrow.max_partitions.  A slot belongs
 * to the consumer that reserved it; the consumer alone writes it.  Readers take
 * no lock for the counters; identity changes under burrow->lock only.
 */
#ifndef BURROW_SHMEM_PARTITIONS_H
#define BURROW_SHMEM_PARTITIONS_H

#include "port/atomics.h"
#include "utils/timestamp.h"

#include "burrow.h"
#include "shmem/shared.h"

/* Bytes of a text that says why a partition cannot be fetched. */
#define BURROW_TROUBLE_MAX	256

typedef struct BurrowPartitionSlot
{
	/* Identity; under burrow->lock. */
	bool		in_use;
	int			subscription;	/* slot number */
	int32		partition;
	uint32		epoch;			/* number of this assignment within the subscription */
	char		topic[BURROW_TOPIC_MAX + 1];
	bool		gone;			/* its topic was deleted: it is not shown, and nobody waits for it */

	/* Why it cannot be fetched now; written by the consumer, under burrow->lock. */
	TimestampTz trouble_since;	/* 0: it can */
	int64		trouble_offset; /* next to read */
	char		trouble_sqlstate[6];
	char		trouble[BURROW_TROUBLE_MAX];

	/* Written by the consumer alone; no lock.  Offsets are "next to read"; -1: not known. */
	pg_atomic_uint64 committed; /* acknowledged by Kafka */
	pg_atomic_uint64 processed; /* done head */
	pg_atomic_uint64 end;		/* end of the partition, as far as it can be read: under
								 * read_committed the last stable offset */
	pg_atomic_uint64 high_watermark;	/* and as far as messages are there */
	pg_atomic_uint64 blocked_since; /* TimestampTz: since when an open transaction keeps back what
									 * is between the two; 0: none does */
	pg_atomic_uint64 end_checked_at;	/* TimestampTz of end */
	pg_atomic_uint64 end_asked_at;	/* TimestampTz of the last question for it that was answered */
	pg_atomic_uint64 inflight;	/* taken, not done */
	pg_atomic_uint64 oldest_pending;	/* offset; -1: none */
	pg_atomic_uint64 oldest_pending_since;	/* TimestampTz when it was taken; 0: none */
	pg_atomic_uint64 behind_since;	/* TimestampTz of the oldest message that is not done; of one
									 * that was not taken yet: since when it is known to be there;
									 * 0: there is none that is known */
	pg_atomic_uint64 last_message_at;	/* TimestampTz: Kafka's timestamp of the newest done; 0:
										 * none */
	pg_atomic_uint32 window_full;	/* 1: no more are taken until the oldest is done */
} BurrowPartitionSlot;

/* What partitions are behind, all together. */
typedef struct BurrowLag
{
	bool		known;			/* of one of them at least */
	int64		messages;
	bool		time_known;
	int64		time_us;		/* of the one that is furthest behind */
}			BurrowLag;

extern BurrowPartitionSlot *burrow_partitions;	/* burrow_max_partitions of them */
/* That of the message in the worker's hands; NULL: it has gone meanwhile.  Locks: caller holds burrow->lock. */
extern const BurrowPartitionSlot *burrow_partitions_in_hand(BurrowWorkerSlot *worker);

extern Size burrow_partitions_shmem_size(void);
extern void burrow_partitions_startup_shmem(void);	/* caller holds AddinShmemInitLock */

/* -1: all are in use.  Process: consumer.  Locks: takes burrow->lock. */
extern int	burrow_partitions_reserve(int subscription, const char *topic, int32 partition, uint32 epoch);
extern void burrow_partitions_free(int slot);
extern void burrow_partitions_set_gone(int slot);
/* It cannot be fetched; since 0: it can again. */
extern void burrow_partitions_set_trouble(int slot, TimestampTz since, int64 offset, const char *sqlstate,
										  const char *text);
/* Age of the oldest message that is not done, in microseconds; -1: it is not known whether there is one. */
extern int64 burrow_partitions_lag_us(BurrowPartitionSlot *part, TimestampTz now);
/* One more of them.  The view burrow.stats has the same rules. */
extern void burrow_partitions_add_lag(BurrowLag * lag, BurrowPartitionSlot *part, TimestampTz now);

/* All slots of a subscription: at start and exit of its consumer. */
extern void burrow_partitions_free_all(int subscription);

#endif							/* BURROW_SHMEM_PARTITIONS_H */
