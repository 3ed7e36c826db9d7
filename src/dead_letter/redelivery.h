/*
 * redelivery.h
 *	  Dead letters that are to be tried again.
 */
#ifndef BURROW_DEAD_LETTER_REDELIVERY_H
#define BURROW_DEAD_LETTER_REDELIVERY_H

#include "partition/context.h"

/* Somebody may want letters to be tried again. */
extern void burrow_redelivery_wake(void);
/* Gives dead letters that somebody wants to be tried again to the scheduler; not while an
 * assignment is not answered.  When it is next due. */
extern TimestampTz burrow_redelivery_run(const BurrowConsumer *c, bool assignment_unanswered);
/* The partition comes, or goes: its letters, which were taken out of their rows without
 * regard to it, or together with it, are given up and read again. */
extern void burrow_redelivery_give_up(const BurrowConsumer *c, BurrowPartition *letters);

#endif							/* BURROW_DEAD_LETTER_REDELIVERY_H */
