/*
 * connection.h
 *	  The Kafka clients and what they have to say.
 */
#ifndef BURROW_CONSUMER_CONNECTION_H
#define BURROW_CONSUMER_CONNECTION_H

#include "catalog/subscription.h"
#include "kafka/kafka.h"
#include "partition/partition.h"
#include "shmem/registry.h"

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
/* The partition cannot be fetched; it can again. */
extern void burrow_connection_unfetched(BurrowConsumer *c, BurrowPartition *part, const BurrowKafkaMessage *km);
extern void burrow_connection_fetched(BurrowConsumer *c, BurrowPartition *part);
/* Is there a partition that cannot be fetched? */
extern bool burrow_connection_has_unfetched(BurrowConsumer *c);
/* Finds out, if that is due. */
extern void burrow_connection_probe(BurrowConsumer *c);

#endif							/* BURROW_CONSUMER_CONNECTION_H */
