/*
 * guard.c
 *	  Burrow's tables are written by Burrow's functions, and by nobody else.
 *
 * A row of burrow.subscription says whose rights a function runs with, so whoever may
 * write one is that role.  Row security without policies keeps out those who hold
 * privileges on all tables (pg_write_all_data), but tells an UPDATE and a DELETE that
 * there are no rows, and does not hold for roles with BYPASSRLS.  This trigger, which
 * each table of Burrow's has, does, and says so.
 *
 * Runs in: backends.
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(burrow_sql_guard);

/* BEFORE INSERT, UPDATE, DELETE or TRUNCATE, for each statement.  Burrow's own statements run as
 * the table's owner (catalog/access.c), and so do those of foreign keys. */
Datum
burrow_sql_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by a trigger", "burrow._guard")));
	if (!has_privs_of_role(GetUserId(), trigger->tg_relation->rd_rel->relowner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for table %s", RelationGetRelationName(trigger->tg_relation)),
				 errdetail("Only the table's owner and Burrow's own functions write it."),
				 errhint("Use Burrow's functions, such as burrow.subscribe() and burrow.alter().")));
	PG_RETURN_POINTER(NULL);
}
