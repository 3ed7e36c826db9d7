/*
 * positions.h
 *	  Positions of partitions go into the database.
 */
#ifndef BURROW_OFFSETS_POSITIONS_H
#define BURROW_OFFSETS_POSITIONS_H

#include "catalog/position.h"
#include "partition/context.h"

/*
 * Stores positions in a transaction of its own; settle: and deletes the workers' rows
 * (catalog/position.h).  False: somebody has locked the table; try again.
 */
extern bool burrow_positions_store(const BurrowConsumer *c, const BurrowPosition *positions, int n, bool settle);
/* They could not be stored: the time until the next try; 0: they could. */
extern int64 burrow_positions_delay_us(void);

#endif							/* BURROW_OFFSETS_POSITIONS_H */
