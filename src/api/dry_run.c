/*
 * dry_run.c
 *	  burrow.dry_run()
 *
 * Starts a process that does it (dry_run/dry_run.c), and returns what that one sends.  It ends
 * with this call, however that ends: the segment with the queue is detached when the call's
 * resources are released or the backend exits, and with it goes the process.
 *
 * Runs in: backends; refused in workers, whose handler's transaction it could wait for.
 * Owns: the segment, and the receiver's end of the queue in it.
 */
#include "postgres.h"

#include "funcapi.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "libpq/pqmq.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/dsm.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/shm_mq.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "api/call.h"
#include "api/server_options.h"
#include "burrow.h"
#include "compat.h"
#include "runtime/bgw.h"
#include "dry_run/dry_run.h"
#include "shmem/registry.h"

PG_FUNCTION_INFO_V1(burrow_sql_dry_run);

#define QUEUE_SIZE		(64 * 1024)

/* No answer for so long: does the handler wait for us? */
#define LOCK_LOOK_MS	1000

#define NCOLUMNS		10

/* ---- the process ---- */

static void
end_process(dsm_segment *segment, Datum handle)
{
	TerminateBackgroundWorker((BackgroundWorkerHandle *) DatumGetPointer(handle));
	pfree(DatumGetPointer(handle));
}

static BackgroundWorkerHandle *
start_process(const BurrowSubscription *sub, int n, dsm_segment *segment)
{
	BackgroundWorkerHandle *handle;
	MemoryContext old;
	bool		started;
	BurrowDryRunArgs args = {
		.dboid = MyDatabaseId,
		.owner = sub->owner,
		.subid = sub->subid,
		.n = n,
		.segment = dsm_segment_handle(segment),
	};

	/* after an error the executor's memory is gone before the segment is */
	old = MemoryContextSwitchTo(TopMemoryContext);
	started = burrow_bgw_start_dry_run(&args, sub->name, &handle);
	MemoryContextSwitchTo(old);
	if (!started)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("could not start a process for burrow.dry_run()"),
				 errdetail("No background worker slot is free."),
				 errhint("Consider increasing the configuration parameter \"max_worker_processes\".")));
	on_dsm_detach(segment, end_process, PointerGetDatum(handle));
	return handle;
}

/*
 * A handler that waits for a lock of the caller's transaction would wait for ever, and no
 * deadlock would be found: the caller waits for no lock.
 */
static void
check_waits_for_us(BackgroundWorkerHandle *handle, const BurrowSubscription *sub)
{
	pid_t		pid;
	ArrayType  *blockers;

	if (GetBackgroundWorkerPid(handle, &pid) != BGWH_STARTED)
		return;
	blockers = DatumGetArrayTypeP(DirectFunctionCall1(pg_blocking_pids, Int32GetDatum((int32) pid)));
	for (int i = 0; i < ArrayGetNItems(ARR_NDIM(blockers), ARR_DIMS(blockers)); i++)
	{
		if (((int32 *) ARR_DATA_PTR(blockers))[i] == MyProcPid)
			ereport(ERROR,
					(errcode(ERRCODE_T_R_DEADLOCK_DETECTED),
					 errmsg("the handler of subscription \"%s\" waits for a lock that this transaction holds", sub->name),
					 errhint("Use burrow.dry_run() in a transaction of its own.")));
	}
}

/* ---- its answers ---- */

static char *
get_text(StringInfo answer)
{
	int			len = (int) pq_getmsgint(answer, 4);
	char	   *text;

	if (len < 0)
		return NULL;
	text = palloc(len + 1);
	pq_copymsgbytes(answer, text, len);
	text[len] = '\0';
	return text;
}

