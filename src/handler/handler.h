/*
 * handler.h
 *	  The user's function: found by its arguments, checked, called through fmgr.
 *
 * A handler's arguments are recognised by name and type (the table in the README).
 * subscribe resolves and checks it; each worker resolves it again by its stored
 * signature, at the first message and after each invalidation.
 */
#ifndef BURROW_HANDLER_HANDLER_H
#define BURROW_HANDLER_HANDLER_H

#include "fmgr.h"

#include "core/frame.h"

typedef enum BurrowHandlerForm
{
	BURROW_HANDLER_MESSAGE,		/* h(burrow.message) */
	BURROW_HANDLER_ARRAY,		/* h(burrow.message[]) */
	BURROW_HANDLER_NAMED,		/* named arguments, each a field */
	BURROW_HANDLER_VALUE		/* one argument: the value */
} BurrowHandlerForm;

typedef struct BurrowHandler BurrowHandler; /* private to handler.c: plan and FmgrInfo */

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

/*
 * Process: worker, in a transaction.  Resolves a stored signature; the same errors as
 * above, and INVALID_FUNCTION_DEFINITION (with hint) when the function is now owned by
 * somebody who is neither recorded_owner, the subscription's owner nor a superuser.
 * Allocates in cxt; the result is valid until burrow_handler_stale().
 */
extern BurrowHandler *burrow_handler_prepare(const char *signature, Oid recorded_owner, Oid subscription_owner,
											 MemoryContext cxt);
/* Must it be prepared anew (PROCOID, role or type invalidation since)? */
extern bool burrow_handler_stale(const BurrowHandler *h);
extern BurrowHandlerForm burrow_handler_form(const BurrowHandler *h);
/* After an error: was it raised while a message became arguments, before the function was called? */
extern bool burrow_handler_is_converting(const BurrowHandler *h);

/* Call it for one message / a whole chunk, in the current transaction with an active
 * snapshot and in a short-lived memory context.  Raises what the handler raises, and
 * DATA exceptions (22021 bad encoding, 22P02 bad json, ...) for values that do not fit. */
extern void burrow_handler_call(BurrowHandler *h, const char *topic, size_t topic_len, int32 partition,
								const BurrowMessageView *message);
extern void burrow_handler_call_array(BurrowHandler *h, const char *topic, size_t topic_len, int32 partition,
									  const BurrowMessageView *messages, int n);

#endif							/* BURROW_HANDLER_HANDLER_H */
