/*
 * cancel.c
 *	  What cancels a worker's transaction before its end.
 *
 * Runs in: workers and processes of burrow.dry_run(), half of it in signal handlers.
 * Owns: the phase of this process, and its timers.
 * Locking: none.  What a signal handler shares with the rest is volatile.
 *
 * A cancel sets QueryCancelPending, as in any backend, and so can be swallowed by a
 * handler (EXCEPTION WHEN query_canceled).  Then it has done what it was asked for, if
 * somebody has asked; but nobody has asked a message to give way to others, so what
 * a handler does instead must have no effect, and that is known by a flag of its own.
 *
 * Nothing here is set again and again: a transaction's patience ends once, and each
 * timer is one of PostgreSQL's own, which cost a system call a second, not a message.
 */
#include "postgres.h"

#include <signal.h>

#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/timeout.h"

#include "handler/cancel.h"

static BurrowWorkerSlot *my_slot;	/* NULL: none, or none yet */
static TimeoutId call_timer;
static TimeoutId max_wait_timer;
static bool call_timer_runs;
static bool max_wait_timer_runs;

/* Shared with signal handlers. */
static volatile sig_atomic_t phase = BURROW_WORKER_IDLE;
static volatile sig_atomic_t stopped;	/* cancelled between two transactions */
static volatile sig_atomic_t timed_out; /* the call, by handler_timeout */
static volatile sig_atomic_t overdue;	/* the transaction, for others of it */
static volatile uint64 meant_attempt;	/* that QueryCancelPending is for; 0: any */

/* In a signal handler. */
static void
cancel(uint64 attempt)
{
	meant_attempt = attempt;
	InterruptPending = true;
	QueryCancelPending = true;
}

/*
 * SIGINT.  A consumer writes which attempt it means; then only that one is cancelled,
 * however late the signal comes.  Without a number it is for what runs now.  The number
 * is taken away, so that the next signal without one is not mistaken.
 */
void
burrow_cancel_signal(SIGNAL_ARGS)
{
	int			save_errno = errno;
	uint64		meant = my_slot != NULL ? pg_atomic_exchange_u64(&my_slot->cancel, 0) : 0;

	if (phase == BURROW_WORKER_RUNNING && (meant == 0 || meant == pg_atomic_read_u64(&my_slot->attempts)))
		cancel(meant);
	else if (phase == BURROW_WORKER_BETWEEN && meant == 0)
		stopped = true;

	SetLatch(MyLatch);
	errno = save_errno;
}

/* As if somebody had cancelled what runs. */
static void
call_timed_out(void)
{
	if (phase != BURROW_WORKER_RUNNING)
		return;
	timed_out = true;
	cancel(0);
	SetLatch(MyLatch);
}

static void
max_wait_is_over(void)
{
	if (phase != BURROW_WORKER_RUNNING)
		return;
	overdue = true;
	cancel(0);
	SetLatch(MyLatch);
}

void
burrow_cancel_init(BurrowWorkerSlot *slot)
{
	my_slot = slot;
	max_wait_timer = RegisterTimeout(USER_TIMEOUT, max_wait_is_over);
	call_timer = RegisterTimeout(USER_TIMEOUT, call_timed_out);
}

static void
start(TimeoutId timer, bool *runs, int64 delay_us)
{
	enable_timeout_after(timer, (int) Min((delay_us + 999) / 1000, (int64) INT_MAX));
	*runs = true;
}

static void
stop(TimeoutId timer, bool *runs)
{
	if (*runs)
		disable_timeout(timer, false);
	*runs = false;
}

/* ---- phases ---- */

BurrowWorkerPhase
burrow_cancel_phase(void)
{
	return phase;
}

void
burrow_cancel_begin_chunk(void)
{
	stopped = false;
	phase = BURROW_WORKER_BETWEEN;
}

void
burrow_cancel_end_chunk(void)
{
	phase = BURROW_WORKER_IDLE;
}

bool
burrow_cancel_stopped(void)
{
	return stopped;
}

void
burrow_cancel_begin_transaction(void)
{
	meant_attempt = 0;
	timed_out = false;
	overdue = false;
	phase = BURROW_WORKER_RUNNING;
}

void
burrow_cancel_end_transaction(void)
{
	stop(call_timer, &call_timer_runs);
	stop(max_wait_timer, &max_wait_timer_runs);
	phase = BURROW_WORKER_BETWEEN;
	QueryCancelPending = false;
}

void
burrow_cancel_begin_attempt(uint64 attempt)
{
	if (meant_attempt != 0 && meant_attempt != attempt)
		QueryCancelPending = false;
}

/* ---- patience ---- */

void
burrow_cancel_begin_max_wait(int64 max_wait_us)
{
	start(max_wait_timer, &max_wait_timer_runs, max_wait_us);
}

void
burrow_cancel_end_max_wait(void)
{
	stop(max_wait_timer, &max_wait_timer_runs);
}

bool
burrow_cancel_overdue(void)
{
	return overdue;
}

/* ---- handler_timeout ---- */

void
burrow_cancel_begin_call(int64 timeout_us)
{
	timed_out = false;
	if (timeout_us > 0)
		start(call_timer, &call_timer_runs, timeout_us);
}

/*
 * A time-out that came too late to interrupt the call must not hit the next message; a
 * cancel that somebody asked for in the same moment goes with it, and finds its message
 * done.
 */
void
burrow_cancel_end_call(void)
{
	if (!call_timer_runs)
		return;
	stop(call_timer, &call_timer_runs);
	if (timed_out)
	{
		timed_out = false;
		QueryCancelPending = false;
	}
}

bool
burrow_cancel_timed_out(void)
{
	return timed_out;
}
