/*
 * old_worker.h
 *	  Workers that an older consumer of the subscription has left with a message.
 */
#ifndef BURROW_PARTITION_OLD_WORKER_H
#define BURROW_PARTITION_OLD_WORKER_H

#include "partition/context.h"

extern void burrow_old_worker_init(void);
/* Looks what there is of them.  True: the last one is gone now. */
extern bool burrow_old_worker_look(const BurrowConsumer *c);
/* May there be some? */
extern bool burrow_old_worker_exists(void);
/* Has one a message of some partition in hand? */
extern bool burrow_old_worker_has_any(void);
/* May one commit a message of this partition? */
extern bool burrow_old_worker_has(const char *topic, int32 partition);

#endif							/* BURROW_PARTITION_OLD_WORKER_H */