static void
put_row(ReturnSetInfo *rsinfo, StringInfo answer)
{
	int32		partition = (int32) pq_getmsgint(answer, 4);
	int64		offset = pq_getmsgint64(answer);
	float8		ms = pq_getmsgfloat8(answer);
	char	   *texts[BURROW_DRY_RUN_TEXTS];
	Datum		values[NCOLUMNS];
	bool		nulls[NCOLUMNS] = {false};

	for (int i = 0; i < BURROW_DRY_RUN_TEXTS; i++)
		texts[i] = get_text(answer);
	values[0] = CStringGetTextDatum(texts[0]);
	values[1] = Int32GetDatum(partition);
	values[2] = Int64GetDatum(offset);
	values[3] = CStringGetTextDatum(texts[1] == NULL ? "ok" : "failed");
	values[4] = Float8GetDatum(ms);
	for (int i = 1; i < BURROW_DRY_RUN_TEXTS; i++)
	{
		nulls[4 + i] = texts[i] == NULL;
		values[4 + i] = texts[i] != NULL ? CStringGetTextDatum(texts[i]) : (Datum) 0;
	}
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* False: it was the last one. */
static bool
take_answer(ReturnSetInfo *rsinfo, const void *data, Size len)
{
	StringInfoData answer;
	ErrorData	error;
	int			type;

	initStringInfo(&answer);
	appendBinaryStringInfo(&answer, data, (int) len);
	type = pq_getmsgbyte(&answer);
	switch (type)
	{
		case BURROW_DRY_RUN_OUTCOME:
			put_row(rsinfo, &answer);
			break;
		case BURROW_DRY_RUN_END:
			return false;
		case 'N':
		case 'E':
			pq_parse_errornotice(&answer, &error);
			error.elevel = Min(error.elevel, ERROR);
			ThrowErrorData(&error);
			break;
		default:
			elog(ERROR, "unexpected answer of type %d", type);
	}
	pfree(answer.data);
	return true;
}

static void
take_answers(ReturnSetInfo *rsinfo, shm_mq_handle *queue, BackgroundWorkerHandle *handle,
			 const BurrowSubscription *sub)
{
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "burrow answer", ALLOCSET_DEFAULT_SIZES);

	for (;;)
	{
		Size		len;
		void	   *data;
		MemoryContext old;
		bool		more;

		CHECK_FOR_INTERRUPTS();
		switch (shm_mq_receive(queue, &len, &data, true))
		{
			case SHM_MQ_SUCCESS:
				old = MemoryContextSwitchTo(cxt);
				more = take_answer(rsinfo, data, len);
				MemoryContextSwitchTo(old);
				MemoryContextReset(cxt);
				if (!more)
					return;
				break;
			case SHM_MQ_WOULD_BLOCK:
				if (WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
							  LOCK_LOOK_MS, PG_WAIT_EXTENSION) & WL_TIMEOUT)
					check_waits_for_us(handle, sub);
				ResetLatch(MyLatch);
				break;
			case SHM_MQ_DETACHED:
				ereport(ERROR,
						(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						 errmsg("the process of burrow.dry_run() has ended unexpectedly"),
						 errhint("The server log may say more.")));
		}
	}
}

/* ---- the function ---- */

static int
wanted(const BurrowCall *call)
{
	int			n = DatumGetInt32(burrow_call_required(call, "n"));

	if (n < 1 || n > BURROW_DRY_RUN_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\": \"%d\"", "n", n),
				 errdetail("Valid values are integers from 1 to %d.", BURROW_DRY_RUN_MAX)));
	return n;
}

static const BurrowSubscription *
find_subscription(const BurrowCall *call)
{
	const BurrowSubscription *sub = burrow_call_subscription(burrow_call_required_text(call, "subscription"), false);

	if (sub->changed_here)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot try subscription \"%s\" in the transaction that changed it", sub->name),
				 errdetail("The change takes effect when the transaction commits.")));
	burrow_server_options_check_use(sub->owner, sub->options.server);
	burrow_call_check_owner(sub);
	return sub;
}

Datum
burrow_sql_dry_run(PG_FUNCTION_ARGS)
{
	BurrowCall	call;
	const BurrowSubscription *sub;
	dsm_segment *segment;
	shm_mq	   *mq;
	shm_mq_handle *queue;
	BackgroundWorkerHandle *handle;
	int			n;

	burrow_registry_require();
	if (burrow_am_worker)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot try a subscription inside a handler"),
				 errdetail("The message in hand could wait for itself.")));
	burrow_call_begin(&call, fcinfo, "burrow.dry_run()");
	n = wanted(&call);
	sub = find_subscription(&call);
	InitMaterializedSRF(fcinfo, 0);

	segment = dsm_create(QUEUE_SIZE, 0);
	mq = shm_mq_create(dsm_segment_address(segment), QUEUE_SIZE);
	shm_mq_set_receiver(mq, MyProc);
	queue = shm_mq_attach(mq, segment, NULL);
	handle = start_process(sub, n, segment);
	shm_mq_set_handle(queue, handle);

	take_answers((ReturnSetInfo *) fcinfo->resultinfo, queue, handle, sub);
	/* its slot is free for the next call */
	(void) WaitForBackgroundWorkerShutdown(handle);
	dsm_detach(segment);
	return (Datum) 0;
}
