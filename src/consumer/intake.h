/*
 * intake.h
 *	  Messages out of Kafka's queues into the scheduler.
 */
#ifndef BURROW_CONSUMER_INTAKE_H
#define BURROW_CONSUMER_INTAKE_H

#include "partition/partition.h"

/* Takes what there is room for; true if it stopped early and should be called again soon. */
extern bool burrow_intake_run(const BurrowConsumer *c);
/* Obstacles whose turn has come, after the heads have moved: halts, or goes on behind them.  True: to be
 * called again soon. */
extern bool burrow_intake_pass_obstacles(const BurrowConsumer *c);
/* When there is something to do here; 0: not by time. */
extern TimestampTz burrow_intake_next(const BurrowConsumer *c);

#endif							/* BURROW_CONSUMER_INTAKE_H */
