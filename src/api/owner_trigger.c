/*
 * owner_trigger.c
 *	  Whatever changes a row of burrow.subscription, its owner is known to own it.
 *
 * A trigger rather than a call in each place that writes a row: a restore writes rows, too,
 * and foreign keys and superusers delete them.
 *
 * Runs in: backends, and whoever else writes a row.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/rel.h"

#include "catalog/access.h"
#include "catalog/owner_dependency.h"
#include "shmem/registry.h"

PG_FUNCTION_INFO_V1(burrow_sql_keep_owner);

static Datum
column(TriggerData *trigger, HeapTuple tuple, const char *name)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	bool		isnull;

	return heap_getattr(tuple, SPI_fnumber(desc, name), desc, &isnull);
}

/* A burrow._role begins with its OID: see api/role.c. */
static Oid
owner_of(TriggerData *trigger, HeapTuple tuple)
{
	return *(Oid *) DatumGetPointer(column(trigger, tuple, "owner"));
}

/* AFTER TRUNCATE: whoever does that by hand means all of them to end, so their processes are told, too. */
static void
all_are_gone(void)
{
	burrow_owner_dependency_follow_all();
	if (burrow != NULL)
		burrow_registry_wake_at_commit();
}

/* AFTER INSERT, UPDATE or DELETE, for each row; AFTER TRUNCATE, for each statement */
Datum
burrow_sql_keep_owner(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	HeapTuple	row;
	Oid			owner;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by a trigger", "burrow._keep_owner")));

	/*
	 * on another table, which whoever may call this function can make, the columns could be
	 * anything
	 */
	if (!TRIGGER_FIRED_AFTER(trigger->tg_event) ||
		TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event) != TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event) ||
		RelationGetRelid(trigger->tg_relation) != burrow_access_table("subscription"))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" is the trigger of table \"%s\" only", "burrow._keep_owner", "burrow.subscription")));
	if (TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
	{
		all_are_gone();
		PG_RETURN_POINTER(NULL);
	}
	row = trigger->tg_trigtuple;
	owner = owner_of(trigger, row);
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
	{
		Oid			new_owner = owner_of(trigger, trigger->tg_newtuple);

		/*
		 * a database that came by pg_upgrade knows of no owners until its subscriptions are at
		 * home there
		 */
		if (new_owner == owner &&
			DatumGetInt64(column(trigger, row, "system_identifier")) ==
			DatumGetInt64(column(trigger, trigger->tg_newtuple, "system_identifier")))
			PG_RETURN_POINTER(NULL);
		if (new_owner != owner)
			burrow_owner_dependency_follow(new_owner);
	}
	burrow_owner_dependency_follow(owner);
	PG_RETURN_POINTER(NULL);
}
