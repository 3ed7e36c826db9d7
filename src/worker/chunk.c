/*
 * chunk.c
 *	  Runs a chunk's messages in transactions, marks them, tells the consumer.
 *
 * Runs in: workers.
 * Owns: the chunk in hand.
 * Locking: none.  Marks are atomic stores into slots that no other process writes
 * while this one has the message.
 *
 * A transaction takes messages until the chunk is at its end or batch_time is over.
 * Its commit callback stores the marks: interrupts are held there since before the
 * commit record, so there is no moment at which the transaction is committed and
 * its worker can be ended before the consumer can see it.
 *
 * When a transaction of several messages fails, nobody knows whose fault it was (an
 * error at commit belongs to all of them), and they share what was rolled back.  So
 * they are run again, each alone: only one that fails alone has failed.  An array
 * handler's chunk is halved instead, which finds one culprit among n in log n calls; one that could not
 * be converted is known before the call, and is run alone, and those before it, and those after it.
 * After a failure the later messages of the same order go back unexecuted.
 *
 * A cancelled message is at fault without being run again: whoever cancelled it
 * waits for this worker.  For the same reason all of the chunk that is not done goes
 * back then.  One that handler_timeout has cancelled is at fault too, but nobody waits,
 * and the others of its chunk are run.
 *
 * A message that takes long (it waits for a lock) must not hold up the others of its
 * chunk.  Those not begun are taken back by the consumer (delivery/reclaim.c); the worker asks
 * the chunk's claim for each before it begins.  But the worker cannot commit in the middle
 * of a call; so when those that are done and not committed have waited long enough, it
 * cancels itself, and gives everything back that is not done: nobody is at fault, the
 * message that ran is to be run alone, and for the first of its transaction nobody waits.
 * Not so an array handler, as it is given its messages to take its time for all of them,
 * and may rightly need long; nobody could tell for which of them, either.
 *
 * The whole transaction runs within PG_TRY, as in PostgreSQL's own apply workers, and
 * is aborted there as a whole; subtransactions, one a message, would cost an xid
 * each, and could not protect against an error at commit.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "jit/jit.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "catalog/dead_letter.h"
#include "catalog/progress.h"
#include "compat.h"
#include "core/policy.h"
#include "core/sizer.h"
#include "handler/cancel.h"
#include "handler/distributed.h"
#include "shmem/worker_slots.h"
#include "worker/chunk.h"
#include "worker/chunk_context.h"
#include "worker/chunk_frame.h"
#include "worker/permission.h"
#include "worker/session.h"
#include "runtime/crash_point.h"
#include "runtime/trace.h"

/* Within a chunk the consumer is told of commits this often, and not more often than batch_time. */
#define TELL_US		INT64CONST(100000)

/* The chunk whose transaction is being committed; NULL: none, other commits are not ours. */
static BurrowChunk *committing = NULL;

/* ---- the mark ---- */

/*
 * Neither raises nor allocates.  Whether there is an xid is asked here, not before
 * the commit: a NOTIFY takes one as late as that.  Without one there is no commit
 * record, and XactLastCommitEnd is some earlier transaction's.
 */
static void
mark(BurrowChunk *c)
{
	uint64		mark;

	BURROW_CRASH_POINT("committed");

	mark = TransactionIdIsValid(GetTopTransactionIdIfAny()) ? XactLastCommitEnd : BURROW_SLOT_DONE;
	for (uint32 i = 0; i < c->nmembers; i++)
		burrow_tracker_complete(c->slots[c->members[i]], mark);
	c->committed = true;
	BURROW_CRASH_POINT("marked");
}

/* Swallowed by a handler or not, a cancel for the others' sake is not to be committed. */
static void
check_overdue(void)
{
	if (burrow_cancel_overdue())
		ereport(ERROR,
				(errcode(ERRCODE_QUERY_CANCELED),
				 errmsg_internal("other messages of the transaction have waited too long")));
}

/*
 * Before the commit deferred triggers have run, which may take as long as a handler;
 * what comes then must not be cancelled (a wait for a synchronous standby would end).
 */
