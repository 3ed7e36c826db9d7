/*
 * handler_lookup.c
 *	  Which function is meant, and whether it fits.
 *
 * A handler is recognised by the names and types of its arguments, so that a plain
 * function is one.  There are no conversions beyond those of handler.h: what does
 * not fit exactly is refused with the list of what would, when it is subscribed
 * and not when the first message comes.  Arguments that no field fills are refused
 * even when they have a default, because a misspelt name would then be ignored.
 *
 * Runs in: backends (subscribe, alter) and workers, in a transaction.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

#include "burrow.h"
#include "catalog/option.h"
#include "catalog/access.h"
#include "compat.h"
#include "handler/handler_lookup.h"

/* Why a function is no handler; detail NULL: it is one. */
typedef struct Misfit
{
	int			sqlstate;
	char	   *detail;
} Misfit;

static const struct
{
	const char *name;
	const char *types;			/* for messages: of one message, */
	const char *array_types;	/* and of a chunk */
}			fields[BURROW_NFIELDS] = {
	[BURROW_FIELD_TOPIC] = {"topic", "text", "text[]"},
	[BURROW_FIELD_PARTITION] = {"partition", "integer", "integer[]"},
	[BURROW_FIELD_OFFSET] = {"offset", "bigint", "bigint[]"},
	[BURROW_FIELD_KEY] = {"key", "bytea, text, json or jsonb", "bytea[], text[], json[] or jsonb[]"},
	[BURROW_FIELD_VALUE] = {"value", "bytea, text, json or jsonb", "bytea[], text[], json[] or jsonb[]"},
	[BURROW_FIELD_HEADERS] = {"headers", "burrow.header[] or jsonb", "jsonb[]"},
	[BURROW_FIELD_TIMESTAMP] = {"timestamp", "timestamp with time zone", "timestamp with time zone[]"},
	[BURROW_FIELD_ATTEMPT] = {"attempt", "integer", "integer[]"},
};

const char *
burrow_handler_lookup_field_name(BurrowField field)
{
	return fields[field].name;
}

static int
hint_what_fits(void)
{
	return errhint("A handler takes one argument of type burrow.message or burrow.message[], or one of type bytea, "
				   "text, json or jsonb (the value), or arguments named after fields: topic text, partition integer, "
				   "\"offset\" bigint, key and value (each bytea, text, json or jsonb), headers (burrow.header[] or jsonb), "
				   "\"timestamp\" timestamp with time zone, attempt integer. Arrays of these types, all of them with "
				   "headers as jsonb[], are the fields of a chunk of messages.");
}

static Oid
type_of_extension(const char *name)
{
	Oid			type = burrow_access_type(name);

	if (!OidIsValid(type))
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("type \"%s.%s\" does not exist", BURROW_SCHEMA, name),
				errhint("Create extension \"%s\" in this database.", BURROW_EXTENSION));
	return type;
}

/* The OIDs of the extension's types in this database. */
void
burrow_handler_lookup_types(BurrowMessageTypes *types)
{
	types->message = type_of_extension("message");
	types->header = type_of_extension("header");
	types->message_array = get_array_type(types->message);
	types->header_array = get_array_type(types->header);
}

/* ---- fitting arguments ---- */

static bool
is_value_type(Oid type)
{
	return type == BYTEAOID || type == TEXTOID || type == JSONOID || type == JSONBOID;
}

static bool
field_takes(BurrowField field, Oid type, const BurrowMessageTypes *types)
{
	switch (field)
	{
		case BURROW_FIELD_TOPIC:
			return type == TEXTOID;
		case BURROW_FIELD_PARTITION:
		case BURROW_FIELD_ATTEMPT:
			return type == INT4OID;
		case BURROW_FIELD_OFFSET:
			return type == INT8OID;
		case BURROW_FIELD_KEY:
		case BURROW_FIELD_VALUE:
			return is_value_type(type);
		case BURROW_FIELD_HEADERS:
			return type == types->header_array || type == JSONBOID;
		case BURROW_FIELD_TIMESTAMP:
			return type == TIMESTAMPTZOID;
	}
	return false;
}

