/*
 * consumer_group.h
 *	  May a subscription be in a consumer group?
 */
#ifndef BURROW_API_CONSUMER_GROUP_H
#define BURROW_API_CONSUMER_GROUP_H

#include "catalog/subscription.h"

/*
 * From now on the subscription is in sub->consumer_group, if the transaction commits; subid, name, owner and
 * join_group count, too.  chosen: by the caller, now.  Errors: OBJECT_IN_USE, if the group is another role's, or
 * one of the same role's that is not to be shared; INVALID_PARAMETER_VALUE, if it is reserved for another database.
 */
extern void burrow_consumer_group_take(const BurrowSubscription *sub, bool chosen);
/* The same question about one that it has. */
extern void burrow_consumer_group_check(const BurrowSubscription *sub);
/* Error if another subscription of this database is the same member of the group: has the same
 * group.instance.id. */
extern void burrow_consumer_group_check_member(const BurrowSubscription *sub);

#endif							/* BURROW_API_CONSUMER_GROUP_H */
