/*
 * kafka_client.h
 *	  Kafka clients for a subscription, made with its properties.
 *
 * Each raises an error when librdkafka makes none; the client is the caller's to close.
 */
#ifndef BURROW_RUNTIME_KAFKA_CLIENT_H
#define BURROW_RUNTIME_KAFKA_CLIENT_H

#include "catalog/subscription.h"
#include "kafka/kafka.h"

/*
 * Longest time for one of Kafka's answers, in milliseconds; a broker that is well answers within a few, and one that is
 * not is asked again.  Shorter, a broker that is merely busy would seem to be away.  A consumer waits for an answer only
 * before it is a member of its group, and a dry run always; meanwhile they serve no request to stop.
 */
#define BURROW_KAFKA_ANSWER_MS	1000

/* The pipe into which clients write the numbers of queues that are no longer empty. */
extern void burrow_kafka_client_make_pipe(int *read_end, int *write_end);

/* Is it to be a member by group.protocol=consumer, where the brokers decide who gets what? */
extern bool burrow_kafka_client_is_next_protocol(const BurrowSubscription *sub);

/* A client that only asks questions, and may read so many messages of a partition. */
extern BurrowKafkaClient *burrow_kafka_client_open_metadata(const BurrowKafkaFunctions *kafka,
															const BurrowSubscription *sub,
															int wake_write, int messages);

/* The same without a subscription, and without a group: nothing in Kafka tells of it.  The process must end by
 * _exit(). */
extern BurrowKafkaClient *burrow_kafka_client_open_visitor(const BurrowKafkaFunctions *kafka, const BurrowServer *server,
														   int wake_write, int messages);

/* What a member consumes, the topic and its partitions as they are now, in a number. */
extern uint32 burrow_kafka_client_fingerprint(const BurrowSubscription *sub, const BurrowKafkaList *partitions);

/* The member of the group; queue_memory is divided by the partitions, of which there is one at
 * least.  *max_poll_us: its max.poll.interval.ms, in microseconds; *session_us: its session.timeout.ms. */
extern BurrowKafkaClient *burrow_kafka_client_open_member(const BurrowKafkaFunctions *kafka,
														  const BurrowSubscription *sub,
														  int wake_write, int partitions,
														  uint32 fingerprint, int64 *max_poll_us, int64 *session_us);

/* A client for dead letters. */
extern BurrowKafkaClient *burrow_kafka_client_open_producer(const BurrowKafkaFunctions *kafka,
															const BurrowSubscription *sub,
															int wake_write);

/* The id of the cluster that a metadata client is connected to; NULL: not known.  halt->message: NULL, or it
 * is not the subscription's. */
extern const char *burrow_kafka_client_cluster(const BurrowKafkaFunctions *kafka, BurrowKafkaClient *metadata_client,
											   const BurrowSubscription *sub, BurrowHalt *halt);

#endif							/* BURROW_RUNTIME_KAFKA_CLIENT_H */