/* There is no array of arrays: headers of a chunk cannot be burrow.header[]. */
static bool
field_takes_array(BurrowField field, Oid type, const BurrowMessageTypes *types)
{
	Oid			element = get_element_type(type);

	return OidIsValid(element) && field_takes(field, element, types);
}

/* BURROW_NFIELDS: no field has this name. */
static int
field_by_name(const char *name)
{
	int			field = 0;

	while (field < BURROW_NFIELDS && strcmp(fields[field].name, name) != 0)
		field++;
	return field;
}

static char *
wrong_type(BurrowField field, Oid type)
{
	/* a domain's checks would have to run here, and with which error? */
	if (get_typtype(type) == TYPTYPE_DOMAIN)
		return psprintf("Argument \"%s\" has the domain type %s; it must be %s itself.",
						fields[field].name, format_type_be(type), fields[field].types);
	if (OidIsValid(get_element_type(type)))
		return psprintf("Argument \"%s\" has type %s; it must be %s, or %s for a chunk of messages.",
						fields[field].name, format_type_be(type), fields[field].types, fields[field].array_types);
	return psprintf("Argument \"%s\" has type %s; it must be %s.",
					fields[field].name, format_type_be(type), fields[field].types);
}

/* An argument whose name is a field's: plans it, or says what is wrong with its type.  The first decides on the form. */
static char *
plan_field(int i, BurrowField field, Oid type, const BurrowMessageTypes *types, BurrowHandlerPlan *plan)
{
	bool		is_array = field_takes_array(field, type, types);
	BurrowHandlerForm form = is_array ? BURROW_HANDLER_FIELDS : BURROW_HANDLER_NAMED;

	if (!is_array && !field_takes(field, type, types))
		return wrong_type(field, type);
	if (i == 0)
		plan->form = form;
	else if (form != plan->form)
		return psprintf(is_array ?
						"Argument \"%s\" is a field of one message, so argument \"%s\" must be %s, and not %s." :
						"Argument \"%s\" is an array for a chunk of messages, so argument \"%s\" must be %s, and not %s.",
						fields[plan->args[0].field].name, fields[field].name,
						is_array ? fields[field].types : fields[field].array_types, format_type_be(type));
	plan->args[i].field = field;
	plan->args[i].type = is_array ? get_element_type(type) : type;
	return NULL;
}

/* The only argument, and its name is no field's: its type alone decides. */
static char *
plan_only_argument(const char *name, Oid type, const BurrowMessageTypes *types, BurrowHandlerPlan *plan)
{
	if (type == types->message)
		plan->form = BURROW_HANDLER_MESSAGE;
	else if (type == types->message_array)
		plan->form = BURROW_HANDLER_ARRAY;
	else if (is_value_type(type))
	{
		plan->form = BURROW_HANDLER_VALUE;
		plan->args[0].field = BURROW_FIELD_VALUE;
		plan->args[0].type = type;
	}
	else if (field_takes_array(BURROW_FIELD_VALUE, type, types))
	{
		plan->form = BURROW_HANDLER_FIELDS;
		plan->args[0].field = BURROW_FIELD_VALUE;
		plan->args[0].type = get_element_type(type);
	}
	else
		return psprintf("A message cannot be given as an argument of type %s.", format_type_be(type));
	return NULL;
}

/* Fills in form and arguments; returns NULL, or why they do not fit. */
static char *
plan_arguments(int nargs, const Oid *argtypes, char **argnames, const BurrowMessageTypes *types,
			   BurrowHandlerPlan *plan)
{
	if (nargs == 0)
		return pstrdup("It takes no arguments.");

	plan->nargs = nargs;
	for (int i = 0; i < nargs; i++)
	{
		const char *name = argnames != NULL ? argnames[i] : "";
		int			field = field_by_name(name);
		char	   *problem;

		/* the whole message may have any name, a field's too */
		if (nargs == 1 &&
			(field == BURROW_NFIELDS || argtypes[0] == types->message || argtypes[0] == types->message_array))
			return plan_only_argument(name, argtypes[0], types, plan);
		if (name[0] == '\0')
			return psprintf("Argument %d has no name.", i + 1);
		if (field == BURROW_NFIELDS)
			return psprintf("Argument \"%s\" is not a field of a message.", name);
		problem = plan_field(i, field, argtypes[i], types, plan);
		if (problem != NULL)
			return problem;
	}
	return NULL;
}

