/*
 * alter.c
 *	  burrow.alter(), pause(), resume() and unsubscribe()
 *
 * They write the row and have the consumer read it again when the transaction
 * commits.  None of them waits for a process: the caller holds locks that a message
 * in a worker's hands may need, and may itself be a handler.
 *
 * A row that came with a copy of its database names another server or database and
 * does not run.  resume() makes it a subscription of this database, with its consumer
 * group and its UUID: so a database that was moved, restored or upgraded goes on
 * exactly where its data stands.  Whoever wants the copy to run beside the original
 * changes consumer_group first; that draws a new UUID, too, because Kafka's commits
 * are told apart by it.
 *
 * Runs in: backends, and workers whose handler calls them.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "api/call.h"
#include "api/ceilings.h"
#include "api/consumer_group.h"
#include "api/server_options.h"
#include "burrow.h"
#include "catalog/access.h"
#include "catalog/audit.h"
#include "catalog/seek_request.h"
#include "handler/handler.h"
#include "shmem/groups.h"
#include "shmem/registry.h"

PG_FUNCTION_INFO_V1(burrow_sql_alter);
PG_FUNCTION_INFO_V1(burrow_sql_pause);
PG_FUNCTION_INFO_V1(burrow_sql_resume);
PG_FUNCTION_INFO_V1(burrow_sql_unsubscribe);

static void
write_audit(const BurrowIdentity *sub, const char *action)
{
	BurrowAudit audit;

	burrow_audit_begin(&audit);
	burrow_audit_add_text(&audit, "status_before", burrow_status_names[sub->status]);
	burrow_audit_end(&audit, action, sub->subid, sub->name, sub->owner);
}

/* Changes nothing but the status. */
static void
set_status(const BurrowIdentity *sub, BurrowStatus status)
{
	Oid			types[] = {INT4OID, TEXTOID};
	Datum		values[] = {Int32GetDatum(sub->subid), CStringGetTextDatum(burrow_status_names[status])};

	burrow_call_change_row("UPDATE burrow.subscription SET status = $2 WHERE subid OPERATOR(pg_catalog.=) $1",
						   lengthof(types), types, values);
}

static void
disable(const BurrowIdentity *sub)
{
	BurrowAudit audit;

	set_status(sub, BURROW_STATUS_DISABLED);
	burrow_audit_begin(&audit);
	burrow_audit_add_change(&audit, "status", burrow_status_names[sub->status], burrow_status_names[BURROW_STATUS_DISABLED]);
	burrow_audit_end(&audit, "alter", sub->subid, sub->name, sub->owner);
}

/* Is enabled => false all that is asked for?  Then nothing stands in the way of it: no version, no role
 * that may not connect any more, no broker. */
static bool
only_disables(const BurrowCall *call)
{
	bool		disables = false;

	for (int i = 0; i < call->nargs; i++)
	{
		if (call->fcinfo->args[i].isnull || strcmp(call->names[i], "subscription") == 0)
			continue;
		if (strcmp(call->names[i], "enabled") != 0 || DatumGetBool(call->fcinfo->args[i].value))
			return false;
		disables = true;
	}
	return disables;
}

/* enabled => true ends a halt or a pause as little as anything else does but resume(). */
static BurrowStatus
altered_status(BurrowStatus status, const char *enabled)
{
	if (enabled == NULL)
		return status;
	if (strcmp(enabled, "true") != 0)
		return BURROW_STATUS_DISABLED;
	return status == BURROW_STATUS_DISABLED ? BURROW_STATUS_ENABLED : status;
}

static void
update_row(const BurrowSubscription *sub, BurrowStatus status, bool new_uuid)
{
	Oid			types[] = {
		INT4OID, TEXTOID, TEXTOID, OIDOID, TEXTOID, TEXTOID, TEXTARRAYOID, BOOLOID, OIDOID, BOOLOID
	};
	Datum		row[] = {
		Int32GetDatum(sub->subid),
		CStringGetTextDatum(sub->topic),
		CStringGetTextDatum(sub->handler),
		ObjectIdGetDatum(sub->handler_owner),
		CStringGetTextDatum(sub->consumer_group),
		CStringGetTextDatum(burrow_status_names[status]),
		PointerGetDatum(burrow_options_to_array(sub->values)),
		BoolGetDatum(new_uuid),
		ObjectIdGetDatum(sub->owner),
		BoolGetDatum(sub->join_group),
	};

	burrow_call_change_row(psprintf("UPDATE burrow.subscription SET topic = $2, handler = $3, handler_owner = burrow._role_of($4),"
									" owner = CASE WHEN burrow._role_oid(owner) OPERATOR(pg_catalog.=) $9 THEN owner ELSE burrow._role_of($9) END,"
									" consumer_group = $5, join_group = $10, status = $6, options = $7,"
									" uuid = CASE WHEN $8 THEN pg_catalog.gen_random_uuid() ELSE uuid END%s"
									" WHERE subid OPERATOR(pg_catalog.=) $1",
									status == BURROW_STATUS_ENABLED ? "," BURROW_CALL_CLEAR_ERROR : ""),
						   lengthof(types), types, row);
}

