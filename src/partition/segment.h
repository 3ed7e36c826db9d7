/*
 * segment.h
 *	  Dynamic shared memory for the slots of a partition's tracker.
 */
#ifndef BURROW_PARTITION_SEGMENT_H
#define BURROW_PARTITION_SEGMENT_H

#include "partition/partition.h"

/* More slots for its tracker; false: there is no dynamic shared memory now. */
extern bool burrow_segment_add(BurrowConsumer *c, BurrowPartition *part);

#endif							/* BURROW_PARTITION_SEGMENT_H */
