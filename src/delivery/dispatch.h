/*
 * dispatch.h
 *	  Chunks go to idle workers, and the pool grows and shrinks with the work.
 */
#ifndef BURROW_DELIVERY_DISPATCH_H
#define BURROW_DELIVERY_DISPATCH_H

#include "partition/context.h"

/* Gives chunks to idle workers; starts workers that are missing, ends idle ones. */
extern void burrow_dispatch_run(const BurrowConsumer *c);
/* When it has something to do; 0: not by time. */
extern TimestampTz burrow_dispatch_next(const BurrowConsumer *c);

#endif							/* BURROW_DELIVERY_DISPATCH_H */
