/*
 * start.h
 *	  Where the partitions of an assignment start.
 */
#ifndef BURROW_OFFSETS_START_H
#define BURROW_OFFSETS_START_H

#include "kafka/kafka.h"
#include "partition/context.h"
#include "partition/partition.h"

/* One step for each partition whose start is not stored yet and for which something is due. */
extern void burrow_start_advance(BurrowConsumer *c);
/* When the next step is due; 0: not by time. */
extern TimestampTz burrow_start_next(const BurrowConsumer *c);
/* Can others not wait for it: is it stuck, or does it wait for others or a worker itself? */
extern bool burrow_start_is_put_off(const BurrowConsumer *c, const BurrowPartition *part);
/* The views are told of those that are not started. */
extern void burrow_start_publish(BurrowConsumer *c);
/* The group's committed offsets have come. */
extern void burrow_start_fetched(BurrowConsumer *c, const BurrowKafkaEvent *event);

#endif							/* BURROW_OFFSETS_START_H */
