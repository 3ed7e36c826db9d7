/*
 * seek_request.h
 *	  Where partitions are to be moved (burrow.pending_seek, and seek_time of
 *	  burrow.subscription).
 *
 * burrow.seek() writes what is wanted; the consumer does it when it starts next.  Until
 * Kafka has acknowledged the new position no message is taken, and what is wanted stays
 * where it is: so whatever happens meanwhile, it is done again from the beginning, and
 * to the same effect.
 */
#ifndef BURROW_CATALOG_SEEK_REQUEST_H
#define BURROW_CATALOG_SEEK_REQUEST_H

#include "utils/timestamp.h"

typedef struct BurrowSeek
{
	const char *topic;
	int32		partition;
	int64		offset;			/* next to read */
} BurrowSeek;

/* All that is pending of a subscription. */
typedef struct BurrowPendingSeeks
{
	BurrowSeek *seeks;
	int			n;
	bool		has_time;		/* all partitions without a seek of their own */
	TimestampTz time;			/* may be infinite: the log's start, the log's end */
} BurrowPendingSeeks;

/* ---- backends, with the subscription locked ---- */

/* Replaces what is pending for this partition. */
extern void burrow_seek_request_ask(int32 subid, const BurrowSeek *seek);
/* Forgets what is pending for single partitions. */
extern void burrow_seek_request_forget(int32 subid);

/* ---- the consumer, in a transaction of its own ---- */

/* The consumer's own wish, which does not count where somebody has another one. */
extern void burrow_seek_request_skip(int32 subid, const char *uuid, const BurrowSeek *seek);

/* In the current memory context. */
extern void burrow_seek_request_load(int32 subid, BurrowPendingSeeks *pending);
/* The time has become offsets.  False: it is not what is wanted any more. */
extern bool burrow_seek_request_fix(int32 subid, const char *uuid, TimestampTz time, const BurrowSeek *seeks, int n);
/*
 * They are done, or cannot be.  Removes what says the same: nothing was handled since, so
 * another wish for the same place is fulfilled, too.
 */
extern void burrow_seek_request_remove(int32 subid, const BurrowSeek *seeks, int n);

#endif							/* BURROW_CATALOG_SEEK_REQUEST_H */
