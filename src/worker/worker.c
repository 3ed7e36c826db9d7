/*
 * worker.c
 *	  A worker process: waits for chunks, runs them, leaves when its consumer does.
 *
 * Runs in: dynamic background workers, started by a subscription's consumer and
 * connected as the subscription's owner.
 * Owns: a worker slot, its end of two queues, and its lane.
 * Locking: none; see registry.h for the fields of the slot.
 *
 * The process is the owner's session in all that matters to a handler: role and
 * database settings apply, RESET SESSION AUTHORIZATION leads nowhere, and privileges
 * and row security are the owner's.  Only what protects Burrow's promises is set
 * here.
 *
 * It waits on its latch alone: a chunk, the consumer's end, a signal, a barrier all
 * set it.  The one timed wait is the flush of statistics, once after the last chunk.  But a chunk that the consumer
 * has announced is waited for without sleeping, for a moment: see wait_for_announced().
 */
#include "postgres.h"

#include <sched.h>

#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/procsignal.h"
#include "storage/sinval.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "burrow.h"
#include "compat.h"
#include "runtime/bgw.h"
#include "handler/cancel.h"
#include "shmem/wait_events.h"
#include "shmem/worker_slots.h"
#include "worker/chunk.h"

bool		burrow_am_worker = false;

/* Statistics that are not flushed yet wait this long for more. */
#define STATS_DELAY_MS		1000

/*
 * A session keeps what handlers leave behind: plans, caches of languages, temporary
 * tables.  A worker of this age leaves when it is idle, and the consumer starts
 * another; a chunk that was sent meanwhile goes to that one.
 */
#define MAX_AGE_US			USECS_PER_HOUR

/* So does one that has had a chunk of this size: its queue keeps the memory for it. */
#define LARGE_CHUNK			(64 * 1024 * 1024)

/* A chunk that is announced comes within this, or is waited for as any other. */
#define ANNOUNCED_US		100

static BurrowWorker worker;

/* ---- start ---- */

static void
set_up_session(const BurrowWorkerSetup *setup)
{
	static const char *const levels[] = {
		[SYNCHRONOUS_COMMIT_OFF] = "off",
		[SYNCHRONOUS_COMMIT_LOCAL_FLUSH] = "local",
		[SYNCHRONOUS_COMMIT_REMOTE_WRITE] = "remote_write",
		[SYNCHRONOUS_COMMIT_REMOTE_FLUSH] = "on",
		[SYNCHRONOUS_COMMIT_REMOTE_APPLY] = "remote_apply",
	};

	if (setup->synchronous_commit < 0 || setup->synchronous_commit >= (int) lengthof(levels))
		elog(ERROR, "unexpected synchronous_commit level %d", setup->synchronous_commit);
	SetConfigOption("synchronous_commit", levels[setup->synchronous_commit], PGC_SUSET, PGC_S_OVERRIDE);
	burrow_bgw_set_up_owner();
}

