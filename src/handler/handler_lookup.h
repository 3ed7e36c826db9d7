/*
 * handler_lookup.h
 *	  Which function is meant, and what its arguments get (the plan).
 */
#ifndef BURROW_HANDLER_HANDLER_LOOKUP_H
#define BURROW_HANDLER_HANDLER_LOOKUP_H

#include "handler/handler_plan.h"

/*
 * What subscribe needs to know.  name is what the user wrote: "f", "schema.f", or
 * with argument types "f(text, jsonb)".  Raises, in PostgreSQL's words:
 *	UNDEFINED_FUNCTION			no function of that name (or signature)
 *	AMBIGUOUS_FUNCTION			several of that name fit; hint: give the argument types
 *	INVALID_FUNCTION_DEFINITION	it exists and does not fit: which argument is wrong, and a
 *								hint that lists what would fit
 *	WRONG_OBJECT_TYPE			procedure, aggregate, window, trigger, internal, set-returning,
 *								polymorphic, VARIADIC or OUT arguments
 *	INSUFFICIENT_PRIVILEGE		caller may not execute it
 */
typedef struct BurrowHandlerInfo
{
	Oid			funcoid;
	Oid			owner;
	BurrowHandlerForm form;
	char	   *signature;		/* schema-qualified: stored in the catalog */
} BurrowHandlerInfo;

extern void burrow_handler_lookup(const char *name, BurrowHandlerInfo *info);

extern const char *burrow_handler_lookup_field_name(BurrowField field);
extern void burrow_handler_lookup_types(BurrowMessageTypes *types);
/* InvalidOid: there is no function of this signature. */
extern Oid	burrow_handler_lookup_signature(const char *signature);
/* Raises the errors of burrow_handler_lookup() for one given function. */
extern void burrow_handler_lookup_plan(Oid funcoid, const BurrowMessageTypes *types, BurrowHandlerPlan *plan);
/* Error unless the current role may execute it. */
extern void burrow_handler_lookup_require_execute(Oid funcoid);

#endif							/* BURROW_HANDLER_HANDLER_LOOKUP_H */
