/*
 * scheduler.c
 *	  Which messages may run now, in which chunk; scheduler.h has the contract.
 *
 * Runs in: the consumer.
 *
 * Owns: partitions, the records of orders, the table that finds them and the
 * partitions' heaps, all from the two functions given at creation.  Items are the
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

#define SMALLEST_TABLE_BITS		6
#define SMALLEST_HEAP			16
#define RECORDS_KEPT			4096	/* most records kept for use again */

typedef struct BurrowSchedOrder BurrowSchedOrder;

struct BurrowSchedOrder
{
	uint64_t	order;
	BurrowSchedPartition *partition;
	BurrowSchedOrder *chain_next;	/* in the table's bucket */
	BurrowSchedOrder **chain_link;	/* what points here in it */
	BurrowSchedOrder *next;		/* in the partition's fresh or held list, */
	BurrowSchedOrder *prev;		/* or next in the list of records kept */
	BurrowSchedItem *first;		/* waiting, oldest first */
	BurrowSchedItem *last;
	uint32_t	waiting;
	uint32_t	in_hand;		/* held if there are any */
};

typedef struct OrderList
{
	BurrowSchedOrder *first;
	BurrowSchedOrder *last;
} OrderList;

/* What came back: a free item, or the first one that waits in an order. */
typedef struct HeapEntry
{
	uint64_t	arrival;
	BurrowSchedItem *item;
} HeapEntry;

struct BurrowSchedPartition
{
	BurrowSchedPartition *next;	/* in the list of all */
	BurrowSchedPartition *prev;
	BurrowSchedPartition *turn_next;	/* in the ring, if anything is ready */
	BurrowSchedPartition *turn_prev;
	uint64_t	salt;			/* sets its orders apart in the table */
	bool		removed;
	uint64_t	ready;
	uint64_t	blocked;
	uint64_t	in_hand;
	OrderList	fresh;
	OrderList	held;
	BurrowSchedItem *free_first;
	BurrowSchedItem *free_last;
	HeapEntry  *heap;
	size_t		nheap;
	size_t		heap_room;
};

struct BurrowScheduler
{
	void	   *(*allocate) (size_t size);
	void		(*release) (void *pointer);
	BurrowSchedOrder **table;
	unsigned	table_bits;
	size_t		norders;
	BurrowSchedOrder *kept;
	size_t		nkept;
	BurrowSchedPartition *partitions;
	BurrowSchedPartition *turn_first;	/* the next to be served */
	BurrowSchedPartition *turn_last;
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
	BurrowSchedLimits limits;
	BurrowSchedItem *first;
	BurrowSchedItem *last;
	uint32_t	n;
	uint64_t	bytes;
} Chunk;

/* ---- lists ---- */

static inline void
list_append(OrderList *list, BurrowSchedOrder *order)
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
list_remove(OrderList *list, BurrowSchedOrder *order)
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
turn_append(BurrowScheduler *s, BurrowSchedPartition *p)
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
turn_remove(BurrowScheduler *s, BurrowSchedPartition *p)
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
count_ready(BurrowScheduler *s, BurrowSchedPartition *p, uint64_t n)
{
	if (p->ready == 0 && n > 0)
		turn_append(s, p);
	p->ready += n;
	s->ready += n;
}

/* ---- the heap of what came back ---- */

/*
 * Room for n more.  pick sees to it that all that it takes could come back, so
 * that finish and put_back need no memory.
 */
static void
heap_reserve(BurrowScheduler *s, BurrowSchedPartition *p, uint64_t n)
{
	size_t		room = p->heap_room > 0 ? p->heap_room : SMALLEST_HEAP;
	HeapEntry  *heap;

	if (p->nheap + n <= p->heap_room)
		return;
	while (room < p->nheap + n)
		room *= 2;
	heap = s->allocate(room * sizeof(HeapEntry));
	if (p->heap != NULL)
	{
		memcpy(heap, p->heap, p->nheap * sizeof(HeapEntry));
		s->release(p->heap);
	}
	p->heap = heap;
	p->heap_room = room;
}

