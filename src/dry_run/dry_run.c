/*
 * dry_run.c
 *	  The process of a burrow.dry_run(): calls the handler for the messages that come next,
 *	  and rolls back.
 *
 * Runs in: a dynamic background worker for one call of the function, started by the backend
 * that called it and connected as the subscription's owner, as workers are.
 * Owns: the answers to that backend (answer.c).
 * Locking: none.
 *
 * A process of its own, because a backend must not have a Kafka client (its threads would
 * live on), and because the handler is to find what it finds in a worker: the owner's
 * session, and nothing of the caller's transaction.  Each message has a transaction of its
 * own, so that one's error does not hide the others'.  Before it is rolled back its deferred
 * constraints are checked, as a commit would.
 *
 * All messages are fetched before the first handler is called, so that no code of a
 * user's runs beside librdkafka's threads; hence the limit in bytes.
 *
 * It ends with the backend: by its SIGTERM, or when the queue says that it is gone.  What runs
 * then is rolled back like all the rest.  It always ends by _exit(), for the reason given in
 * consumer.c.
 */
#include "postgres.h"

#include <unistd.h>

#include "access/xact.h"
#include "commands/trigger.h"
#include "jit/jit.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "pgstat.h"
#include "portability/instr_time.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "burrow.h"
#include "compat.h"
#include "runtime/answer.h"
#include "runtime/bgw.h"
#include "runtime/trace.h"
#include "handler/cancel.h"
#include "handler/distributed.h"
#include "dry_run/dry_run.h"
#include "dry_run/fetch.h"
#include "handler/handler.h"

typedef struct DryRun
{
	BurrowDryRunArgs args;
	const BurrowSubscription *sub;
	MemoryContext cxt;			/* the messages' */
	MemoryContext message_cxt;	/* reset after each */
	const BurrowDryMessage *message;	/* in hand */
} DryRun;

static void
exit_at_once(int code, Datum arg)
{
	_exit(code);
}

/* ---- answers ---- */

static void
report_outcome(const BurrowDryMessage *message, double ms, const ErrorData *error)
{
	StringInfoData answer;

	burrow_answer_begin(&answer);
	pq_sendint32(&answer, message->partition);
	pq_sendint64(&answer, message->view.header->offset);
	pq_sendfloat8(&answer, ms);
	burrow_answer_put_text(&answer, message->topic);
	burrow_answer_put_text(&answer, error != NULL ? unpack_sql_state(error->sqlerrcode) : NULL);
	burrow_answer_put_text(&answer, error != NULL ? error->message : NULL);
	burrow_answer_put_text(&answer, error != NULL ? error->detail : NULL);
	burrow_answer_put_text(&answer, error != NULL ? error->hint : NULL);
	burrow_answer_put_text(&answer, error != NULL ? error->context : NULL);
	burrow_answer_send(&answer);
}

/* ---- a message ---- */

static void
error_context(void *arg)
{
	const DryRun *d = arg;

	if (burrow_cancel_timed_out())
		errcontext("handler_timeout of %lld ms",
				   (long long) ((d->sub->options.handler_timeout_us + 999) / 1000));
	burrow_trace_errcontext(&d->message->view);
	errcontext("handling message from topic \"%s\" partition %d offset %lld for subscription \"%s\"",
			   d->message->topic, d->message->partition,
			   (long long) d->message->view.header->offset, d->sub->name);
}

static double
elapsed_ms(const instr_time *since)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, *since);
	return INSTR_TIME_GET_MILLISEC(now);
}

/* As in a worker: chunk.c. */
static void
call_handler(DryRun *d, instr_time *since)
{
	const BurrowDryMessage *m = d->message;
	BurrowHandler *handler = burrow_handler_prepare(d->sub->handler, d->sub->handler_owner,
													d->args.owner, d->message_cxt);

	CHECK_FOR_INTERRUPTS();
	burrow_cancel_begin_call(d->sub->options.handler_timeout_us);
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(d->message_cxt);
	burrow_trace_begin(&m->view);
	INSTR_TIME_SET_CURRENT(*since);
	burrow_handler_call(handler, m->topic, strlen(m->topic), m->partition, &m->view, 1);
	burrow_cancel_end_call();
	PopActiveSnapshot();
}

