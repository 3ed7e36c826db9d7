/*
 * distributed.c
 *	  What a handler's transaction needs where its tables may be on other nodes.
 *
 * In a database without Citus: nothing.  With Citus three things, each of which has cost doubles:
 *
 * It is a transaction block.  Citus asks whether it is in one (or in a function that a query has called) before it opens a
 * transaction on another node.  A handler is called by no query; so its INSERT of one row would be a transaction of its own there,
 * which stays when the handler fails.
 *
 * It commits in two phases on other nodes: see catalog/citus.c.
 *
 * Its commit is flushed before the second phase, whatever synchronous_commit is: what has committed elsewhere must not be taken
 * back here.
 *
 * Runs in: workers, dry runs.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/guc.h"

#include "catalog/citus.h"
#include "handler/distributed.h"

/* The transaction in hand, or the last one, has begun for Citus. */
static bool for_citus = false;

/*
 * The session's own level, so that a handler sees what holds.  It may set another one, which takes nothing away: see
 * ForceSyncCommit().
 */
static void
raise_level(void)
{
	static bool raised = false;

	if (!raised && synchronous_commit < SYNCHRONOUS_COMMIT_LOCAL_FLUSH)
		SetConfigOption("synchronous_commit", "local", PGC_SUSET, PGC_S_OVERRIDE);
	raised = true;
}

void
burrow_distributed_begin(void)
{
	for_citus = burrow_citus_find() != BURROW_CITUS_NONE;
	if (!for_citus)
		return;
	raise_level();
	BeginTransactionBlock();
	CommitTransactionCommand();
	StartTransactionCommand();
	ForceSyncCommit();
	burrow_citus_use_two_phases();
}

bool
burrow_distributed_is_current(void)
{
	return for_citus == (burrow_citus_find() != BURROW_CITUS_NONE);
}

void
burrow_distributed_end(void)
{
	if (for_citus)
		EndTransactionBlock(false);
}
