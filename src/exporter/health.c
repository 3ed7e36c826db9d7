/*
 * health.c
 *	  Can consumers run in this server?
 *
 * Runs in: the exporter.
 * Locking: burrow->lock, shared, for a moment.
 */
#include "postgres.h"

#include "exporter/health.h"
#include "shmem/registry.h"

const char *
burrow_health_trouble(void)
{
	static const char *const reasons[] = {
		[BURROW_START_FREE] = NULL,
		[BURROW_START_NO_LAUNCHER] = "the launcher does not run: max_worker_processes had no place for it",
		[BURROW_START_LAUNCHER_GONE] = "the launcher does not run",
		[BURROW_START_CROWDED] = "no process can be started: max_worker_processes",
	};
	TimestampTz since;

	return reasons[burrow_registry_start_trouble(&since)];
}
