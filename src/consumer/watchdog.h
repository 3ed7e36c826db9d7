/*
 * watchdog.h
 *	  Messages that are there and do not come, and nobody says why.
 */
#ifndef BURROW_CONSUMER_WATCHDOG_H
#define BURROW_CONSUMER_WATCHDOG_H

#include "partition/context.h"

/* Looks after the partitions, and after the assignment.  When it is next due. */
extern TimestampTz burrow_watchdog_run(const BurrowConsumer *c);

#endif							/* BURROW_CONSUMER_WATCHDOG_H */
