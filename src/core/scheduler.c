/*
 * scheduler.c
 *	  Which messages may run now, in which chunk; scheduler.h has the contract.
 *
 * Runs in: the consumer.
 *
 * Owns: partitions, with the records of their orders (scheduler_orders.c) and their
 * heaps (scheduler_heap.c), all from the two functions given at creation.  Items are the
 * caller's.  In the steady state nothing is allocated for a message: records of
 * orders are kept for use again, the heap and the table grow to what is needed.
 * Only add_partition, add and pick allocate, and before they change anything, so
 * an allocator may leave by longjmp; finish, put_back and remove_partition cannot
 * fail, as they are what cleaning up after a failure calls.
 *
 * An order has a record as long as an item of it waits or is in hand.  It is
 *
 *		ready	-> held		items waiting, none in hand
 *		held	-> ready	at least one in hand: what waits is blocked
 *
 * The oldest ready message of a partition is at the front of one of three queues,
 * each sorted by arrival:
 *
 *	- fresh orders: one that becomes ready by an arrival is the newest of all, so
 *	  a plain list stays sorted by appending;
 *	- free items, as they came, for the same reason;
 *	- a heap of what came back: orders released with items still waiting, and free
 *	  items put back.  Only these can be older than what is queued already, and
 *	  they are few.
 *
 * A single heap of all would cost its log n for each message, to sort what comes
 * sorted.  A list alone, with the orders that come back put at its end, would let
 * the oldest message of a busy key wait for all that came after it, while the
 * window fills; put at its front, a busy key would starve the others.
 *
 * A picked order gives what it has, up to the limits, before the next one is
 * looked at.  A chunk in strict order of arrival would hold every busy key at once
 * and leave nothing for the other workers.
 */
#include "core/scheduler.h"

#include <string.h>

#include "core/check.h"
#include "core/scheduler_heap.h"
#include "core/scheduler_orders.h"

typedef struct OrderList
{
	BurrowSchedulerOrder *first;
	BurrowSchedulerOrder *last;
} OrderList;

struct BurrowSchedulerPartition
{
	BurrowSchedulerPartition *next; /* in the list of all */
	BurrowSchedulerPartition *prev;
	BurrowSchedulerPartition *turn_next;	/* in the ring, if anything is ready */
	BurrowSchedulerPartition *turn_prev;
	uint64_t	salt;			/* sets its orders apart in the table */
	bool		removed;
	uint64_t	ready;
	uint64_t	blocked;
	uint64_t	in_hand;
	OrderList	fresh;
	OrderList	held;
	BurrowSchedulerItem *free_first;
	BurrowSchedulerItem *free_last;
	BurrowSchedulerHeap came_back;	/* free items, and the first ones that wait in orders */
};

struct BurrowScheduler
{
	BurrowAllocator memory;
	BurrowSchedulerOrders orders;
	BurrowSchedulerPartition *partitions;
	BurrowSchedulerPartition *turn_first;	/* the next to be served */
	BurrowSchedulerPartition *turn_last;
	uint64_t	arrivals;
	uint64_t	salts;
	uint64_t	ready;
	uint64_t	blocked;
	uint64_t	in_hand;
};

/* Where a partition's oldest ready item is. */
typedef enum Source
{
	SOURCE_NONE,
	SOURCE_FRESH,
	SOURCE_FREE,
	SOURCE_HEAP
} Source;

/* A chunk while it is picked. */
typedef struct Chunk
{
	BurrowSchedulerLimits limits;
	BurrowSchedulerItem *first;
	BurrowSchedulerItem *last;
	uint32_t	n;
	uint64_t	bytes;
} Chunk;

/* ---- lists ---- */

static inline void
list_append(OrderList *list, BurrowSchedulerOrder *order)
{
	order->next = NULL;
	order->prev = list->last;
	if (list->last != NULL)
		list->last->next = order;
	else
		list->first = order;
	list->last = order;
}

static inline void
list_remove(OrderList *list, BurrowSchedulerOrder *order)
{
	if (order->prev != NULL)
		order->prev->next = order->next;
	else
		list->first = order->next;
	if (order->next != NULL)
		order->next->prev = order->prev;
	else
		list->last = order->prev;
}

/* The ring of partitions: served at its front, which then goes to its end. */
static inline void
turn_append(BurrowScheduler *s, BurrowSchedulerPartition *p)
{
	p->turn_next = NULL;
	p->turn_prev = s->turn_last;
	if (s->turn_last != NULL)
		s->turn_last->turn_next = p;
	else
		s->turn_first = p;
	s->turn_last = p;
}

