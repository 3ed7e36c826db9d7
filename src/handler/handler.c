/*
 * handler.c
 *	  The prepared handler: made ready once, called for every message.
 *
 * Runs in: workers and processes of burrow.dry_run(), in a transaction.
 * Owns: what is made ready, in the memory context that the caller gives.
 *
 * A prepared handler goes stale when a catalog row that it rests on is
 * invalidated: its function, the roles, the schemas, the message's types.  It has
 * to go then as a whole, FmgrInfo included: fmgr_security_definer keeps the owner
 * and the settings of a SECURITY DEFINER function for ever.  For the same reason
 * the caller drops it after every error.
 *
 * The function is looked up by its signature, not by a stored OID: one that was
 * dropped and created anew is found again.  So that nobody gets code of his run as
 * the subscription's owner by taking a name that became free, the new one must
 * belong to somebody who could do that before.
 */
#include "postgres.h"

#include "catalog/objectaccess.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_proc.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/acl.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "compat.h"
#include "handler/handler.h"
#include "handler/handler_arrays.h"
#include "handler/handler_lookup.h"
#include "handler/handler_message.h"
#include "handler/handler_values.h"

struct BurrowHandler
{
	BurrowHandlerPlan plan;
	BurrowMessageLayout layout;
	uint64		changes;		/* value of the counter below when it was made */
	FmgrInfo	function;
	FunctionCallInfo call;
	bool		converting;		/* messages' values become arguments */
	int			converted;		/* which message's, of a call's */
};

/*
 * Invalidations that concern a handler, and what the last one prepared watches.  A
 * handler that creates temporary tables invalidates rows of pg_type all the time:
 * so types and functions are told apart by their hash values, as the plan cache does.
 */
static uint64 changes = 0;
static uint32 watched_function = 0;
static uint32 watched_types[2];

static void
record_change(Datum arg, int cacheid, uint32 hashvalue)
{
	/* a hash value of 0 stands for all of the cache */
	if (cacheid == PROCOID && hashvalue != 0 && hashvalue != watched_function)
		return;
	if (cacheid == TYPEOID && hashvalue != 0 &&
		hashvalue != watched_types[0] && hashvalue != watched_types[1])
		return;
	changes++;
}

static void
watch_catalogs(void)
{
	static bool watching = false;

	if (watching)
		return;
	CacheRegisterSyscacheCallback(PROCOID, record_change, (Datum) 0);
	CacheRegisterSyscacheCallback(TYPEOID, record_change, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHOID, record_change, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHMEMMEMROLE, record_change, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, record_change, (Datum) 0);
	watching = true;
}

/* A function found again must belong to somebody who was trusted when it was subscribed. */
static void
check_owner(const BurrowHandlerPlan *plan, const char *signature, Oid recorded_owner, Oid subscription_owner)
{
	if (plan->owner == recorded_owner || plan->owner == subscription_owner || superuser_arg(plan->owner))
		return;
	ereport(ERROR,
			errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
			errmsg("function %s is now owned by role \"%s\"", signature, GetUserNameFromId(plan->owner, false)),
			errdetail("When the subscription was made, its owner was \"%s\".",
					  OidIsValid(recorded_owner) && GetUserNameFromId(recorded_owner, true) != NULL ?
					  GetUserNameFromId(recorded_owner, true) : "unknown"),
			errhint("If this function is the one that you want, give it to the subscription again with burrow.alter()."));
}

/*
 * The catalogs are watched before they are read, so that no change in between is
 * missed; the name is resolved before that, because the function's OID is what is
 * watched, and a function dropped since is not there when it is read.
 */
