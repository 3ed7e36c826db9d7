/*
 * key_parking.c
 *	  Messages that wait behind a dead letter of their key (park_key).
 *
 * Runs in: the consumer.
 *
 * While a key has a row in burrow.dead_letter, its messages are not handled but become
 * rows too, in the transaction that says that they are done.  Nobody but this process
 * writes such rows, and nobody sees a row go while letters are in workers' hands but
 * from here; so the keys that have one are known in memory (core/parking.h), read from
 * the table at the start and when somebody has asked for letters or discarded some.
 *
 * A message is looked at when it is given out, and not when it comes: what was waiting
 * for its key when that was parked is parked then too.  It cannot come too late: until
 * the letter is written, the failed message holds its key.
 *
 * Letters that are tried again come before the messages of their key that wait in the
 * scheduler, and hold the key as any other; so what comes after them waits for them.
 * One that fails again leaves those behind it in their rows.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "catalog/dead_letter.h"
#include "dead_letter/key_parking.h"
#include "partition/context.h"

/* A partition with its parked keys; kept when the partition goes, as its letters are. */
struct BurrowKeyParking
{
	dlist_node	node;			/* in partitions */
	char		topic[BURROW_TOPIC_MAX + 1];
	int32		partition;
	BurrowParking keys;
	BurrowParking found;		/* while the table is read */
};

/* Partitions that have, or had, parked keys. */
static dlist_head partitions = DLIST_STATIC_INIT(partitions);

/* The table is to be read for them again; it was read once. */
static bool stale;
static bool known;

/* Keys have come or gone since their number was published. */
static bool changed;

static void *
park_allocate(size_t size)
{
	return MemoryContextAllocExtended(TopMemoryContext, size, MCXT_ALLOC_HUGE);
}

static void
park_release(void *pointer)
{
	pfree(pointer);
}

void
burrow_key_parking_init(const BurrowConsumer *c)
{
	burrow_key_parking_outdate(c);
}

void
burrow_key_parking_outdate(const BurrowConsumer *c)
{
	stale = c->sub->options.park_key;
}

bool
burrow_key_parking_is_stale(void)
{
	return stale;
}

BurrowKeyParking *
burrow_key_parking_of(const BurrowConsumer *c, const char *topic, int32 partition)
{
	BurrowKeyParking *parking;
	dlist_iter	iter;

	if (!c->sub->options.park_key)
		return NULL;
	dlist_foreach(iter, &partitions)
	{
		parking = dlist_container(BurrowKeyParking, node, iter.cur);
		if (parking->partition == partition && strcmp(parking->topic, topic) == 0)
			return parking;
	}
	parking = MemoryContextAllocZero(TopMemoryContext, sizeof(BurrowKeyParking));
	strlcpy(parking->topic, topic, sizeof(parking->topic));
	parking->partition = partition;
	burrow_parking_init(&parking->keys, park_allocate, park_release);
	burrow_parking_init(&parking->found, park_allocate, park_release);
	dlist_push_tail(&partitions, &parking->node);
	return parking;
}

void
burrow_key_parking_join(const BurrowConsumer *c, BurrowPartition *part)
{
	part->parking = burrow_key_parking_of(c, part->topic, part->partition);
}

bool
burrow_key_parking_is_known(void)
{
	return !stale || known;
}

/* ---- what the table says ---- */

static void
found_key(void *arg, const char *topic, int32 partition, uint64 order)
{
	burrow_parking_set(&burrow_key_parking_of(arg, topic, partition)->found, order, BURROW_PARK_PARKED);
}

static void
found_asked_key(void *arg, const char *topic, int32 partition, uint64 order)
{
	burrow_parking_set(&burrow_key_parking_of(arg, topic, partition)->found, order, BURROW_PARK_CATCHING_UP);
}

/*
 * If an error comes later in the transaction, what it says of letters that are to be
 * tried again may be wrong, and is read again; until then their keys stay parked.
 */
void
burrow_key_parking_read(const BurrowConsumer *c)
{
	dlist_iter	iter;

	dlist_foreach(iter, &partitions)
		burrow_parking_reset(&dlist_container(BurrowKeyParking, node, iter.cur)->found);
	burrow_dead_letter_each_key(c->subid, found_key, (void *) c);
	burrow_dead_letter_ask_keys(c->subid, found_asked_key, (void *) c);
	dlist_foreach(iter, &partitions)
	{
		BurrowKeyParking *parking = dlist_container(BurrowKeyParking, node, iter.cur);

		burrow_parking_reset(&parking->keys);
		parking->keys = parking->found;
		burrow_parking_init(&parking->found, park_allocate, park_release);
	}
	known = true;
	stale = false;
	changed = true;
}

void
burrow_key_parking_each(void (*change) (BurrowParking *keys))
{
	dlist_iter	iter;

	changed = true;
	dlist_foreach(iter, &partitions)
		change(&dlist_container(BurrowKeyParking, node, iter.cur)->keys);
}

void
burrow_key_parking_publish(const BurrowConsumer *c)
{
	uint64		n = 0;
	dlist_iter	iter;

	if (!changed)
		return;
	changed = false;
	dlist_foreach(iter, &partitions)
		n += dlist_container(BurrowKeyParking, node, iter.cur)->keys.n;
	pg_atomic_write_u64(&burrow->subscriptions[c->slot].parked_keys, n);
}

/* ---- messages ---- */

static inline BurrowParkState
state_of(const BurrowMessage *m)
{
	return m->part->parking == NULL || !m->item.ordered ? BURROW_PARK_NONE :
		burrow_parking_state(&m->part->parking->keys, m->item.order);
}

bool
burrow_key_parking_is_retried(const BurrowKeyParking *parking, uint64 order)
{
	return parking == NULL || burrow_parking_state(&parking->keys, order) == BURROW_PARK_CATCHING_UP;
}

bool
burrow_key_parking_is_asked(const BurrowMessage *m)
{
	return state_of(m) == BURROW_PARK_CATCHING_UP;
}

void
burrow_key_parking_key(BurrowMessage *m)
{
	if (m->part->parking == NULL || !m->item.ordered)
		return;
	burrow_parking_set(&m->part->parking->keys, m->item.order, BURROW_PARK_PARKED);
	changed = true;
}

bool
burrow_key_parking_has_keys(const BurrowKeyParking *parking)
{
	return parking != NULL && parking->keys.n > 0;
}

BurrowParkVerdict
burrow_key_parking_judge(const BurrowMessage *m)
{
	return burrow_parking_judge(state_of(m), m->part->is_redelivery);
}
