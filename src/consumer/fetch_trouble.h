/*
 * fetch_trouble.h
 *	  Partitions that cannot be fetched, while others can.
 */
#ifndef BURROW_CONSUMER_FETCH_TROUBLE_H
#define BURROW_CONSUMER_FETCH_TROUBLE_H

#include "kafka/kafka.h"
#include "partition/partition.h"

/* The partition cannot be fetched, says its queue. */
extern void burrow_fetch_trouble_record(const BurrowConsumer *c, BurrowPartition *part, const BurrowKafkaMessage *km);
/* It does not hold what comes next, and it cannot be found out whether it is another topic's now. */
extern void burrow_fetch_trouble_record_doubt(const BurrowConsumer *c, BurrowPartition *part, const char *why);
/* It can be again. */
extern void burrow_fetch_trouble_over(const BurrowConsumer *c, BurrowPartition *part);
/* Some partition's next answer is too large for the client, says the client.  False: there is no partition. */
extern bool burrow_fetch_trouble_suspect(const BurrowConsumer *c, const char *text);
/* Looks whether a partition that could not be fetched can be again, or which one it is.  When it is
 * next due. */
extern TimestampTz burrow_fetch_trouble_run(const BurrowConsumer *c);

#endif							/* BURROW_CONSUMER_FETCH_TROUBLE_H */
