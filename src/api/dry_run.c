/*
 * dry_run.c
 *	  burrow.dry_run()
 *
 * Starts a process that does it (dry_run/dry_run.c), and returns what that one sends (asked.c).
 *
 * Runs in: backends; refused in workers, whose handler's transaction it could wait for.
 */
#include "postgres.h"

#include "funcapi.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "api/asked.h"
#include "api/call.h"
#include "api/server_options.h"
#include "burrow.h"
#include "compat.h"
#include "runtime/bgw.h"
#include "dry_run/dry_run.h"
#include "shmem/registry.h"

PG_FUNCTION_INFO_V1(burrow_sql_dry_run);

#define NCOLUMNS		10

/*
 * A handler that waits for a lock of the caller's transaction would wait for ever, and no
 * deadlock would be found: the caller waits for no lock.
 */
static void
check_waits_for_us(BurrowAsked *asked, const void *arg)
{
	const BurrowSubscription *sub = arg;
	pid_t		pid;
	ArrayType  *blockers;

	if (GetBackgroundWorkerPid(asked->handle, &pid) != BGWH_STARTED)
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

static void
put_row(ReturnSetInfo *rsinfo, StringInfo answer, const void *arg)
{
	int32		partition = (int32) pq_getmsgint(answer, 4);
	int64		offset = pq_getmsgint64(answer);
	float8		ms = pq_getmsgfloat8(answer);
	char	   *texts[BURROW_DRY_RUN_TEXTS];
	Datum		values[NCOLUMNS];
	bool		nulls[NCOLUMNS] = {false};

	for (int i = 0; i < BURROW_DRY_RUN_TEXTS; i++)
		texts[i] = burrow_asked_text(answer);
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

/* ---- the function ---- */

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
	BurrowDryRunArgs args;
	BurrowAsked asked;
	BackgroundWorkerHandle *handle = NULL;
	bool		started;
	int			n;

	burrow_registry_require();
	if (burrow_am_worker)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot try a subscription inside a handler"),
				 errdetail("The message in hand could wait for itself.")));
	burrow_call_begin(&call, fcinfo, "burrow.dry_run()");
	n = burrow_call_required_count(&call, "n", BURROW_DRY_RUN_MAX);
	sub = find_subscription(&call);
	InitMaterializedSRF(fcinfo, 0);

	burrow_asked_open(&asked, "burrow.dry_run()", NULL);
	args = (BurrowDryRunArgs) {
		.dboid = MyDatabaseId,
			.owner = sub->owner,
			.subid = sub->subid,
			.n = n,
			.segment = dsm_segment_handle(asked.segment),
			.place = *asked.place,
	};
	started = burrow_bgw_start_dry_run(&args, sub->name, &handle);
	burrow_asked_started(&asked, started, handle);
	burrow_asked_take(&asked, (ReturnSetInfo *) fcinfo->resultinfo, put_row, check_waits_for_us, sub);
	return (Datum) 0;
}
