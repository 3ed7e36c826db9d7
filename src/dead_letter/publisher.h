/*
 * publisher.h
 *	  Dead letters on their way to the dead-letter topic.
 */
#ifndef BURROW_DEAD_LETTER_PUBLISHER_H
#define BURROW_DEAD_LETTER_PUBLISHER_H

#include "partition/context.h"

extern void burrow_publisher_init(int wake_write);
/* There may be rows that are not produced. */
extern void burrow_publisher_wake(void);
/* When it is next due. */
extern TimestampTz burrow_publisher_run(const BurrowConsumer *c);
/* Does Kafka have, and the rows say so, all that was handed over? */
extern bool burrow_publisher_settled(const BurrowConsumer *c);

#endif							/* BURROW_DEAD_LETTER_PUBLISHER_H */
