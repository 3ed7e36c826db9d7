/*
 * ceilings.c
 *	  What an administrator allows: how large, how much, how many.
 *
 * Whoever may execute burrow.subscribe() shares the server with others, so what he may take
 * of it has an upper end that is not his to set.  It is asked of new values: what was
 * allowed once goes on, and a superuser's own calls are bound by sizes and workers only.  The settings
 * can be set for one role or database, but for burrow.max_workers_per_subscription
 * and burrow.max_workers_per_role.
 *
 * Runs in: backends, and workers whose handler subscribes.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "miscadmin.h"

#include "api/ceilings.h"
#include "api/kafka_properties.h"
#include "burrow.h"
#include "catalog/size_text.h"
#include "compat.h"
#include "guc.h"
#include "shmem/groups.h"

/* Shared and private memory of one message in the window. */
#define WINDOW_BYTES	32

static void pg_attribute_noreturn()
refuse_size(const char *what, uint64 size)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("%s too large", what),
			 errdetail(UINT64_FORMAT " bytes were given, and at most %d kB are allowed.", size, burrow_max_options_size),
			 errhint("A superuser can raise burrow.max_options_size, also for one role.")));
	pg_unreachable();
}

void
burrow_ceilings_check_argument(const char *name, Datum value)
{
	Size		size = toast_raw_datum_size(value);

	if (size > (Size) burrow_max_options_size * 1024)
		refuse_size(psprintf("value of option \"%s\" is", name), size);
}

void
burrow_ceilings_check_options(const char *const *values)
{
	uint64		size = 0;

	for (int i = 0; i < BURROW_NOPTIONS; i++)
		size += values[i] != NULL ? strlen(values[i]) : 0;
	if (size > (uint64) burrow_max_options_size * 1024)
		refuse_size("options are together", size);
}

void
burrow_ceilings_check_workers(const char *const *values)
{
	const char *value = values[BURROW_OPTION_WORKERS];
	long		workers = strtol(value, NULL, 10);

	if (workers > burrow_max_workers)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\": \"%s\"", "workers", value),
				 errdetail("This server has room for %d workers of all subscriptions together.", burrow_max_workers),
				 errhint("Raise burrow.max_workers, and restart the server.")));
	if (burrow_max_workers_per_subscription >= 0 && workers > burrow_max_workers_per_subscription)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("invalid value for option \"%s\": \"%s\"", "workers", value),
				 errdetail("A subscription may have %d workers.", burrow_max_workers_per_subscription),
				 errhint("A superuser can raise burrow.max_workers_per_subscription.")));
	if (burrow_max_workers_per_role >= 0 && workers > burrow_max_workers_per_role)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("invalid value for option \"%s\": \"%s\"", "workers", value),
				 errdetail("All subscriptions of a role together may have %d workers.", burrow_max_workers_per_role),
				 errhint("A superuser can raise burrow.max_workers_per_role.")));
}

void
burrow_ceilings_check_memory(const char *const *values)
{
	int64		queue = burrow_size_text_parse(values[BURROW_OPTION_QUEUE_MEMORY]);
	int64		inflight = burrow_size_text_parse(values[BURROW_OPTION_MAX_INFLIGHT_BYTES]);
	int64		window = strtoll(values[BURROW_OPTION_WINDOW], NULL, 10) * WINDOW_BYTES;
	int64		fetch = burrow_kafka_properties_fetch_bytes(values[BURROW_OPTION_KAFKA], queue);
	int64		kilobytes = (queue + inflight + window + fetch + 1023) / 1024;

	if (superuser() || burrow_max_memory_per_subscription < 0 || kilobytes <= burrow_max_memory_per_subscription)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("subscription could take too much memory: " INT64_FORMAT " kB", kilobytes),
			 errdetail("At most %d kB are allowed. \"%s\" is %s, \"%s\" is %s, \"%s\" takes %lld kB, and one fetch %lld kB.",
					   burrow_max_memory_per_subscription,
					   "queue_memory", values[BURROW_OPTION_QUEUE_MEMORY],
					   "max_inflight_bytes", values[BURROW_OPTION_MAX_INFLIGHT_BYTES],
					   "window", (long long) (window + 1023) / 1024, (long long) (fetch + 1023) / 1024),
			 errhint("Lower these options. A superuser can raise burrow.max_memory_per_subscription, also for one role.")));
}

void
burrow_ceilings_check_subscriptions(Oid owner)
{
	if (superuser() || burrow_max_subscriptions_per_role < 0 ||
		burrow_groups_count(owner) <= burrow_max_subscriptions_per_role)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("too many subscriptions for role \"%s\"", GetUserNameFromId(owner, true)),
			 errdetail("A role may have %d subscriptions, in all databases together, disabled ones among them.",
					   burrow_max_subscriptions_per_role),
			 errhint("A superuser can raise burrow.max_subscriptions_per_role, also for one role.")));
}
