/*
 * bgw.c
 *	  Registers Burrow's background workers.
 *
 * Runs in: the postmaster (launcher), the launcher (discovery, consumers), a
 * consumer (workers), backends (dry runs, first looks).
 *
 * Arguments are a number in bgw_main_arg and a small struct in bgw_extra, never
 * pointers.  Dynamic workers are never restarted by the postmaster: who started
 * one decides, and is told of its start and end through its latch.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "burrow.h"
#include "compat.h"
#include "runtime/bgw.h"

/* Of static workers, after an error or a signal; never exit code 0, which would unregister them. */
#define RESTART_SECONDS	2

StaticAssertDecl(sizeof(BurrowConsumerArgs) <= BGW_EXTRALEN, "arguments do not fit");
StaticAssertDecl(sizeof(BurrowWorkerArgs) <= BGW_EXTRALEN, "arguments do not fit");
StaticAssertDecl(sizeof(BurrowDryRunArgs) <= BGW_EXTRALEN, "arguments do not fit");
StaticAssertDecl(sizeof(BurrowLookArgs) <= BGW_EXTRALEN, "arguments do not fit");

static void
fill(BackgroundWorker *worker, const char *type, const char *function)
{
	memset(worker, 0, sizeof(*worker));
	worker->bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker->bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker->bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker->bgw_library_name, BURROW_LIBRARY, sizeof(worker->bgw_library_name));
	strlcpy(worker->bgw_function_name, function, sizeof(worker->bgw_function_name));
	strlcpy(worker->bgw_type, type, sizeof(worker->bgw_type));
	strlcpy(worker->bgw_name, type, sizeof(worker->bgw_name));
}

/*
 * "<type> <name><suffix>"; when that is too long, the name is cut, between characters.  The launcher is in no database and
 * does not know the name's encoding: it gives one that is short enough.
 */
static void
set_name(BackgroundWorker *worker, const char *name, const char *suffix)
{
	int			room = (int) (sizeof(worker->bgw_name) - strlen(worker->bgw_type) - strlen(suffix) - 2);
	int			len = burrow_clip_length(name, (int) strlen(name), room);

	snprintf(worker->bgw_name, sizeof(worker->bgw_name), "%s %.*s%s",
			 worker->bgw_type, len, name, suffix);
}

/* The handle outlives whatever context the caller works in: it is freed by pfree(). */
static bool
start(BackgroundWorker *worker, BackgroundWorkerHandle **handle)
{
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
	bool		started;

	worker->bgw_notify_pid = MyProcPid;
	started = RegisterDynamicBackgroundWorker(worker, handle);
	MemoryContextSwitchTo(old);
	return started;
}

void
burrow_bgw_register_launcher(void)
{
	BackgroundWorker worker;

	fill(&worker, "burrow launcher", "burrow_launcher_main");
	worker.bgw_restart_time = RESTART_SECONDS;
	RegisterBackgroundWorker(&worker);
}

/*
 * It needs no database, and runs where no consumer does: on a standby, and while the server recovers.  Without a
 * setting there is none, so that nobody pays with one of max_worker_processes.
 */
void
burrow_bgw_register_exporter(void)
{
	BackgroundWorker worker;

	fill(&worker, "burrow exporter", "burrow_exporter_main");
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS;
	worker.bgw_start_time = BgWorkerStart_PostmasterStart;
	worker.bgw_restart_time = RESTART_SECONDS;
	RegisterBackgroundWorker(&worker);
}

bool
burrow_bgw_start_discovery(Oid dboid, BackgroundWorkerHandle **handle)
{
	BackgroundWorker worker;

	fill(&worker, "burrow discovery", "burrow_discovery_main");
	snprintf(worker.bgw_name, sizeof(worker.bgw_name), "burrow discovery in database %u", dboid);
	worker.bgw_main_arg = ObjectIdGetDatum(dboid);
	return start(&worker, handle);
}

