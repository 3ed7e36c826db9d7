/*
 * position.h
 *	  Where a partition stands, kept in the database (burrow.progress).
 *
 * In at_least_once mode the consumer writes one row a partition (lane -1): its
 * starting position before the first message is handled, and its position before
 * each Kafka commit, because Kafka forgets a group that is empty for long, and a
 * restored database must know where its data stands.
 *
 * Process: consumer, in a transaction of its own (READ COMMITTED).
 */
#ifndef BURROW_CATALOG_POSITION_H
#define BURROW_CATALOG_POSITION_H

typedef struct BurrowPosition
{
	const char *topic;
	int32		partition;
	int64		low;			/* next to read; -1 from load: no row */
} BurrowPosition;

/* Fills in low of each. */
extern void burrow_position_load(int32 subid, BurrowPosition *positions, int n);
/* Has the subscription any row, of any topic? */
extern bool burrow_position_exists(int32 subid);
/*
 * Inserts or updates; never asks whether low moves back (a seek does).  Nothing is stored
 * when the subscription is gone, or another has its number: an extension that is dropped
 * and made anew counts from 1 again, while the old consumer still makes its last commit.
 */
extern void burrow_position_store(int32 subid, const char *uuid, const BurrowPosition *positions, int n);

#endif							/* BURROW_CATALOG_POSITION_H */
