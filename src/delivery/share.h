/*
 * share.h
 *	  The pool beside those of other subscriptions: what it claims, and what it gives back.
 */
#ifndef BURROW_DELIVERY_SHARE_H
#define BURROW_DELIVERY_SHARE_H

#include "partition/context.h"

/* Tells the others how many workers are needed here: those wanted, and those at work. */
extern void burrow_share_claim(const BurrowConsumer *c, int wanted);
/* Others wait for workers that are too many here: lets them go.  Returns when it is next due; 0: not by time. */
extern TimestampTz burrow_share_run(const BurrowConsumer *c);

#endif							/* BURROW_DELIVERY_SHARE_H */
