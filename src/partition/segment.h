/*
 * segment.h
 *	  Dynamic shared memory for the slots of a partition's tracker.
 */
#ifndef BURROW_PARTITION_SEGMENT_H
#define BURROW_PARTITION_SEGMENT_H

#include "partition/partition.h"

/* More slots for its tracker; false: there is no dynamic shared memory now. */
extern bool burrow_segment_add(const BurrowConsumer *c, BurrowPartition *part);
/* Is it time to try again? */
extern void burrow_segment_look(const BurrowConsumer *c);
/* When it is; 0: none is lacking. */
extern TimestampTz burrow_segment_next(void);

#endif							/* BURROW_PARTITION_SEGMENT_H */
