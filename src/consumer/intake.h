/*
 * intake.h
 *	  Messages out of Kafka's queues into the scheduler.
 */
#ifndef BURROW_CONSUMER_INTAKE_H
#define BURROW_CONSUMER_INTAKE_H

#include "partition/partition.h"

/* Takes what there is room for.  When it is next due. */
extern TimestampTz burrow_intake_run(const BurrowConsumer *c);
/* Obstacles whose turn has come, after the heads have moved: halts, or goes on behind them.  When it is
 * next due. */
extern TimestampTz burrow_intake_pass_obstacles(const BurrowConsumer *c);

#endif							/* BURROW_CONSUMER_INTAKE_H */