/* Whoever gets a subscription must be one who may make it. */
static void
check_may_subscribe(Oid role)
{
	List	   *name = list_make2(makeString(BURROW_SCHEMA), makeString("subscribe"));

	if (burrow_function_aclcheck(LookupFuncName(name, -1, NULL, false), role, ACL_EXECUTE) == ACLCHECK_OK)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("role \"%s\" may not own subscriptions", GetUserNameFromId(role, false)),
			 errdetail("It may not execute burrow.subscribe()."),
			 errhint("This mends it: %s",
					 psprintf("GRANT EXECUTE ON FUNCTION %s.subscribe TO %s;", BURROW_SCHEMA,
							  quote_identifier(GetUserNameFromId(role, false))))));
}

/*
 * By the rules of ALTER ... OWNER TO: the caller owns it, and may become the new owner, who must be
 * able to make such a thing; a superuser is asked for neither.  Is it another one?
 */
static bool
change_owner(const BurrowCall *call, BurrowSubscription *sub)
{
	Datum		value;
	Oid			role;

	if (!burrow_call_argument(call, "owner", &value))
		return false;
	role = get_role_oid(NameStr(*DatumGetName(value)), false);
	if (role == sub->owner)
		return false;
	if (!superuser())
	{
		burrow_check_can_become(GetUserId(), role);
		check_may_subscribe(role);
	}
	sub->owner = role;
	/* what somebody else has said about his own rights is not said about this role's */
	if (!burrow_call_argument(call, "run_as_owner", &value))
		sub->values[BURROW_OPTION_RUN_AS_OWNER] = "false";
	return true;
}

/* Its group, and whether it shares it; is it another group?  After its owner: a group is its owner's. */
static bool
change_group(BurrowSubscription *sub, bool new_owner)
{
	const char *group = sub->values[BURROW_OPTION_CONSUMER_GROUP];
	const char *join = sub->values[BURROW_OPTION_JOIN_GROUP];
	bool		new_group = group != NULL && strcmp(group, sub->consumer_group) != 0;

	if (new_group)
		sub->consumer_group = pstrdup(group);
	if (join != NULL)
		sub->join_group = strcmp(join, "true") == 0;
	/* a copy is in no group until it is resumed */
	if ((new_owner || new_group || join != NULL) && burrow_subscription_at_home(sub))
		burrow_consumer_group_take(sub, new_group);
	if (new_owner)
		burrow_ceilings_check_subscriptions(sub->owner);
	burrow_consumer_group_check_member(sub);
	return new_group;
}

/* What has changed between the two; consumer_group, join_group and enabled are columns of their own. */
static void
write_changes(const BurrowSubscription *before, const BurrowSubscription *after, BurrowStatus status)
{
	BurrowAudit audit;

	burrow_audit_begin(&audit);
	if (before->owner != after->owner)
		burrow_audit_add_change(&audit, "owner", GetUserNameFromId(before->owner, true), GetUserNameFromId(after->owner, true));
	burrow_audit_add_change(&audit, "topic", before->topic, after->topic);
	burrow_audit_add_change(&audit, "handler", before->handler, after->handler);
	burrow_audit_add_change(&audit, "consumer_group", before->consumer_group, after->consumer_group);
	burrow_audit_add_change(&audit, "join_group", before->join_group ? "true" : "false", after->join_group ? "true" : "false");
	burrow_audit_add_change(&audit, "status", burrow_status_names[before->status], burrow_status_names[status]);
	for (int i = 0; i < BURROW_NOPTIONS; i++)
	{
		if (!burrow_options[i].own_column)
			burrow_audit_add_change(&audit, burrow_options[i].name, burrow_call_shown_value(i, before->values),
									burrow_call_shown_value(i, after->values));
	}
	/* one that is given away: who it was taken from must know */
	burrow_audit_end(&audit, "alter", after->subid, after->name, before->owner);
}

