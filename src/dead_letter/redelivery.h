/*
 * redelivery.h
 *	  Dead letters that are to be tried again.
 */
#ifndef BURROW_DEAD_LETTER_REDELIVERY_H
#define BURROW_DEAD_LETTER_REDELIVERY_H

#include "partition/context.h"

/* Gives dead letters that somebody wants to be tried again to the scheduler. */
extern void burrow_redelivery_run(BurrowConsumer *c);
extern TimestampTz burrow_redelivery_next(const BurrowConsumer *c);
/* The partition comes, or goes: its letters, which were taken out of their rows without
 * regard to it, or together with it, are given up and read again. */
extern void burrow_redelivery_give_up(BurrowConsumer *c, BurrowPartition *letters);

#endif							/* BURROW_DEAD_LETTER_REDELIVERY_H */
