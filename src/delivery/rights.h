/*
 * rights.h
 *	  Workers have their owner's rights: does he still have what they need?
 */
#ifndef BURROW_DELIVERY_RIGHTS_H
#define BURROW_DELIVERY_RIGHTS_H

#include "partition/context.h"

/* A worker has left: perhaps because of this. */
extern void burrow_rights_doubt(void);
/* May workers be started?  If not, the state says why, and those that there are leave.  wanted: some are to be. */
extern bool burrow_rights_allow(const BurrowConsumer *c, bool wanted);
/* When to ask again; 0: not by time. */
extern TimestampTz burrow_rights_next(void);

#endif							/* BURROW_DELIVERY_RIGHTS_H */