static inline void
turn_remove(BurrowScheduler *s, BurrowSchedulerPartition *p)
{
	if (p->turn_prev != NULL)
		p->turn_prev->turn_next = p->turn_next;
	else
		s->turn_first = p->turn_next;
	if (p->turn_next != NULL)
		p->turn_next->turn_prev = p->turn_prev;
	else
		s->turn_last = p->turn_prev;
}

/* A partition is in the ring exactly while something of it is ready. */
static inline void
count_ready(BurrowScheduler *s, BurrowSchedulerPartition *p, uint64_t n)
{
	if (p->ready == 0 && n > 0)
		turn_append(s, p);
	p->ready += n;
	s->ready += n;
}

/* ---- scheduler and partitions ---- */

BurrowScheduler *
burrow_scheduler_create(void *(*allocate) (size_t size), void (*release) (void *pointer))
{
	BurrowAllocator memory = {allocate, release};
	BurrowScheduler *s = allocate(sizeof(BurrowScheduler));

	memset(s, 0, sizeof(BurrowScheduler));
	s->memory = memory;
	burrow_scheduler_orders_init(&s->orders, &s->memory);
	return s;
}

static void
free_partition(BurrowScheduler *s, BurrowSchedulerPartition *p)
{
	if (p->prev != NULL)
		p->prev->next = p->next;
	else
		s->partitions = p->next;
	if (p->next != NULL)
		p->next->prev = p->prev;
	burrow_scheduler_heap_free(&p->came_back, &s->memory);
	s->memory.release(p);
}

void
burrow_scheduler_destroy(BurrowScheduler *s)
{
	while (s->partitions != NULL)
		free_partition(s, s->partitions);
	burrow_scheduler_orders_free(&s->orders);
	s->memory.release(s);
}

BurrowSchedulerPartition *
burrow_scheduler_add_partition(BurrowScheduler *s)
{
	BurrowSchedulerPartition *p = s->memory.allocate(sizeof(BurrowSchedulerPartition));

	memset(p, 0, sizeof(BurrowSchedulerPartition));
	p->salt = ++s->salts * UINT64_C(0xD1B54A32D192ED03);
	p->next = s->partitions;
	if (p->next != NULL)
		p->next->prev = p;
	s->partitions = p;
	return p;
}

/* Drops a list of items; drop may free each. */
static void
drop_items(BurrowSchedulerItem *item, void (*drop) (void *arg, BurrowSchedulerItem *item), void *arg)
{
	while (item != NULL)
	{
		BurrowSchedulerItem *next = item->next;

		drop(arg, item);
		item = next;
	}
}

/* Drops what waits in an order; lets go of the record unless it is held. */
static void
drop_waiting(BurrowScheduler *s, BurrowSchedulerOrder *order,
			 void (*drop) (void *arg, BurrowSchedulerItem *item), void *arg)
{
	BurrowSchedulerItem *items = order->first;

	order->first = order->last = NULL;
	order->waiting = 0;
	if (order->in_hand == 0)
		burrow_scheduler_orders_drop(&s->orders, order);
	drop_items(items, drop, arg);
}

void
burrow_scheduler_remove_partition(BurrowScheduler *s, BurrowSchedulerPartition *p,
								  void (*drop) (void *arg, BurrowSchedulerItem *item), void *arg)
{
	BurrowSchedulerOrder *order;

	BURROW_CHECK(!p->removed);
	p->removed = true;
	if (p->ready > 0)
		turn_remove(s, p);
	s->ready -= p->ready;
	s->blocked -= p->blocked;
	p->ready = p->blocked = 0;

	while ((order = p->fresh.first) != NULL)
	{
		list_remove(&p->fresh, order);
		drop_waiting(s, order, drop, arg);
	}
	for (size_t i = 0; i < p->came_back.n; i++)
	{
		BurrowSchedulerItem *item = p->came_back.entries[i].item;

		if (item->record != NULL)
			drop_waiting(s, item->record, drop, arg);
		else
			drop(arg, item);
	}
	p->came_back.n = 0;
	for (order = p->held.first; order != NULL; order = order->next)
		drop_waiting(s, order, drop, arg);
	drop_items(p->free_first, drop, arg);
	p->free_first = p->free_last = NULL;

	if (p->in_hand == 0)
		free_partition(s, p);
}

