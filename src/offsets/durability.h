/*
 * durability.h
 *	  Up to where commits are durable.
 */
#ifndef BURROW_OFFSETS_DURABILITY_H
#define BURROW_OFFSETS_DURABILITY_H

#include "partition/context.h"

/* The LSN up to which commits are durable.  Never waits. */
extern uint64 burrow_durability_lsn(const BurrowConsumer *c);
/* So far are commits durable, and up to the target they are to be. */
extern void burrow_durability_record(const BurrowConsumer *c, uint64 durable, uint64 target);
/* Since when standbys owe a confirmation; 0: they owe none. */
extern TimestampTz burrow_durability_unconfirmed_since(void);

#endif							/* BURROW_OFFSETS_DURABILITY_H */
