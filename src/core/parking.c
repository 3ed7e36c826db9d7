/*
 * parking.c
 *	  Keys of a partition whose messages wait behind a dead letter; see parking.h.
 *
 * A table with open addressing.  A key that goes away makes room for those behind it
 * at once, so that nothing marks the places of what is gone.
 */
#include "core/parking.h"

#include <string.h>

#define SMALLEST_ROOM	16

static size_t
first_place(const BurrowParking *p, uint64_t key)
{
	uint64_t	h = key;

	/* a key may be any number: spread all its bits */
	h ^= h >> 32;
	h *= UINT64_C(0x9E3779B97F4A7C15);
	return (size_t) (h >> 32) & (p->room - 1);
}

/* Where the key is, or would be put. */
static size_t
place_of(const BurrowParking *p, uint64_t key)
{
	size_t		i = first_place(p, key);

	while (p->states[i] != BURROW_PARK_NONE && p->keys[i] != key)
		i = (i + 1) & (p->room - 1);
	return i;
}

void
burrow_parking_init(BurrowParking *p, void *(*allocate) (size_t size), void (*release) (void *pointer))
{
	memset(p, 0, sizeof(BurrowParking));
	p->allocate = allocate;
	p->release = release;
}

void
burrow_parking_reset(BurrowParking *p)
{
	if (p->keys != NULL)
		p->release(p->keys);
	burrow_parking_init(p, p->allocate, p->release);
}

/* Room for so many keys; those in the given state stay behind (NONE: all come along). */
static void
rebuild(BurrowParking *p, size_t n, BurrowParkState without)
{
	BurrowParking old = *p;
	size_t		room = SMALLEST_ROOM;

	while (room / 4 * 3 < n)
		room *= 2;
	p->keys = old.allocate(room * (sizeof(uint64_t) + sizeof(uint8_t)));
	p->states = (uint8_t *) (p->keys + room);
	memset(p->states, BURROW_PARK_NONE, room);
	p->room = room;
	p->n = 0;
	for (size_t i = 0; i < old.room; i++)
	{
		size_t		to;

		if (old.states[i] == BURROW_PARK_NONE || old.states[i] == without)
			continue;
		to = place_of(p, old.keys[i]);
		p->keys[to] = old.keys[i];
		p->states[to] = old.states[i];
		p->n++;
	}
	if (old.keys != NULL)
		old.release(old.keys);
}

static void
forget(BurrowParking *p, size_t i)
{
	size_t		hole = i;

	for (;;)
	{
		i = (i + 1) & (p->room - 1);
		if (p->states[i] == BURROW_PARK_NONE)
			break;
		/* may it move to the hole, without coming before its first place? */
		if (((i - first_place(p, p->keys[i])) & (p->room - 1)) >= ((i - hole) & (p->room - 1)))
		{
			p->keys[hole] = p->keys[i];
			p->states[hole] = p->states[i];
			hole = i;
		}
	}
	p->states[hole] = BURROW_PARK_NONE;
	p->n--;
}

BurrowParkState
burrow_parking_find(const BurrowParking *p, uint64_t key)
{
	return p->n == 0 ? BURROW_PARK_NONE : (BurrowParkState) p->states[place_of(p, key)];
}

void
burrow_parking_set(BurrowParking *p, uint64_t key, BurrowParkState state)
{
	size_t		i;

	if (burrow_parking_find(p, key) == BURROW_PARK_NONE)
	{
		if (state == BURROW_PARK_NONE)
			return;
		if (p->n + 1 > p->room / 4 * 3)
			rebuild(p, (p->n + 1) * 2, BURROW_PARK_NONE);
		i = place_of(p, key);
		p->keys[i] = key;
		p->states[i] = (uint8_t) state;
		p->n++;
		return;
	}
	i = place_of(p, key);
	if (state != BURROW_PARK_NONE)
		p->states[i] = (uint8_t) state;
	else if (p->n > 1)
		forget(p, i);
	else
		burrow_parking_reset(p);
}

static void
turn(BurrowParking *p, BurrowParkState from, BurrowParkState to)
{
	for (size_t i = 0; i < p->room; i++)
	{
		if (p->states[i] == from)
			p->states[i] = (uint8_t) to;
	}
}

void
burrow_parking_all_read(BurrowParking *p)
{
	turn(p, BURROW_PARK_CATCHING_UP, BURROW_PARK_RELEASING);
}

void
burrow_parking_all_done(BurrowParking *p)
{
	size_t		n = 0;

	for (size_t i = 0; i < p->room; i++)
		n += p->states[i] == BURROW_PARK_RELEASING ? 1 : 0;
	if (n == p->n)
		burrow_parking_reset(p);
	else if (n > 0)
		rebuild(p, p->n - n, BURROW_PARK_RELEASING);
}

void
burrow_parking_given_up(BurrowParking *p)
{
	turn(p, BURROW_PARK_RELEASING, BURROW_PARK_CATCHING_UP);
}