/* ---- fitting functions ---- */

/* What kinds of function cannot be called with a message at all; NULL: this one could. */
static char *
wrong_kind(Form_pg_proc proc, int nargs, const Oid *argtypes, const char *argmodes)
{
	if (proc->prokind == PROKIND_PROCEDURE)
		return pstrdup("It is a procedure.");
	if (proc->prokind == PROKIND_AGGREGATE)
		return pstrdup("It is an aggregate function.");
	if (proc->prokind == PROKIND_WINDOW)
		return pstrdup("It is a window function.");
	if (proc->prolang == INTERNALlanguageId)
		return pstrdup("It is one of the server's internal functions.");
	if (proc->prorettype == TRIGGEROID || proc->prorettype == EVENT_TRIGGEROID)
		return pstrdup("It is a trigger function.");
	if (proc->proretset)
		return pstrdup("It returns a set.");
	if (OidIsValid(proc->provariadic))
		return pstrdup("It has a VARIADIC argument.");
	for (int i = 0; argmodes != NULL && i < nargs; i++)
	{
		if (argmodes[i] != PROARGMODE_IN)
			return pstrdup("It has OUT or INOUT arguments.");
	}
	for (int i = 0; i < nargs; i++)
	{
		if (argtypes[i] == ANYOID || IsPolymorphicType(argtypes[i]))
			return psprintf("An argument is polymorphic (%s).", format_type_be(argtypes[i]));
		if (argtypes[i] == INTERNALOID || argtypes[i] == CSTRINGOID)
			return psprintf("An argument has type %s.", format_type_be(argtypes[i]));
	}

	/*
	 * its handler types (language_handler, fdw_handler, ...) all are pseudo-types with a result
	 * for C code only
	 */
	if (get_typtype(proc->prorettype) == TYPTYPE_PSEUDO &&
		proc->prorettype != VOIDOID && proc->prorettype != RECORDOID)
		return psprintf("It returns type %s.", format_type_be(proc->prorettype));
	return NULL;
}

/* Plans one function, or says why it is no handler.  False: there is no such function (any more). */
static bool
try_plan(Oid funcoid, const BurrowMessageTypes *types, BurrowHandlerPlan *plan, Misfit *misfit)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(funcoid));
	Form_pg_proc proc;
	Oid		   *argtypes;
	char	  **argnames;
	char	   *argmodes;
	int			nargs;

	if (!HeapTupleIsValid(tuple))
		return false;
	proc = (Form_pg_proc) GETSTRUCT(tuple);
	nargs = get_func_arg_info(tuple, &argtypes, &argnames, &argmodes);

	memset(plan, 0, sizeof(*plan));
	plan->funcoid = funcoid;
	plan->owner = proc->proowner;
	misfit->sqlstate = ERRCODE_WRONG_OBJECT_TYPE;
	misfit->detail = wrong_kind(proc, nargs, argtypes, argmodes);
	if (misfit->detail == NULL)
	{
		misfit->sqlstate = ERRCODE_INVALID_FUNCTION_DEFINITION;
		misfit->detail = plan_arguments(nargs, argtypes, argnames, types, plan);
	}
	ReleaseSysCache(tuple);
	return true;
}

static void pg_attribute_noreturn()
report_undefined(const char *name)
{
	ereport(ERROR,
			errcode(ERRCODE_UNDEFINED_FUNCTION),
			errmsg("function \"%s\" does not exist", burrow_option_clip(name)),
			hint_what_fits());
}

static void pg_attribute_noreturn()
report_misfit(Oid funcoid, const Misfit *misfit)
{
	ereport(ERROR,
			errcode(misfit->sqlstate),
			errmsg("function %s cannot be a handler", format_procedure(funcoid)),
			errdetail_internal("%s", misfit->detail),
			hint_what_fits());
}

void
burrow_handler_lookup_plan(Oid funcoid, const BurrowMessageTypes *types, BurrowHandlerPlan *plan)
{
	Misfit		misfit;

	if (!try_plan(funcoid, types, plan, &misfit))
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_FUNCTION),
				errmsg("function with OID %u does not exist", funcoid));
	if (misfit.detail != NULL)
		report_misfit(funcoid, &misfit);
}

