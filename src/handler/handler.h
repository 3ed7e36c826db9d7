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
#include "handler/handler_lookup.h"

typedef struct BurrowHandler BurrowHandler; /* private to handler.c: plan and FmgrInfo */

/*
 * Process: worker, in a transaction.  Resolves a stored signature; the same errors as
 * burrow_handler_lookup(), and INVALID_FUNCTION_DEFINITION (with hint) when the function is now owned by
 * somebody who is neither recorded_owner, the subscription's owner nor a superuser.
 * Allocates in cxt; the result is valid until burrow_handler_stale().
 */
extern BurrowHandler *burrow_handler_prepare(const char *signature, Oid recorded_owner, Oid subscription_owner,
											 MemoryContext cxt);
/* Must it be prepared anew (PROCOID, role or type invalidation since)? */
extern bool burrow_handler_stale(const BurrowHandler *h);
/* Is it given a whole chunk in a call? */
extern bool burrow_handler_takes_chunk(const BurrowHandler *h);
/* After an error: was it raised while messages became arguments, before the function was called? */
extern bool burrow_handler_is_converting(const BurrowHandler *h);
/* If so: which of a call's messages it was then. */
extern int	burrow_handler_converted(const BurrowHandler *h);

/*
 * Call it for a message (n is 1), or a whole chunk if it takes that, in the current transaction
 * with an active snapshot and in a short-lived memory context.  Raises what the handler raises, and
 * DATA exceptions (22021 bad encoding, 22P02 bad json, ...) for values that do not fit.
 */
extern void burrow_handler_call(BurrowHandler *h, const char *topic, size_t topic_len, int32 partition,
								const BurrowMessageView *messages, int n);

#endif							/* BURROW_HANDLER_HANDLER_H */
