/*
 * identity.h
 *	  What is known of a subscription whatever the extension's version is.
 *
 * The columns of burrow.subscription that are read here are in each version of the
 * extension, with the same meaning, so that a library of another version can stop what
 * runs, and knows what is taken.  All else is for the library's own version; see burrow_access_check_version().
 */
#ifndef BURROW_CATALOG_IDENTITY_H
#define BURROW_CATALOG_IDENTITY_H

#include "nodes/pg_list.h"

#include "catalog/subscription.h"

typedef struct BurrowIdentity
{
	int32		subid;
	char	   *name;
	Oid			owner;
	BurrowStatus status;
	char	   *consumer_group;
	bool		join_group;
	bool		at_home;		/* as burrow_subscription_at_home() says */
} BurrowIdentity;

/* Is it one that the catalog keeps from running until somebody says otherwise: disabled, or a copy? */
static inline bool
burrow_identity_rests(const BurrowIdentity *sub)
{
	return sub->status == BURROW_STATUS_DISABLED || !sub->at_home;
}

/*
 * In the current memory context; NULL: there is no such subscription.  lock: keeps others from
 * changing it until the end of the transaction.  The extension must be there.
 */
extern BurrowIdentity *burrow_identity_find(const char *name, bool lock);

/* Of all subscriptions of this database; NIL without the extension, too. */
extern List *burrow_identity_list(void);

#endif							/* BURROW_CATALOG_IDENTITY_H */
