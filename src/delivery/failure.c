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
 *
 * A dead letter is written by the consumer and not by the worker: it has the message's
 * bytes and everything that is known of its attempts, also when the worker is dead, and
 * its transaction touches nothing of the user's.  That transaction's LSN becomes the
 * mark of the message's tracker slot, so the row and the offset cannot part: until the
 * row is durable, Kafka's offset does not pass the message.  While the row cannot be
 * written (the disk is full, the table is locked), the message stays in hand.
 *
 * Exactly once, skipping and dead-lettering are progress too: it is written in the same
 * transaction, into a row of its own beside those of the workers' lanes.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "common/pg_prng.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "compat.h"
#include "catalog/dead_letter.h"
#include "catalog/progress.h"
#include "dead_letter/key_parking.h"
#include "dead_letter/publisher.h"
#include "delivery/failure.h"
#include "delivery/retry.h"
#include "offsets/progress_merge.h"
#include "partition/context.h"
#include "partition/partition.h"
#include "partition/status.h"

/* Dead letters in one transaction, and about how many bytes. */
#define LETTERS_AT_ONCE		100
#define LETTER_BYTES		(16 * 1024 * 1024)

/* When they could not be written. */
#define LETTERS_AGAIN_US	INT64CONST(1000000)

/* Failures of one message that may be the session's, before one counts; the time after the
 * first of them is nothing, after the second this, and so on. */
#define MOST_DOUBTS			3
#define DOUBT_US			INT64CONST(1000000)

void
burrow_failure_init(BurrowConsumer *c)
{
	burrow_retry_init(c);
	dlist_init(&c->letters);
	c->redeliver = true;
}

/* ---- errors ---- */

typedef struct Text
{
	const char *data;
	size_t		len;
} Text;

/* In one piece of memory, each text with its end. */
static BurrowFailure *
make_failure(BurrowConsumer *c, const char *sqlstate, BurrowErrorOrigin origin, const Text texts[4])
{
	BurrowFailure *failure;
	const char **fields[4];
	size_t		size = sizeof(BurrowFailure);
	char	   *p;

	for (int i = 0; i < 4; i++)
		size += texts[i].len + 1;
	failure = MemoryContextAllocZero(c->message_cxt, size);
	strlcpy(failure->sqlstate, sqlstate, sizeof(failure->sqlstate));
	failure->origin = origin;
	fields[0] = &failure->message;
	fields[1] = &failure->detail;
	fields[2] = &failure->hint;
	fields[3] = &failure->context;

	p = (char *) (failure + 1);
	for (int i = 0; i < 4; i++)
	{
		if (texts[i].len == 0)
			continue;
		memcpy(p, texts[i].data, texts[i].len);
		*fields[i] = p;
		p += texts[i].len + 1;
	}
	return failure;
}

BurrowFailure *
burrow_failure_new(BurrowConsumer *c, const char *sqlstate, const char *message,
				   const char *detail, const char *hint, const char *context)
{
	const char *given[] = {message, detail, hint, context};
	Text		texts[4];

	for (int i = 0; i < 4; i++)
		texts[i] = (Text) {given[i], given[i] != NULL ? strlen(given[i]) : 0};
	return make_failure(c, sqlstate, BURROW_ORIGIN_HANDLER, texts);
}

BurrowFailure *
burrow_failure_from_frame(BurrowConsumer *c, const BurrowResultFailure *frame)
{
	const char *p = frame->text;
	const uint32 lengths[] = {frame->message_len, frame->detail_len, frame->hint_len, frame->context_len};
	Text		texts[4];
	BurrowFailure *failure;

	for (int i = 0; i < 4; i++)
	{
		texts[i] = (Text) {p, lengths[i]};
		p += lengths[i];
	}
	failure = make_failure(c, frame->sqlstate, frame->origin, texts);
	failure->fresh = frame->fresh != 0;
	return failure;
}

static const char *
message_of(const BurrowFailure *failure)
{
	return failure->message != NULL ? failure->message : "unknown error";
}

/* For the views.  What a value looks like is said in the hint, and is the better half of it. */
static void
show_error(BurrowConsumer *c, const BurrowFailure *failure)
{
	const char *text = message_of(failure);

	if (failure->origin == BURROW_ORIGIN_VALUE && failure->hint != NULL)
		text = psprintf("%s\nHINT:  %s", text, failure->hint);
	burrow_registry_set_error(c->slot, failure->sqlstate, text);
}

/* ---- the environment ---- */

