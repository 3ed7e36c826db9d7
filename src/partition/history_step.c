/*
 * history_step.c
 *	  A step of the subscription's history ends.
 *
 * Runs in: the consumer.
 *
 * What is kept, and how, is in shmem/history.c.  Here is what only the consumer knows without looking at
 * the partitions of all subscriptions: which are its own.
 */
#include "postgres.h"

#include "partition/history_step.h"
#include "partition/partition.h"
#include "shmem/history.h"

static BurrowLag
lag_now(const BurrowConsumer *c)
{
	BurrowLag	lag = {0};
	dlist_iter	iter;

	dlist_foreach(iter, burrow_partition_all())
	{
		const BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (part->slot >= 0 && !burrow_partitions[part->slot].gone)
			burrow_partitions_add_lag(&lag, &burrow_partitions[part->slot], c->now);
	}
	return lag;
}

TimestampTz
burrow_history_step_run(const BurrowConsumer *c)
{
	TimestampTz due;

	if (burrow_history_is_over(c->slot, c->now, &due))
	{
		BurrowLag	lag = lag_now(c);

		burrow_history_write(c->slot, c->now, lag.known ? lag.messages : -1, lag.time_known ? lag.time_us : -1);
	}
	return due;
}
