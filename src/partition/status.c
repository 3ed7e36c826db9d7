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
 * Owns: all of that; others ask by a function.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "catalog/sqlstates.h"
#include "core/policy.h"
#include "partition/partition.h"
#include "partition/status.h"
#include "partition/turn.h"
#include "runtime/transaction.h"
#include "shmem/registry.h"

/* Lines of librdkafka's in the log between two changes of state. */
#define LOG_LINES			5

/* A set of BurrowDegraded. */
static uint32 degraded_flags;

/* An assignment was answered once. */
static bool joined;

/* burrow_status_fail() was told of something, and it has not gone. */
static bool failing;

/* How often Kafka has answered: see burrow_status_clears(). */
static uint64 clears;

/* When to look whether it is over. */
static TimestampTz probe_at;

/* librdkafka's lines shown since the last change. */
static int	log_lines;

static BurrowStopReason stop_reason;
static BurrowHalt halt_reason;

/* The breaker has opened: see burrow_status_is_waiting(). */
static bool waiting;

static bool
any_unfetched(const BurrowConsumer *c)
{
	dlist_iter	iter;

	dlist_foreach(iter, burrow_partition_all())
	{
		const BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (part->state == BURROW_PARTITION_ACTIVE && part->fetch.failing_since != 0)
			return true;
	}
	return false;
}

void
burrow_status_show(const BurrowConsumer *c)
{
	if (stop_reason == BURROW_STOP_NONE)
		burrow_registry_set_state(c->slot,
								  failing || degraded_flags != 0 || any_unfetched(c) ? BURROW_RETRYING :
								  joined ? BURROW_RUNNING : BURROW_STARTING);
}

void
burrow_status_set_degraded(const BurrowConsumer *c, BurrowDegraded why, bool is_so)
{
	degraded_flags = is_so ? degraded_flags | why : degraded_flags & ~(uint32) why;
	burrow_status_show(c);
}

void
burrow_status_set_waiting(bool is_so)
{
	if (waiting && !is_so)
		burrow_turn_again();
	waiting = is_so;
}

bool
burrow_status_is_waiting(void)
{
	return waiting;
}

bool
burrow_status_is_failing(void)
{
	return failing;
}

uint64
burrow_status_clears(void)
{
	return clears;
}

TimestampTz
burrow_status_probe_at(void)
{
	return probe_at;
}

void
burrow_status_set_probe(TimestampTz at)
{
	probe_at = at;
}

bool
burrow_status_takes_log_line(void)
{
	return log_lines < LOG_LINES && ++log_lines > 0;
}

void
burrow_status_set_joined(const BurrowConsumer *c)
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
burrow_status_record(const BurrowConsumer *c, const char *sqlstate, const char *text, const char *what)
{
	burrow_registry_set_error(c->slot, sqlstate, text, public_text(sqlstate, what));
}

/* public: what others than the owner see of the text; NULL: all of it. */
static void
fail(const BurrowConsumer *c, const char *sqlstate, const char *text, const char *public)
{
	burrow_registry_set_error(c->slot, sqlstate, text, public);
	if (public != NULL)
		text = public;
	probe_at = c->now + BURROW_PROBE_US;
	if (failing)
	{
		ereport(DEBUG1,
				(errcode(burrow_sqlstate_pack(sqlstate)),
				 errmsg_internal("subscription \"%s\": %s", c->sub->name, text)));
		return;
	}
	failing = true;
	log_lines = 0;
	burrow_status_show(c);
	ereport(WARNING,
			(errcode(burrow_sqlstate_pack(sqlstate)),
			 errmsg("subscription \"%s\" is waiting: %s", c->sub->name, text),
			 errdetail("It goes on by itself when the cause is gone.")));
}

/* Something is wrong that is not a message's fault: the state says what. */
void
burrow_status_fail(const BurrowConsumer *c, const char *sqlstate, const char *text)
{
	fail(c, sqlstate, text, NULL);
}

/* Kafka has answered. */
void
burrow_status_clear(const BurrowConsumer *c)
{
	clears++;
	if (!failing)
		return;
	failing = false;
	log_lines = 0;
	burrow_turn_again();
	burrow_status_show(c);
	ereport(LOG, (errmsg("subscription \"%s\" goes on", c->sub->name)));
}

/* Damaged data is a reason to stop, as for a message; all else is waited for. */
static void
failed(const BurrowConsumer *c, const ErrorData *error, const char *what)
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
		burrow_status_halt(&halt);
	else
		fail(c, halt.sqlstate, text, public_text(halt.sqlstate, psprintf("could not %s", what)));
}

/*
 * For what can be done later: a locked table or a full disk must not end the process, and
 * with it everything else.
 */
bool
burrow_status_try(const BurrowConsumer *c, void (*work) (const BurrowConsumer *c, void *arg), void *arg,
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
burrow_status_stop(BurrowStopReason reason)
{
	if (stop_reason == BURROW_STOP_NONE || stop_reason == BURROW_STOP_RESTART ||
		reason == BURROW_STOP_SHUTDOWN)
		stop_reason = reason;
}

BurrowStopReason
burrow_status_stop_reason(void)
{
	return stop_reason;
}

bool
burrow_status_is_stopping(void)
{
	return stop_reason != BURROW_STOP_NONE;
}

static char *
halt_text(const char *text)
{
	return text != NULL ? MemoryContextStrdup(TopMemoryContext, text) : NULL;
}

void
burrow_status_halt(const BurrowHalt *halt)
{
	if (stop_reason != BURROW_STOP_NONE && stop_reason != BURROW_STOP_RESTART)
		return;
	halt_reason = *halt;
	halt_reason.topic = halt_text(halt->topic);
	halt_reason.sqlstate = halt_text(halt->sqlstate);
	halt_reason.message = halt_text(halt->message);
	halt_reason.public_message = halt_text(halt->public_message);
	halt_reason.detail = halt_text(halt->detail);
	halt_reason.hint = halt_text(halt->hint);
	halt_reason.context = halt_text(halt->context);
	halt_reason.seeks = halt_text(halt->seeks);
	burrow_status_stop(BURROW_STOP_HALT);
}

const BurrowHalt *
burrow_status_halt_reason(void)
{
	return &halt_reason;
}
