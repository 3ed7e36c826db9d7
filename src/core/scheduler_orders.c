/*
 * scheduler_orders.c
 *	  A hash table with chains, of the orders that the scheduler knows; scheduler.c says which.
 *
 * Runs in: the consumer.
 */
#include "core/scheduler_orders.h"

#include <stdbool.h>
#include <string.h>

#include "core/check.h"

#define SMALLEST_TABLE_BITS		6
#define RECORDS_KEPT			4096	/* most records kept for use again */

static inline BurrowSchedulerOrder **
bucket_of(const BurrowSchedulerOrders *o, uint64_t key)
{
	uint64_t	h = key;

	/* an order may be any number, a small counter too: spread all its bits */
	h ^= h >> 32;
	h *= UINT64_C(0x9E3779B97F4A7C15);
	return &o->table[h >> (64 - o->table_bits)];
}

static inline void
chain_insert(BurrowSchedulerOrder **bucket, BurrowSchedulerOrder *order)
{
	order->chain_next = *bucket;
	order->chain_link = bucket;
	if (*bucket != NULL)
		(*bucket)->chain_link = &order->chain_next;
	*bucket = order;
}

static inline void
chain_remove(BurrowSchedulerOrder *order)
{
	*order->chain_link = order->chain_next;
	if (order->chain_next != NULL)
		order->chain_next->chain_link = order->chain_link;
}

static BurrowSchedulerOrder **
new_table(BurrowSchedulerOrders *o, unsigned bits)
{
	size_t		size = sizeof(BurrowSchedulerOrder *) << bits;
	BurrowSchedulerOrder **table = o->memory->allocate(size);

	memset(table, 0, size);
	return table;
}

void
burrow_scheduler_orders_init(BurrowSchedulerOrders *o, const BurrowAllocator *memory)
{
	memset(o, 0, sizeof(*o));
	o->memory = memory;
	o->table_bits = SMALLEST_TABLE_BITS;
	o->table = new_table(o, o->table_bits);
}

/*
 * At most one order a bucket on average, and not many more buckets than orders once
 * a backlog of keys is gone.
 */
static inline bool
is_full(const BurrowSchedulerOrders *o)
{
	return o->n >= (uint64_t) 1 << o->table_bits;
}

static inline bool
is_sparse(const BurrowSchedulerOrders *o)
{
	return o->n < ((uint64_t) 1 << o->table_bits) / 32 && o->table_bits > SMALLEST_TABLE_BITS;
}

/*
 * It grows fourfold, as it is the visit to each record that costs.  Never inlined: few messages need it, and
 * its registers would have to be saved for every one.
 */
static __attribute__((noinline))
void
fit_table(BurrowSchedulerOrders *o)
{
	size_t		old_size = (size_t) 1 << o->table_bits;
	BurrowSchedulerOrder **old = o->table;
	unsigned	bits = is_full(o) ? o->table_bits + 2 : o->table_bits - 2;

	o->table = new_table(o, bits);
	o->table_bits = bits;
	for (size_t i = 0; i < old_size; i++)
	{
		BurrowSchedulerOrder *order = old[i];

		while (order != NULL)
		{
			BurrowSchedulerOrder *next = order->chain_next;

			chain_insert(bucket_of(o, order->key), order);
			order = next;
		}
	}
	o->memory->release(old);
}

BurrowSchedulerOrder *
burrow_scheduler_orders_get(BurrowSchedulerOrders *o, struct BurrowSchedulerPartition *p,
							uint64_t key)
{
	BurrowSchedulerOrder **bucket = bucket_of(o, key);
	BurrowSchedulerOrder *order = *bucket;

	while (order != NULL && (order->key != key || order->partition != p))
		order = order->chain_next;
	if (order != NULL)
		return order;

	if (is_full(o) || is_sparse(o))
	{
		fit_table(o);
		bucket = bucket_of(o, key);
	}
	if (o->kept != NULL)
	{
		order = o->kept;
		o->kept = order->next;
		o->nkept--;
	}
	else
		order = o->memory->allocate(sizeof(BurrowSchedulerOrder));
	order->key = key;
	order->partition = p;
	order->first = order->last = NULL;
	order->waiting = 0;
	order->in_hand = 0;
	chain_insert(bucket, order);
	o->n++;
	return order;
}

void
burrow_scheduler_orders_drop(BurrowSchedulerOrders *o, BurrowSchedulerOrder *order)
{
	BURROW_CHECK(order->waiting == 0 && order->in_hand == 0);
	chain_remove(order);
	o->n--;
	if (o->nkept < RECORDS_KEPT)
	{
		order->next = o->kept;
		o->kept = order;
		o->nkept++;
	}
	else
		o->memory->release(order);
}

void
burrow_scheduler_orders_free(BurrowSchedulerOrders *o)
{
	for (size_t i = 0; i < (size_t) 1 << o->table_bits; i++)
	{
		while (o->table[i] != NULL)
		{
			BurrowSchedulerOrder *order = o->table[i];

			o->table[i] = order->chain_next;
			o->memory->release(order);
		}
	}
	while (o->kept != NULL)
	{
		BurrowSchedulerOrder *order = o->kept;

		o->kept = order->next;
		o->memory->release(order);
	}
	o->memory->release(o->table);
}
