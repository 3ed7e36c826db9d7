/*
 * worker_share.c
 *	  How many workers a subscription may have beside the others.
 *
 * A worker takes a worker slot (burrow.max_workers) and a place among max_worker_processes, where
 * consumers and discovery need places, too.  A consumer cannot work without its place, so places
 * for all consumers, and one more for a look at a database or a subscription to come, are left
 * out of what workers share.  The rest is shared by core/fair_share.c, of what each consumer claims.
 *
 * Others than Burrow take places, too, and PostgreSQL does not say how many there are.  So what there is
 * to share is at first what there could be, and when a place is not to be had, for a while what
 * workers have by then.
 *
 * Nobody takes a worker from another: each consumer asks what it may have when it is to start one,
 * and when it is told that others wait, and lets go of what is too much.
 *
 * Locking: burrow->lock, shared, to read what all claim; what follows from that is computed without it.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "replication/logicallauncher.h"
#include "utils/memutils.h"

#include "core/fair_share.h"
#include "guc.h"
#include "shmem/registry.h"
#include "shmem/worker_share.h"

/* Scratch space, allocated before the lock is taken. */
static BurrowClaim *claims = NULL;	/* one for each subscription slot */
static BurrowClaim *roles;

static void
allocate(void)
{
	if (claims != NULL)
		return;
	roles = MemoryContextAlloc(TopMemoryContext, sizeof(BurrowClaim) * burrow->nsubscriptions);
	claims = MemoryContextAlloc(TopMemoryContext, sizeof(BurrowClaim) * burrow->nsubscriptions);
}

/* Is there, or is to be, a consumer?  Locks: caller holds burrow->lock. */
static bool
needs_consumer(const BurrowSubscriptionSlot *sub)
{
	return sub->in_use && (sub->consumer_pid != 0 || sub->starting || (sub->wanted && !sub->dropped && burrow_enabled));
}

/* Who holds how many, for each slot.  Locks: caller holds burrow->lock. */
static int
count_held(void)
{
	int			sum = 0;

	Assert(LWLockHeldByMe(burrow->lock));
	for (int i = 0; i < burrow->nsubscriptions; i++)
		claims[i] = (BurrowClaim) {.id = i};
	for (int i = 0; i < burrow->nworkers; i++)
	{
		if (!burrow->workers[i].in_use)
			continue;
		claims[burrow->workers[i].subscription].held++;
		sum++;
	}
	return sum;
}

static int
compare_roles(const void *a, const void *b)
{
	uint32_t	role_a = ((const BurrowClaim *) a)->role;
	uint32_t	role_b = ((const BurrowClaim *) b)->role;

	return role_a < role_b ? -1 : role_a > role_b;
}

/* What there is for all workers together, and what it is that there is no more of. */
static int
workers_to_share(int nconsumers, int nclaims, TimestampTz now, BurrowShortage *limit)
{
	int			others = burrow_registry_static_processes();

	/* for a subscription to come there is no place where there is none for those that there are */
	int			places = Max(max_worker_processes - others - nconsumers - 1, nclaims);

	if (burrow->crowded_since != 0)
		places = Min(places, burrow->workers_when_crowded);
	if (now < burrow->full_until)
		places = Min(places, burrow->workers_when_full);
	*limit = places < burrow->nworkers ? BURROW_SHORT_OF_PROCESSES : BURROW_SHORT_OF_SLOTS;
	return Min(places, burrow->nworkers);
}

BurrowWorkerShare
burrow_worker_share(int slot, TimestampTz now)
{
	BurrowWorkerShare result = {0};
	int			nconsumers = 0;
	int			nclaims = 0;
	int			workers;
	int			held;
	uint32		role = 0;
	int			role_wants = 0;

	allocate();
	LWLockAcquire(burrow->lock, LW_SHARED);
	held = count_held();
	for (int i = 0; i < burrow->nsubscriptions; i++)
	{
		const BurrowSubscriptionSlot *sub = &burrow->subscriptions[i];
		BurrowClaim claim = claims[i];

		nconsumers += needs_consumer(sub) ? 1 : 0;
		claim.role = sub->owner;
		claim.wanted = sub->consumer_pid != 0 ? sub->workers_claimed : 0;
		claim.served = sub->worker_started;
		if (claim.wanted > 0 || claim.held > 0)
			claims[nclaims++] = claim;
	}
	workers = workers_to_share(nconsumers, nclaims, now, &result.limit);
	LWLockRelease(burrow->lock);
	result.too_many = held > workers;

	qsort(claims, nclaims, sizeof(BurrowClaim), compare_roles);
	burrow_fair_share(claims, nclaims, roles, workers, burrow_max_workers_per_role);
	for (int i = 0; i < nclaims; i++)
	{
		if (claims[i].id == slot)
		{
			result.workers = claims[i].share;
			role = claims[i].role;
			continue;
		}
		result.others_wait |= claims[i].held < claims[i].share;
		result.others_hold |= claims[i].held > claims[i].share;
	}
	for (int i = 0; i < nclaims; i++)
		role_wants += claims[i].role == role ? claims[i].share : 0;
	if (burrow_max_workers_per_role >= 0 && role_wants >= burrow_max_workers_per_role)
		result.limit = BURROW_SHORT_OF_ROLE;
	return result;
}

/* ---- changes ---- */

uint32
burrow_worker_share_changes(void)
{
	return pg_atomic_read_u32(&burrow->share_changes);
}

void
burrow_worker_share_announce(void)
{
	(void) pg_atomic_fetch_add_u32(&burrow->share_changes, 1);
	LWLockAcquire(burrow->lock, LW_SHARED);
	for (int i = 0; i < burrow->nsubscriptions; i++)
	{
		if (burrow->subscriptions[i].in_use)
			burrow_registry_wake(burrow->subscriptions[i].consumer_proc);
	}
	LWLockRelease(burrow->lock);
}

void
burrow_worker_share_found_full(TimestampTz until)
{
	int			held;

	allocate();
	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	held = count_held();
	burrow->workers_when_full = held;
	burrow->full_until = until;
	LWLockRelease(burrow->lock);
}

void
burrow_worker_share_found_crowded(void)
{
	int			holders = 0;
	int			held;

	allocate();
	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	held = count_held();
	for (int i = 0; i < burrow->nsubscriptions; i++)
		holders += claims[i].held > 0 ? 1 : 0;
	burrow->workers_when_crowded = Max(held - 1, holders);
	LWLockRelease(burrow->lock);
	burrow_worker_share_announce();
}

void
burrow_worker_share_found_room(void)
{
	burrow_worker_share_announce();
}

void
burrow_worker_share_freed(void)
{
	bool		crowded;
	bool		short_of_workers = false;

	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	crowded = burrow->crowded_since != 0;
	burrow->place_freed |= crowded;
	for (int i = 0; i < burrow->nsubscriptions; i++)
		short_of_workers |= burrow->subscriptions[i].in_use &&
			burrow->subscriptions[i].shortage != BURROW_SHORT_OF_NOTHING;
	LWLockRelease(burrow->lock);
	if (crowded)
		burrow_registry_wake_launcher();
	if (short_of_workers)
		burrow_worker_share_announce();
}