bool
burrow_failure_is_waiting(const BurrowConsumer *c)
{
	return c->breaker.wait_us > 0;
}

bool
burrow_failure_may_dispatch(const BurrowConsumer *c)
{
	return !burrow_failure_is_waiting(c) || (c->wait_until <= c->now && c->pool->nbusy == 0);
}

/* Nobody's fault: attempts that were counted since nothing has succeeded any more. */
static void
take_back_attempts(BurrowConsumer *c, BurrowRetry *retry)
{
	if (retry->successes_before != c->breaker.successes)
		return;
	retry->m->frame.attempt -= retry->environment_failures;
	retry->environment_failures = 0;
}

static void
begin_wait(BurrowConsumer *c, const BurrowFailure *failure)
{
	const char *sqlstate = failure->sqlstate;
	bool		first = c->wait_until == 0;
	dlist_iter	iter;

	c->wait_until = c->now + c->breaker.wait_us;
	dlist_foreach(iter, &c->waiting)
		take_back_attempts(c, dlist_container(BurrowRetry, node, iter.cur));
	show_error(c, failure);
	burrow_status_set_degraded(c, BURROW_DEGRADED_ENVIRONMENT, true);
	ereport(first ? WARNING : DEBUG1,
			(errcode(MAKE_SQLSTATE(sqlstate[0], sqlstate[1], sqlstate[2], sqlstate[3], sqlstate[4])),
			 errmsg("subscription \"%s\" is waiting: %s", c->sub->name, message_of(failure)),
			 errdetail("The error is not a single message's.  The subscription goes on by itself when the cause is gone.")));
}

void
burrow_failure_success(BurrowConsumer *c)
{
	int64		wait_us = c->breaker.wait_us;

	if (!burrow_breaker_success(&c->breaker))
		return;
	/* what was in hand when the wait began says nothing about other lanes' rows */
	c->breaker.wait_us = c->wait_is_ours && c->wait_until > c->now ? wait_us : 0;
	if (burrow_failure_is_waiting(c))
		return;
	c->wait_until = 0;
	c->wait_is_ours = false;
	burrow_status_set_degraded(c, BURROW_DEGRADED_ENVIRONMENT, false);
	ereport(LOG, (errmsg("subscription \"%s\" goes on", c->sub->name)));
}

/* True: the failure is the environment's, and does not count. */
static bool
blame_environment(BurrowConsumer *c, BurrowMessage *m, const BurrowFailure *failure)
{
	BurrowRetry *retry = burrow_retry_record(c, m);
	bool		used_up = m->frame.attempt > (uint32) c->sub->options.max_retries;

	/* what was still in hand when the wait began does not make it longer */
	if (burrow_failure_is_waiting(c) && c->wait_until > c->now)
		return true;
	if (!burrow_breaker_environment(&c->breaker, failure->sqlstate, m->part->id, m->frame.offset,
									used_up, retry->successes_before))
	{
		retry->environment_failures++;
		return false;
	}
	take_back_attempts(c, retry);
	begin_wait(c, failure);
	return true;
}

