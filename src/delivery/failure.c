/*
 * failure.c
 *	  What follows from a failed attempt.
 *
 * Runs in: the consumer.
 *
 * core/policy decides about the message, core/breaker about the subscription; this file
 * does what they say.  An attempt that failed because of the environment (a full disk)
 * counts until it is known that it was not the message's fault: then it is taken back, and the
 * subscription as a whole waits and tries one message at a time, a fresh one first.
 *
 * One that may be the session's (its plans are out of date, or it is read-only) does not
 * count either, until it has come in a fresh session, too.
 * What becomes of a message that is given up is dead_letter/writer.c's.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "common/pg_prng.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "compat.h"
#include "catalog/sqlstates.h"
#include "dead_letter/writer.h"
#include "delivery/failure.h"
#include "delivery/retry.h"
#include "partition/context.h"
#include "partition/message_error.h"
#include "partition/partition.h"
#include "partition/status.h"
#include "runtime/trace.h"

/* Failures of one message that may be the session's, before one counts; the time after the
 * first of them is nothing, after the second this, and so on. */
#define MOST_DOUBTS			3
#define DOUBT_US			INT64CONST(1000000)

static BurrowBreaker breaker;

/* The environment is at fault: nothing is given out before; 0: it is not. */
static TimestampTz wait_until;

/* It is Burrow's own rows that could not be written. */
static bool wait_is_ours;

void
burrow_failure_init(const BurrowConsumer *c)
{
	burrow_retry_init();
}

/* ---- the environment ---- */

bool
burrow_failure_may_dispatch(const BurrowConsumer *c)
{
	return !burrow_status_is_waiting() || (wait_until <= c->now && burrow_pool()->nbusy == 0);
}

TimestampTz
burrow_failure_wait_until(void)
{
	return wait_until;
}

/* What is known of the message; made at its first failure. */
static BurrowRetry *
record_of(const BurrowConsumer *c, BurrowMessage *m)
{
	bool		first = m->retry == NULL;
	BurrowRetry *retry = burrow_message_error_record(c, m);

	if (first)
		retry->successes_before = breaker.successes;
	return retry;
}

/* Nobody's fault: attempts that were counted since nothing has succeeded any more. */
static void
take_back_attempts(BurrowRetry *retry)
{
	if (retry->successes_before != breaker.successes)
		return;
	retry->m->frame.attempt -= retry->environment_failures;
	retry->environment_failures = 0;
}

static void
begin_wait(const BurrowConsumer *c, const BurrowFailure *failure)
{
	const char *sqlstate = failure->sqlstate;
	const char *public_text = burrow_message_error_public_text(failure);
	bool		first = wait_until == 0;
	BurrowTroubleReport report;

	wait_until = c->now + breaker.wait_us;
	burrow_status_set_waiting(true);
	burrow_retry_each(take_back_attempts);
	report = burrow_message_error_report(failure);
	burrow_status_set(c, BURROW_TROUBLE_ENVIRONMENT, &report);
	ereport(first ? WARNING : DEBUG1,
			(errcode(burrow_sqlstate_pack(sqlstate)),
			 errmsg("subscription \"%s\" is waiting: %s", c->sub->name,
					public_text != NULL ? public_text : burrow_message_error_text(failure)),
			 errdetail("The error is not a single message's.  The subscription goes on by itself when the cause is gone.")));
}

void
burrow_failure_success(const BurrowConsumer *c)
{
	int64		wait_us = breaker.wait_us;

	if (!burrow_breaker_success(&breaker))
		return;
	/* what was in hand when the wait began says nothing about other lanes' rows */
	breaker.wait_us = wait_is_ours && wait_until > c->now ? wait_us : 0;
	burrow_status_set_waiting(breaker.wait_us > 0);
	if (burrow_status_is_waiting())
		return;
	wait_until = 0;
	wait_is_ours = false;
	burrow_status_over(c, BURROW_TROUBLE_ENVIRONMENT);
	ereport(LOG, (errmsg("subscription \"%s\" goes on", c->sub->name)));
}

