/*
 * resting_state.h
 *	  How a subscription that does not run is shown.
 */
#ifndef BURROW_RUNTIME_RESTING_STATE_H
#define BURROW_RUNTIME_RESTING_STATE_H

#include "catalog/subscription.h"
#include "shmem/subscription_slot.h"

/* By its status alone; BURROW_STARTING: it is to run. */
extern BurrowState burrow_resting_state(BurrowStatus status);

#endif							/* BURROW_RUNTIME_RESTING_STATE_H */
