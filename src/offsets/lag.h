/*
 * lag.h
 *	  Where partitions end, for the lag.
 */
#ifndef BURROW_OFFSETS_LAG_H
#define BURROW_OFFSETS_LAG_H

#include "partition/context.h"

/* Asks for the ends of partitions that are behind, or that somebody waits for; after the turn
 * of what has come, because what is in a queue then is held back.  When it is next due. */
extern TimestampTz burrow_lag_refresh(const BurrowConsumer *c);
/* The ends of all are asked for: somebody waits for them as they are now. */
extern void burrow_lag_ask(const BurrowConsumer *c);

#endif							/* BURROW_OFFSETS_LAG_H */
