/*
 * chunk_context.c
 *	  What an error's context says of the chunk in hand.
 *
 * Runs in: workers, within ereport().
 * Locking: none.
 */
#include "postgres.h"

#include "handler/cancel.h"
#include "runtime/trace.h"
#include "worker/chunk_context.h"
#include "worker/worker_state.h"

void
burrow_chunk_context(void *arg)
{
	const BurrowChunk *c = arg;
	const BurrowMessageView *message = &c->messages[c->current];

	if (burrow_cancel_phase() != BURROW_WORKER_RUNNING)
		return;
	if (burrow_cancel_timed_out())
		errcontext("handler_timeout of %d ms", burrow_chunk_timeout_ms(c));
	if (c->saving)
		errcontext("storing progress of topic \"%s\" partition %d for subscription \"%s\"",
				   c->topic, c->header->partition, c->setup->subscription);
	else if (c->array && c->nmembers > 1)
		errcontext("handling %u messages from topic \"%s\" partition %d offset %lld to %lld for subscription \"%s\"",
				   c->nmembers, c->topic, c->header->partition,
				   (long long) message->header->offset,
				   (long long) c->messages[c->members[c->nmembers - 1]].header->offset,
				   c->setup->subscription);
	else
	{
		burrow_trace_errcontext(message);
		errcontext("handling message from topic \"%s\" partition %d offset %lld for subscription \"%s\"",
				   c->topic, c->header->partition, (long long) message->header->offset,
				   c->setup->subscription);
	}
}