BurrowHandler *
burrow_handler_prepare(const char *signature, Oid recorded_owner, Oid subscription_owner, MemoryContext cxt)
{
	MemoryContext old = MemoryContextSwitchTo(cxt);
	BurrowHandler *h = palloc0(sizeof(BurrowHandler));
	BurrowMessageTypes types;
	Oid			funcoid;

	watch_catalogs();
	h->changes = changes;
	burrow_handler_lookup_types(&types);
	watched_types[0] = GetSysCacheHashValue1(TYPEOID, ObjectIdGetDatum(types.message));
	watched_types[1] = GetSysCacheHashValue1(TYPEOID, ObjectIdGetDatum(types.header));

	funcoid = burrow_handler_lookup_signature(signature);
	if (!OidIsValid(funcoid))
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_FUNCTION),
				errmsg("function %s does not exist", signature),
				errhint("Create it again, or give the subscription another handler with burrow.alter()."));
	watched_function = GetSysCacheHashValue1(PROCOID, ObjectIdGetDatum(funcoid));

	burrow_handler_lookup_plan(funcoid, &types, &h->plan);
	check_owner(&h->plan, signature, recorded_owner, subscription_owner);
	burrow_handler_lookup_require_execute(funcoid);
	InvokeFunctionExecuteHook(funcoid);

	burrow_handler_values_layout(&types, &h->layout);
	fmgr_info_cxt(funcoid, &h->function, cxt);
	h->call = palloc0(SizeForFunctionCallInfo(h->plan.nargs));
	InitFunctionCallInfoData(*h->call, &h->function, h->plan.nargs, DEFAULT_COLLATION_OID, NULL, NULL);

	MemoryContextSwitchTo(old);
	return h;
}

bool
burrow_handler_stale(const BurrowHandler *h)
{
	return h->changes != changes;
}

bool
burrow_handler_takes_chunk(const BurrowHandler *h)
{
	return h->plan.form == BURROW_HANDLER_ARRAY || h->plan.form == BURROW_HANDLER_FIELDS;
}

bool
burrow_handler_is_converting(const BurrowHandler *h)
{
	return h->converting;
}

int
burrow_handler_converted(const BurrowHandler *h)
{
	return h->converted;
}

/* Calls the function with the arguments that are in h->call; what it returns is ignored. */
static void
call_function(BurrowHandler *h)
{
	PgStat_FunctionCallUsage usage;

	h->converting = false;
	h->call->isnull = false;
	pgstat_init_function_usage(h->call, &usage);
	(void) FunctionCallInvoke(h->call);
	pgstat_end_function_usage(&usage, true);
}

/* What is being converted; of which message is h->converted. */
typedef struct Conversion
{
	const BurrowHandler *h;
	BurrowField field;
	const BurrowMessageView *messages;
} Conversion;

static void
argument_context(void *arg)
{
	const Conversion *conversion = arg;

	burrow_handler_values_hint(&conversion->messages[conversion->h->converted], conversion->field);
	errcontext("argument \"%s\"", burrow_handler_lookup_field_name(conversion->field));
}

/* Fills in the arguments of the forms NAMED, VALUE and FIELDS; true if one is NULL. */
static bool
fill_arguments(BurrowHandler *h, BurrowMessageSet *set)
{
	Conversion	conversion = {.h = h, .messages = set->messages};
	ErrorContextCallback callback = {error_context_stack, argument_context, &conversion};
	bool		any_null = false;

	error_context_stack = &callback;
	for (int i = 0; i < h->plan.nargs; i++)
	{
		NullableDatum *value = &h->call->args[i];
		Oid			type = h->plan.args[i].type;

		conversion.field = h->plan.args[i].field;
		value->isnull = false;
		if (h->plan.form == BURROW_HANDLER_FIELDS)
			value->value = burrow_handler_arrays_field(set, conversion.field, type);
		else
			value->value = burrow_handler_values_field(&h->layout, &set->source, set->messages, conversion.field, type,
													   &value->isnull);
		any_null |= value->isnull;
	}
	error_context_stack = callback.previous;
	return any_null;
}

/* A strict function is not called with a NULL; the message counts as handled. */
void
burrow_handler_call(BurrowHandler *h, const char *topic, size_t topic_len, int32 partition,
					const BurrowMessageView *messages, int n)
{
	BurrowMessageSet set = {&h->layout, {topic, topic_len, partition}, messages, n, &h->converted};

	Assert(n == 1 || burrow_handler_takes_chunk(h));
	h->converting = true;
	h->converted = 0;
	if (h->plan.form == BURROW_HANDLER_MESSAGE || h->plan.form == BURROW_HANDLER_ARRAY)
	{
		h->call->args[0].value = h->plan.form == BURROW_HANDLER_MESSAGE ?
			burrow_handler_message_row(&set) : burrow_handler_message_array(&set);
		h->call->args[0].isnull = false;
	}
	else if (fill_arguments(h, &set) && h->function.fn_strict)
	{
		h->converting = false;
		return;
	}
	call_function(h);
}
