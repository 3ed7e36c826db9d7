/*
 * parking.h
 *	  Keys of a partition whose messages wait behind a dead letter.
 *
 * Pure: no PostgreSQL, no Kafka, no clock.  Memory comes from the two functions given
 * to init; 9 bytes a key, at most three times that.
 *
 * A key is a 64-bit hash: two keys that share one are treated as one, here and wherever
 * letters are looked up by it, so a collision parks more than it must and breaks no
 * order.
 *
 *		NONE		-> PARKED			a message of it became a dead letter
 *		PARKED		-> CATCHING_UP		its letters are to be tried again
 *		CATCHING_UP	-> PARKED			one of them has failed
 *					-> RELEASING		the last of them were read
 *		RELEASING	-> PARKED			one of them, or a message after them, has failed
 *					-> CATCHING_UP		what was read is given up
 *					-> NONE				all are done
 *
 * While letters are tried again, more messages come.  Were they parked until the last
 * letter is gone, there would always be another last one.  So once all letters of a key
 * have been read, its messages are parked no more, but wait in memory until these are
 * done.
 */
#ifndef BURROW_CORE_PARKING_H
#define BURROW_CORE_PARKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum BurrowParkState
{
	BURROW_PARK_NONE = 0,		/* it has no letters */
	BURROW_PARK_PARKED,			/* it has */
	BURROW_PARK_CATCHING_UP,	/* they are tried again, and not all of them were read yet */
	BURROW_PARK_RELEASING		/* the last of them are tried again */
} BurrowParkState;

/* What may be done with a message. */
typedef enum BurrowParkVerdict
{
	BURROW_PARK_HANDLE,
	BURROW_PARK_WRITE,			/* it becomes a letter behind the others */
	BURROW_PARK_LEAVE			/* it is a letter, and stays one */
} BurrowParkVerdict;

typedef struct BurrowParking
{
	void	   *(*allocate) (size_t size);
	void		(*release) (void *pointer);
	uint64_t   *keys;
	uint8_t    *states;			/* NONE: nothing is there */
	size_t		room;			/* 0, or a power of two */
	size_t		n;
} BurrowParking;

/* allocate must not return NULL (it may leave by longjmp). */
extern void burrow_parking_init(BurrowParking *p, void *(*allocate) (size_t size),
								void (*release) (void *pointer));
/* Forgets all keys, and gives back the memory. */
extern void burrow_parking_reset(BurrowParking *p);

extern BurrowParkState burrow_parking_find(const BurrowParking *p, uint64_t key);
/* NONE forgets the key.  Allocates only for a key that is not there yet. */
extern void burrow_parking_set(BurrowParking *p, uint64_t key, BurrowParkState state);

static inline BurrowParkState
burrow_parking_state(const BurrowParking *p, uint64_t key)
{
	return p->n == 0 ? BURROW_PARK_NONE : burrow_parking_find(p, key);
}

static inline BurrowParkVerdict
burrow_parking_judge(BurrowParkState state, bool letter)
{
	if (letter)
		return state == BURROW_PARK_PARKED ? BURROW_PARK_LEAVE : BURROW_PARK_HANDLE;
	return state == BURROW_PARK_PARKED || state == BURROW_PARK_CATCHING_UP ?
		BURROW_PARK_WRITE : BURROW_PARK_HANDLE;
}

/* No letter of the keys that are caught up is left in the table unread. */
extern void burrow_parking_all_read(BurrowParking *p);
/* All that was read is resolved. */
extern void burrow_parking_all_done(BurrowParking *p);
/* Something that was read is given up, and is still in the table. */
extern void burrow_parking_given_up(BurrowParking *p);

#endif							/* BURROW_CORE_PARKING_H */
