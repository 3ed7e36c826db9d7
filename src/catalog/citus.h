/*
 * citus.h
 *	  Is this a database of Citus's, and how do its transactions commit on other nodes?
 */
#ifndef BURROW_CATALOG_CITUS_H
#define BURROW_CATALOG_CITUS_H

#define BURROW_CITUS_FUNCTION	"Use2PCForCoordinatedTransaction"

typedef enum BurrowCitus
{
	BURROW_CITUS_NONE,			/* the extension is not here */
	BURROW_CITUS_ONE_PHASE,		/* it is, and cannot be told to commit in two phases */
	BURROW_CITUS_TWO_PHASE		/* it is, and can */
} BurrowCitus;

/* What is said of one phase. */
#define BURROW_CITUS_ONE_PHASE_DETAIL \
	"No library that the server has loaded exports " BURROW_CITUS_FUNCTION \
	"(), by which other nodes commit together with Burrow's progress."

/* Needs a transaction; costs next to nothing while no function of the database has changed. */
extern BurrowCitus burrow_citus_find(void);

/*
 * From now on until its end, this transaction commits in two phases on every node where it has written.  Where
 * that cannot be had it does nothing.
 */
extern void burrow_citus_use_two_phases(void);

#endif							/* BURROW_CATALOG_CITUS_H */
