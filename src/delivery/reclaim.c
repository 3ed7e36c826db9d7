/*
 * reclaim.c
 *	  Messages that a busy worker has not begun, taken back.
 *
 * Runs in: the consumer.
 * Locking: none; whose a message is says the chunk's claim (core/claim.h).
 *
 * A chunk of several messages is given on the belief that these will take as long as
 * others did.  Where that does not come true they wait behind one that takes longer,
 * while another worker may have nothing to do; and so do, behind what the worker has done
 * of this chunk, others of the same orders.  So they are taken back
 *	- when some worker is idle and nothing else is ready,
 *	- when the chunk has taken far longer than it should,
 *	- and when messages are given back anyway, as partitions go or all ends.
 * The message that runs is left alone.
 */
#include "postgres.h"

#include "core/claim.h"
#include "delivery/pool.h"
#include "delivery/reclaim.h"
#include "delivery/results.h"
#include "partition/context.h"
#include "partition/partition.h"
#include "partition/status.h"

void
burrow_reclaim_given(const BurrowConsumer *c, BurrowLane *lane)
{
	burrow_claim_give(lane->transport->claim);
	lane->given_at = c->now;
	if (lane->nmessages > 1)
		burrow_pool_start_prefetching(lane);
}

/* How old a chunk must be to be taken back now, in microseconds. */
static int64
age_wanted(const BurrowConsumer *c)
{
	int64		batch_time_us = c->sub->options.batch_time_us;

	if (burrow_status_is_stopping())
		return 0;

	/*
	 * One that is about to be done is not worth the trouble; nor is it if nobody could run what
	 * comes back.
	 */
	if (burrow_pool()->nidle > 0 && burrow_scheduler_ready(c->sched) == 0 &&
		c->sub->options.ordering != BURROW_ORDER_PARTITION)
		return batch_time_us;
	return burrow_sizer_max_wait_us(batch_time_us);
}

/* Newest first, so that those put back end up in their order.  False: there was nothing. */
static bool
take_back(const BurrowConsumer *c, BurrowLane *lane)
{
	int			begun = (int) burrow_claim_take_back(lane->transport->claim);
	bool		some = begun < lane->nmessages;

	burrow_pool_stop_prefetching(lane);
	while (lane->nmessages > begun)
		burrow_results_returned(c, burrow_pool_take_last(lane));
	return some;
}

void
burrow_reclaim_part(const BurrowConsumer *c, const BurrowPartition *part)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, (dlist_head *) &burrow_pool()->prefetching)
	{
		BurrowLane *lane = dlist_container(BurrowLane, prefetching_node, iter.cur);

		if (lane->part == part && !lane->sending)
			(void) take_back(c, lane);
	}
}

bool
burrow_reclaim_run(const BurrowConsumer *c)
{
	int64		age = age_wanted(c);
	bool		some = false;
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, (dlist_head *) &burrow_pool()->prefetching)
	{
		BurrowLane *lane = dlist_container(BurrowLane, prefetching_node, iter.cur);

		if (lane->given_at + age > c->now)
			break;
		/* it is still read from where it is */
		if (lane->sending)
			continue;
		some |= take_back(c, lane);
		/* what is done may hold up others, too */
		burrow_results_resolve_known(c, lane);
	}
	return some;
}

TimestampTz
burrow_reclaim_next(const BurrowConsumer *c)
{
	const BurrowLane *oldest;

	if (dlist_is_empty((dlist_head *) &burrow_pool()->prefetching))
		return 0;
	oldest = dlist_container(BurrowLane, prefetching_node, dlist_head_node((dlist_head *) &burrow_pool()->prefetching));
	return oldest->sending ? 0 : oldest->given_at + age_wanted(c);
}
