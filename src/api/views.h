/*
 * views.h
 *	  The state of a subscription, as the views show it.
 */
#ifndef BURROW_API_VIEWS_H
#define BURROW_API_VIEWS_H

#include "catalog/subscription.h"
#include "shmem/registry.h"

/*
 * status, at_home: what the catalog says.  has_slot, state, attached: what shared memory
 * says; attached: there is a consumer.
 *
 * While a consumer is there, the state is what it says: a subscription that is paused is
 * shown as running until the last message is out of its workers' hands.  Without one the
 * catalog decides.  A state that a consumer left behind says nothing once the catalog
 * wants the subscription to run: it will.
 */
extern BurrowState burrow_views_state(BurrowStatus status, bool at_home, bool has_slot,
									  BurrowState state, bool attached);

/* May this user see what belongs to a subscription of this owner? */
extern bool burrow_views_may_see(Oid owner);

#endif							/* BURROW_API_VIEWS_H */
