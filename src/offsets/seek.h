/*
 * seek.h
 *	  Partitions are moved because somebody asked for it.
 */
#ifndef BURROW_OFFSETS_SEEK_H
#define BURROW_OFFSETS_SEEK_H

#include "catalog/seek_request.h"
#include "partition/context.h"

/* Reads what is pending, in the caller's transaction; again, if that has failed. */
extern void burrow_seek_init(const BurrowConsumer *c);
/* Reads it again, in the caller's transaction. */
extern void burrow_seek_look(const BurrowConsumer *c);
/* Was something pending then, in this turn, that was not when this consumer started? */
extern bool burrow_seek_is_new(void);
/* Halts if one cannot be done.  False: Kafka has not answered. */
extern bool burrow_seek_check(const BurrowConsumer *c);
/* The same for one partition, whose bounds are known now. */
extern void burrow_seek_check_bounds(const BurrowConsumer *c, BurrowPartition *part);
/* Is the partition to be moved?  Then it says where it starts, and whether that is known or
 * still to be looked up. */
extern bool burrow_seek_decide(const BurrowPendingSeeks *pending, const char *topic, int32 partition,
							   int64 *start, bool *located);
extern bool burrow_seek_locate(BurrowPartition *part, int64 *start, bool *located);
/* All starts are known, of all partitions: those that are at a time are stored as offsets.  False: not
 * now. */
extern bool burrow_seek_fix_time(const BurrowConsumer *c);
/* Is one at a time that was not turned into offsets yet? */
extern bool burrow_seek_has_time(void);
/* The one that cannot be done, and halts; NULL: none. */
extern const BurrowSeek *burrow_seek_rejected(void);
/* Kafka has the position of one. */
extern void burrow_seek_acknowledged(void);
/* Kafka has acknowledged positions: those that were sought are done.  When it is next due. */
extern TimestampTz burrow_seek_run(const BurrowConsumer *c);

#endif							/* BURROW_OFFSETS_SEEK_H */
