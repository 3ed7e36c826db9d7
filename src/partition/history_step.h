/*
 * history_step.h
 *	  A step of the subscription's history ends.
 */
#ifndef BURROW_PARTITION_HISTORY_STEP_H
#define BURROW_PARTITION_HISTORY_STEP_H

#include "partition/context.h"

/* Before anything of this turn is counted.  When the next one ends. */
extern TimestampTz burrow_history_step_run(const BurrowConsumer *c);

#endif							/* BURROW_PARTITION_HISTORY_STEP_H */
