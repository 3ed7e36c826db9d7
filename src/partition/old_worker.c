/*
 * old_worker.c
 *	  Workers that an older consumer of the subscription has left with a message.
 *
 * Runs in: the consumer.
 * Owns: what is known of them.
 *
 * A consumer that ends without draining (pg_terminate_backend, an error) leaves its workers with what
 * they have begun, which they may still commit, and nothing more.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "partition/old_worker.h"
#include "shmem/worker_slots.h"

/* There may be some. */
static bool exists = true;

/* Where they may commit: see burrow_worker_slot_hand(). */
static uint64 *hands;
static int	nhands;

void
burrow_old_worker_init(void)
{
	hands = MemoryContextAlloc(TopMemoryContext, sizeof(uint64) * burrow->nworkers);
}

bool
burrow_old_worker_look(const BurrowConsumer *c)
{
	if (!exists)
		return false;
	exists = burrow_worker_slot_find_old(c->slot, c->generation, hands, &nhands);
	return !exists;
}

bool
burrow_old_worker_exists(void)
{
	return exists;
}

bool
burrow_old_worker_has_any(void)
{
	return nhands > 0;
}

bool
burrow_old_worker_has(const char *topic, int32 partition)
{
	uint64		hand;

	if (nhands == 0)
		return false;
	hand = burrow_worker_slot_hand(topic, partition);
	for (int i = 0; i < nhands; i++)
		if (hands[i] == hand)
			return true;
	return false;
}
