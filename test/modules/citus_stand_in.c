/*
 * citus_stand_in.c
 *	  The function by which Citus is told to commit in two phases, and what a handler's transaction was like.
 *
 * Citus is in no package registry; with BURROW_CITUS_SOURCE its own is tested (232_citus.pl).
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "fmgr.h"
#include "utils/elog.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void Use2PCForCoordinatedTransaction(void);
PGDLLEXPORT void _PG_init(void);

static bool two_phases = false;
static bool was_block = false;

PGDLLEXPORT void
Use2PCForCoordinatedTransaction(void)
{
	two_phases = true;
	was_block = IsTransactionBlock();
}

/* Citus has the second phase in this callback. */
static void
transaction_event(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT && two_phases)
		ereport(LOG,
				(errmsg("stand-in: second phase, block %d, flushed %d",
						was_block, XactLastCommitEnd <= GetFlushRecPtr(NULL))));
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT)
		two_phases = false;
}

void
_PG_init(void)
{
	RegisterXactCallback(transaction_event, NULL);
}
