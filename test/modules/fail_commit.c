/*
 * fail_commit.c
 *	  Has the transaction that calls it fail at its commit.
 *
 * As a deferred constraint does; but those cannot be deferred where Burrow writes its own tables, as
 * their owner and with restricted rights.
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/elog.h"

PG_MODULE_MAGIC;
PG_FUNCTION_INFO_V1(fail_commit);

static bool armed = false;

static void
transaction_event(XactEvent event, void *arg)
{
	bool		fails = armed && event == XACT_EVENT_PRE_COMMIT;

	if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_ABORT)
		armed = false;
	if (fails)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_ACTION_EXCEPTION),
				 errmsg("this transaction is not to be committed")));
}

Datum
fail_commit(PG_FUNCTION_ARGS)
{
	static bool registered = false;

	if (!registered)
		RegisterXactCallback(transaction_event, NULL);
	registered = true;
	armed = true;
	PG_RETURN_BOOL(true);
}
