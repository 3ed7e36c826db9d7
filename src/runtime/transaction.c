/*
 * transaction.c
 *	  Burrow's own short transactions.
 *
 * Runs in: the consumer, and the process of a first look.
 *
 * Each has a lock_timeout, because it begins here: whoever locks one of Burrow's tables, or a catalog, and
 * forgets it, must not hold up everything else that the process has to do.  The lint knows the few
 * transactions that begin elsewhere, and the reason of each.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "runtime/transaction.h"

/* Longest wait for somebody who has locked a table (VACUUM FULL, say) or a row. */
#define LOCK_TIMEOUT_TEXT	"1s"

/*
 * A transaction may have waited for a lock, and that wait resets the latch, whoever had set it: a
 * worker, a request, SIGTERM.  What they wanted to tell may be of a kind that was looked
 * at before in this turn.  So the loop goes round once more before it sleeps.
 *
 * All transactions of the consumer's end in one of the two functions below (the lint sees to
 * that), and what cannot be done is not tried again before its time, or the loop would spin.
 */
static void
look_again(void)
{
	SetLatch(MyLatch);
}

void
burrow_transaction_begin(void)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	(void) set_config_option("lock_timeout", LOCK_TIMEOUT_TEXT, PGC_SUSET, PGC_S_SESSION,
							 GUC_ACTION_LOCAL, true, 0, false);
	PushActiveSnapshot(GetTransactionSnapshot());
}

void
burrow_transaction_commit(MemoryContext after)
{
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(after);
	look_again();
	pgstat_report_stat(false);
}

void
burrow_transaction_abort(MemoryContext after)
{
	AbortOutOfAnyTransaction();
	FlushErrorState();
	MemoryContextSwitchTo(after);
	look_again();
}
