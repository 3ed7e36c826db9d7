/*
 * dispatch.h
 *	  Chunks go to idle workers, and the pool grows and shrinks with the work.
 */
#ifndef BURROW_DELIVERY_DISPATCH_H
#define BURROW_DELIVERY_DISPATCH_H

#include "partition/context.h"

/* Gives chunks to idle workers; starts workers that are missing, ends idle ones.  When it is next due. */
extern TimestampTz burrow_dispatch_run(const BurrowConsumer *c);

#endif							/* BURROW_DELIVERY_DISPATCH_H */
