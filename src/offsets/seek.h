/*
 * seek.h
 *	  Partitions are moved because somebody asked for it.
 */
#ifndef BURROW_OFFSETS_SEEK_H
#define BURROW_OFFSETS_SEEK_H

#include "catalog/seek_request.h"
#include "partition/context.h"

/* Reads what is pending.  The current memory context has to last. */
extern void burrow_seek_init(BurrowConsumer *c);
/* Is something pending that was not when this consumer started? */
extern bool burrow_seek_is_new(BurrowConsumer *c);
/* Halts if one cannot be done.  False: Kafka has not answered. */
extern bool burrow_seek_check(BurrowConsumer *c);
/* The same for one partition, whose bounds are known now. */
extern void burrow_seek_check_bounds(BurrowConsumer *c, BurrowPartition *part);
/* Is the partition to be moved?  Then it says where it starts, and whether that is known or
 * still to be looked up. */
extern bool burrow_seek_decide(const BurrowPendingSeeks *pending, const char *topic, int32 partition,
							   int64 *start, bool *located);
extern bool burrow_seek_locate(BurrowConsumer *c, BurrowPartition *part);
/* All starts are known, of all partitions: those that are at a time are stored as offsets.  False: not
 * now. */
extern bool burrow_seek_fix_time(BurrowConsumer *c);
/* Kafka has acknowledged positions: those that were sought are done. */
extern void burrow_seek_run(BurrowConsumer *c);
extern TimestampTz burrow_seek_next(const BurrowConsumer *c);

#endif							/* BURROW_OFFSETS_SEEK_H */