/* True: the failure is the environment's, and does not count. */
static bool
blame_environment(const BurrowConsumer *c, BurrowMessage *m, const BurrowFailure *failure)
{
	BurrowRetry *retry = record_of(c, m);
	bool		used_up = m->frame.attempt > (uint32) c->sub->options.max_retries;

	/* what was still in hand when the wait began does not make it longer */
	if (burrow_status_is_waiting() && wait_until > c->now)
		return true;
	if (!burrow_breaker_environment(&breaker, failure->sqlstate, m->part->id, m->frame.offset,
									used_up, retry->successes_before))
	{
		retry->environment_failures++;
		return false;
	}
	take_back_attempts(retry);
	begin_wait(c, failure);
	return true;
}

void
burrow_failure_try_now(const BurrowConsumer *c)
{
	if (burrow_status_is_waiting() && wait_until > c->now)
		wait_until = c->now;
}

/* ---- the session ---- */

bool
burrow_failure_doubts_session(const BurrowFailure *failure)
{
	return failure->origin == BURROW_ORIGIN_SESSION ||
		(!failure->fresh && burrow_policy_may_be_stale(failure->sqlstate, failure->origin));
}

/*
 * True: the failure may be the session's, and does not count; the message is to be tried in
 * another one.
 *
 * A fresh session soon is no longer fresh where the catalog changes all the time (a handler
 * makes temporary tables); so there are a few tries, with time between them in which a
 * migration may come to its end, and then the message has failed all the same.
 *
 * Where fresh sessions are read-only too, all of the subscription waits, until an attempt
 * succeeds.
 */
static bool
blame_session(const BurrowConsumer *c, BurrowMessage *m, BurrowFailure *failure, BurrowErrorKind kind)
{
	BurrowRetry *retry = record_of(c, m);
	bool		read_only = kind == BURROW_ERROR_SESSION;

	if (!read_only && (retry->doubts >= MOST_DOUBTS || failure->origin == BURROW_ORIGIN_SESSION ||
					   !burrow_failure_doubts_session(failure)))
		return false;
	if (read_only && (burrow_status_is_waiting() ? wait_until <= c->now : retry->doubts > 0))
	{
		burrow_breaker_wait(&breaker);
		begin_wait(c, failure);
	}
	failure->verdict = (BurrowVerdict) {BURROW_ACTION_RETRY, read_only ? 0 : retry->doubts * DOUBT_US};
	retry->doubts++;
	retry->wants_fresh = true;
	return true;
}

/* ---- judgement ---- */

static BurrowPolicy
policy_of(const BurrowOptions *o)
{
	BurrowPolicy policy = {
		.max_retries = (uint32) o->max_retries,
		.backoff = o->retry_strategy,
		.base_us = o->retry_backoff_us,
		.max_us = o->retry_backoff_max_us,
		.on_failure = o->on_failure,
		.permanent = o->permanent_errors
	};

	return policy;
}

static void
halt(const BurrowConsumer *c, const BurrowPartition *part, int64 offset, const char *traceparent,
	 const BurrowFailure *failure, const char *message, const char *public_message, BurrowRemedy remedy)
{
	BurrowHalt	halt = {
		.topic = part->topic, .partition = part->partition, .offset = offset,
		.sqlstate = failure->sqlstate, .message = message, .public_message = public_message,
		.detail = failure->detail, .hint = failure->hint, .context = failure->context,
		.traceparent = traceparent, .remedy = remedy
	};

	burrow_status_halt(&halt);
}

static const char *
in_a_row_text(uint32 in_a_row, const char *text)
{
	if (text == NULL || in_a_row == 0)
		return text;
	return psprintf("%u failed attempts in a row, the last one: %s", in_a_row, text);
}

static void
begin_halt(const BurrowConsumer *c, BurrowMessage *m, const BurrowFailure *failure, uint32 in_a_row)
{
	/* the next message would fail, too, where the handler cannot be called or others have failed */
	bool		its_own = in_a_row == 0 && failure->origin != BURROW_ORIGIN_LOOKUP;
	BurrowMessageView view = burrow_message_view(m);

	halt(c, m->part, m->frame.offset, burrow_trace_parent(&view), failure,
		 in_a_row_text(in_a_row, burrow_message_error_text(failure)),
		 in_a_row_text(in_a_row, burrow_message_error_public_text(failure)),
		 its_own ? BURROW_REMEDY_DEAD_LETTER : BURROW_REMEDY_RESUME);
}

