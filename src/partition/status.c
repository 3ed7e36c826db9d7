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

#include "catalog/cause_statement.h"
#include "catalog/sqlstates.h"
#include "core/policy.h"
#include "partition/partition.h"
#include "partition/status.h"
#include "partition/turn.h"
#include "runtime/transaction.h"
#include "shmem/registry.h"

/* Lines of librdkafka's in the log between two changes of state. */
#define LOG_LINES			5

/* What was met and is not tried any more is over then.  What is tried is tried once a minute at least. */
#define FORGET_US			INT64CONST(120000000)

/* A process that has run for so long does not end as the one before it did. */
#define STAYS_US			INT64CONST(10000000)

/* What there is now: what the slot has, without its lock.  0: not, otherwise when it was met last. */
static TimestampTz troubles[BURROW_NTROUBLES];

/* A set of kinds: the log says that they have begun. */
static uint64 logged;

StaticAssertDecl(BURROW_NTROUBLES <= 64, "kinds fit into a set");

/* An assignment was answered once. */
static bool joined;

/* How often Kafka has answered. */
static uint64 answers;

/* When to look whether it is over. */
static TimestampTz probe_at;

/* librdkafka's lines shown since the last change. */
static int	log_lines;

/* Why this process is about to end with an error, as far as that is Kafka's doing. */
static BurrowKafkaCause end_cause;

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

static bool
any_trouble(void)
{
	for (int i = 0; i < BURROW_NTROUBLES; i++)
		if (troubles[i] != 0 && !burrow_trouble_kinds[i].in_part && i != BURROW_TROUBLE_STALLED)
			return true;
	return false;
}

void
burrow_status_show(const BurrowConsumer *c)
{
	if (stop_reason == BURROW_STOP_NONE || troubles[BURROW_TROUBLE_HALT] != 0)
		burrow_registry_set_state(c->slot,
								  any_trouble() || any_unfetched(c) ? BURROW_RETRYING :
								  troubles[BURROW_TROUBLE_STALLED] != 0 ? BURROW_STALLED :
								  joined ? BURROW_RUNNING : BURROW_STARTING);
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
	for (int i = 0; i < BURROW_TROUBLES_OF_KAFKA; i++)
		if (troubles[i] != 0)
			return true;
	return false;
}

uint64
burrow_status_kafka_answers(void)
{
	return answers;
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
	burrow_turn_again();
	burrow_status_show(c);
}

