/*
 * worker_share.h
 *	  How many workers a subscription may have beside the others.
 *
 * Process: consumers and the launcher.  Locks: each takes burrow->lock.
 */
#ifndef BURROW_SHMEM_WORKER_SHARE_H
#define BURROW_SHMEM_WORKER_SHARE_H

#include "shmem/shared.h"

typedef struct BurrowWorkerShare
{
	int			workers;		/* so many it may have */
	BurrowShortage limit;		/* why not more */
	bool		others_wait;	/* another one has fewer than it may have */
	bool		too_many;		/* all together have more than there are for workers */
	bool		others_hold;	/* another one has more */
} BurrowWorkerShare;

/* What the subscription may have now, given what all claim (workers_claimed). */
extern BurrowWorkerShare burrow_worker_share(int slot, TimestampTz now);

/* Changes when consumers should ask again; no lock. */
extern uint32 burrow_worker_share_changes(void);
/* Have all consumers ask again. */
extern void burrow_worker_share_announce(void);

/*
 * No process could be started beside those that are there: for a while no more is given out than
 * there is, so that who has too much gives it back when it is asked.
 */
extern void burrow_worker_share_found_full(TimestampTz until);
/* The same, for a process that is needed more than a worker: one worker is to leave, but not one
 * that is the only one for a subscription.  Until the launcher finds room. */
extern void burrow_worker_share_found_crowded(void);
extern void burrow_worker_share_found_room(void);
/* A worker's process is gone: those that wait for one look again. */
extern void burrow_worker_share_freed(void);

#endif							/* BURROW_SHMEM_WORKER_SHARE_H */
