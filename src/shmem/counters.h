/*
 * counters.h
 *	  The one table of counters of a subscription: shared memory, burrow.stats and
 *	  burrow.metrics() are made from it.
 *
 * Each is a pg_atomic_uint64 written by the subscription's consumer alone (plain
 * load, add, store) and read by anybody without a lock.
 *
 *	X(field, metric, unit, labels, description)
 *
 * The metric is pgburrow_<metric>_total with these labels; NULL: none.  Fields of the same metric may stand
 * apart here; its HELP is the description of the first.
 */
#ifndef BURROW_SHMEM_COUNTERS_H
#define BURROW_SHMEM_COUNTERS_H

#define BURROW_COUNTERS(X) \
	X(messages_received, "received_messages", "", "", "Messages taken from Kafka") \
	X(bytes_received, "received_bytes", "bytes", "", "Bytes of keys, values and headers taken from Kafka") \
	X(messages_processed, "messages_processed", "", "outcome=\"handled\"", "Messages by outcome: handled (the handler's transaction committed), dead_lettered, parked (behind a dead letter of their key), or skipped") \
	X(messages_failed, NULL, "", "", "attempts that ended with an error: by class of the SQLSTATE in failures[]") \
	X(messages_retried, "retries", "", "", "Attempts after the first") \
	X(messages_dead_lettered, "messages_processed", "", "outcome=\"dead_lettered\"", "messages written to burrow.dead_letters") \
	X(messages_parked, "messages_processed", "", "outcome=\"parked\"", "messages written there because of a dead letter of their key") \
	X(messages_skipped, "messages_processed", "", "outcome=\"skipped\"", "messages given up by on_failure => 'skip'") \
	X(offsets_skipped, "skipped_offsets", "", "", "Offsets given up by on_gap => 'skip'") \
	X(claims_refused, "refused_claims", "", "", "Ranges of offsets in Kafka's commits that were not believed, because the topic does not hold them") \
	X(chunks, "chunks", "", "", "Chunks of messages given to workers") \
	X(transactions, "transactions", "", "result=\"committed\"", "Transactions of workers, by result; a worker that dies in a chunk has told of none of the chunk's") \
	X(transactions_rolled_back, "transactions", "", "result=\"rolled_back\"", "transactions that failed") \
	X(worker_busy_us, "worker_busy_seconds", "seconds", "", "Time of workers with messages in hand, with their transactions") \
	X(offsets_committed, "committed_offsets", "", "", "Offsets that Kafka acknowledged as committed") \
	X(commits, "kafka_commits", "", "result=\"acknowledged\"", "Commits of offsets to Kafka, by result") \
	X(commits_failed, "kafka_commits", "", "result=\"failed\"", "commit requests that failed") \
	X(rebalances, "rebalances", "", "", "Assignments and revocations of partitions") \
	X(clients_renewed, "renewed_clients", "", "", "Kafka clients that were made anew because messages did not come, and nobody knew why")

typedef enum BurrowCounter
{
#define X(field, metric, unit, labels, description) BURROW_COUNTER_##field,
	BURROW_COUNTERS(X)
#undef X
	BURROW_NCOUNTERS
} BurrowCounter;

#endif							/* BURROW_SHMEM_COUNTERS_H */
