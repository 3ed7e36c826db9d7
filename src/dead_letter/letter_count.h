/*
 * letter_count.h
 *	  How many dead letters there are, for the metrics.
 */
#ifndef BURROW_DEAD_LETTER_LETTER_COUNT_H
#define BURROW_DEAD_LETTER_LETTER_COUNT_H

#include "partition/context.h"

/* There may be more of them, or fewer. */
extern void burrow_letter_count_outdate(void);
/* When it is to be called again; 0: when there is something new. */
extern TimestampTz burrow_letter_count_run(const BurrowConsumer *c);

#endif							/* BURROW_DEAD_LETTER_LETTER_COUNT_H */
