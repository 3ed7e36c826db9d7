/*
 * fair_share.h
 *	  Who may have how many of the worker processes, when there are fewer than all want.
 *
 * Pure.  Roles come first: what there is is shared among roles, whatever number of subscriptions each
 * has, and then what a role gets among its subscriptions.  Both are max-min fair: nobody gets more than
 * he wants, what he leaves goes to the others, and no one has less than he wants while another
 * has more than one more.
 *
 * Where it does not divide, the rest goes to those who have it already, so that a share that
 * stays the same moves no worker.  Where there is not one for each, it goes to those who have none, the one
 * who got one the longest ago first: they take turns.
 */
#ifndef BURROW_CORE_FAIR_SHARE_H
#define BURROW_CORE_FAIR_SHARE_H

#include <stdint.h>

/* What a subscription asks for, and gets. */
typedef struct BurrowClaim
{
	int			id;				/* the caller's */
	uint32_t	role;
	int			wanted;			/* workers that it could use */
	int			held;			/* workers that it has */
	uint64_t	served;			/* greater: one was started for it later */
	int			share;			/* what burrow_fair_share() makes of it */
} BurrowClaim;

/*
 * Sets each share.  Claims of a role stand together.  roles has room for n, and is scratch
 * space.  A role gets most_per_role at most; below 0: there is no such limit.
 */
extern void burrow_fair_share(BurrowClaim *claims, int n, BurrowClaim *roles, int workers, int most_per_role);

#endif							/* BURROW_CORE_FAIR_SHARE_H */
