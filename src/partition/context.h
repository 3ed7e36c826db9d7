/*
 * context.h
 *	  The consumer process's own state, which every part of it is handed.
 *
 * All of it is private to one process and one thread; what others may see is in
 * shmem/.  Times are TimestampTz (microseconds) read once a turn of the loop.
 */
#ifndef BURROW_PARTITION_CONTEXT_H
#define BURROW_PARTITION_CONTEXT_H

#include "lib/ilist.h"
#include "lib/pairingheap.h"
#include "utils/dsa.h"
#include "utils/timestamp.h"

#include "catalog/seek_request.h"
#include "catalog/start_from.h"
#include "catalog/subscription.h"
#include "core/breaker.h"
#include "core/scheduler.h"
#include "kafka/kafka.h"
#include "shmem/registry.h"

typedef struct BurrowConsumer BurrowConsumer;
typedef struct BurrowPartition BurrowPartition;
typedef struct BurrowKeyParking BurrowKeyParking;	/* see dead_letter/key_parking.c */

/*
 * What every part of the consumer is told.  All else is its owner's, in its own file.  The clients are
 * consumer/connection.c's; all others are written by consumer/consumer.c.
 */
struct BurrowConsumer
{
	/* who we are */
	int			slot;			/* subscription slot */
	uint32		generation;
	int32		subid;
	Oid			dboid;
	BurrowSubscription *sub;

	/* Kafka */
	const BurrowKafkaFunctions *kafka;
	BurrowKafkaClient *client;	/* NULL: not connected yet */
	BurrowKafkaClient *metadata_client; /* only asks questions: joins no group, fetches nothing,
										 * so its answers do not wait behind fetches */

	/* messages */
	BurrowScheduler *sched;
	dsa_area   *area;			/* tracker segments */
	MemoryContext message_cxt;	/* messages and tracker segments */

	MemoryContext turn_cxt;		/* reset each turn of the loop */
	TimestampTz now;			/* this turn's */
};

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
