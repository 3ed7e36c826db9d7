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
} BurrowDeadLetter;

/*
 * Writes the row, or updates it if the message was a dead letter before.  Does nothing
 * if the subscription is gone.
 *
 * Process: consumer, in a transaction with an active snapshot.
 */
extern void burrow_dead_letter_store(int32 subid, const char *uuid, const BurrowDeadLetter *letter);

#endif							/* BURROW_CATALOG_DEAD_LETTER_H */
