/*
 * shutdown.h
 *	  Draining, the final commit, leaving.
 */
#ifndef BURROW_CONSUMER_SHUTDOWN_H
#define BURROW_CONSUMER_SHUTDOWN_H

#include "kafka/kafka.h"
#include "partition/context.h"
#include "shmem/registry.h"

/* When it is next due. */
extern TimestampTz burrow_shutdown_advance(const BurrowConsumer *c);
/* The next start is for other partitions, or another group: nobody keeps the member's place. */
extern void burrow_shutdown_give_up_place(void);
/* Is the group being left, or the client closed? */
extern bool burrow_shutdown_is_leaving(void);
extern bool burrow_shutdown_is_over(void);
/* A rebalance while the group is being left. */
extern void burrow_shutdown_answer_rebalance(const BurrowConsumer *c, const BurrowKafkaEvent *event);
/* Tells the launcher how the end is meant. */
extern void burrow_shutdown_report(const BurrowConsumer *c);

#endif							/* BURROW_CONSUMER_SHUTDOWN_H */
