/*
 * citus_crash_points.c
 *	  Crash points in Citus's commit, as those of src/runtime/crash_point.h are in Burrow's.
 *
 * Loaded before Citus, so that its callback runs after Citus's: before the local commit, when the other nodes have
 * prepared, and after it, when they have committed.
 */
#include "postgres.h"

#include <signal.h>
#include <unistd.h>

#include "access/xact.h"
#include "fmgr.h"
#include "postmaster/bgworker.h"

PG_MODULE_MAGIC;
PGDLLEXPORT void _PG_init(void);

static void
crash_at(const char *file)
{
	/* handlers' transactions alone have written to other nodes */
	if (MyBgworkerEntry == NULL || strcmp(MyBgworkerEntry->bgw_type, "burrow worker") != 0)
		return;
	if (unlink(file) == 0)
		kill(getpid(), SIGKILL);
}

static void
transaction_event(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_PRE_COMMIT)
		crash_at("burrow crash: nodes prepared");
	else if (event == XACT_EVENT_COMMIT)
		crash_at("burrow crash: nodes committed");
}

void
_PG_init(void)
{
	RegisterXactCallback(transaction_event, NULL);
}
