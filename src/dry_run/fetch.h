/*
 * fetch.h
 *	  Where a subscription stands, and the messages there.
 */
#ifndef BURROW_DRY_RUN_FETCH_H
#define BURROW_DRY_RUN_FETCH_H

#include "nodes/pg_list.h"

#include "catalog/subscription.h"
#include "core/frame.h"

typedef struct BurrowDryMessage
{
	const char *topic;
	int32		partition;
	BurrowMessageView view;
} BurrowDryMessage;

/* The next n messages of the subscription, fewer if there are no more: a list of
 * BurrowDryMessage in the current memory context.  No client is left. */
extern List *burrow_fetch_next_messages(const BurrowSubscription *sub, int n);

#endif							/* BURROW_DRY_RUN_FETCH_H */