void
burrow_failure_judge(const BurrowConsumer *c, BurrowMessage *m, BurrowFailure *failure)
{
	const BurrowOptions *o = &c->sub->options;
	BurrowPolicy policy = policy_of(o);
	BurrowErrorKind kind = burrow_policy_classify(&policy, failure->sqlstate, failure->origin);
	bool		in_a_row = false;

	/* a dead letter that somebody wants to be tried again stays one */
	if (m->part->is_redelivery)
		policy.on_failure = BURROW_FAILURE_DEAD_LETTER;
	if (blame_session(c, m, failure, kind))
		return;
	if (kind == BURROW_ERROR_ENVIRONMENT && blame_environment(c, m, failure))
	{
		failure->verdict = (BurrowVerdict) {BURROW_ACTION_RETRY, 0};
		return;
	}

	failure->verdict = burrow_policy_decide(&policy, kind, m->frame.attempt, pg_prng_uint64(&pg_global_prng_state));
	if ((kind == BURROW_ERROR_RETRIABLE || kind == BURROW_ERROR_PERMANENT) && !m->part->is_redelivery)
		in_a_row = burrow_breaker_error(&breaker, o->max_consecutive_errors);
	if (in_a_row)
		failure->verdict.action = BURROW_ACTION_HALT;
	if (failure->verdict.action == BURROW_ACTION_HALT)
		begin_halt(c, m, failure, in_a_row ? breaker.errors : 0);
	else if (failure->verdict.action == BURROW_ACTION_RETRY)
		m->frame.attempt++;
}

void
burrow_failure_of_progress(const BurrowConsumer *c, const BurrowPartition *part, int64 offset, BurrowFailure *failure)
{
	BurrowPolicy policy = policy_of(&c->sub->options);

	failure->message = psprintf("could not write the progress of topic \"%s\" partition %d: %s",
								part->topic, part->partition, burrow_message_error_text(failure));
	if (burrow_policy_classify(&policy, failure->sqlstate, failure->origin) == BURROW_ERROR_CORRUPT)
		halt(c, part, offset, NULL, failure, failure->message, burrow_message_error_public_text(failure), BURROW_REMEDY_RESUME);
	/* what was still in hand when the wait began does not make it longer */
	else if (!burrow_status_is_waiting() || wait_until <= c->now)
	{
		burrow_breaker_wait(&breaker);
		wait_is_ours = true;
		begin_wait(c, failure);
	}
	pfree(failure);
}

/* ---- consequences ---- */

static void
retry_later(const BurrowConsumer *c, BurrowMessage *m, const BurrowFailure *failure)
{
	BurrowPartition *part = m->part;

	/* its partition is going: whoever gets it next will read it again */
	if (part->state != BURROW_PARTITION_ACTIVE || burrow_status_is_stopping())
	{
		burrow_partition_forget_message(c, m);
		return;
	}
	if (!burrow_status_is_waiting())
		burrow_message_error_show(c, failure);
	burrow_tracker_release(&part->tracker, m->ref);
	burrow_retry_add(c, m, c->now + failure->verdict.delay_us);
	burrow_partition_release(c, part);
}

void
burrow_failure_act(const BurrowConsumer *c, BurrowMessage *m, BurrowFailure *failure)
{
	/* an epoch that was lost is somebody else's to resolve */
	bool		lost = m->part->state == BURROW_PARTITION_CLOSED;

	switch (failure->verdict.action)
	{
		case BURROW_ACTION_RETRY:
			retry_later(c, m, failure);
			break;
		case BURROW_ACTION_HALT:
			/* stays pending in the tracker, so the offset does not pass it */
			burrow_partition_forget_message(c, m);
			break;
		case BURROW_ACTION_SKIP:
		case BURROW_ACTION_DEAD_LETTER:
			if (lost)
			{
				burrow_partition_forget_message(c, m);
				break;
			}
			burrow_writer_give(c, m, failure);
			return;
	}
	pfree(failure);
}

/* When there is something to do here; 0: not by time. */
TimestampTz
burrow_failure_next(const BurrowConsumer *c)
{
	/* the next message is tried, a fresh one too */
	return burrow_status_is_waiting() && wait_until > c->now ? wait_until : 0;
}
