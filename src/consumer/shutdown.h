/*
 * shutdown.h
 *	  Draining, the final commit, leaving.
 */
#ifndef BURROW_CONSUMER_SHUTDOWN_H
#define BURROW_CONSUMER_SHUTDOWN_H

#include "kafka/kafka.h"
#include "partition/context.h"
#include "shmem/registry.h"

extern void burrow_shutdown_advance(BurrowConsumer *c);
extern TimestampTz burrow_shutdown_next(const BurrowConsumer *c);
/* A rebalance while the group is being left. */
extern void burrow_shutdown_answer_rebalance(BurrowConsumer *c, const BurrowKafkaEvent *event);
/* Tells the launcher how the end is meant. */
extern void burrow_shutdown_tell(BurrowConsumer *c);

#endif							/* BURROW_CONSUMER_SHUTDOWN_H */
