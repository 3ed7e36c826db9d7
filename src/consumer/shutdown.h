/*
 * shutdown.h
 *	  Draining, the final commit, leaving.
 */
#ifndef BURROW_CONSUMER_SHUTDOWN_H
#define BURROW_CONSUMER_SHUTDOWN_H

#include "kafka/kafka.h"
#include "partition/context.h"
#include "shmem/registry.h"

/* Why the consumer is on its way out. */
typedef enum BurrowStopReason
{
	BURROW_STOP_NONE = 0,
	BURROW_STOP_CATALOG,		/* paused, disabled or dropped */
	BURROW_STOP_RESTART,		/* options changed: start anew at once */
	BURROW_STOP_LEAVE,		/* database is wanted, or burrow.enabled is off */
	BURROW_STOP_HALT,			/* a message failed for good */
	BURROW_STOP_SHUTDOWN		/* SIGTERM */
} BurrowStopReason;

/* How far the end has come. */
typedef enum BurrowShutdownPhase
{
	BURROW_SHUTDOWN_NOT,				/* -> DRAINING */
	BURROW_SHUTDOWN_DRAINING,		/* messages in hand are waited for -> COMMITTING */
	BURROW_SHUTDOWN_COMMITTING,		/* the final commit is waited for, and dead letters that are
								 * being produced -> LEAVING, CLOSING, OVER */
	BURROW_SHUTDOWN_LEAVING,			/* out of the group for good -> CLOSING, OVER */
	BURROW_SHUTDOWN_CLOSING,			/* the client is being closed -> OVER */
	BURROW_SHUTDOWN_OVER
} BurrowShutdownPhase;

extern void burrow_shutdown_advance(BurrowConsumer *c);
extern TimestampTz burrow_shutdown_next(const BurrowConsumer *c);
/* The subscription is on its way to halt; copies the texts.  The first reason is kept. */
extern void burrow_shutdown_halt(BurrowConsumer *c, const BurrowHalt *halt);
/* A rebalance while the group is being left. */
extern void burrow_shutdown_answer_rebalance(BurrowConsumer *c, const BurrowKafkaEvent *event);
/* Tells the launcher how the end is meant. */
extern void burrow_shutdown_tell(BurrowConsumer *c);

#endif							/* BURROW_CONSUMER_SHUTDOWN_H */