/* ---- messages come and go ---- */

/* The record of the order that a new item belongs to; NULL: none, it is free. */
static inline BurrowSchedulerOrder *
order_of(BurrowScheduler *s, BurrowSchedulerPartition *p, const BurrowSchedulerItem *item)
{
	if (!item->ordered)
		return NULL;
	return burrow_scheduler_orders_get(&s->orders, p, item->order ^ p->salt);
}

void
burrow_scheduler_add(BurrowScheduler *s, BurrowSchedulerPartition *p, BurrowSchedulerItem *item)
{
	BurrowSchedulerOrder *order = order_of(s, p, item);

	BURROW_CHECK(!p->removed);
	item->next = NULL;
	item->partition = p;
	item->record = order;
	item->arrival = s->arrivals++;

	if (order == NULL)
	{
		if (p->free_last != NULL)
			p->free_last->next = item;
		else
			p->free_first = item;
		p->free_last = item;
		count_ready(s, p, 1);
		return;
	}

	if (order->last != NULL)
		order->last->next = item;
	else
		order->first = item;
	order->last = item;
	order->waiting++;
	if (order->in_hand > 0)
	{
		p->blocked++;
		s->blocked++;
		return;
	}
	if (order->waiting == 1)
		list_append(&p->fresh, order);
	count_ready(s, p, 1);
}

/*
 * It takes the age of the one that it comes before, so the order keeps its place among
 * the others, and its items stay sorted.
 */
void
burrow_scheduler_add_first(BurrowScheduler *s, BurrowSchedulerPartition *p, BurrowSchedulerItem *item)
{
	BurrowSchedulerOrder *order = order_of(s, p, item);

	if (order == NULL || order->first == NULL)
	{
		burrow_scheduler_add(s, p, item);
		return;
	}
	BURROW_CHECK(!p->removed);
	item->next = order->first;
	item->partition = p;
	item->record = order;
	item->arrival = order->first->arrival;
	order->first = item;
	order->waiting++;
	if (order->in_hand > 0)
	{
		p->blocked++;
		s->blocked++;
	}
	else
		count_ready(s, p, 1);
}

static inline Source
oldest(const BurrowSchedulerPartition *p, BurrowSchedulerItem **item)
{
	Source		source = SOURCE_NONE;
	uint64_t	arrival = UINT64_MAX;

	if (p->fresh.first != NULL)
	{
		*item = p->fresh.first->first;
		arrival = (*item)->arrival;
		source = SOURCE_FRESH;
	}
	if (p->free_first != NULL && p->free_first->arrival < arrival)
	{
		*item = p->free_first;
		arrival = (*item)->arrival;
		source = SOURCE_FREE;
	}
	if (p->came_back.n > 0 && p->came_back.entries[0].arrival < arrival)
	{
		*item = p->came_back.entries[0].item;
		/* another one may have come before it since */
		if ((*item)->record != NULL)
			*item = (*item)->record->first;
		source = SOURCE_HEAP;
	}
	return source;
}

static inline bool
fits(const Chunk *chunk, const BurrowSchedulerItem *item)
{
	return chunk->n == 0 ||
		(item->kind == chunk->first->kind && !item->alone && !chunk->first->alone &&
		 chunk->n < chunk->limits.messages &&
		 chunk->bytes <= chunk->limits.bytes &&
		 item->bytes <= chunk->limits.bytes - chunk->bytes);
}

static inline void
take(Chunk *chunk, BurrowSchedulerItem *item)
{
	item->next = NULL;
	if (chunk->last != NULL)
		chunk->last->next = item;
	else
		chunk->first = item;
	chunk->last = item;
	chunk->n++;
	chunk->bytes += item->bytes;
}

/*
 * Take an order, which is in neither the fresh list nor the heap any more, and what
 * waits in it as far as it fits.  The rest is blocked until the order is released.
 */
static void
take_order(BurrowScheduler *s, BurrowSchedulerOrder *order, Chunk *chunk)
{
	BurrowSchedulerPartition *p = order->partition;

	BURROW_CHECK(order->in_hand == 0 && order->waiting > 0);
	list_append(&p->held, order);
	p->ready -= order->waiting;
	s->ready -= order->waiting;
	while (order->first != NULL && fits(chunk, order->first))
	{
		BurrowSchedulerItem *item = order->first;

		order->first = item->next;
		take(chunk, item);
		order->waiting--;
		order->in_hand++;
	}
	if (order->first == NULL)
		order->last = NULL;
	p->blocked += order->waiting;
	s->blocked += order->waiting;
}

