/*
 * start.h
 *	  Where the partitions of an assignment start.
 */
#ifndef BURROW_OFFSETS_START_H
#define BURROW_OFFSETS_START_H

#include "kafka/kafka.h"
#include "partition/context.h"
#include "partition/partition.h"

/* In a transaction; the current memory context has to last. */
extern void burrow_start_init(const BurrowSubscription *sub);
/* One step for each partition whose start is not stored yet and for which something is due.  When it is
 * next due. */
extern TimestampTz burrow_start_advance(const BurrowConsumer *c);
/* Can others not wait for it: is it stuck, or does it wait for others or a worker itself? */
extern bool burrow_start_is_put_off(const BurrowConsumer *c, const BurrowPartition *part);

#endif							/* BURROW_OFFSETS_START_H */
