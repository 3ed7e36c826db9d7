/*
 * assignment.h
 *	  Partitions come and go: rebalances.
 */
#ifndef BURROW_CONSUMER_ASSIGNMENT_H
#define BURROW_CONSUMER_ASSIGNMENT_H

#include "kafka/kafka.h"
#include "partition/context.h"

extern void burrow_assignment_init(const BurrowConsumer *c);
extern void burrow_assignment_assign(const BurrowConsumer *c, const BurrowKafkaList *list);
extern void burrow_assignment_revoke(const BurrowConsumer *c, const BurrowKafkaList *list, bool lost);
/* Moves on what waits for time or for workers; called each turn.  When it is next due. */
extern TimestampTz burrow_assignment_advance(const BurrowConsumer *c);
/* max.poll.interval.ms of the client, in microseconds. */
extern void burrow_assignment_set_max_poll(int64 us);
/* Does librdkafka wait for the answer to an assignment? */
extern bool burrow_assignment_is_unanswered(void);
/* Has the group given none yet, or taken all back?  One without partitions is one. */
extern bool burrow_assignment_is_awaited(void);
/* There is a new deadline to be enforced: nothing was cancelled for it yet. */
extern void burrow_assignment_begin_enforcing(void);
/* When the workers of what was cancelled are terminated; 0: nothing was cancelled. */
extern TimestampTz burrow_assignment_kill_deadline(void);
/* Cancels, then terminates, what is in hand of closing partitions after the deadline. */
extern void burrow_assignment_enforce(const BurrowConsumer *c, TimestampTz deadline);
/* Takes no more messages of any partition; drops what no worker has. */
extern void burrow_assignment_stop(const BurrowConsumer *c);
/* Lets go of all partitions and their queues. */
extern void burrow_assignment_close(const BurrowConsumer *c);

#endif							/* BURROW_CONSUMER_ASSIGNMENT_H */
