/*
 * assignment.h
 *	  Partitions come and go: rebalances.
 */
#ifndef BURROW_CONSUMER_ASSIGNMENT_H
#define BURROW_CONSUMER_ASSIGNMENT_H

#include "kafka/kafka.h"
#include "partition/context.h"

extern void burrow_assignment_init(BurrowConsumer *c);
extern void burrow_assignment_assign(BurrowConsumer *c, const BurrowKafkaList *list);
extern void burrow_assignment_revoke(BurrowConsumer *c, const BurrowKafkaList *list, bool lost);
/* Moves on what waits for time or for workers; called each turn. */
extern void burrow_assignment_advance(BurrowConsumer *c);
extern TimestampTz burrow_assignment_next(BurrowConsumer *c);
/* Cancels, then terminates, what is in hand of closing partitions after the deadline. */
extern void burrow_assignment_enforce(BurrowConsumer *c, TimestampTz deadline);
/* Takes no more messages of any partition; drops what no worker has. */
extern void burrow_assignment_stop(BurrowConsumer *c);
/* Lets go of all partitions and their queues. */
extern void burrow_assignment_close(BurrowConsumer *c);

#endif							/* BURROW_CONSUMER_ASSIGNMENT_H */
