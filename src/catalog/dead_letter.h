/*
 * dead_letter.h
 *	  Messages whose attempts are used up (burrow.dead_letter).
 */
#ifndef BURROW_CATALOG_DEAD_LETTER_H
#define BURROW_CATALOG_DEAD_LETTER_H

#include "utils/timestamp.h"

#include "core/frame.h"

typedef struct BurrowDeadLetter
{
	const char *topic;
	int32		partition;
	BurrowMessageView message;
	const char *sqlstate;
	const char *error;
	const char *detail;			/* these three may be NULL */
	const char *hint;
	const char *context;
	TimestampTz first_failed_at;
	bool		again;			/* its row is there, unless somebody has discarded it */
} BurrowDeadLetter;

/* A row that is to be tried again. */
typedef struct BurrowDeadLetterRow
{
	const char *topic;
	int32		partition;
	int64		offset;
	bytea	   *key;			/* these two may be NULL */
	bytea	   *value;
	int			nheaders;
	Datum	   *header_names;	/* text */
	Datum	   *header_values;	/* bytea */
	bool	   *header_nulls;
	bool		has_time;
	TimestampTz time;
	int32		attempts;
} BurrowDeadLetterRow;

/*
 * Writes the row, or updates it if the message was a dead letter before.  Does nothing
 * if the subscription is gone.
 *
 * Process: consumer, in a transaction with an active snapshot.
 */
extern void burrow_dead_letter_store(int32 subid, const char *uuid, const BurrowDeadLetter *letter);

/*
 * Calls found for each row that is to be tried again, at most limit, and not more than
 * about so many bytes, in the order of topic, partition and offset.  Returns their number.
 *
 * Process: consumer, in a transaction with an active snapshot.
 */
extern uint64 burrow_dead_letter_each_asked(int32 subid, int limit, int64 bytes,
											void (*found) (void *arg, const BurrowDeadLetterRow *row),
											void *arg);

/*
 * Removes the row in the current transaction.  False: it was not there.
 *
 * Process: worker, in a transaction with an active snapshot.
 */
extern bool burrow_dead_letter_take(int32 subid, const char *topic, int32 partition, int64 offset);

#endif							/* BURROW_CATALOG_DEAD_LETTER_H */
