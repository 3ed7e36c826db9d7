/*
 * status.c
 *	  The state of the subscription as the views show it, and why it stops.
 *
 * Runs in: the consumer.
 *
 * Requests come down to here from whoever meets something: trouble that goes away by itself, a
 * reason to stop, a reason to halt.  What makes the state "retrying" is told by those who know
 * it, each with its own flag, so that nobody above has to be asked.
 *
 * Owns: the flags; c->troubled, c->ending and c->halt.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "core/policy.h"
#include "partition/partition.h"
#include "partition/status.h"
#include "runtime/transaction.h"
#include "shmem/registry.h"

/* A set of BurrowDegraded. */
static uint32 degraded_flags;

/* An assignment was answered once. */
static bool joined;

static bool
any_unfetched(BurrowConsumer *c)
{
	dlist_iter	iter;

	if (!c->unfetched)
		return false;
	dlist_foreach(iter, &c->parts)
	{
		const BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (part->state == BURROW_PARTITION_ACTIVE && part->unfetched_since != 0)
			return true;
	}
	return false;
}

void
burrow_status_show(BurrowConsumer *c)
{
	if (c->ending == BURROW_STOP_NONE)
		burrow_registry_set_state(c->slot,
								  c->degraded || degraded_flags != 0 || any_unfetched(c) ? BURROW_RETRYING :
								  joined ? BURROW_RUNNING : BURROW_STARTING);
}

void
burrow_status_set_degraded(BurrowConsumer *c, BurrowDegraded why, bool is_so)
{
	degraded_flags = is_so ? degraded_flags | why : degraded_flags & ~(uint32) why;
	burrow_status_show(c);
}

bool
burrow_status_is_waiting(const BurrowConsumer *c)
{
	return c->breaker.wait_us > 0;
}

void
burrow_status_set_joined(BurrowConsumer *c)
{
	joined = true;
	burrow_status_show(c);
}

/*
 * A text of PostgreSQL's own, in which `what` has failed; NULL, if everybody may see that text who may see
 * the subscription.  Otherwise what is left of it without what it may quote.
 */
static const char *
public_text(const char *sqlstate, const char *what)
{
	return burrow_policy_text_quotes_nothing(sqlstate) ? NULL : psprintf("%s (SQLSTATE %s)", what, sqlstate);
}

void
burrow_status_note(BurrowConsumer *c, const char *sqlstate, const char *text, const char *what)
{
	burrow_registry_set_error(c->slot, sqlstate, text, public_text(sqlstate, what));
}

/* public: what others than the owner see of the text; NULL: all of it. */
static void
fail(BurrowConsumer *c, const char *sqlstate, const char *text, const char *public)
{
	burrow_registry_set_error(c->slot, sqlstate, text, public);
	if (public != NULL)
		text = public;
	c->probe_at = c->now + BURROW_PROBE_US;
	if (c->degraded)
	{
		ereport(DEBUG1,
				(errcode(MAKE_SQLSTATE(sqlstate[0], sqlstate[1], sqlstate[2], sqlstate[3], sqlstate[4])),
				 errmsg_internal("subscription \"%s\": %s", c->sub->name, text)));
		return;
	}
	c->degraded = true;
	c->log_lines = 0;
	burrow_status_show(c);
	ereport(WARNING,
			(errcode(MAKE_SQLSTATE(sqlstate[0], sqlstate[1], sqlstate[2], sqlstate[3], sqlstate[4])),
			 errmsg("subscription \"%s\" is waiting: %s", c->sub->name, text),
			 errdetail("It goes on by itself when the cause is gone.")));
}

/* Something is wrong that is not a message's fault: the state says what. */
void
burrow_status_fail(BurrowConsumer *c, const char *sqlstate, const char *text)
{
	fail(c, sqlstate, text, NULL);
}

/* Kafka has answered. */
void
burrow_status_clear(BurrowConsumer *c)
{
	c->connection_suspect = false;
	c->auth_failed = false;
	c->transport_text[0] = '\0';
	c->transport_auth_failed = c->refusal_told = c->missing_told = false;
	if (!c->degraded)
		return;
	c->degraded = false;
	c->log_lines = 0;
	burrow_status_show(c);
	ereport(LOG, (errmsg("subscription \"%s\" goes on", c->sub->name)));
}

/* Damaged data is a reason to stop, as for a message; all else is waited for. */
static void
failed(BurrowConsumer *c, const ErrorData *error, const char *what)
{
	const char *text = psprintf("could not %s: %s", what, error->message);
	BurrowHalt	halt = {
		.partition = -1,
		.offset = -1,
		.sqlstate = unpack_sql_state(error->sqlerrcode),
		.message = text,
		.detail = error->detail,
		.hint = error->hint,
		.context = error->context,
		.remedy = BURROW_REMEDY_RESUME,
	};

	if (error->sqlerrcode == ERRCODE_DATA_CORRUPTED || error->sqlerrcode == ERRCODE_INDEX_CORRUPTED)
		burrow_status_halt(c, &halt);
	else
		fail(c, halt.sqlstate, text, public_text(halt.sqlstate, psprintf("could not %s", what)));
}

/*
 * For what can be done later: a locked table or a full disk must not end the process, and
 * with it everything else.
 */
bool
burrow_status_try(BurrowConsumer *c, void (*work) (BurrowConsumer *c, void *arg), void *arg,
				  const char *what)
{
	volatile bool done = true;

	PG_TRY();
	{
		burrow_transaction_begin();
		burrow_transaction_limit_lock_waits();
		work(c, arg);
		burrow_transaction_commit(c->turn_cxt);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(c->turn_cxt);
		error = CopyErrorData();
		burrow_transaction_abort(c->turn_cxt);
		failed(c, error, what);
		done = false;
	}
	PG_END_TRY();
	return done;
}

/* ---- the end ---- */

/* A later reason counts only if it is a stronger one. */
void
burrow_status_stop(BurrowConsumer *c, BurrowStopReason ending)
{
	if (c->ending == BURROW_STOP_NONE || c->ending == BURROW_STOP_RESTART ||
		ending == BURROW_STOP_SHUTDOWN)
		c->ending = ending;
}

static char *
halt_text(BurrowConsumer *c, const char *text)
{
	return text != NULL ? MemoryContextStrdup(c->halt_cxt, text) : NULL;
}

void
burrow_status_halt(BurrowConsumer *c, const BurrowHalt *halt)
{
	if (c->ending != BURROW_STOP_NONE && c->ending != BURROW_STOP_RESTART)
		return;
	c->halt = *halt;
	c->halt.topic = halt_text(c, halt->topic);
	c->halt.sqlstate = halt_text(c, halt->sqlstate);
	c->halt.message = halt_text(c, halt->message);
	c->halt.public_message = halt_text(c, halt->public_message);
	c->halt.detail = halt_text(c, halt->detail);
	c->halt.hint = halt_text(c, halt->hint);
	c->halt.context = halt_text(c, halt->context);
	burrow_status_stop(c, BURROW_STOP_HALT);
}
