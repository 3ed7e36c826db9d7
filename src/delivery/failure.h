/*
 * failure.h
 *	  What follows from a failed attempt.
 */
#ifndef BURROW_DELIVERY_FAILURE_H
#define BURROW_DELIVERY_FAILURE_H

#include "partition/message_error.h"
#include "partition/partition.h"

extern void burrow_failure_init(const BurrowConsumer *c);
/* Every outcome is told in its order: a success, or a failure, which is judged. */
extern void burrow_failure_success(const BurrowConsumer *c);
extern void burrow_failure_judge(const BurrowConsumer *c, BurrowMessage *m, BurrowFailure *failure);
/* The progress of a transaction could not be written, which is no message's fault; frees failure. */
extern void burrow_failure_of_progress(const BurrowConsumer *c, const BurrowPartition *part, int64 offset,
									   BurrowFailure *failure);
/* The worker has let go of the message: does what the judgement says; frees failure. */
extern void burrow_failure_act(const BurrowConsumer *c, BurrowMessage *m, BurrowFailure *failure);
extern TimestampTz burrow_failure_next(const BurrowConsumer *c);
/* Until when nothing is given out, because the environment is at fault; 0: it is not. */
extern TimestampTz burrow_failure_wait_until(void);
/* May messages be given out, while the environment is at fault? */
extern bool burrow_failure_may_dispatch(const BurrowConsumer *c);
/* The cause may be gone: no more waiting before the next try. */
extern void burrow_failure_try_now(const BurrowConsumer *c);
/* May the session be to blame, rather than the message? */
extern bool burrow_failure_doubts_session(const BurrowFailure *failure);

#endif							/* BURROW_DELIVERY_FAILURE_H */
