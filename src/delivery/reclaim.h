/*
 * reclaim.h
 *	  What a busy worker has not begun is taken back.
 */
#ifndef BURROW_DELIVERY_RECLAIM_H
#define BURROW_DELIVERY_RECLAIM_H

#include "delivery/pool.h"

/* The lane's new chunk is about to be sent. */
extern void burrow_reclaim_given(const BurrowConsumer *c, BurrowLane *lane);
/* The part is closing: takes back what is not begun of it. */
extern void burrow_reclaim_part(const BurrowConsumer *c, const BurrowPartition *part);
/* Takes back what others can have, or what has waited for too long.  True: there was some. */
extern bool burrow_reclaim_run(const BurrowConsumer *c);
extern TimestampTz burrow_reclaim_next(const BurrowConsumer *c);

#endif							/* BURROW_DELIVERY_RECLAIM_H */
