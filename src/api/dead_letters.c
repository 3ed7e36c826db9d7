/*
 * dead_letters.c
 *	  SQL functions about messages that cannot be handled.
 *
 * Runs in: backends and workers.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "core/policy.h"

PG_FUNCTION_INFO_V1(burrow_sql_reject);

/* For handlers: the message will never be any good, so another attempt is of no use. */
Datum
burrow_sql_reject(PG_FUNCTION_ARGS)
{
	const char *s = BURROW_SQLSTATE_REJECTED;

	ereport(ERROR,
			(errcode(MAKE_SQLSTATE(s[0], s[1], s[2], s[3], s[4])),
			 PG_ARGISNULL(0) ? errmsg("message was rejected") :
			 errmsg("message was rejected: %s", text_to_cstring(PG_GETARG_TEXT_PP(0)))));
	PG_RETURN_VOID();
}
