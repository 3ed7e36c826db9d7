/*
 * call.c
 *	  What the SQL functions that change subscriptions have in common.
 *
 * Arguments are found by their names in pg_proc, so that neither their order in
 * burrow.sql nor in the option table matters.
 *
 * Locking: burrow->lock, shared, to count slots.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_proc.h"
#include "commands/dbcommands.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "api/call.h"
#include "api/ceilings.h"
#include "api/kafka_properties.h"
#include "burrow.h"
#include "catalog/access.h"
#include "catalog/names.h"
#include "catalog/nearest.h"
#include "catalog/owner.h"
#include "catalog/size_text.h"
#include "compat.h"
#include "guc.h"
#include "shmem/registry.h"
#include "shmem/subscription_slots.h"

static void
find_arguments(BurrowCall *call, FunctionCallInfo fcinfo)
{
	HeapTuple	tuple;
	char	   *modes;

	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(fcinfo->flinfo->fn_oid));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", fcinfo->flinfo->fn_oid);
	call->fcinfo = fcinfo;
	call->nargs = get_func_arg_info(tuple, &call->types, &call->names, &modes);
	ReleaseSysCache(tuple);
}

void
burrow_call_begin(BurrowCall *call, FunctionCallInfo fcinfo, const char *function)
{
	burrow_call_begin_any_version(call, fcinfo, function);
	burrow_access_check_version();
}

void
burrow_call_begin_any_version(BurrowCall *call, FunctionCallInfo fcinfo, const char *function)
{
	burrow_registry_require();
	PreventCommandIfReadOnly(function);
	find_arguments(call, fcinfo);
}

void
burrow_call_begin_reading(BurrowCall *call, FunctionCallInfo fcinfo)
{
	burrow_registry_require();
	find_arguments(call, fcinfo);
	burrow_access_check_version();
}

bool
burrow_call_argument(const BurrowCall *call, const char *name, Datum *value)
{
	for (int i = 0; i < call->nargs; i++)
	{
		if (strcmp(call->names[i], name) == 0)
		{
			*value = call->fcinfo->args[i].value;
			if (call->fcinfo->args[i].isnull)
				return false;
			if (get_typlen(call->types[i]) == -1)
				burrow_ceilings_check_argument(name, *value);
			return true;
		}
	}
	elog(ERROR, "function %u has no argument \"%s\"", call->fcinfo->flinfo->fn_oid, name);
}

char *
burrow_call_text(const BurrowCall *call, const char *name)
{
	Datum		value;

	return burrow_call_argument(call, name, &value) ? TextDatumGetCString(value) : NULL;
}

Datum
burrow_call_required(const BurrowCall *call, const char *name)
{
	Datum		value;

	if (!burrow_call_argument(call, name, &value))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("option \"%s\" must not be NULL", name)));
	return value;
}

char *
burrow_call_required_text(const BurrowCall *call, const char *name)
{
	return TextDatumGetCString(burrow_call_required(call, name));
}

int
burrow_call_required_count(const BurrowCall *call, const char *name, int most)
{
	int			n = DatumGetInt32(burrow_call_required(call, name));

	if (n < 1 || n > most)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\": \"%d\"", name, n),
				 errdetail("Valid values are integers from 1 to %d.", most)));
	return n;
}

/* Said by somebody else, it could be waiting for a superuser to become the owner. */
static void
check_run_as_owner(const char *value)
{
	if (strcmp(value, "true") != 0 || superuser())
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied to set option \"%s\"", burrow_options[BURROW_OPTION_RUN_AS_OWNER].name),
			 errdetail("Only superusers may set it: it is about what runs with their rights."),
			 errhint("Leave it out: a handler runs as the subscription's owner anyway.")));
}

void
burrow_call_options(const BurrowCall *call, const char **values)
{
	bool		given[BURROW_NOPTIONS];

	for (int i = 0; i < BURROW_NOPTIONS; i++)
	{
		Datum		value;

		given[i] = burrow_call_argument(call, burrow_options[i].name, &value);
		if (given[i])
			values[i] = burrow_option_from_datum(&burrow_options[i], value);
	}
	burrow_options_check(values);

	/* What depends on this server is asked of new values only. */
	burrow_ceilings_check_options(values);
	if (given[BURROW_OPTION_WORKERS])
		burrow_ceilings_check_workers(values);
	if (given[BURROW_OPTION_RUN_AS_OWNER])
		check_run_as_owner(values[BURROW_OPTION_RUN_AS_OWNER]);
	if (given[BURROW_OPTION_KAFKA])
		burrow_kafka_properties_check(values[BURROW_OPTION_KAFKA], burrow_size_text_parse(values[BURROW_OPTION_QUEUE_MEMORY]));
	if (given[BURROW_OPTION_QUEUE_MEMORY] || given[BURROW_OPTION_MAX_INFLIGHT_BYTES] ||
		given[BURROW_OPTION_WINDOW] || given[BURROW_OPTION_KAFKA])
		burrow_ceilings_check_memory(values);
}

const char *
burrow_call_shown_value(int option, const char *const *values)
{
	return option == BURROW_OPTION_KAFKA && values[option] != NULL ?
		burrow_kafka_properties_mask(values[option]) : values[option];
}