static void
transaction_event(XactEvent event, void *arg)
{
	if (committing == NULL)
		return;
	if (event == XACT_EVENT_PRE_COMMIT)
	{
		burrow_cancel_end_max_wait();
		check_overdue();
	}
	else if (event == XACT_EVENT_COMMIT)
		mark(committing);
}

void
burrow_chunk_init(BurrowWorker *w)
{
	burrow_cancel_init(w->slot);
	RegisterXactCallback(transaction_event, NULL);
}

/* ---- what others see ---- */

/*
 * From now on this message is in hand.  The attempt's number comes last: a consumer
 * that reads it twice around the offset knows which message it is the number of, and
 * a cancel of an earlier attempt does not hit this one.
 */
static void
begin_attempt(BurrowChunk *c, uint32 index)
{
	BurrowWorker *w = c->w;
	int64		offset = c->messages[index].header->offset;
	uint64		attempt = pg_atomic_read_u64(&w->slot->attempts) + 1;

	check_overdue();
	c->current = index;
	SetCurrentStatementStartTimestamp();
	pg_atomic_write_u32(&w->slot->running_partition, c->header->partition_slot);
	pg_atomic_write_u64(&w->slot->running_offset, (uint64) offset);
	pg_atomic_write_u64(&w->slot->running_since, (uint64) GetCurrentStatementStartTimestamp());
	pg_write_barrier();
	pg_atomic_write_u64(&w->slot->attempts, attempt);

	burrow_cancel_begin_attempt(attempt);

	pg_lltoa(offset, c->activity + c->activity_len);
	pgstat_report_activity(STATE_RUNNING, c->activity);
	BURROW_CRASH_POINT("before handler");
}

static void
end_attempts(BurrowChunk *c)
{
	burrow_cancel_end_transaction();
	pg_atomic_write_u64(&c->w->slot->running_since, 0);
	pg_atomic_write_u64(&c->w->slot->committing_since, 0);
}

/* ---- calling the handler ---- */

static void
drop_handler(BurrowWorker *w)
{
	w->handler = NULL;
	MemoryContextReset(w->handler_cxt);
}

static BurrowHandler *
ready_handler(BurrowChunk *c)
{
	BurrowWorker *w = c->w;

	if (w->handler != NULL && !burrow_handler_stale(w->handler))
		return w->handler;
	drop_handler(w);
	c->preparing = true;
	w->handler = burrow_handler_prepare(c->setup->handler, c->setup->handler_owner, w->args.owner, w->handler_cxt);
	c->preparing = false;
	return w->handler;
}

/*
 * Each message sees what the one before it has done, and what others have committed since.  of: the only one.
 *
 * The last call's snapshot stays until progress is saved: the row may need one (for TOAST), but whichever, and to take one
 * has all workers meet at the same lock.
 */
static void
begin_call(BurrowChunk *c, const BurrowMessageView *of)
{
	CHECK_FOR_INTERRUPTS();
	burrow_cancel_begin_call(c->setup->handler_timeout_us);
	CommandCounterIncrement();
	if (ActiveSnapshotSet())
		PopActiveSnapshot();
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(c->w->message_cxt);
	burrow_trace_begin(of);
}

static void
end_call(BurrowChunk *c)
{
	burrow_cancel_end_call();
	MemoryContextSwitchTo(c->w->chunk_cxt);
	MemoryContextReset(c->w->message_cxt);
}

/*
 * A dead letter's row goes in the transaction that handles the message.  False: it is
 * not there any more, because somebody has discarded it, and so the message is to have
 * no effect.
 */
static bool
take_letter(BurrowChunk *c, uint32 index)
{
	if ((c->header->flags & BURROW_CHUNK_LETTERS) == 0)
		return true;
	return burrow_dead_letter_take(c->w->args.subid, c->topic, c->header->partition,
								   c->messages[index].header->offset);
}