void
burrow_failure_try_now(BurrowConsumer *c)
{
	if (burrow_failure_is_waiting(c) && c->wait_until > c->now)
		c->wait_until = c->now;
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
blame_session(BurrowConsumer *c, BurrowMessage *m, BurrowFailure *failure, BurrowErrorKind kind)
{
	BurrowRetry *retry = burrow_retry_record(c, m);
	bool		read_only = kind == BURROW_ERROR_SESSION;

	if (!read_only && (retry->doubts >= MOST_DOUBTS || failure->origin == BURROW_ORIGIN_SESSION ||
					   !burrow_failure_doubts_session(failure)))
		return false;
	if (read_only && (burrow_failure_is_waiting(c) ? c->wait_until <= c->now : retry->doubts > 0))
	{
		burrow_breaker_wait(&c->breaker);
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
halt(BurrowConsumer *c, const BurrowPartition *part, int64 offset, const BurrowFailure *failure,
	 const char *message, BurrowRemedy remedy)
{
	BurrowHalt	halt = {
		.topic = part->topic, .partition = part->partition, .offset = offset,
		.sqlstate = failure->sqlstate, .message = message, .detail = failure->detail,
		.hint = failure->hint, .context = failure->context, .remedy = remedy
	};

	burrow_status_halt(c, &halt);
}

static void
begin_halt(BurrowConsumer *c, const BurrowMessage *m, const BurrowFailure *failure, uint32 in_a_row)
{
	/* the next message would fail, too, where the handler cannot be called or others have failed */
	bool		its_own = in_a_row == 0 && failure->origin != BURROW_ORIGIN_LOOKUP;

	halt(c, m->part, m->frame.offset, failure, in_a_row == 0 ? message_of(failure) :
		 psprintf("%u failed attempts in a row, the last one: %s", in_a_row, message_of(failure)),
		 its_own ? BURROW_REMEDY_DEAD_LETTER : BURROW_REMEDY_RESUME);
}

void
burrow_failure_judge(BurrowConsumer *c, BurrowMessage *m, BurrowFailure *failure)
{
	const BurrowOptions *o = &c->sub->options;
	BurrowPolicy policy = policy_of(o);
	BurrowErrorKind kind = burrow_policy_classify(&policy, failure->sqlstate, failure->origin);
	bool		in_a_row = false;

	/* a dead letter that somebody wants to be tried again stays one */
	if (m->part->letters)
		policy.on_failure = BURROW_FAILURE_DEAD_LETTER;
	if (blame_session(c, m, failure, kind))
		return;
	if (kind == BURROW_ERROR_ENVIRONMENT && blame_environment(c, m, failure))
	{
		failure->verdict = (BurrowVerdict) {BURROW_ACTION_RETRY, 0};
		return;
	}

	failure->verdict = burrow_policy_decide(&policy, kind, m->frame.attempt, pg_prng_uint64(&pg_global_prng_state));
	if ((kind == BURROW_ERROR_RETRIABLE || kind == BURROW_ERROR_PERMANENT) && !m->part->letters)
		in_a_row = burrow_breaker_error(&c->breaker, o->max_consecutive_errors);
	if (in_a_row)
		failure->verdict.action = BURROW_ACTION_HALT;
	if (failure->verdict.action == BURROW_ACTION_HALT)
		begin_halt(c, m, failure, in_a_row ? c->breaker.errors : 0);
	else if (failure->verdict.action == BURROW_ACTION_RETRY)
		m->frame.attempt++;
}

void
burrow_failure_of_progress(BurrowConsumer *c, const BurrowPartition *part, int64 offset, BurrowFailure *failure)
{
	BurrowPolicy policy = policy_of(&c->sub->options);

	failure->message = psprintf("could not write the progress of topic \"%s\" partition %d: %s",
								part->topic, part->partition, message_of(failure));
	if (burrow_policy_classify(&policy, failure->sqlstate, failure->origin) == BURROW_ERROR_CORRUPT)
		halt(c, part, offset, failure, failure->message, BURROW_REMEDY_RESUME);
	/* what was still in hand when the wait began does not make it longer */
	else if (!burrow_failure_is_waiting(c) || c->wait_until <= c->now)
	{
		burrow_breaker_wait(&c->breaker);
		c->wait_is_ours = true;
		begin_wait(c, failure);
	}
	pfree(failure);
}

/* ---- consequences ---- */

/* Nobody holds the message any more. */
static void
forget(BurrowConsumer *c, BurrowMessage *m)
{
	BurrowPartition *part = m->part;

	burrow_tracker_release(&part->tracker, m->ref);
	burrow_scheduler_finish(c->sched, &m->item);
	burrow_partition_free_message(c, m);
	burrow_partition_release(c, part);
}

static void
retry_later(BurrowConsumer *c, BurrowMessage *m, const BurrowFailure *failure)
{
	BurrowPartition *part = m->part;

	/* its partition is going: whoever gets it next will read it again */
	if (part->state != BURROW_PARTITION_ACTIVE || c->ending != BURROW_STOP_NONE)
	{
		forget(c, m);
		return;
	}
	if (!burrow_failure_is_waiting(c))
		show_error(c, failure);
	burrow_tracker_release(&part->tracker, m->ref);
	burrow_retry_add(c, m, c->now + failure->verdict.delay_us);
	burrow_partition_release(c, part);
}

static void
note_skipped(BurrowConsumer *c, const BurrowMessage *m, const BurrowFailure *failure)
{
	ereport(LOG,
			(errmsg("subscription \"%s\" skips topic \"%s\" partition %d offset %lld after %u attempts",
					c->sub->name, m->part->topic, m->part->partition, (long long) m->frame.offset, m->frame.attempt),
			 errdetail("%s: %s", failure->sqlstate, message_of(failure))));
	BURROW_COUNT(c->slot, messages_skipped, 1);
}

static inline bool
exactly_once(const BurrowConsumer *c)
{
	return c->sub->options.delivery == BURROW_EXACTLY_ONCE;
}

void
burrow_failure_act(BurrowConsumer *c, BurrowMessage *m, BurrowFailure *failure)
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
			forget(c, m);
			break;
		case BURROW_ACTION_SKIP:
		case BURROW_ACTION_DEAD_LETTER:
			if (lost)
			{
				forget(c, m);
				break;
			}
			/* held as if a worker still had it, until that is in the database */
			m->retry->failure = failure;
			dlist_push_tail(&c->letters, &m->retry->node);
			return;
	}
	pfree(failure);
}

/* ---- messages of a parked key ---- */

/* As if a worker had it: it is resolved like one that has failed. */
static void
hold(BurrowMessage *m)
{
	burrow_tracker_hold(&m->part->tracker, m->ref);
	m->part->held++;
}

void
burrow_failure_park(BurrowConsumer *c, BurrowMessage *m)
{
	hold(m);
	dlist_push_tail(&c->letters, &burrow_retry_record(c, m)->node);
}

void
burrow_failure_leave(BurrowConsumer *c, BurrowMessage *m)
{
	hold(m);
	forget(c, m);
}

/* ---- dead letters, and what is skipped ---- */

static void
store_letter(BurrowConsumer *c, const BurrowRetry *retry)
{
	BurrowMessage *m = retry->m;
	const BurrowFailure *failure = retry->failure;
	bool		parked = failure == NULL;
	BurrowDeadLetter letter = {
		.topic = m->part->topic,
		.partition = m->part->partition,
		.message = {
			.header = &m->frame,
			.key = m->frame.flags & BURROW_MESSAGE_HAS_KEY ? burrow_frame_key(&m->frame) : NULL,
			.value = m->frame.flags & BURROW_MESSAGE_HAS_VALUE ? burrow_frame_value(&m->frame) : NULL,
			.headers = burrow_frame_headers(&m->frame)
		},
		.sqlstate = parked ? NULL : failure->sqlstate,
		.error = parked ? NULL : message_of(failure),
		.detail = parked ? NULL : failure->detail,
		.hint = parked ? NULL : failure->hint,
		.context = parked ? NULL : failure->context,
		.first_failed_at = retry->first_failed_at,
		.again = m->part->letters,
		.asked = parked && burrow_key_parking_is_asked(m),
		.holds_key = m->part->place != NULL && m->item.ordered
	};

	burrow_dead_letter_store(c->subid, c->sub->uuid, &letter);
}

/* What is written at once: the first n letters, with the progress of their part. */
typedef struct Writing
{
	int			n;
	int64	   *offsets;		/* the same, ascending */
} Writing;

static void
save_progress(BurrowConsumer *c, const BurrowPartition *part, const Writing *writing)
{
	BurrowProgress progress = {
		.subid = c->subid,
		.uuid = c->sub->uuid,
		.topic = part->topic,
		.partition = part->partition,
		.lane = BURROW_RESOLVED_LANE,
		.place = (uint32) part->slot,
		.head = burrow_tracker_head(&part->tracker),
		.chunk = ++c->chunk,
		.folded = burrow_progress_merge_chunk(part, BURROW_RESOLVED_LANE),
		.offsets = writing->offsets,
		.noffsets = writing->n
	};

	burrow_progress_save(&progress);
}

static int
compare_offsets(const void *a, const void *b)
{
	int64		x = *(const int64 *) a;
	int64		y = *(const int64 *) b;

	return x < y ? -1 : x > y ? 1 : 0;
}

static inline bool
becomes_letter(const BurrowRetry *retry)
{
	return retry->failure == NULL || retry->failure->verdict.action == BURROW_ACTION_DEAD_LETTER;
}

/* What has to be in the database of them. */
static void
store_letters(BurrowConsumer *c, void *arg)
{
	Writing    *writing = arg;
	const BurrowPartition *part = dlist_container(BurrowRetry, node, dlist_head_node(&c->letters))->m->part;
	int			i = 0;
	dlist_iter	iter;

	dlist_foreach(iter, &c->letters)
	{
		const BurrowRetry *retry = dlist_container(BurrowRetry, node, iter.cur);

		if (i == writing->n)
			break;
		if (becomes_letter(retry))
			store_letter(c, retry);
		writing->offsets[i++] = retry->m->frame.offset;
	}
	if (exactly_once(c) && !part->letters)
	{
		qsort(writing->offsets, writing->n, sizeof(int64), compare_offsets);
		save_progress(c, part, writing);
	}
}

/* The failed message is skipped, or a dead letter, and that is in the database. */
static void
note_given_up(BurrowConsumer *c, BurrowMessage *m, const BurrowFailure *failure)
{
	show_error(c, failure);
	if (failure->verdict.action == BURROW_ACTION_SKIP)
	{
		note_skipped(c, m, failure);
		return;
	}
	BURROW_COUNT(c->slot, messages_dead_lettered, 1);
	burrow_key_parking_key(m);
	burrow_publisher_wake(c);
}

static void
take_letter(BurrowConsumer *c, BurrowRetry *retry, uint64 mark)
{
	BurrowMessage *m = retry->m;

	dlist_delete(&retry->node);
	if (mark != 0)
	{
		burrow_tracker_complete(burrow_tracker_slot(m->ref), mark);
		if (retry->failure == NULL)
			BURROW_COUNT(c->slot, messages_parked, 1);
		else
			note_given_up(c, m, retry->failure);
		m->part->ndone++;
		c->done_since_commit++;
	}
	if (retry->failure != NULL)
		pfree(retry->failure);
	forget(c, m);
}

/* The row that the first letter's progress is in holds so much now. */
static void
note_row(BurrowConsumer *c, size_t bytes)
{
	BurrowPartition *part = dlist_container(BurrowRetry, node, dlist_head_node(&c->letters))->m->part;

	burrow_progress_merge_note(part, BURROW_RESOLVED_LANE, burrow_progress_merge_chunk(part, BURROW_RESOLVED_LANE), bytes);
}

/* Writes as many as fit into one transaction.  False: not now. */
static bool
write_some(BurrowConsumer *c)
{
	const BurrowPartition *part = dlist_container(BurrowRetry, node, dlist_head_node(&c->letters))->m->part;
	int64		offsets[LETTERS_AT_ONCE];
	Writing		writing = {0, offsets};
	uint64		bytes = 0;
	dlist_iter	iter;

	/* a transaction can carry the progress of one partition only */
	dlist_foreach(iter, &c->letters)
	{
		const BurrowMessage *m = dlist_container(BurrowRetry, node, iter.cur)->m;

		bytes += m->item.bytes;
		if (writing.n > 0 && (writing.n == LETTERS_AT_ONCE || bytes > LETTER_BYTES || m->part != part))
			break;
		writing.n++;
	}
	if (!burrow_status_try(c, store_letters, &writing, "write dead letters"))
		return false;
	note_row(c, burrow_progress_committed());
	/* where nothing was written (skipped, at least once), an older commit's will do */
	for (int n = writing.n; n > 0; n--)
		take_letter(c, dlist_container(BurrowRetry, node, dlist_head_node(&c->letters)),
					Max(XactLastCommitEnd, BURROW_SLOT_DONE));
	return true;
}

/*
 * Those whose partition is gone are somebody else's, and those whose partition is going
 * cannot wait: they will be read, and fail, again.
 */
static void
give_up_letters(BurrowConsumer *c, bool going)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &c->letters)
	{
		BurrowRetry *retry = dlist_container(BurrowRetry, node, iter.cur);

		if (retry->m->part->state == BURROW_PARTITION_CLOSED ||
			(going && (retry->m->part->state != BURROW_PARTITION_ACTIVE || c->ending != BURROW_STOP_NONE)))
			take_letter(c, retry, 0);
	}
}

bool
burrow_failure_run(BurrowConsumer *c)
{
	bool		written = false;

	if (dlist_is_empty(&c->letters))
		return false;
	give_up_letters(c, c->letters_again_at > c->now);
	if (c->letters_again_at > c->now)
		return false;
	c->letters_again_at = 0;
	while (!dlist_is_empty(&c->letters))
	{
		if (!write_some(c))
		{
			c->letters_again_at = c->now + LETTERS_AGAIN_US;
			give_up_letters(c, true);
			return written;
		}
		written = true;
	}
	return written;
}

/* When there is something to do here; 0: not by time. */
TimestampTz
burrow_failure_next(const BurrowConsumer *c)
{
	TimestampTz next = 0;

	if (!dlist_is_empty((dlist_head *) &c->letters))
		next = c->letters_again_at;
	/* the next message is tried, a fresh one too */
	if (burrow_failure_is_waiting(c) && c->ending == BURROW_STOP_NONE && c->wait_until > c->now)
		next = burrow_earlier(next, c->wait_until);
	return next;
}
