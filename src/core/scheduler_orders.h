/*
 * scheduler_orders.h
 *	  The records of orders of which something waits or is in hand, and the table that finds them.
 */
#ifndef BURROW_CORE_SCHEDULER_ORDERS_H
#define BURROW_CORE_SCHEDULER_ORDERS_H

#include <stddef.h>
#include <stdint.h>

#include "core/allocator.h"

typedef struct BurrowSchedulerOrder BurrowSchedulerOrder;

struct BurrowSchedulerOrder
{
	uint64_t	key;			/* its number, with its partition's salt */
	struct BurrowSchedulerPartition *partition;
	BurrowSchedulerOrder *chain_next;	/* in the table's bucket */
	BurrowSchedulerOrder **chain_link;	/* what points here in it */
	BurrowSchedulerOrder *next; /* in the partition's fresh or held list, */
	BurrowSchedulerOrder *prev; /* or next in the list of records kept */
	struct BurrowSchedulerItem *first;	/* waiting, oldest first */
	struct BurrowSchedulerItem *last;
	uint32_t	waiting;
	uint32_t	in_hand;		/* held if there are any */
};

typedef struct BurrowSchedulerOrders
{
	const BurrowAllocator *memory;
	BurrowSchedulerOrder **table;
	unsigned	table_bits;
	size_t		n;
	BurrowSchedulerOrder *kept; /* records for use again */
	size_t		nkept;
} BurrowSchedulerOrders;

extern void burrow_scheduler_orders_init(BurrowSchedulerOrders *o, const BurrowAllocator *memory);
/*
 * The record of an order; made, and in no list of the scheduler's yet, if there is none.  Allocates
 * before it changes anything.  key: the order's number, with the partition's salt, which sets its
 * orders apart from those of others.
 */
extern BurrowSchedulerOrder *burrow_scheduler_orders_get(BurrowSchedulerOrders *o,
														 struct BurrowSchedulerPartition *p,
														 uint64_t key);
/* The order is in no list any more, and nothing of it waits or is in hand. */
extern void burrow_scheduler_orders_drop(BurrowSchedulerOrders *o, BurrowSchedulerOrder *order);
/* With all records that are left. */
extern void burrow_scheduler_orders_free(BurrowSchedulerOrders *o);

#endif							/* BURROW_CORE_SCHEDULER_ORDERS_H */
