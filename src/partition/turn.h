/*
 * turn.h
 *	  Turns of the consumer's loop.
 *
 * Each step of a turn returns when it is next due, as things are at its end: a time, or 0 where only
 * something that wakes the process makes it so.  Who changes later in the turn what a step goes by,
 * asks for another turn at once.
 */
#ifndef BURROW_PARTITION_TURN_H
#define BURROW_PARTITION_TURN_H

/* The loop does not sleep after this turn. */
extern void burrow_turn_again(void);
/* Was that asked for, since this was asked last? */
extern bool burrow_turn_take_again(void);

#endif							/* BURROW_PARTITION_TURN_H */
