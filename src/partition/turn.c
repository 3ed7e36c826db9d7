/*
 * turn.c
 *	  Turns of the consumer's loop; see turn.h.
 *
 * Runs in: the consumer.
 */
#include "postgres.h"

#include "partition/turn.h"

static bool again;

void
burrow_turn_again(void)
{
	again = true;
}

bool
burrow_turn_take_again(void)
{
	bool		wanted = again;

	again = false;
	return wanted;
}
