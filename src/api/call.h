/*
 * call.h
 *	  What the SQL functions that change subscriptions have in common: their
 *	  arguments, and what is checked before anything is written.
 *
 * Process: backends and workers (a handler may call them), in a transaction.
 */
#ifndef BURROW_API_CALL_H
#define BURROW_API_CALL_H

#include "fmgr.h"

#include "catalog/identity.h"
#include "catalog/subscription.h"
#include "compat.h"

/* The arguments of a running SQL function, by name. */
typedef struct BurrowCall
{
	FunctionCallInfo fcinfo;
	int			nargs;
	char	  **names;
	Oid		   *types;
} BurrowCall;

/*
 * First thing in each function: the library is preloaded, the transaction may write,
 * the extension's version is the library's.
 */
extern void burrow_call_begin(BurrowCall *call, FunctionCallInfo fcinfo, const char *function);
/* For what stops a subscription, which is wanted most when the versions differ: all of it but the last.  Such a
 * function asks for nothing of the catalog but what burrow_call_identity() gives. */
extern void burrow_call_begin_any_version(BurrowCall *call, FunctionCallInfo fcinfo, const char *function);

/* For what only reads: all but that the transaction may write. */
extern void burrow_call_begin_reading(BurrowCall *call, FunctionCallInfo fcinfo);

/* False: it is NULL. */
extern bool burrow_call_argument(const BurrowCall *call, const char *name, Datum *value);
/* NULL: it is NULL. */
extern char *burrow_call_text(const BurrowCall *call, const char *name);
/* The same of what must not be NULL: raises ERRCODE_NULL_VALUE_NOT_ALLOWED. */
extern Datum burrow_call_required(const BurrowCall *call, const char *name);
extern char *burrow_call_required_text(const BurrowCall *call, const char *name);
/* From 1 to most, or raises ERRCODE_INVALID_PARAMETER_VALUE, too. */
extern int	burrow_call_required_count(const BurrowCall *call, const char *name, int most);

/* Puts the options that are given into values; checks each, and all together. */
extern void burrow_call_options(const BurrowCall *call, const char **values);

/* A value as others may see it: without secrets. */
extern const char *burrow_call_shown_value(int option, const char *const *values);

/* The subscription, locked against other changes.  Errors: UNDEFINED_OBJECT, and
 * INSUFFICIENT_PRIVILEGE if the caller does not own it. */
extern BurrowSubscription *burrow_call_subscription(const char *name, bool lock);
/* The same of what is known whatever the extension's version is; always locked. */
extern BurrowIdentity *burrow_call_identity(const char *name);
extern void burrow_call_subscription_missing(const char *name) pg_attribute_noreturn();

extern void burrow_call_check_topic(const char *topic);
/* May dead letters of a subscription to topic go there?  NULL: they go nowhere. */
extern void burrow_call_check_dead_letter_topic(const char *topic, const char *dead_letter_topic);
/* May its handler run with its owner's rights: can workers connect as this role, and so on?  Error if not.  Of sub it
 * looks at owner, owner_name, name, handler and values. */
extern void burrow_call_check_owner(const BurrowSubscription *sub);
/* Is there a slot in shared memory for it, whose row has been written, and which is to run? */
extern void burrow_call_check_slot(int32 subid);
/* It will not be started now, if nothing changes: says so, with what to change. */
extern void burrow_call_warn_not_started(const char *subscription);

/* One statement on the catalog that changes one row, and the wake-up at commit. */
extern void burrow_call_change_row(const char *sql, int nargs, Oid *types, Datum *values);

/* For such a statement: the subscription is not halted any more. */
#define BURROW_CALL_CLEAR_ERROR \
	" error_topic = NULL, error_partition = NULL, error_offset = NULL, error_sqlstate = NULL," \
	" error_message = NULL, error_public_message = NULL, error_detail = NULL, error_hint = NULL, error_context = NULL," \
	" error_next_statement = NULL, error_at = NULL"

#endif							/* BURROW_API_CALL_H */
