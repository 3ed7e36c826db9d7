/*
 * resting_state.c
 *	  How a subscription that does not run is shown.
 *
 * Runs in: discovery, and backends.
 */
#include "postgres.h"

#include "runtime/resting_state.h"

BurrowState
burrow_resting_state(BurrowStatus status)
{
	switch (status)
	{
		case BURROW_STATUS_ENABLED:
			return BURROW_STARTING;
		case BURROW_STATUS_PAUSED:
			return BURROW_PAUSED;
		case BURROW_STATUS_HALTED:
			return BURROW_HALTED;
		case BURROW_STATUS_DISABLED:
			break;
	}
	return BURROW_DISABLED;
}
