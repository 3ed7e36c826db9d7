/*
 * owner.h
 *	  May a subscription's handler run with its owner's rights?
 */
#ifndef BURROW_CATALOG_OWNER_H
#define BURROW_CATALOG_OWNER_H

#include "catalog/subscription.h"

/* Why not; in the memory context of the call. */
typedef struct BurrowOwnerTrouble
{
	int			sqlerrcode;
	char	   *message;
	char	   *detail;			/* NULL: none */
	char	   *statement;		/* mends it */
} BurrowOwnerTrouble;

/*
 * True: it may.  Asks the catalogs as they are now, whoever calls, and needs a transaction.  Of sub it looks at
 * the owner, the name, the handler, delivery and run_as_owner.  That there is no such function is not
 * its concern: that halts (handler/handler.c).
 */
extern bool burrow_owner_may_run(const BurrowSubscription *sub, BurrowOwnerTrouble *trouble);

/* For workers: a number that changes with whatever burrow_owner_may_run() may have asked. */
extern uint64 burrow_owner_changes(void);

#endif							/* BURROW_CATALOG_OWNER_H */
