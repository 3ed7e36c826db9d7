/*
 * troubles.h
 *	  What a subscription waits for now, for the views.
 */
#ifndef BURROW_SHMEM_TROUBLES_H
#define BURROW_SHMEM_TROUBLES_H

#include "shmem/registry.h"

/* What there is to tell of a trouble. */
typedef struct BurrowTroubleReport
{
	const char *sqlstate;
	const char *message;
	const char *public_message; /* NULL: message is for everybody */
	const char *statement;		/* NULL: the kind's */
	BurrowKafkaCause cause;		/* of a kind of Kafka's */
} BurrowTroubleReport;

/*
 * Tells that there is this trouble: as new, if there was none of its kind.  The views' last error, too.
 *
 * Process: launcher, or the slot's consumer.  Locks: takes burrow->lock, as does the other.
 */
extern void burrow_troubles_set(int slot, BurrowTroubleKind kind, const BurrowTroubleReport *report);
extern void burrow_troubles_clear(int slot, BurrowTroubleKind kind);

#endif							/* BURROW_SHMEM_TROUBLES_H */
