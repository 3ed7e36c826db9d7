/*
 * message_error.c
 *	  The error of a message's attempt, and what is known of a message that has failed.
 *
 * Runs in: the consumer.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "partition/message_error.h"
#include "partition/status.h"

typedef struct Text
{
	const char *data;
	size_t		len;
} Text;

/* In one piece of memory, each text with its end. */
static BurrowFailure *
make_failure(const BurrowConsumer *c, const char *sqlstate, BurrowErrorOrigin origin, const Text texts[4])
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
burrow_message_error_new(const BurrowConsumer *c, const char *sqlstate, const char *message,
						 const char *detail, const char *hint, const char *context)
{
	const char *given[] = {message, detail, hint, context};
	Text		texts[4];
	BurrowFailure *failure;

	for (int i = 0; i < 4; i++)
		texts[i] = (Text) {given[i], given[i] != NULL ? strlen(given[i]) : 0};
	failure = make_failure(c, sqlstate, BURROW_ORIGIN_HANDLER, texts);
	failure->ours = true;
	return failure;
}

BurrowFailure *
burrow_message_error_from_frame(const BurrowConsumer *c, const BurrowResultFailure *frame)
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

const char *
burrow_message_error_text(const BurrowFailure *failure)
{
	return failure->message != NULL ? failure->message : "unknown error";
}

/* No error of the handler's, and none about a value, is anybody's but the owner's: both may quote the message. */
const char *
burrow_message_error_public_text(const BurrowFailure *failure)
{
	if (failure->ours || failure->origin == BURROW_ORIGIN_LOOKUP ||
		(failure->origin == BURROW_ORIGIN_PROGRESS && burrow_policy_text_quotes_nothing(failure->sqlstate)))
		return NULL;
	switch (failure->origin)
	{
		case BURROW_ORIGIN_VALUE:
			return psprintf("the message cannot become the handler's arguments (SQLSTATE %s)", failure->sqlstate);
		case BURROW_ORIGIN_PROGRESS:
			return psprintf("the progress could not be written (SQLSTATE %s)", failure->sqlstate);
		default:
			return psprintf("the handler failed (SQLSTATE %s)", failure->sqlstate);
	}
}

/* For the views.  What a value looks like is said in the hint, and is the better half of it. */
BurrowTroubleReport
burrow_message_error_report(const BurrowFailure *failure)
{
	const char *text = burrow_message_error_text(failure);

	if (failure->origin == BURROW_ORIGIN_VALUE && failure->hint != NULL)
		text = psprintf("%s\nHINT:  %s", text, failure->hint);
	return (BurrowTroubleReport) {
		.sqlstate = failure->sqlstate,
			.message = text,
			.public_message = burrow_message_error_public_text(failure),
	};
}

void
burrow_message_error_show(const BurrowConsumer *c, const BurrowFailure *failure)
{
	BurrowTroubleReport report = burrow_message_error_report(failure);

	burrow_status_set(c, BURROW_TROUBLE_RETRY, &report);
}

BurrowRetry *
burrow_message_error_record(const BurrowConsumer *c, BurrowMessage *m)
{
	if (m->retry == NULL)
	{
		m->retry = MemoryContextAllocZero(c->message_cxt, sizeof(BurrowRetry));
		m->retry->m = m;
		m->retry->first_failed_at = c->now;
	}
	return m->retry;
}
