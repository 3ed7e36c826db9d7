/*
 * context.h
 *	  What every part of a consumer is handed: the consumer, and the time of this turn.
 *
 * The struct itself is in consumer/consumer.h.
 */
#ifndef BURROW_PARTITION_CONTEXT_H
#define BURROW_PARTITION_CONTEXT_H

#include "utils/timestamp.h"

typedef struct BurrowConsumer BurrowConsumer;
typedef struct BurrowPartition BurrowPartition;
typedef struct BurrowKeyParking BurrowKeyParking;	/* see dead_letter/key_parking.c */
typedef struct BurrowPublisher BurrowPublisher; /* see dead_letter/publisher.c */

/* a - b in whole milliseconds, rounded up, not negative; for timeouts */
static inline long
burrow_ms_until(TimestampTz at, TimestampTz now)
{
	return at <= now ? 0 : (long) ((at - now + 999) / 1000);
}

/* The earlier of two points in time, where 0 means never. */
static inline TimestampTz
burrow_earlier(TimestampTz a, TimestampTz b)
{
	if (a == 0 || b == 0)
		return a + b;
	return Min(a, b);
}

#endif							/* BURROW_PARTITION_CONTEXT_H */