/* ---------------------------------------------------------------- subscriptions */

void
burrow_call_subscription_missing(const char *name)
{
	BurrowNearest nearest;
	ListCell   *cell;

	burrow_nearest_init(&nearest, name);
	foreach(cell, burrow_identity_list())
	{
		const BurrowIdentity *sub = lfirst(cell);

		if (has_privs_of_role(GetUserId(), sub->owner))
			burrow_nearest_offer(&nearest, sub->name);
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("subscription \"%s\" does not exist", burrow_option_clip(name)),
			 nearest.best != NULL ?
			 errhint("Perhaps you meant \"%s\".", nearest.best) :
			 errhint("The view burrow.subscriptions lists the subscriptions of this database.")));
	pg_unreachable();
}

static void
check_owner(const char *name, Oid owner)
{
	if (!has_privs_of_role(GetUserId(), owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of subscription \"%s\"", name)));
}

BurrowSubscription *
burrow_call_subscription(const char *name, bool lock)
{
	BurrowSubscription *sub = burrow_subscription_find(name, lock);

	if (sub == NULL)
		burrow_call_subscription_missing(name);
	check_owner(name, sub->owner);
	return sub;
}

BurrowIdentity *
burrow_call_identity(const char *name)
{
	BurrowIdentity *sub = burrow_identity_find(name, true);

	if (sub == NULL)
		burrow_call_subscription_missing(name);
	check_owner(name, sub->owner);
	return sub;
}

void
burrow_call_check_topic(const char *topic)
{
	const char *detail;

	if (!burrow_name_is_topic_or_pattern(topic, &detail))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\": \"%s\"", "topic", burrow_option_clip(topic)),
				 errdetail_internal("%s", detail),
				 topic[0] == '^' ? errhint(BURROW_PATTERN_ALLOWED) : 0));
}

/* A message that fails must not come back as one that fails. */
void
burrow_call_check_dead_letter_topic(const char *topic, const char *dead_letter_topic)
{
	if (dead_letter_topic == NULL || !burrow_name_matches(topic, dead_letter_topic))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for option \"%s\": \"%s\"", "dead_letter_topic", dead_letter_topic),
			 errdetail("The subscription consumes this topic: it consumes \"%s\".", topic),
			 errhint("Name another topic; or, where a regular expression is consumed, one that it does not match.")));
}

/* ---------------------------------------------------------------- surroundings */

void
burrow_call_check_owner(const BurrowSubscription *sub)
{
	BurrowSubscription asked = *sub;
	BurrowOwnerTrouble trouble;

	burrow_options_decode(sub->values, &asked.options);
	if (burrow_owner_may_run(&asked, &trouble))
		return;
	ereport(ERROR,
			(errcode(trouble.sqlerrcode),
			 errmsg_internal("%s", trouble.message),
			 trouble.detail != NULL ? errdetail_internal("%s", trouble.detail) : 0,
			 errhint("This mends it: %s", trouble.statement)));
}

/*
 * Subscriptions of this database that have no slot yet will need one as soon as
 * their transactions have committed, and this transaction may have made several.
 */
void
burrow_call_check_slot(int32 subid)
{
	List	   *subscriptions = burrow_identity_list();
	int			nfree = burrow_subscription_slots_free();
	int			nmissing = 0;
	bool		missing = false;
	ListCell   *cell;

	LWLockAcquire(burrow->lock, LW_SHARED);
	foreach(cell, subscriptions)
	{
		const BurrowIdentity *sub = lfirst(cell);

		if ((burrow_identity_rests(sub) && sub->subid != subid) || burrow_registry_find(MyDatabaseId, sub->subid) >= 0)
			continue;
		nmissing++;
		missing |= sub->subid == subid;
	}
	LWLockRelease(burrow->lock);

	if (missing && nmissing > nfree)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("too many subscriptions"),
				 errdetail("This server has room for %d subscriptions.", burrow_max_subscriptions),
				 errhint("Raise burrow.max_subscriptions, and restart the server.")));
}

void
burrow_call_warn_not_started(const char *subscription)
{
	TimestampTz since;
	BurrowStartTrouble trouble = burrow_registry_start_trouble(&since);

	/* a launcher that has ended will be back in a moment */
	if (!burrow_enabled || trouble == BURROW_START_FREE || trouble == BURROW_START_LAUNCHER_GONE)
		return;
	ereport(WARNING,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("subscription \"%s\" cannot be started now", subscription),
			 trouble == BURROW_START_NO_LAUNCHER ?
			 errdetail("The launcher does not run.") :
			 errdetail("No background worker slot is free."),
			 errhint("Increase max_worker_processes and restart the server.")));
}

void
burrow_call_change_row(const char *sql, int nargs, Oid *types, Datum *values)
{
	BurrowCatalogAccess access;

	if (!burrow_access_begin(&access))
		elog(ERROR, "could not find extension \"%s\"", BURROW_EXTENSION);
	if (SPI_execute_with_args(sql, nargs, types, values, NULL, false, 0) < 0 || SPI_processed != 1)
		elog(ERROR, "could not change the row of a subscription");
	burrow_access_end(&access);
	burrow_registry_wake_at_commit();
}