bool
burrow_status_has_joined(void)
{
	return joined;
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
burrow_status_set_end_cause(BurrowKafkaCause cause)
{
	end_cause = cause;
}

void
burrow_status_record(const BurrowConsumer *c, const char *sqlstate, const char *text, const char *what)
{
	BurrowTroubleReport report = {
		.sqlstate = sqlstate,
		.message = text,
		.public_message = public_text(sqlstate, what),
		.cause = end_cause,
	};

	if (end_cause != BURROW_CAUSE_NO_ANSWER)
	{
		report.sqlstate = burrow_kafka_cause_sqlstate(end_cause);
		report.statement = burrow_cause_statement(c->sub, end_cause);
	}
	burrow_troubles_set(c->slot, BURROW_TROUBLE_CONSUMER, &report);
}

/* ---- trouble, one kind beside the other ---- */

/* Of the subscription, which may not be loaded yet. */
static const char *
name_of(const BurrowConsumer *c)
{
	return c->sub != NULL ? c->sub->name : burrow->subscriptions[c->slot].name;
}

void
burrow_status_set(const BurrowConsumer *c, BurrowTroubleKind kind, const BurrowTroubleReport *report)
{
	bool		first = troubles[kind] == 0;

	troubles[kind] = c->now;
	burrow_troubles_set(c->slot, kind, report);
	if (kind < BURROW_TROUBLES_OF_KAFKA)
		probe_at = c->now + BURROW_PROBE_US;
	if (first)
		burrow_status_show(c);
}

void
burrow_status_fail(const BurrowConsumer *c, BurrowTroubleKind kind, const BurrowTroubleReport *report)
{
	bool		first = (logged & (UINT64CONST(1) << kind)) == 0;
	const char *text = report->public_message != NULL ? report->public_message : report->message;

	burrow_status_set(c, kind, report);
	if (!first)
	{
		ereport(DEBUG1,
				(errcode(burrow_sqlstate_pack(report->sqlstate)),
				 errmsg_internal("subscription \"%s\": %s", name_of(c), text)));
		return;
	}
	logged |= UINT64CONST(1) << kind;
	log_lines = 0;
	ereport(WARNING,
			(errcode(burrow_sqlstate_pack(report->sqlstate)),
			 errmsg("subscription \"%s\" is waiting: %s", name_of(c), text),
			 errdetail("It goes on by itself when the cause is gone.")));
}

void
burrow_status_fail_kafka(const BurrowConsumer *c, BurrowTroubleKind kind, BurrowKafkaCause cause, const char *text)
{
	BurrowTroubleReport report = {
		.sqlstate = burrow_kafka_cause_sqlstate(cause),
		.message = text,
		.statement = burrow_cause_statement(c->sub, cause),
		.cause = cause,
	};

	burrow_status_fail(c, kind, &report);
}

void
burrow_status_over(const BurrowConsumer *c, BurrowTroubleKind kind)
{
	if (troubles[kind] == 0)
		return;
	troubles[kind] = 0;
	burrow_troubles_clear(c->slot, kind);
	log_lines = 0;
	burrow_turn_again();
	burrow_status_show(c);
	if ((logged & (UINT64CONST(1) << kind)) == 0)
		return;
	logged &= ~(UINT64CONST(1) << kind);
	if (logged == 0)
		ereport(LOG, (errmsg("subscription \"%s\" goes on", name_of(c))));
}

bool
burrow_status_has(BurrowTroubleKind kind)
{
	return troubles[kind] != 0;
}

void
burrow_status_kafka_answered(const BurrowConsumer *c)
{
	answers++;
	burrow_status_over(c, BURROW_TROUBLE_KAFKA);
}

/*
 * Is it over when it is not met again?  What is set once and taken back by whoever has set it is not: it is
 * not tried again and again.
 */
static bool
is_tried_again(BurrowTroubleKind kind)
{
	switch (kind)
	{
		case BURROW_TROUBLE_MEMBER:
			return joined;		/* Kafka tells of it once; while there is no assignment, it is so */
		case BURROW_TROUBLE_START:
		case BURROW_TROUBLE_COMMIT:
		case BURROW_TROUBLE_SEEK:
		case BURROW_TROUBLE_MEMORY:
		case BURROW_TROUBLE_WORKERS:
			return true;
		default:
			return burrow_trouble_kinds[kind].work != NULL;
	}
}

/* Two members of one name throw each other out: this one's assignment says that it was the last to come, and no more. */
static bool
was_thrown_out(const BurrowConsumer *c)
{
	return burrow->subscriptions[c->slot].troubles[BURROW_TROUBLE_CONSUMER].cause == BURROW_CAUSE_INSTANCE_TAKEN;
}

/* That another process of this subscription's has ended is over when this one has come as far. */
static TimestampTz
end_predecessor(const BurrowConsumer *c)
{
	static TimestampTz at;
	static bool done;

	if (at == 0)
		at = c->now + STAYS_US;
	if (done || ((!joined || was_thrown_out(c)) && c->now < at))
		return done ? 0 : at;
	done = true;
	burrow_troubles_clear(c->slot, BURROW_TROUBLE_CONSUMER);
	return 0;
}

TimestampTz
burrow_status_run(const BurrowConsumer *c)
{
	TimestampTz due = end_predecessor(c);

	for (int i = 0; i < BURROW_NTROUBLES; i++)
	{
		if (troubles[i] == 0 || !is_tried_again(i))
			continue;
		if (troubles[i] + FORGET_US <= c->now)
			burrow_status_over(c, i);
		else
			due = burrow_earlier(due, troubles[i] + FORGET_US);
	}
	return due;
}

/* ---- work in the database ---- */

/* Damaged data is a reason to stop, as for a message; all else is waited for. */
static void
failed(const BurrowConsumer *c, const ErrorData *error, BurrowTroubleKind kind)
{
	const char *what = burrow_trouble_kinds[kind].work;
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
	BurrowTroubleReport report = {
		.sqlstate = halt.sqlstate,
		.message = text,
		.public_message = public_text(halt.sqlstate, psprintf("could not %s", what)),
	};

	/* one that halts already, and cannot say why, tries on */
	if (kind != BURROW_TROUBLE_HALT &&
		(error->sqlerrcode == ERRCODE_DATA_CORRUPTED || error->sqlerrcode == ERRCODE_INDEX_CORRUPTED))
		burrow_status_halt(&halt);
	else
		burrow_status_fail(c, kind, &report);
}

/* NULL: it is done. */
static ErrorData *
run_work(const BurrowConsumer *c, void (*work) (const BurrowConsumer *c, void *arg), void *arg)
{
	ErrorData  *volatile error = NULL;

	PG_TRY();
	{
		burrow_transaction_begin();
		work(c, arg);
		burrow_transaction_commit(c->turn_cxt);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(c->turn_cxt);
		error = CopyErrorData();
		burrow_transaction_abort(c->turn_cxt);
	}
	PG_END_TRY();
	return error;
}

/*
 * For what can be done later: a locked table or a full disk must not end the process, and
 * with it everything else.
 */
bool
burrow_status_try(const BurrowConsumer *c, void (*work) (const BurrowConsumer *c, void *arg), void *arg,
				  BurrowTroubleKind kind)
{
	const ErrorData *error = run_work(c, work, arg);

	if (error != NULL)
		failed(c, error, kind);
	else
		burrow_status_over(c, kind);
	return error == NULL;
}

bool
burrow_status_try_quietly(const BurrowConsumer *c, void (*work) (const BurrowConsumer *c, void *arg), void *arg)
{
	const ErrorData *error = run_work(c, work, arg);

	if (error != NULL)
		ereport(DEBUG1,
				(errcode(error->sqlerrcode),
				 errmsg_internal("subscription \"%s\": %s", name_of(c), error->message)));
	return error == NULL;
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
	halt_reason.traceparent = halt_text(halt->traceparent);
	halt_reason.seeks = halt_text(halt->seeks);
	burrow_status_stop(BURROW_STOP_HALT);
}

const BurrowHalt *
burrow_status_halt_reason(void)
{
	return &halt_reason;
}