/* SET CONSTRAINTS ALL IMMEDIATE: what would fail at the commit fails now. */
static void
check_constraints(void)
{
	ConstraintsSetStmt *all = makeNode(ConstraintsSetStmt);

	AfterTriggerSetState(all);
}

static void
roll_back(void)
{
	HOLD_INTERRUPTS();
	burrow_cancel_end_transaction();
	AbortOutOfAnyTransaction();
	FlushErrorState();
	RESUME_INTERRUPTS();
}

/* Nothing of it is left when the backend is told. */
static void
run_message(DryRun *d)
{
	ErrorContextCallback callback = {error_context_stack, error_context, d};
	ErrorData  *volatile error = NULL;
	volatile double ms = 0;
	instr_time	since;

	INSTR_TIME_SET_CURRENT(since);
	error_context_stack = &callback;
	PG_TRY();
	{
		burrow_cancel_begin_transaction();
		SetCurrentStatementStartTimestamp();
		StartTransactionCommand();
		burrow_distributed_begin();
		call_handler(d, &since);
		ms = elapsed_ms(&since);
		check_constraints();
	}
	PG_CATCH();
	{
		ms = ms > 0 ? ms : elapsed_ms(&since);
		MemoryContextSwitchTo(d->message_cxt);
		error = CopyErrorData();
	}
	PG_END_TRY();
	error_context_stack = callback.previous;
	roll_back();
	if (error != NULL)
		jit_reset_after_error();

	MemoryContextSwitchTo(d->message_cxt);
	report_outcome(d->message, ms, error);
	MemoryContextReset(d->message_cxt);
	pgstat_report_stat(false);
}

/* ---- the process ---- */

/* The subscription as it is now; it may be gone since the backend has looked. */
static const BurrowSubscription *
load_subscription(DryRun *d)
{
	BurrowSubscription *sub;
	bool		connects;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(d->cxt);
	sub = burrow_subscription_load(d->args.subid);
	connects = sub != NULL && burrow_subscription_find_server(sub);
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(d->cxt);
	if (sub == NULL || sub->owner != d->args.owner)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the subscription has been changed concurrently"),
				 errhint("Try again.")));
	if (!connects)
		burrow_server_raise(&sub->server_trouble);
	return sub;
}

static void
run(DryRun *d)
{
	List	   *messages;
	ListCell   *cell;

	d->sub = load_subscription(d);
	pgstat_report_activity(STATE_RUNNING, "fetching messages");
	messages = burrow_fetch_next_messages(d->sub, d->args.n);
	pgstat_report_activity(STATE_RUNNING, "calling the handler");
	foreach(cell, messages)
	{
		d->message = lfirst(cell);
		CHECK_FOR_INTERRUPTS();
		run_message(d);
	}
}

void
burrow_dry_run_main(Datum arg)
{
	static DryRun d;

	/* registered first, so run last */
	on_proc_exit(exit_at_once, 0);

	memcpy(&d.args, MyBgworkerEntry->bgw_extra, sizeof(d.args));
	burrow_am_worker = true;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	pqsignal(SIGINT, burrow_cancel_signal);
	BackgroundWorkerUnblockSignals();

	if (burrow_answer_attach(d.args.segment, &d.args.place) == NULL)
		proc_exit(0);
	BackgroundWorkerInitializeConnectionByOid(d.args.dboid, d.args.owner, 0);
	/* what is sent to the backend is read there as it is */
	SetClientEncoding(GetDatabaseEncoding());
	burrow_bgw_load_session_libraries();
	burrow_bgw_set_up_owner();
	burrow_cancel_init(NULL);
	d.cxt = AllocSetContextCreate(TopMemoryContext, "burrow dry run", ALLOCSET_DEFAULT_SIZES);
	d.message_cxt = AllocSetContextCreate(TopMemoryContext, "burrow message", ALLOCSET_DEFAULT_SIZES);

	run(&d);
	burrow_answer_end();
	proc_exit(0);
}