BurrowSchedulerItem *
burrow_scheduler_pick(BurrowScheduler *s, BurrowSchedulerLimits limits, uint32_t *n)
{
	BurrowSchedulerPartition *p = s->turn_first;
	Chunk		chunk = {.limits = limits};
	BurrowSchedulerItem *item;
	Source		source;

	*n = 0;
	if (p == NULL)
		return NULL;
	/* all that is taken could come back, so that finish and put_back need no memory */
	burrow_scheduler_heap_reserve(&p->came_back, &s->memory,
								  p->in_hand + (limits.messages < p->ready ? limits.messages : p->ready) + 1);

	while ((source = oldest(p, &item)) != SOURCE_NONE && fits(&chunk, item))
	{
		if (source == SOURCE_FRESH)
			list_remove(&p->fresh, item->record);
		else if (source == SOURCE_HEAP)
			burrow_scheduler_heap_pop(&p->came_back);
		else
		{
			p->free_first = item->next;
			if (p->free_first == NULL)
				p->free_last = NULL;
		}
		if (item->record != NULL)
			take_order(s, item->record, &chunk);
		else
		{
			take(&chunk, item);
			p->ready--;
			s->ready--;
		}
	}
	p->in_hand += chunk.n;
	s->in_hand += chunk.n;

	turn_remove(s, p);
	if (p->ready > 0)
		turn_append(s, p);
	*n = chunk.n;
	return chunk.first;
}

/* Nothing of the order is in hand any more, but something of it waits. */
static __attribute__((noinline))
void
go_on(BurrowScheduler *s, BurrowSchedulerPartition *p, BurrowSchedulerOrder *order)
{
	burrow_scheduler_heap_push(&p->came_back, order->first->arrival, order->first);
	p->blocked -= order->waiting;
	s->blocked -= order->waiting;
	count_ready(s, p, order->waiting);
}

/* An item of the order is no longer in hand; with the last one the order goes on. */
static void
let_go(BurrowScheduler *s, BurrowSchedulerOrder *order)
{
	BurrowSchedulerPartition *p = order->partition;

	BURROW_CHECK(order->in_hand > 0);
	if (--order->in_hand > 0)
		return;
	list_remove(&p->held, order);
	if (order->waiting == 0)
		burrow_scheduler_orders_drop(&s->orders, order);
	else
		go_on(s, p, order);
}

void
burrow_scheduler_finish(BurrowScheduler *s, BurrowSchedulerItem *item)
{
	BurrowSchedulerPartition *p = item->partition;

	BURROW_CHECK(p->in_hand > 0);
	p->in_hand--;
	s->in_hand--;
	if (item->record != NULL)
		let_go(s, item->record);
	if (p->removed && p->in_hand == 0)
		free_partition(s, p);
}

/*
 * The item goes to its place by age: at once to the front, if the newest is put
 * back first.
 */
void
burrow_scheduler_put_back(BurrowScheduler *s, BurrowSchedulerItem *item)
{
	BurrowSchedulerPartition *p = item->partition;
	BurrowSchedulerOrder *order = item->record;
	BurrowSchedulerItem *before = NULL;

	BURROW_CHECK(p->in_hand > 0 && !p->removed);
	p->in_hand--;
	s->in_hand--;
	if (order == NULL)
	{
		burrow_scheduler_heap_push(&p->came_back, item->arrival, item);
		count_ready(s, p, 1);
		return;
	}

	for (BurrowSchedulerItem *i = order->first; i != NULL && i->arrival < item->arrival; i = i->next)
		before = i;
	if (before != NULL)
	{
		item->next = before->next;
		before->next = item;
	}
	else
	{
		item->next = order->first;
		order->first = item;
	}
	if (item->next == NULL)
		order->last = item;
	order->waiting++;
	p->blocked++;
	s->blocked++;
	let_go(s, order);
}

uint64_t
burrow_scheduler_ready(const BurrowScheduler *s)
{
	return s->ready;
}

uint64_t
burrow_scheduler_blocked(const BurrowScheduler *s)
{
	return s->blocked;
}

uint64_t
burrow_scheduler_in_hand(const BurrowScheduler *s)
{
	return s->in_hand;
}

uint64_t
burrow_scheduler_partition_in_hand(const BurrowSchedulerPartition *p)
{
	return p->in_hand;
}