static void
heap_push(BurrowSchedPartition *p, BurrowSchedItem *item)
{
	size_t		i = p->nheap++;

	BURROW_CHECK(p->nheap <= p->heap_room);
	while (i > 0 && p->heap[(i - 1) / 2].arrival > item->arrival)
	{
		p->heap[i] = p->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	p->heap[i] = (HeapEntry) {item->arrival, item};
}

static void
heap_pop(BurrowSchedPartition *p)
{
	HeapEntry	last = p->heap[--p->nheap];
	size_t		i = 0;

	for (;;)
	{
		size_t		child = 2 * i + 1;

		if (child >= p->nheap)
			break;
		if (child + 1 < p->nheap && p->heap[child + 1].arrival < p->heap[child].arrival)
			child++;
		if (p->heap[child].arrival >= last.arrival)
			break;
		p->heap[i] = p->heap[child];
		i = child;
	}
	p->heap[i] = last;
}

/* ---- the table of orders ---- */

static inline BurrowSchedOrder **
bucket_of(const BurrowScheduler *s, const BurrowSchedPartition *p, uint64_t order)
{
	uint64_t	h = order ^ p->salt;

	/* an order may be any number, a small counter too: spread all its bits */
	h ^= h >> 32;
	h *= UINT64_C(0x9E3779B97F4A7C15);
	return &s->table[h >> (64 - s->table_bits)];
}

static inline void
chain_insert(BurrowSchedOrder **bucket, BurrowSchedOrder *order)
{
	order->chain_next = *bucket;
	order->chain_link = bucket;
	if (*bucket != NULL)
		(*bucket)->chain_link = &order->chain_next;
	*bucket = order;
}

static inline void
chain_remove(BurrowSchedOrder *order)
{
	*order->chain_link = order->chain_next;
	if (order->chain_next != NULL)
		order->chain_next->chain_link = order->chain_link;
}

static BurrowSchedOrder **
new_table(BurrowScheduler *s, unsigned bits)
{
	size_t		size = sizeof(BurrowSchedOrder *) << bits;
	BurrowSchedOrder **table = s->allocate(size);

	memset(table, 0, size);
	return table;
}

/*
 * At most one order a bucket on average, and not many more buckets than orders once
 * a backlog of keys is gone.  It grows fourfold, as it is the visit to each record
 * that costs.
 */
static void
fit_table(BurrowScheduler *s)
{
	size_t		old_size = (size_t) 1 << s->table_bits;
	BurrowSchedOrder **old = s->table;
	unsigned	bits = s->table_bits;

	if (s->norders >= old_size)
		bits += 2;
	else if (s->norders < old_size / 32 && bits > SMALLEST_TABLE_BITS)
		bits -= 2;
	else
		return;

	s->table = new_table(s, bits);
	s->table_bits = bits;
	for (size_t i = 0; i < old_size; i++)
	{
		BurrowSchedOrder *order = old[i];

		while (order != NULL)
		{
			BurrowSchedOrder *next = order->chain_next;

			chain_insert(bucket_of(s, order->partition, order->order), order);
			order = next;
		}
	}
	s->release(old);
}

/* The record of an order; made, and in no list yet, if there is none. */
static BurrowSchedOrder *
get_order(BurrowScheduler *s, BurrowSchedPartition *p, uint64_t number)
{
	BurrowSchedOrder *order = *bucket_of(s, p, number);

	while (order != NULL && (order->order != number || order->partition != p))
		order = order->chain_next;
	if (order != NULL)
		return order;

	fit_table(s);
	if (s->kept != NULL)
	{
		order = s->kept;
		s->kept = order->next;
		s->nkept--;
	}
	else
		order = s->allocate(sizeof(BurrowSchedOrder));
	order->order = number;
	order->partition = p;
	order->first = order->last = NULL;
	order->waiting = 0;
	order->in_hand = 0;
	chain_insert(bucket_of(s, p, number), order);
	s->norders++;
	return order;
}

/* The order is in no list any more, and nothing of it waits or is in hand. */
static void
drop_order(BurrowScheduler *s, BurrowSchedOrder *order)
{
	BURROW_CHECK(order->waiting == 0 && order->in_hand == 0);
	chain_remove(order);
	s->norders--;
	if (s->nkept < RECORDS_KEPT)
	{
		order->next = s->kept;
		s->kept = order;
		s->nkept++;
	}
	else
		s->release(order);
}

/* ---- scheduler and partitions ---- */

BurrowScheduler *
burrow_sched_create(void *(*allocate) (size_t size), void (*release) (void *pointer))
{
	BurrowScheduler *s = allocate(sizeof(BurrowScheduler));

	memset(s, 0, sizeof(BurrowScheduler));
	s->allocate = allocate;
	s->release = release;
	s->table_bits = SMALLEST_TABLE_BITS;
	s->table = new_table(s, s->table_bits);
	return s;
}

static void
free_partition(BurrowScheduler *s, BurrowSchedPartition *p)
{
	if (p->prev != NULL)
		p->prev->next = p->next;
	else
		s->partitions = p->next;
	if (p->next != NULL)
		p->next->prev = p->prev;
	if (p->heap != NULL)
		s->release(p->heap);
	s->release(p);
}

void
burrow_sched_destroy(BurrowScheduler *s)
{
	for (size_t i = 0; i < (size_t) 1 << s->table_bits; i++)
	{
		while (s->table[i] != NULL)
		{
			BurrowSchedOrder *order = s->table[i];

			s->table[i] = order->chain_next;
			s->release(order);
		}
	}
	while (s->kept != NULL)
	{
		BurrowSchedOrder *order = s->kept;

		s->kept = order->next;
		s->release(order);
	}
	while (s->partitions != NULL)
		free_partition(s, s->partitions);
	s->release(s->table);
	s->release(s);
}

BurrowSchedPartition *
burrow_sched_add_partition(BurrowScheduler *s)
{
	BurrowSchedPartition *p = s->allocate(sizeof(BurrowSchedPartition));

	memset(p, 0, sizeof(BurrowSchedPartition));
	p->salt = ++s->salts * UINT64_C(0xD1B54A32D192ED03);
	p->next = s->partitions;
	if (p->next != NULL)
		p->next->prev = p;
	s->partitions = p;
	return p;
}

/* Drops a list of items; drop may free each. */
static void
drop_items(BurrowSchedItem *item, void (*drop) (void *arg, BurrowSchedItem *item), void *arg)
{
	while (item != NULL)
	{
		BurrowSchedItem *next = item->next;

		drop(arg, item);
		item = next;
	}
}

/* Drops what waits in an order; lets go of the record unless it is held. */
static void
drop_waiting(BurrowScheduler *s, BurrowSchedOrder *order,
			 void (*drop) (void *arg, BurrowSchedItem *item), void *arg)
{
	BurrowSchedItem *items = order->first;

	order->first = order->last = NULL;
	order->waiting = 0;
	if (order->in_hand == 0)
		drop_order(s, order);
	drop_items(items, drop, arg);
}

void
burrow_sched_remove_partition(BurrowScheduler *s, BurrowSchedPartition *p,
							  void (*drop) (void *arg, BurrowSchedItem *item), void *arg)
{
	BurrowSchedOrder *order;

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
	for (size_t i = 0; i < p->nheap; i++)
	{
		if (p->heap[i].item->record != NULL)
			drop_waiting(s, p->heap[i].item->record, drop, arg);
		else
			drop(arg, p->heap[i].item);
	}
	p->nheap = 0;
	for (order = p->held.first; order != NULL; order = order->next)
		drop_waiting(s, order, drop, arg);
	drop_items(p->free_first, drop, arg);
	p->free_first = p->free_last = NULL;

	if (p->in_hand == 0)
		free_partition(s, p);
}

/* ---- messages come and go ---- */

void
burrow_sched_add(BurrowScheduler *s, BurrowSchedPartition *p, BurrowSchedItem *item)
{
	BurrowSchedOrder *order = item->ordered ? get_order(s, p, item->order) : NULL;

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
burrow_sched_add_first(BurrowScheduler *s, BurrowSchedPartition *p, BurrowSchedItem *item)
{
	BurrowSchedOrder *order = item->ordered ? get_order(s, p, item->order) : NULL;

	if (order == NULL || order->first == NULL)
	{
		burrow_sched_add(s, p, item);
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
oldest(const BurrowSchedPartition *p, BurrowSchedItem **item)
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
	if (p->nheap > 0 && p->heap[0].arrival < arrival)
	{
		*item = p->heap[0].item;
		/* another one may have come before it since */
		if ((*item)->record != NULL)
			*item = (*item)->record->first;
		source = SOURCE_HEAP;
	}
	return source;
}

static inline bool
fits(const Chunk *chunk, const BurrowSchedItem *item)
{
	return chunk->n == 0 ||
		(item->kind == chunk->first->kind && !item->alone && !chunk->first->alone &&
		 chunk->n < chunk->limits.messages &&
		 chunk->bytes <= chunk->limits.bytes &&
		 item->bytes <= chunk->limits.bytes - chunk->bytes);
}

static inline void
take(Chunk *chunk, BurrowSchedItem *item)
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
take_order(BurrowScheduler *s, BurrowSchedOrder *order, Chunk *chunk)
{
	BurrowSchedPartition *p = order->partition;

	BURROW_CHECK(order->in_hand == 0 && order->waiting > 0);
	list_append(&p->held, order);
	p->ready -= order->waiting;
	s->ready -= order->waiting;
	while (order->first != NULL && fits(chunk, order->first))
	{
		BurrowSchedItem *item = order->first;

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

BurrowSchedItem *
burrow_sched_pick(BurrowScheduler *s, BurrowSchedLimits limits, uint32_t *n)
{
	BurrowSchedPartition *p = s->turn_first;
	Chunk		chunk = {.limits = limits};
	BurrowSchedItem *item;
	Source		source;

	*n = 0;
	if (p == NULL)
		return NULL;
	heap_reserve(s, p, p->in_hand + (limits.messages < p->ready ? limits.messages : p->ready) + 1);

	while ((source = oldest(p, &item)) != SOURCE_NONE && fits(&chunk, item))
	{
		if (source == SOURCE_FRESH)
			list_remove(&p->fresh, item->record);
		else if (source == SOURCE_HEAP)
			heap_pop(p);
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

/* An item of the order is no longer in hand; with the last one the order goes on. */
static void
let_go(BurrowScheduler *s, BurrowSchedOrder *order)
{
	BurrowSchedPartition *p = order->partition;

	BURROW_CHECK(order->in_hand > 0);
	if (--order->in_hand > 0)
		return;
	list_remove(&p->held, order);
	if (order->waiting == 0)
	{
		drop_order(s, order);
		return;
	}
	heap_push(p, order->first);
	p->blocked -= order->waiting;
	s->blocked -= order->waiting;
	count_ready(s, p, order->waiting);
}

void
burrow_sched_finish(BurrowScheduler *s, BurrowSchedItem *item)
{
	BurrowSchedPartition *p = item->partition;

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
burrow_sched_put_back(BurrowScheduler *s, BurrowSchedItem *item)
{
	BurrowSchedPartition *p = item->partition;
	BurrowSchedOrder *order = item->record;
	BurrowSchedItem *before = NULL;

	BURROW_CHECK(p->in_hand > 0 && !p->removed);
	p->in_hand--;
	s->in_hand--;
	if (order == NULL)
	{
		heap_push(p, item);
		count_ready(s, p, 1);
		return;
	}

	for (BurrowSchedItem *i = order->first; i != NULL && i->arrival < item->arrival; i = i->next)
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
burrow_sched_ready(const BurrowScheduler *s)
{
	return s->ready;
}

uint64_t
burrow_sched_blocked(const BurrowScheduler *s)
{
	return s->blocked;
}

uint64_t
burrow_sched_in_hand(const BurrowScheduler *s)
{
	return s->in_hand;
}

uint64_t
burrow_sched_partition_in_hand(const BurrowSchedPartition *p)
{
	return p->in_hand;
}