Datum
burrow_sql_alter(PG_FUNCTION_ARGS)
{
	BurrowCall	call;
	BurrowSubscription *sub;
	BurrowHandlerInfo handler;
	char	   *name;
	char	   *topic;
	char	   *handler_name;
	bool		new_owner;
	bool		new_group;
	BurrowSubscription before;
	BurrowStatus status;

	burrow_call_begin_any_version(&call, fcinfo, "burrow.alter()");
	name = burrow_call_required_text(&call, "subscription");
	if (only_disables(&call))
	{
		disable(burrow_call_identity(name));
		PG_RETURN_VOID();
	}
	burrow_access_check_version();
	sub = burrow_call_subscription(name, true);
	before = *sub;

	topic = burrow_call_text(&call, "topic");
	if (topic != NULL)
	{
		burrow_call_check_topic(topic);
		if (strcmp(topic, sub->topic) != 0)
			burrow_seek_request_forget(sub->subid);
		sub->topic = topic;
	}
	burrow_call_options(&call, sub->values);
	burrow_call_check_dead_letter_topic(sub->topic, sub->values[BURROW_OPTION_DEAD_LETTER_TOPIC]);
	new_owner = change_owner(&call, sub);
	new_group = change_group(sub, new_owner);
	burrow_server_options_check_use(sub->owner, sub->values[BURROW_OPTION_SERVER]);
	handler_name = burrow_call_text(&call, "handler");
	if (handler_name != NULL)
	{
		burrow_handler_lookup(handler_name, &handler);
		sub->handler = handler.signature;
		sub->handler_owner = handler.owner;
	}
	burrow_call_check_owner(sub);

	status = altered_status(sub->status, sub->values[BURROW_OPTION_ENABLED]);
	update_row(sub, status, new_group);
	write_changes(&before, sub, status);
	PG_RETURN_VOID();
}

/* What is halted or disabled stands still already, and its state says more. */
Datum
burrow_sql_pause(PG_FUNCTION_ARGS)
{
	BurrowCall	call;
	BurrowIdentity *sub;

	burrow_call_begin_any_version(&call, fcinfo, "burrow.pause()");
	sub = burrow_call_identity(burrow_call_text(&call, "subscription"));
	if (sub->status != BURROW_STATUS_ENABLED)
	{
		ereport(NOTICE,
				(errmsg("subscription \"%s\" is %s already", sub->name, burrow_status_names[sub->status])));
		PG_RETURN_VOID();
	}
	set_status(sub, BURROW_STATUS_PAUSED);
	write_audit(sub, "pause");
	PG_RETURN_VOID();
}

Datum
burrow_sql_resume(PG_FUNCTION_ARGS)
{
	BurrowCall	call;
	BurrowSubscription *sub;
	BurrowAudit audit;
	Oid			types[] = {INT4OID, INT8OID, OIDOID};
	Datum		values[3];

	burrow_call_begin(&call, fcinfo, "burrow.resume()");
	sub = burrow_call_subscription(burrow_call_text(&call, "subscription"), true);
	burrow_server_options_check_use(sub->owner, sub->values[BURROW_OPTION_SERVER]);
	burrow_call_check_owner(sub);
	burrow_call_check_slot(sub->subid);
	burrow_call_warn_not_started(sub->name);
	if (burrow_subscription_at_home(sub))
		burrow_consumer_group_check(sub);
	else
	{
		burrow_consumer_group_take(sub, false);
		burrow_ceilings_check_subscriptions(sub->owner);
	}
	if (!burrow_subscription_at_home(sub))
		ereport(WARNING,
				(errmsg("subscription \"%s\" was copied from another server or database and goes on in its consumer group \"%s\"",
						sub->name, sub->consumer_group),
				 errdetail("If the original runs, too, the two share its messages."),
				 errhint("To run both, change consumer_group with burrow.alter().")));

	values[0] = Int32GetDatum(sub->subid);
	values[1] = Int64GetDatum((int64) GetSystemIdentifier());
	values[2] = ObjectIdGetDatum(MyDatabaseId);
	burrow_call_change_row("UPDATE burrow.subscription SET status = 'enabled',"
						   " system_identifier = $2, dboid = $3," BURROW_CALL_CLEAR_ERROR
						   " WHERE subid OPERATOR(pg_catalog.=) $1",
						   3, types, values);
	burrow_audit_begin(&audit);
	burrow_audit_add_text(&audit, "status_before", burrow_status_names[sub->status]);
	burrow_audit_add_text(&audit, "copied", burrow_subscription_at_home(sub) ? "false" : "true");
	burrow_audit_end(&audit, "resume", sub->subid, sub->name, sub->owner);
	PG_RETURN_VOID();
}

Datum
burrow_sql_unsubscribe(PG_FUNCTION_ARGS)
{
	BurrowCall	call;
	BurrowIdentity *sub;
	Oid			types[] = {INT4OID};
	Datum		values[1];

	burrow_call_begin_any_version(&call, fcinfo, "burrow.unsubscribe()");
	sub = burrow_call_identity(burrow_call_text(&call, "subscription"));
	burrow_groups_give_up(MyDatabaseId, sub->subid);
	values[0] = Int32GetDatum(sub->subid);
	burrow_call_change_row("DELETE FROM burrow.subscription WHERE subid OPERATOR(pg_catalog.=) $1", 1, types, values);
	write_audit(sub, "unsubscribe");
	PG_RETURN_VOID();
}
