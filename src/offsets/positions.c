/*
 * positions.c
 *	  Positions of partitions go into the database, in a transaction of their own.
 *
 * Runs in: the consumer.
 */
#include "postgres.h"

#include "offsets/positions.h"
#include "partition/status.h"

/* When positions could not be stored: doubled each time. */
#define STORE_AGAIN_MIN_US	INT64CONST(1000000)
#define STORE_AGAIN_MAX_US	INT64CONST(30000000)

/* They cannot be stored: between two tries; 0: they can. */
static int64 delay_us;

int64
burrow_positions_delay_us(void)
{
	return delay_us;
}

/* Positions to be stored. */
typedef struct Storing
{
	const BurrowPosition *positions;
	int			n;
	bool		settle;
} Storing;

static void
store(const BurrowConsumer *c, void *arg)
{
	const Storing *storing = arg;

	if (storing->settle)
		burrow_position_settle(c->subid, c->sub->uuid, storing->positions, storing->n);
	else
		burrow_position_store(c->subid, c->sub->uuid, storing->positions, storing->n);
}

bool
burrow_positions_store(const BurrowConsumer *c, const BurrowPosition *positions, int n, bool settle)
{
	Storing		storing = {positions, n, settle};

	if (burrow_status_try(c, store, &storing, BURROW_TROUBLE_STORE_POSITIONS))
	{
		delay_us = 0;
		return true;
	}
	delay_us = Min(Max(delay_us * 2, STORE_AGAIN_MIN_US), STORE_AGAIN_MAX_US);
	return false;
}
