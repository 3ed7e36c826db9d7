/*
 * share.c
 *	  The pool beside those of other subscriptions: what it claims, and what it gives back.
 *
 * Runs in: the consumer.
 *
 * Where processes are scarce, each subscription has a share of them (shmem/worker_share.c).  One
 * that has more, because it was alone before, gives workers back as soon as another waits for one, or a
 * consumer for a place: idle ones at once, the others when they have ended what they have in hand.
 */
#include "postgres.h"

#include "delivery/pool.h"
#include "delivery/share.h"
#include "guc.h"
#include "shmem/worker_share.h"

/* A worker that was started is kept for so long, or small changes of the shares would cost processes. */
#define KEEP_US			INT64CONST(1000000)

/* Idle workers are claimed for so long after their last message. */
#define IDLE_US			INT64CONST(1000000)

static uint32 seen_changes = 0;
static int	seen_ceiling = -1;
static TimestampTz look_at = 0;

void
burrow_share_claim(const BurrowConsumer *c, int wanted)
{
	const BurrowPool *pool = burrow_pool();
	int			at_work = pool->nbusy + pool->nstarting;

	if (pool->nidle > 0)
	{
		const BurrowLane *oldest = dlist_container(BurrowLane, idle_node,
												   dlist_tail_node((dlist_head *) &pool->idle));

		if (oldest->idle_since + IDLE_US > c->now)
			at_work += pool->nidle;
	}
	burrow->subscriptions[c->slot].workers_claimed = Max(wanted, Min(at_work, c->sub->options.workers));
}

TimestampTz
burrow_share_run(const BurrowConsumer *c)
{
	uint32		changes = burrow_worker_share_changes();
	BurrowWorkerShare share;
	int			too_many;

	if (changes == seen_changes && burrow_max_workers_per_role == seen_ceiling &&
		(look_at == 0 || look_at > c->now))
		return look_at;
	seen_changes = changes;
	seen_ceiling = burrow_max_workers_per_role;
	look_at = 0;
	burrow_pool_start_again(c);
	share = burrow_worker_share(c->slot, c->now);
	too_many = burrow_pool_staying() - share.workers;
	if (too_many <= 0 || !(share.others_wait || share.too_many || share.limit == BURROW_SHORT_OF_ROLE))
		return 0;
	if (burrow_pool()->started_at + KEEP_US > c->now)
		look_at = burrow_pool()->started_at + KEEP_US;
	else
		burrow_pool_give_back(c, too_many);
	return look_at;
}