/* False: the consumer has ended since it started this worker, and its area with it. */
static bool
attach_area(BurrowWorker *w)
{
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

	PG_TRY();
	{
		w->area = dsa_attach(w->args.tracker_area);
		dsa_pin_mapping(w->area);
	}
	PG_CATCH();
	{
		/* there is no asking before */
		if (geterrcode() != ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE)
			PG_RE_THROW();
		LWLockReleaseAll();		/* the lock of an area that is being left */
		FlushErrorState();
		w->area = NULL;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	return w->area != NULL;
}

/*
 * Everything that may be missing because the consumer is gone comes before the slot:
 * a new consumer waits for as long as a slot is taken.  False: leave.
 */
static bool
attach(BurrowWorker *w)
{
	w->transport = burrow_transport_attach(w->args.segment);
	if (w->transport == NULL || !attach_area(w))
		return false;
	if (!burrow_worker_slot_attach(w->args.worker, w->args.generation))
		return false;
	w->slot = &burrow->workers[w->args.worker];
	return true;
}

static void
make_contexts(BurrowWorker *w)
{
	MemoryContext cxt = AllocSetContextCreate(TopMemoryContext, "burrow worker", ALLOCSET_SMALL_SIZES);

	w->chunk_cxt = AllocSetContextCreate(cxt, "burrow chunk", ALLOCSET_DEFAULT_SIZES);
	w->message_cxt = AllocSetContextCreate(cxt, "burrow message", ALLOCSET_DEFAULT_SIZES);
	w->handler_cxt = AllocSetContextCreate(cxt, "burrow handler", ALLOCSET_SMALL_SIZES);
}

/* ---- loop ---- */

/* What a backend does between two commands. */
static void
tend_session(void)
{
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
}

/*
 * The consumer has woken us for a chunk that it is about to send.  That takes it less than falling asleep and being woken
 * would take us; but it may have to wait for this processor, so that is offered.
 *
 * What sends the chunk sets the latch, too; so that is reset once more before the queue is looked at, or it would be looked at
 * again after the chunk.
 */
static void
wait_for_announced(const BurrowWorker *w)
{
	instr_time	began;
	instr_time	now;

	if (pg_atomic_read_u32(&w->slot->announced) == 0)
		return;
	INSTR_TIME_SET_CURRENT(began);
	do
	{
		(void) sched_yield();
		INSTR_TIME_SET_CURRENT(now);
		INSTR_TIME_SUBTRACT(now, began);
	} while (pg_atomic_read_u32(&w->slot->announced) != 0 && INSTR_TIME_GET_MICROSEC(now) < ANNOUNCED_US);
	ResetLatch(MyLatch);
}

/*
 * Nothing to do: sleeps until the latch is set.  The latch was reset before the
 * queue was looked at, so a chunk that has come since ends the sleep at once.
 */
static void
wait_for_work(void)
{
	bool		stats_pending;
	int			events;

	if (catchupInterruptPending)
	{
		/* a transaction, whose waits reset the latch: the queue is looked at once more */
		ProcessCatchupInterrupt();
		SetLatch(MyLatch);
	}
	pgstat_report_activity(STATE_IDLE, NULL);
	stats_pending = pgstat_report_stat(false) > 0;
	events = WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (stats_pending ? WL_TIMEOUT : 0),
					   STATS_DELAY_MS, burrow_wait_event(BURROW_WAIT_WORKER));
	if (events & WL_TIMEOUT)
		pgstat_report_stat(true);
}

/*
 * Returns when it is time to leave.
 *
 * After a chunk the queue is empty until its result was read, and nobody resets the latch
 * after the result was sent; so the worker sleeps without looking.  To look would tell the
 * consumer that its queue was read, a wake-up for nothing; but for a large chunk, whose
 * room the next one may need.
 */
static void
work(BurrowWorker *w)
{
	TimestampTz started_at = GetCurrentTimestamp();
	Size		room = w->transport->setup->queue_size;
	Size		largest = 0;

	for (;;)
	{
		Size		len;
		void	   *data;
		shm_mq_result r;

		ResetLatch(MyLatch);
		wait_for_announced(w);
		tend_session();
		r = shm_mq_receive(w->transport->chunks, &len, &data, true);
		if (r == SHM_MQ_DETACHED)
			return;
		if (r == SHM_MQ_SUCCESS)
		{
			if (!burrow_chunk_run(w, data, len))
				return;
			largest = Max(largest, len);
			pgstat_report_stat(false);
			if (len > room / 4)
				continue;
			tend_session();
		}
		if (largest >= LARGE_CHUNK || GetCurrentTimestamp() - started_at > MAX_AGE_US)
			return;
		wait_for_work();
	}
}

void
burrow_worker_main(Datum arg)
{
	BurrowWorker *w = &worker;

	memcpy(&w->args, MyBgworkerEntry->bgw_extra, sizeof(w->args));
	burrow_am_worker = true;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	pqsignal(SIGINT, burrow_cancel_signal);
	BackgroundWorkerUnblockSignals();

	BackgroundWorkerInitializeConnectionByOid(w->args.dboid, w->args.owner, 0);
	/* before the slot is taken: who fails here has failed to start */
	burrow_bgw_load_session_libraries();
	if (!attach(w))
		proc_exit(0);
	set_up_session(w->transport->setup);
	make_contexts(w);
	burrow_chunk_init(w);
	ereport(DEBUG1,
			(errmsg_internal("worker %d of subscription \"%s\" has started",
							 w->args.lane + 1, w->transport->setup->subscription)));

	work(w);
	proc_exit(0);
}
