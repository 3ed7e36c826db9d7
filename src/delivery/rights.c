/*
 * rights.c
 *	  Workers have their owner's rights: does he still have what they need?
 *
 * Runs in: the consumer.
 *
 * It is asked before a worker is started, and when one has left: a worker leaves before its next message when
 * it finds that a right is missing (worker/permission.c).  While one is missing the subscription waits, without workers,
 * for those that there are have sessions that nobody could begin now; no message fails, and no attempt is
 * counted.  PostgreSQL tells nobody who does not ask of a GRANT or an ALTER ROLE, so it is asked again by the clock then.
 *
 * Owns: whether a right is missing.
 */
#include "postgres.h"

#include "utils/elog.h"

#include "catalog/owner.h"
#include "delivery/pool.h"
#include "delivery/rights.h"
#include "partition/status.h"

#define LOOK_AGAIN_US		INT64CONST(1000000)

static bool in_doubt;
static bool missing;
static int	missing_sqlerrcode;
static TimestampTz look_again_at;	/* 0: when there is a reason */

void
burrow_rights_doubt(void)
{
	in_doubt = true;
}

static void
report_missing(const BurrowConsumer *c, const BurrowOwnerTrouble *trouble)
{
	bool		first = !missing;
	BurrowTroubleReport report = {
		.sqlstate = unpack_sql_state(trouble->sqlerrcode),
		.message = trouble->message,
		.statement = trouble->statement,
	};

	missing = true;
	missing_sqlerrcode = trouble->sqlerrcode;
	burrow_status_set(c, BURROW_TROUBLE_RIGHTS, &report);
	if (!first)
		return;
	burrow_pool_replace(c);
	ereport(WARNING,
			(errcode(trouble->sqlerrcode),
			 errmsg("subscription \"%s\" is waiting: %s", c->sub->name, trouble->message),
			 errdetail("It goes on by itself when the cause is gone."),
			 errhint("This mends it: %s", trouble->statement)));
}

static void
report_over(const BurrowConsumer *c)
{
	missing = false;
	/* unless something else has gone wrong since */
	if (strcmp(burrow->subscriptions[c->slot].last_error.sqlstate, unpack_sql_state(missing_sqlerrcode)) == 0)
		burrow_registry_set_error(c->slot, "", "", NULL);
	burrow_status_over(c, BURROW_TROUBLE_RIGHTS);
	burrow_pool_renew_now(c);
	ereport(LOG, (errmsg("subscription \"%s\" goes on", c->sub->name)));
}

static void
look(const BurrowConsumer *c, void *arg)
{
	BurrowOwnerTrouble trouble;
	bool	   *allowed = arg;

	*allowed = burrow_owner_may_run(c->sub, &trouble);
	if (!*allowed)
		report_missing(c, &trouble);
}

bool
burrow_rights_allow(const BurrowConsumer *c, bool wanted)
{
	bool		allowed = false;

	if (look_again_at > c->now)
		return false;
	if (!wanted && !in_doubt && look_again_at == 0)
		return true;
	in_doubt = false;
	(void) burrow_status_try(c, look, &allowed, BURROW_TROUBLE_ASK_RIGHTS);
	look_again_at = allowed ? 0 : c->now + LOOK_AGAIN_US;
	if (allowed && missing)
		report_over(c);
	return allowed;
}

TimestampTz
burrow_rights_next(void)
{
	return look_again_at;
}
