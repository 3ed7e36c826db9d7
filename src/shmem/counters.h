/*
 * counters.h
 *	  The one table of counters of a subscription: shared memory, burrow.stats and
 *	  burrow.metrics() are made from it.
 *
 * Each is a pg_atomic_uint64 written by the subscription's consumer alone (plain
 * load, add, store) and read by anybody without a lock.
 *
 *	X(field, description)
 */
#ifndef BURROW_SHMEM_COUNTERS_H
#define BURROW_SHMEM_COUNTERS_H

#define BURROW_COUNTERS(X) \
	X(messages_received, "messages taken from Kafka") \
	X(bytes_received, "bytes of keys, values and headers taken from Kafka") \
	X(messages_processed, "messages whose handler's transaction committed") \
	X(messages_failed, "attempts that ended with an error") \
	X(messages_retried, "attempts after the first") \
	X(messages_dead_lettered, "messages written to burrow.dead_letters") \
	X(messages_parked, "messages written there because of a dead letter of their key") \
	X(messages_skipped, "messages given up by on_failure => 'skip'") \
	X(offsets_skipped, "offsets given up by on_gap => 'skip'") \
	X(claims_refused, "ranges of offsets in Kafka's commits that were not believed: the topic does not hold them") \
	X(chunks, "chunks given to workers") \
	X(offsets_committed, "offsets (messages) that Kafka acknowledged as committed") \
	X(commits, "commit requests that Kafka acknowledged") \
	X(commits_failed, "commit requests that failed") \
	X(rebalances, "assignments and revocations of partitions")

typedef enum BurrowCounter
{
#define X(field, description) BURROW_COUNTER_##field,
	BURROW_COUNTERS(X)
#undef X
	BURROW_NCOUNTERS
} BurrowCounter;

#endif							/* BURROW_SHMEM_COUNTERS_H */
