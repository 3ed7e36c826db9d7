/*
 * subscription_slots.h
 *	  Which subscription has which slot.
 */
#ifndef BURROW_SHMEM_SUBSCRIPTION_SLOTS_H
#define BURROW_SHMEM_SUBSCRIPTION_SLOTS_H

#include "shmem/shared.h"

/* Finds or reserves a slot; -1 when all are in use.  Locks: caller holds burrow->lock exclusively. */
extern int	burrow_subscription_slots_reserve(Oid dboid, int32 subid);
/* Is it that of a subscription that is disabled, so that another one may have it?  Locks: caller holds burrow->lock. */
extern bool burrow_subscription_slots_is_evictable(int slot);
/* How many are free, or would be if they were needed.  Locks: takes burrow->lock. */
extern int	burrow_subscription_slots_free(void);

/* What burrow.stats shows begins anew; nothing, if it has no slot.  Process: a backend.  Locks: takes burrow->lock. */
extern void burrow_subscription_slots_reset_stats(Oid dboid, int32 subid);

#endif							/* BURROW_SHMEM_SUBSCRIPTION_SLOTS_H */
