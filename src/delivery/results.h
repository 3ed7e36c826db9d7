/*
 * results.h
 *	  What workers send back.
 */
#ifndef BURROW_DELIVERY_RESULTS_H
#define BURROW_DELIVERY_RESULTS_H

#include "delivery/pool.h"

/* Lets go of what a busy worker has done so far, or what has failed. */
extern void burrow_results_resolve_known(BurrowConsumer *c, BurrowLane *lane);
/* The message is to be run again; nothing is known against it. */
extern void burrow_results_returned(BurrowConsumer *c, BurrowMessage *m);
/* Reads results and notices workers that came or went. */
extern void burrow_results_collect(BurrowConsumer *c);
/* The process is gone, or on its way out with its transaction aborted. */
extern void burrow_results_lane_gone(BurrowConsumer *c, BurrowLane *lane);

#endif							/* BURROW_DELIVERY_RESULTS_H */