static void
call(BurrowChunk *c, const uint32 *members, uint32 n)
{
	const BurrowMessageView *messages = &c->messages[members[0]];

	begin_attempt(c, members[0]);
	begin_call(c, n == 1 ? messages : NULL);
	/* dead letters come alone */
	if (take_letter(c, members[0]))
	{
		BurrowHandler *handler = ready_handler(c);

		/* are others between them? */
		if (members[n - 1] - members[0] != n - 1)
		{
			BurrowMessageView *copies = palloc(sizeof(BurrowMessageView) * n);

			for (uint32 i = 0; i < n; i++)
				copies[i] = c->messages[members[i]];
			messages = copies;
		}
		burrow_handler_call(handler, c->topic, c->header->topic_len, c->header->partition, messages, n);
	}
	end_call(c);
}

/* A right that is missing is the subscription's trouble, and no message's: this session leaves. */
static bool
may_call(BurrowChunk *c)
{
	if (!burrow_permission_holds(c->w))
		c->stopped = c->not_permitted = true;
	return !c->not_permitted;
}

static void
add_member(BurrowChunk *c, uint32 index)
{
	c->members[c->nmembers++] = index;
	c->next = index + 1;
}

/* May all before end be run?  If not, they are the consumer's again, and the chunk is at its end. */
static bool
claim(BurrowChunk *c, uint32 end)
{
	if (end <= c->begun)
		return true;
	if (!burrow_claim_take(c->w->transport->claim, c->begun, end))
	{
		c->stopped = true;
		return false;
	}
	c->begun = end;
	return true;
}

/* Messages from first on, each in a call, until end or batch_time. */
static void
run_one_by_one(BurrowChunk *c, uint32 first, uint32 end)
{
	instr_time	clock;
	int64		used_us = 0;

	INSTR_TIME_SET_CURRENT(clock);
	for (uint32 i = first; i < end; i++)
	{
		uint32		us;

		if (burrow_chunk_is_resolved(c, i))
			continue;
		/* the first is ours; each is known as a member before it runs: it may fail */
		if (i > first)
		{
			if (!may_call(c) || !burrow_distributed_is_current() || !claim(c, i + 1))
				break;
			if (c->nmembers == 1)
				burrow_cancel_begin_max_wait(burrow_sizer_max_wait_us(c->setup->batch_time_us));
			add_member(c, i);
		}
		call(c, &i, 1);
		us = burrow_chunk_elapsed_us(&clock);
		c->result->results[i].handler_us = us;
		used_us += us;
		/* a SET LOCAL ROLE must not reach the next message either */
		if (used_us >= c->setup->batch_time_us || GetUserId() != c->w->args.owner)
			break;
	}
}

static void
run_array(BurrowChunk *c, uint32 first, uint32 end)
{
	instr_time	clock;
	uint32		us;

	if (!claim(c, end))
		end = first + 1;
	for (uint32 i = first + 1; i < end; i++)
	{
		if (!burrow_chunk_is_resolved(c, i))
			add_member(c, i);
	}
	c->next = end;
	INSTR_TIME_SET_CURRENT(clock);
	call(c, c->members, c->nmembers);
	us = burrow_chunk_elapsed_us(&clock) / c->nmembers;
	for (uint32 i = 0; i < c->nmembers; i++)
		c->result->results[c->members[i]].handler_us = us;
}

/* ---- transactions ---- */

/* Was a call ended by handler_timeout?  Then nobody waits for the worker. */
static bool
timed_out(const BurrowChunk *c)
{
	return c->error->sqlerrcode == ERRCODE_QUERY_CANCELED && burrow_cancel_timed_out();
}

/*
 * Exactly once: which messages took effect goes into the transaction in which they did.
 * No message is in hand meanwhile: should this process die now, none is to blame; and a
 * cancel, which would be blamed on one, comes too late.
 */
