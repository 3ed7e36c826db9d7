/*
 * results.h
 *	  What workers send back.
 */
#ifndef BURROW_DELIVERY_RESULTS_H
#define BURROW_DELIVERY_RESULTS_H

#include "core/sizer.h"
#include "delivery/pool.h"

/* Lets go of what a busy worker has done so far, or what has failed. */
extern void burrow_results_resolve_known(const BurrowConsumer *c, BurrowLane *lane);
/* The message is to be run again; nothing is known against it. */
extern void burrow_results_returned(const BurrowConsumer *c, BurrowMessage *m);
/* What messages have taken so far, for the size of chunks. */
extern const BurrowSizer *burrow_results_sizer(void);
/* Reads results and notices workers that came or went.  When it is next due. */
extern TimestampTz burrow_results_collect(const BurrowConsumer *c);
/* The process is gone, or on its way out with its transaction aborted. */
extern void burrow_results_lane_gone(const BurrowConsumer *c, BurrowLane *lane);

#endif							/* BURROW_DELIVERY_RESULTS_H */
