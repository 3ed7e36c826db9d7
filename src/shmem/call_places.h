/*
 * call_places.h
 *	  Places for processes that work for one call: those of burrow.dry_run() and of first looks.
 */
#ifndef BURROW_SHMEM_CALL_PLACES_H
#define BURROW_SHMEM_CALL_PLACES_H

#include "utils/timestamp.h"

#include "shmem/shared.h"

/* Which place, and for which call. */
typedef struct BurrowCallPlace
{
	int			number;
	uint32		serial;			/* 0: none */
} BurrowCallPlace;

typedef enum BurrowCallPlaceAnswer
{
	BURROW_CALL_PLACE_GIVEN = 0,
	BURROW_CALL_PLACE_ROLE_HAS_ENOUGH,
	BURROW_CALL_PLACE_ALL_TAKEN,
	BURROW_CALL_PLACE_CROWDED	/* consumers wait for a process */
} BurrowCallPlaceAnswer;

/* So many there are, for all roles together. */
extern int	burrow_call_place_most(void);
/*
 * For a process that this backend is about to start; role is who has logged in, and gets most_per_role
 * (below 0: no such limit).  A superuser is not bound by these two.
 */
extern BurrowCallPlaceAnswer burrow_call_place_reserve(Oid role, int most_per_role, bool is_superuser,
													   BurrowCallPlace *place);
/* Process: the backend.  Once the process has come it gives the place back itself, when it ends. */
extern void burrow_call_place_release(const BurrowCallPlace *place);
/* Process: the backend.  Is it to end its call, because the launcher needs the place? */
extern bool burrow_call_place_is_needed(const BurrowCallPlace *place);
/* Process: that which was started.  False: the call is over. */
extern bool burrow_call_place_attach(const BurrowCallPlace *place);
/* Process: launcher, when it finds no background worker slot.  Has the latest of the calls that have lasted for some
 * seconds ended. */
extern void burrow_call_place_need(TimestampTz now);

#endif							/* BURROW_SHMEM_CALL_PLACES_H */
