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

/* One attempt to make the clients; false: Kafka does not answer.  May end the consumer. */
extern bool burrow_connection_open(BurrowConsumer *c);
/* Serves the events of both clients. */
extern void burrow_connection_serve(BurrowConsumer *c);
/* Takes the numbers of readable queues out of the pipe. */
extern void burrow_connection_read_pipe(BurrowConsumer *c);
/* Is it in doubt whether Kafka, or the topic, is there? */
extern bool burrow_connection_is_in_doubt(const BurrowConsumer *c);
/* The partition cannot be fetched; it can again. */
extern void burrow_connection_unfetched(BurrowConsumer *c, BurrowPartition *part, const BurrowKafkaMessage *km);
extern void burrow_connection_fetched(BurrowConsumer *c, BurrowPartition *part);
/* Finds out, if that is due. */
extern void burrow_connection_probe(BurrowConsumer *c);

#endif							/* BURROW_CONSUMER_CONNECTION_H */
