/*
 * failure.h
 *	  What follows from a failed attempt.
 */
#ifndef BURROW_DELIVERY_FAILURE_H
#define BURROW_DELIVERY_FAILURE_H

#include "partition/partition.h"

extern void burrow_failure_init(BurrowConsumer *c);
extern BurrowFailure *burrow_failure_new(BurrowConsumer *c, const char *sqlstate, const char *message,
										 const char *detail, const char *hint, const char *context);
extern BurrowFailure *burrow_failure_from_frame(BurrowConsumer *c, const BurrowResultFailure *frame);
/* Every outcome is told in its order: a success, or a failure, which is judged. */
extern void burrow_failure_success(BurrowConsumer *c);
extern void burrow_failure_judge(BurrowConsumer *c, BurrowMessage *m, BurrowFailure *failure);
/* The progress of a transaction could not be written, which is no message's fault; frees failure. */
extern void burrow_failure_of_progress(BurrowConsumer *c, const BurrowPartition *part, int64 offset,
									   BurrowFailure *failure);
/* The worker has let go of the message: does what the judgement says; frees failure. */
extern void burrow_failure_act(BurrowConsumer *c, BurrowMessage *m, BurrowFailure *failure);
/* A message just picked is to be written as a dead letter, without having failed. */
extern void burrow_failure_park(BurrowConsumer *c, BurrowMessage *m);
/* A dead letter just picked is not to be tried: its row stays as it is. */
extern void burrow_failure_leave(BurrowConsumer *c, BurrowMessage *m);
/* Writes dead letters.  True: some were written. */
extern bool burrow_failure_run(BurrowConsumer *c);
extern TimestampTz burrow_failure_next(const BurrowConsumer *c);
/* The environment is at fault: messages are tried one at a time, after a wait. */
extern bool burrow_failure_is_waiting(const BurrowConsumer *c);
extern bool burrow_failure_may_dispatch(const BurrowConsumer *c);
/* The cause may be gone: no more waiting before the next try. */
extern void burrow_failure_try_now(BurrowConsumer *c);
/* May the session be to blame, rather than the message? */
extern bool burrow_failure_doubts_session(const BurrowFailure *failure);

#endif							/* BURROW_DELIVERY_FAILURE_H */
