/*
 * retry.h
 *	  Messages that wait for their next attempt.
 */
#ifndef BURROW_DELIVERY_RETRY_H
#define BURROW_DELIVERY_RETRY_H

#include "delivery/pool.h"
#include "partition/partition.h"

extern void burrow_retry_init(void);
/* The message, which is in hand and stays so, waits until then. */
extern void burrow_retry_add(const BurrowConsumer *c, BurrowMessage *m, TimestampTz at);
extern bool burrow_retry_is_due(const BurrowConsumer *c);
/* The one that is due first. */
extern BurrowMessage *burrow_retry_take(const BurrowConsumer *c);
/* An idle worker for the first message that waits for a fresh session, which is then the one to
 * be taken; NULL: there is none, or nothing waits. */
extern BurrowLane *burrow_retry_fresh_lane(const BurrowConsumer *c);
/* Does it wait for one that nobody has started yet? */
extern bool burrow_retry_lacks_session(const BurrowConsumer *c);
extern BurrowMessage *burrow_retry_take_fresh(const BurrowConsumer *c);
/* Gives up what waits of this part: whoever gets it next will read it again. */
extern void burrow_retry_drop(const BurrowConsumer *c, BurrowPartition *part);
/* How many wait. */
extern uint64 burrow_retry_count(void);
extern void burrow_retry_each(void (*change) (BurrowRetry *retry));
/* When burrow_dispatch_run() has a retry to give out; 0: not by time.  Nothing is given out before
 * wait_until. */
extern TimestampTz burrow_retry_next(const BurrowConsumer *c, TimestampTz wait_until);
/* Brings what the views show up to date. */
extern void burrow_retry_publish(const BurrowConsumer *c, TimestampTz wait_until);

#endif							/* BURROW_DELIVERY_RETRY_H */
