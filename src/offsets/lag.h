/*
 * lag.h
 *	  Where partitions end, for the lag.
 */
#ifndef BURROW_OFFSETS_LAG_H
#define BURROW_OFFSETS_LAG_H

#include "partition/context.h"

/* Asks for the ends of partitions that are behind, or that somebody waits for; after the turn
 * of what has come, because what is in a queue then is held back. */
extern void burrow_lag_refresh(BurrowConsumer *c);
/* The queue of a partition is empty: has its end been reached? */
extern void burrow_lag_queue_empty(BurrowPartition *part);
extern TimestampTz burrow_lag_next(BurrowConsumer *c);

#endif							/* BURROW_OFFSETS_LAG_H */
