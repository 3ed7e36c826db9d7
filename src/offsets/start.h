/*
 * start.h
 *	  Where the partitions of an assignment start.
 */
#ifndef BURROW_OFFSETS_START_H
#define BURROW_OFFSETS_START_H

#include "kafka/kafka.h"
#include "partition/context.h"
#include "partition/partition.h"

typedef bool (*BurrowStartFilter) (const BurrowConsumer *c, const BurrowPartition *part);
typedef int64 (*BurrowStartOffset) (const BurrowPartition *part);

/* A list of the partitions that are wanted, with an offset each. */
extern BurrowKafkaList *burrow_start_list(BurrowConsumer *c, BurrowStartFilter is_wanted, BurrowStartOffset offset);
/* The one where it starts. */
extern int64 burrow_start_offset(const BurrowPartition *part);
/* Is it at this step, and to be asked for now? */
extern bool burrow_start_is_due(const BurrowConsumer *c, const BurrowPartition *part, BurrowStartStep step);
/* Kafka has no answer for this partition alone; it is asked for again later. */
extern void burrow_start_stick(BurrowConsumer *c, BurrowPartition *part, const char *what, const char *reason);
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