bool
burrow_bgw_start_consumer(int slot, uint32 generation, Oid dboid, int32 subid,
						  const char *name, BackgroundWorkerHandle **handle)
{
	BackgroundWorker worker;
	BurrowConsumerArgs args = {.dboid = dboid, .subid = subid, .generation = generation};

	fill(&worker, "burrow consumer", "burrow_consumer_main");
	set_name(&worker, name, "");
	worker.bgw_main_arg = Int32GetDatum(slot);
	memcpy(worker.bgw_extra, &args, sizeof(args));
	return start(&worker, handle);
}

bool
burrow_bgw_start_worker(const BurrowWorkerArgs *args, const char *name, BackgroundWorkerHandle **handle)
{
	BackgroundWorker worker;
	char		suffix[16];

	fill(&worker, "burrow worker", "burrow_worker_main");
	snprintf(suffix, sizeof(suffix), " #%d", args->lane + 1);
	set_name(&worker, name, suffix);
	worker.bgw_main_arg = Int32GetDatum(args->worker);
	memcpy(worker.bgw_extra, args, sizeof(*args));
	return start(&worker, handle);
}

bool
burrow_bgw_start_dry_run(const BurrowDryRunArgs *args, const char *name, BackgroundWorkerHandle **handle)
{
	BackgroundWorker worker;

	fill(&worker, "burrow dry run", "burrow_dry_run_main");
	set_name(&worker, name, "");
	memcpy(worker.bgw_extra, args, sizeof(*args));
	return start(&worker, handle);
}

bool
burrow_bgw_start_first_look(const BurrowLookArgs *args, BackgroundWorkerHandle **handle)
{
	BackgroundWorker worker;

	fill(&worker, "burrow first look", "burrow_first_look_main");
	memcpy(worker.bgw_extra, args, sizeof(*args));
	return start(&worker, handle);
}

/*
 * pg_stat_activity has bgw_type, which is the same for all processes of a kind; the
 * name, with the subscription in it, would be seen by ps alone.
 */
static void
show_name(void)
{
	SetConfigOption("application_name", MyBgworkerEntry->bgw_name, PGC_USERSET, PGC_S_OVERRIDE);
}

/*
 * As AutoVacWorkerMain does: what somebody set for the database or the role must
 * neither redirect what Burrow's own code looks up nor end its transactions.
 */
void
burrow_bgw_set_overrides(void)
{
	static const char *const overrides[][2] = {
		{"search_path", ""},
		{"statement_timeout", "0"},
		{"lock_timeout", "0"},
		{"idle_in_transaction_session_timeout", "0"},
		BURROW_TRANSACTION_TIMEOUT_OVERRIDE
		{"default_transaction_isolation", "read committed"},
		{"default_transaction_read_only", "off"},
		{"default_transaction_deferrable", "off"},
		/* flushed here; a standby that is gone must not stop these processes */
		{"synchronous_commit", "local"},
	};

	for (int i = 0; i < lengthof(overrides); i++)
		SetConfigOption(overrides[i][0], overrides[i][1], PGC_SUSET, PGC_S_OVERRIDE);
	show_name();
}

/*
 * A background worker has the settings and does not act on them.  In a transaction, as
 * PostgreSQL does it for clients, since a library may read the catalog.
 */
void
burrow_bgw_load_session_libraries(void)
{
	if (session_preload_libraries_string[0] == '\0' && local_preload_libraries_string[0] == '\0')
		return;
	StartTransactionCommand();
	process_session_preload_libraries();
	CommitTransactionCommand();
}

void
burrow_bgw_set_up_owner(void)
{
	/* ALTER ROLE ... SET role: handlers run as the owner all the same */
	SetConfigOption("role", "none", PGC_SUSET, PGC_S_OVERRIDE);

	/* a chunk's transaction is ours to end, and a message has handler_timeout */
	if (BURROW_HAVE_TRANSACTION_TIMEOUT)
		SetConfigOption("transaction_timeout", "0", PGC_SUSET, PGC_S_OVERRIDE);
	show_name();
}