static void
save_progress(BurrowChunk *c)
{
	BurrowProgress progress = {
		.subid = c->w->args.subid,
		.uuid = c->setup->uuid,
		.topic = c->topic,
		.partition = c->header->partition,
		.lane = c->w->args.lane,
		.row_hint = c->header->partition_slot,
		.head = c->header->head,
		.chunk = c->header->chunk,
		.merged_chunk = c->header->merged_chunk,
		.offsets = c->offsets,
		.noffsets = c->nmembers,
	};

	/* a dead letter's row goes in this transaction; its offset was passed long ago */
	if (c->setup->delivery != BURROW_EXACTLY_ONCE || (c->header->flags & BURROW_CHUNK_LETTERS) != 0)
		return;
	c->saving = true;
	pg_atomic_write_u64(&c->w->slot->running_since, 0);
	for (uint32 i = 0; i < c->nmembers; i++)
		c->offsets[i] = c->messages[c->members[i]].header->offset;
	MemoryContextSwitchTo(c->w->message_cxt);
	HOLD_CANCEL_INTERRUPTS();
	burrow_progress_save(&progress);
	RESUME_CANCEL_INTERRUPTS();
	MemoryContextSwitchTo(c->w->chunk_cxt);
	MemoryContextReset(c->w->message_cxt);
	c->saving = false;
}

/*
 * Where the error was raised, once its transaction has ended.  While progress is written it is
 * Burrow's own, but for conflicts: those come of what the messages did, as under SERIALIZABLE.
 */
static BurrowErrorOrigin
error_origin(const BurrowChunk *c)
{
	if (c->saving && c->error->sqlerrcode != ERRCODE_T_R_SERIALIZATION_FAILURE &&
		c->error->sqlerrcode != ERRCODE_T_R_DEADLOCK_DETECTED)
		return BURROW_ORIGIN_PROGRESS;
	if (c->preparing)
		return BURROW_ORIGIN_LOOKUP;
	if (c->w->handler != NULL && burrow_handler_is_converting(c->w->handler))
		return BURROW_ORIGIN_VALUE;
	if (c->error->sqlerrcode == ERRCODE_READ_ONLY_SQL_TRANSACTION && burrow_session_is_read_only())
		return BURROW_ORIGIN_SESSION;
	return BURROW_ORIGIN_HANDLER;
}

/*
 * In PG_CATCH: ends the transaction and keeps the error.  One of several messages'
 * error is not worth a line in the log yet: the culprit's own will come.
 */
static void
abort_transaction(BurrowChunk *c)
{
	MemoryContextSwitchTo(c->w->chunk_cxt);
	c->error = CopyErrorData();
	HOLD_INTERRUPTS();
	if (c->committed || c->saving ||
		(!burrow_cancel_overdue() && (c->nmembers == 1 || c->error->sqlerrcode == ERRCODE_QUERY_CANCELED)))
		EmitErrorReport();
	burrow_cancel_end_transaction();
	AbortOutOfAnyTransaction();
	FlushErrorState();
	RESUME_INTERRUPTS();
	c->origin = error_origin(c);
	c->converted = -1;
	if (c->array && c->origin == BURROW_ORIGIN_VALUE)
		c->converted = c->members[burrow_handler_converted(c->w->handler)];
	c->fresh = burrow_session_is_fresh();
	c->preparing = c->saving = false;

	/* a query of the handler's may have failed inside LLVM */
	jit_reset_after_error();
	MemoryContextSwitchTo(c->w->chunk_cxt);
	MemoryContextReset(c->w->message_cxt);
	drop_handler(c->w);
}

static void
run_calls(BurrowChunk *c, uint32 first, uint32 end)
{
	c->array = burrow_handler_takes_chunk(ready_handler(c));
	if (c->array)
		run_array(c, first, end);
	else
		run_one_by_one(c, first, end);
	c->called = true;
	BURROW_CRASH_POINT("after handler");
	/* deferred triggers run for all of them */
	if (c->nmembers > 1)
		burrow_trace_begin(NULL);
	save_progress(c);
	PopActiveSnapshot();
}

/*
 * Runs messages from first (not resolved) to before end, or fewer, in a transaction.
 * True: committed.  False: nothing of it has happened, and c->error says why.
 */
