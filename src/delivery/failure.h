/*
 * failure.h
 *	  What follows from a failed attempt.
 */
#ifndef BURROW_DELIVERY_FAILURE_H
#define BURROW_DELIVERY_FAILURE_H

#include "partition/partition.h"

extern void burrow_failure_init(BurrowConsumer *c);
/* Every outcome is told in its order: a success, or a failure, which is judged. */
extern void burrow_failure_success(BurrowConsumer *c);
extern void burrow_failure_judge(BurrowConsumer *c, BurrowMessage *m, BurrowFailure *failure);
/* The progress of a transaction could not be written, which is no message's fault; frees failure. */
extern void burrow_failure_of_progress(BurrowConsumer *c, const BurrowPartition *part, int64 offset,
									   BurrowFailure *failure);
/* The worker has let go of the message: does what the judgement says; frees failure. */
extern void burrow_failure_act(BurrowConsumer *c, BurrowMessage *m, BurrowFailure *failure);
extern TimestampTz burrow_failure_next(const BurrowConsumer *c);
/* May messages be given out, while the environment is at fault? */
extern bool burrow_failure_may_dispatch(const BurrowConsumer *c);
/* The cause may be gone: no more waiting before the next try. */
extern void burrow_failure_try_now(BurrowConsumer *c);
/* May the session be to blame, rather than the message? */
extern bool burrow_failure_doubts_session(const BurrowFailure *failure);

#endif							/* BURROW_DELIVERY_FAILURE_H */
