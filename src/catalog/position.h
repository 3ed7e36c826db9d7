/*
 * position.h
 *	  Where a partition stands, kept in the database (burrow.progress).
 *
 * The workers' rows (lanes 0 and up) are theirs alone: progress.h.  The consumer's row
 * (lane -1) has where the partition started, and what the workers' rows do not tell:
 * what was skipped, and in at_least_once mode, where there are no others, the position
 * before each Kafka commit.
 *
 * What is done of a partition is what lies below the highest low of its rows, and all
 * that their done sets have.
 *
 * Process: consumer, in a transaction of its own (READ COMMITTED).
 */
#ifndef BURROW_CATALOG_POSITION_H
#define BURROW_CATALOG_POSITION_H

#include "core/offset_set.h"
#include "core/topic_id.h"

typedef struct BurrowPosition
{
	const char *topic;
	int32		partition;
	int64		low;			/* next to read; -1 from load: no row */
	BurrowOffsetSet done;		/* done beyond it */
	int64		last_read_offset;	/* a message that was read; -1: none */
	int64		last_read_timestamp;	/* and its timestamp; BURROW_KAFKA_NO_TIME: none */
	BurrowTopicId topic_id;		/* of the topic that it is a position in */
	bool		has_new_id;		/* for store: that is not stored yet */
	bool		alone;			/* from load: there is the consumer's row and no other */
} BurrowPosition;

/* Fills in all but topic and partition; done is allocated in the current memory context. */
extern void burrow_position_load(int32 subid, BurrowPosition *positions, int n);
/* Has the subscription any row, of this topic or (NULL) of any? */
extern bool burrow_position_exists(int32 subid, const char *topic);
/*
 * Writes the consumer's rows; never asks whether low moves back (a seek does).  Nothing is
 * stored when the subscription is gone, or another has its number: an extension that is
 * dropped and made anew counts from 1 again, while the old consumer still makes its last
 * commit.
 */
extern void burrow_position_store(int32 subid, const char *uuid, const BurrowPosition *positions, int n);
/*
 * The same, and the workers' rows of these partitions are deleted: what they said is in
 * these positions.  No worker may have a message of theirs.  The topics' ids are always
 * stored here (burrow.topic_identity): a position moves on within the topic in which it began.
 */
extern void burrow_position_settle(int32 subid, const char *uuid, const BurrowPosition *positions, int n);

#endif							/* BURROW_CATALOG_POSITION_H */