void
burrow_handler_lookup_require_execute(Oid funcoid)
{
	AclResult	result = burrow_function_aclcheck(funcoid, GetUserId(), ACL_EXECUTE);

	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_FUNCTION, get_func_name(funcoid));
}

/* ---- finding functions ---- */

/* Does the name carry argument types: a parenthesis outside of quotes? */
static bool
has_argument_types(const char *name)
{
	bool		quoted = false;

	for (const char *p = name; *p != '\0'; p++)
	{
		if (*p == '"')
			quoted = !quoted;
		else if (*p == '(' && !quoted)
			return true;
	}
	return false;
}

/* Reads it as regprocedure does. */
Oid
burrow_handler_lookup_signature(const char *signature)
{
	LOCAL_FCINFO(fcinfo, 1);
	Datum		result;

	InitFunctionCallInfoData(*fcinfo, NULL, 1, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = CStringGetTextDatum(signature);
	fcinfo->args[0].isnull = false;
	result = to_regprocedure(fcinfo);
	return fcinfo->isnull ? InvalidOid : DatumGetObjectId(result);
}

/* Several functions of one name, and none or more than one of them fits. */
static void pg_attribute_noreturn()
report_candidates(const char *name, int nfit, const char *list)
{
	if (nfit > 1)
		ereport(ERROR,
				errcode(ERRCODE_AMBIGUOUS_FUNCTION),
				errmsg("function name \"%s\" is not unique", name),
				errdetail_internal("%s", list),
				errhint("Give the argument types of the one that is meant, as they are listed."));
	ereport(ERROR,
			errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
			errmsg("no function \"%s\" can be a handler", name),
			errdetail_internal("%s", list),
			hint_what_fits());
}

/*
 * A bare name: the only one of its overloads that fits.  With a single function its
 * own problem is told, with several each one's.
 */
static void
find_by_name(const char *name, const BurrowMessageTypes *types, BurrowHandlerPlan *plan)
{
	List	   *names = burrow_qualified_name_list(name);
	FuncCandidateList candidates = FuncnameGetCandidates(names, -1, NIL, false, false, false, true);
	StringInfoData fit;
	StringInfoData invalid;
	int			nfit = 0;

	if (candidates == NULL)
		report_undefined(name);
	if (candidates->next == NULL)
	{
		burrow_handler_lookup_plan(candidates->oid, types, plan);
		return;
	}

	initStringInfo(&fit);
	initStringInfo(&invalid);
	for (; candidates != NULL; candidates = candidates->next)
	{
		BurrowHandlerPlan one;
		Misfit		misfit;

		if (!try_plan(candidates->oid, types, &one, &misfit))
			continue;
		if (misfit.detail == NULL)
		{
			*plan = one;
			appendStringInfo(&fit, "%s%s", nfit++ > 0 ? "\n" : "", format_procedure(one.funcoid));
		}
		else
			appendStringInfo(&invalid, "%s%s: %s", invalid.len > 0 ? "\n" : "",
							 format_procedure(candidates->oid), misfit.detail);
	}
	if (nfit != 1)
		report_candidates(name, nfit, nfit > 1 ? fit.data : invalid.data);
}

void
burrow_handler_lookup(const char *name, BurrowHandlerInfo *info)
{
	BurrowMessageTypes types;
	BurrowHandlerPlan plan;

	burrow_handler_lookup_types(&types);
	if (has_argument_types(name))
	{
		Oid			funcoid = burrow_handler_lookup_signature(name);

		if (!OidIsValid(funcoid))
		{
			burrow_check_signature(name);
			report_undefined(name);
		}
		burrow_handler_lookup_plan(funcoid, &types, &plan);
	}
	else
		find_by_name(name, &types, &plan);

	burrow_handler_lookup_require_execute(plan.funcoid);

	info->funcoid = plan.funcoid;
	info->owner = plan.owner;
	info->form = plan.form;
	info->signature = format_procedure_extended(plan.funcoid, FORMAT_PROC_FORCE_QUALIFY);
}
