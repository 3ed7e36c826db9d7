/*
 * permission.h
 *	  May this session still call the handler?
 */
#ifndef BURROW_WORKER_PERMISSION_H
#define BURROW_WORKER_PERMISSION_H

#include "worker/worker_state.h"

/* In a transaction, before a message.  False: leave; the consumer finds out why, and says it. */
extern bool burrow_permission_holds(BurrowWorker *w);

#endif							/* BURROW_WORKER_PERMISSION_H */
