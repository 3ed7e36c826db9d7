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

/* The ends of the pipe into which clients write the numbers of queues that hold something. */
extern void burrow_connection_init(int read_end, int write_end);
/* Events are served at least so often, which keeps the membership. */
extern int64 burrow_connection_poll_interval_us(void);
/* One attempt to make the clients; false: Kafka does not answer.  May end the consumer. */
extern bool burrow_connection_open(BurrowConsumer *c);
/* Serves the events of both clients. */
extern void burrow_connection_serve(const BurrowConsumer *c);
/* Takes the numbers of readable queues out of the pipe.  True: those of partitions are among them, and not so many that all
 * may be meant. */
extern bool burrow_connection_read_pipe(const BurrowConsumer *c);
/* Finds out whether Kafka, or the topic, is there, where that is in doubt.  When it is next due. */
extern TimestampTz burrow_connection_probe(const BurrowConsumer *c);

#endif							/* BURROW_CONSUMER_CONNECTION_H */