static bool
run_transaction(BurrowChunk *c, uint32 first, uint32 end)
{
	c->nmembers = 0;
	add_member(c, first);
	c->current = first;
	c->called = false;
	c->saving = false;
	c->committed = false;
	c->error = NULL;
	INSTR_TIME_SET_CURRENT(c->began);

	PG_TRY();
	{
		burrow_cancel_begin_transaction();
		SetCurrentStatementStartTimestamp();
		StartTransactionCommand();
		burrow_session_begin_transaction();
		if (may_call(c))
		{
			burrow_distributed_begin();
			run_calls(c, first, end);
			burrow_distributed_end();
		}
		else
			c->nmembers = 0;
		BURROW_CRASH_POINT("progress written");
		pg_atomic_write_u64(&c->w->slot->committing_since, (uint64) GetCurrentTimestamp());
		committing = c;
		CommitTransactionCommand();
		committing = NULL;
		MemoryContextSwitchTo(c->w->chunk_cxt);
	}
	PG_CATCH();
	{
		committing = NULL;
		abort_transaction(c);
	}
	PG_END_TRY();

	end_attempts(c);
	if (c->committed && c->setup->delivery == BURROW_EXACTLY_ONCE)
		c->result->row_bytes = burrow_progress_committed();
	/* an error after the commit (of somebody else's callback) takes nothing back */
	return c->committed;
}

/*
 * At the chunk's end its result wakes the consumer.  In its middle it is told of what is
 * committed, so that the heads move; that is enough now and then.
 */
static void
transaction_committed(BurrowChunk *c)
{
	BurrowWorkerSlot *slot = c->w->slot;
	TimestampTz now = GetCurrentTimestamp();

	for (uint32 i = 0; i < c->nmembers; i++)
		c->result->results[c->members[i]].outcome = BURROW_OUTCOME_DONE;
	if (c->nmembers > 0)
		c->result->results[c->members[c->nmembers - 1]].ends = 1;
	c->result->committed_at = now;
	c->result->committed++;
	pg_atomic_write_u64(&slot->messages_processed, pg_atomic_read_u64(&slot->messages_processed) + c->nmembers);

	if (c->next == c->header->nmessages)
		return;
	if (now - c->told_at >= Max(c->setup->batch_time_us, TELL_US))
	{
		c->told_at = now;
		burrow_worker_slot_result_ready(c->w->args.subscription, c->w->args.lane);
	}
}

/* ---- the chunk ---- */

/*
 * Is there a reason to give back what is left?  The consumer's slot is read without
 * the lock: a consumer that goes just now is noticed a message later.
 */
static bool
may_go_on(BurrowChunk *c)
{
	const BurrowSubscriptionSlot *sub = &burrow->subscriptions[c->w->args.subscription];

	CHECK_FOR_INTERRUPTS();
	if (burrow_cancel_stopped() || GetUserId() != c->w->args.owner)
		c->stopped = true;
	if (*(volatile const uint32 *) &sub->generation != c->w->args.generation ||
		*(volatile const pid_t *) &sub->consumer_pid == 0)
		c->gone = true;
	return !c->stopped && !c->gone;
}

static void run_messages(BurrowChunk *c, uint32 first, uint32 end, bool alone);

/*
 * One message, or the commit of those that it belongs to, has taken so long that others
 * have waited enough.  It is run alone next, and the others by whoever is free.
 */
static void
take_apart(BurrowChunk *c)
{
	uint32		us = burrow_chunk_elapsed_us(&c->began);

	for (uint32 i = 0; i < c->nmembers; i++)
	{
		BurrowMessageResult *result = &c->result->results[c->members[i]];

		if (!c->called && c->members[i] != c->current)
			continue;
		result->outcome = BURROW_OUTCOME_ALONE;
		result->handler_us = us;
	}
	c->stopped = true;
	ereport(DEBUG1,
			(errmsg_internal("chunk of %u messages is taken apart after %u ms", c->header->nmessages, us / 1000)));
}

