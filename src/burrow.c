/*
 * burrow.c
 *	  Loading of the library.
 *
 * Runs in: the postmaster, when it preloads the library, which is the only way in
 * which Burrow works: shared memory and the launcher are made at server start.
 * A backend that loads the library later gets functions that say so
 * (burrow_registry_require) and nothing else: no setting, no hook, no memory.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "storage/ipc.h"

#include "burrow.h"
#include "compat.h"
#include "guc.h"
#include "runtime/bgw.h"
#include "launcher/database_hooks.h"
#include "launcher/owner_hooks.h"
#include "shmem/registry.h"

BURROW_MODULE_MAGIC("burrow");

extern PGDLLEXPORT void _PG_init(void);

static shmem_request_hook_type prev_shmem_request_hook = NULL;
static shmem_startup_hook_type prev_shmem_startup_hook = NULL;

static void
request_shmem(void)
{
	if (prev_shmem_request_hook)
		prev_shmem_request_hook();
	burrow_registry_request_shmem();
}

static void
startup_shmem(void)
{
	if (prev_shmem_startup_hook)
		prev_shmem_startup_hook();
	burrow_registry_startup_shmem();
}

void
_PG_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;

	burrow_guc_define();
	prev_shmem_request_hook = shmem_request_hook;
	shmem_request_hook = request_shmem;
	prev_shmem_startup_hook = shmem_startup_hook;
	shmem_startup_hook = startup_shmem;
	burrow_database_hooks_install();
	burrow_owner_hooks_install();

	/* pg_upgrade must find a server in which nothing happens by itself. */
	if (IsBinaryUpgrade)
		return;
	burrow_bgw_register_launcher();
	burrow_has_exporter = burrow_metrics_listen[0] != '\0';
	if (burrow_has_exporter)
		burrow_bgw_register_exporter();
}