/* What the consumer makes of it: the next chunks are smaller. */
static void
record_loss(BurrowChunk *c)
{
	uint32		us = burrow_chunk_elapsed_us(&c->began);

	c->result->lost_us += Max(us, 1);
	if (burrow_policy_is_conflict(unpack_sql_state(c->error->sqlerrcode)))
		c->result->conflict = 1;
	ereport(DEBUG1,
			(errmsg_internal("transaction of %u messages was rolled back: %s", c->nmembers, c->error->message)));
}

/* Tries messages of an array handler again, whose call has failed, in calls of fewer; returns what comes after them. */
static uint32
divide(BurrowChunk *c, uint32 first, uint32 end)
{
	uint32		middle = first + (end - first) / 2;

	if (c->converted >= 0)
	{
		middle = c->converted;
		end = middle + 1;
	}
	run_messages(c, first, middle, false);
	run_messages(c, middle, end, false);
	return end;
}

/* The transaction of the messages from first to before end was rolled back.  Returns which message is the next. */
static uint32
transaction_failed(BurrowChunk *c, uint32 first, uint32 end)
{
	c->result->rolled_back++;
	if (c->nmembers > 1 && !burrow_cancel_overdue() && c->origin != BURROW_ORIGIN_PROGRESS)
		record_loss(c);
	if (c->origin == BURROW_ORIGIN_PROGRESS)
		burrow_chunk_frame_save_failed(c);
	else if (burrow_cancel_overdue())
		take_apart(c);
	else if (timed_out(c) && !(c->array && c->nmembers > 1))
	{
		c->error->message = psprintf("handler was cancelled after %d ms", burrow_chunk_timeout_ms(c));
		burrow_chunk_frame_message_failed(c, c->current);
		run_messages(c, first, end, true);
	}
	else if (c->error->sqlerrcode == ERRCODE_QUERY_CANCELED && !timed_out(c))
	{
		burrow_chunk_frame_message_failed(c, c->current);
		c->stopped = true;
	}
	else if (c->nmembers == 1)
		burrow_chunk_frame_message_failed(c, first);
	else if (c->array)
		return divide(c, first, end);
	else
		run_messages(c, first, end, true);
	return end;
}

/* Those from first to before end that are not resolved, batch_size to a transaction or each alone. */
static void
run_messages(BurrowChunk *c, uint32 first, uint32 end, bool alone)
{
	uint32		size = alone ? 1 : c->header->batch_size;
	uint32		next;

	for (uint32 i = first; i < end; i = next)
	{
		next = i + 1;
		if (burrow_chunk_is_resolved(c, i))
			continue;
		if (!may_go_on(c) || !claim(c, i + 1))
			return;
		if (run_transaction(c, i, size < end - i ? i + size : end))
		{
			next = c->next;
			transaction_committed(c);
		}
		else
			next = transaction_failed(c, i, c->next);
	}
}

bool
burrow_chunk_run(BurrowWorker *w, const void *data, Size len)
{
	MemoryContext old = MemoryContextSwitchTo(w->chunk_cxt);
	ErrorContextCallback callback;
	BurrowChunk *c;
	bool		gone;

	c = burrow_chunk_frame_decode(w, data, len);
	callback.callback = burrow_chunk_context;
	callback.arg = c;
	callback.previous = error_context_stack;
	error_context_stack = &callback;

	burrow_worker_slot_set_hand(w->args.worker, c->topic, c->header->partition);
	burrow_cancel_begin_chunk();
	run_messages(c, 0, c->header->nmessages, false);
	burrow_worker_slot_set_hand(w->args.worker, NULL, 0);
	burrow_chunk_frame_send_result(c);
	burrow_cancel_end_chunk();

	error_context_stack = callback.previous;
	gone = c->gone || c->not_permitted;
	MemoryContextSwitchTo(old);
	MemoryContextReset(w->chunk_cxt);

	/* checked after the chunk too, so that the next one is not given to this process */
	if (GetUserId() != w->args.owner)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_ROLE_SPECIFICATION),
				 errmsg("handler of subscription \"%s\" has changed the current role", w->transport->setup->subscription),
				 errhint("Use SET LOCAL ROLE, or a function that is SECURITY DEFINER.")));
	return !gone;
}
