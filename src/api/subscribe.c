/*
 * subscribe.c
 *	  burrow.subscribe()
 *
 * All is checked here and now, because the user is there to read the answer; what
 * then goes wrong in the background is only seen by those who look.  The row is all
 * that is made: when the transaction commits, the launcher is told to look at this
 * database, and when it does not, nothing has happened.
 *
 * Runs in: backends, and workers whose handler subscribes.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "api/call.h"
#include "api/ceilings.h"
#include "api/consumer_group.h"
#include "api/other_nodes.h"
#include "api/server_options.h"
#include "catalog/access.h"
#include "catalog/audit.h"
#include "catalog/names.h"
#include "handler/handler.h"
#include "shmem/registry.h"

PG_FUNCTION_INFO_V1(burrow_sql_subscribe);

static char *
subscription_name(const BurrowCall *call, const char *topic)
{
	char	   *name = burrow_call_text(call, "subscription");

	if (name == NULL)
		return pstrdup(topic);
	if (!burrow_name_is_subscription(name))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\": \"%s\"", "subscription", burrow_option_clip(name)),
				 errdetail("Valid values are names of 1 to %d bytes without control characters.",
						   BURROW_NAME_MAX)));
	return name;
}

/* Returns subid.  Between burrow_access_begin() and _end(). */
static int32
insert_row(const char *name, Oid owner, const char *topic, const BurrowHandlerInfo *handler,
		   const char *const *values)
{
	Oid			types[] = {
		TEXTOID, OIDOID, INT8OID, OIDOID, TEXTOID,
		TEXTOID, OIDOID, TEXTOID, BOOLOID, TEXTOID, TEXTARRAYOID
	};
	Datum		row[] = {
		CStringGetTextDatum(name),
		ObjectIdGetDatum(owner),
		Int64GetDatum((int64) GetSystemIdentifier()),
		ObjectIdGetDatum(MyDatabaseId),
		CStringGetTextDatum(topic),
		CStringGetTextDatum(handler->signature),
		ObjectIdGetDatum(handler->owner),
		CStringGetTextDatum(values[BURROW_OPTION_CONSUMER_GROUP]),
		BoolGetDatum(strcmp(values[BURROW_OPTION_JOIN_GROUP], "true") == 0),
		CStringGetTextDatum(strcmp(values[BURROW_OPTION_ENABLED], "true") == 0 ? "enabled" : "disabled"),
		PointerGetDatum(burrow_options_to_array(values)),
	};
	bool		isnull;

	if (burrow_access_execute("INSERT INTO burrow.subscription"
							  " (name, owner, system_identifier, dboid, topic,"
							  " handler, handler_owner, consumer_group, join_group, status, options, uuid)"
							  " VALUES ($1, burrow._role_of($2), $3, $4, $5, $6, burrow._role_of($7), $8, $9, $10, $11,"
							  " pg_catalog.gen_random_uuid())"
							  " ON CONFLICT (name) DO NOTHING RETURNING subid",
							  lengthof(types), types, row, NULL, SPI_OK_INSERT_RETURNING) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("subscription \"%s\" already exists", name),
				 errhint("Give it another name: subscription => '...'.")));
	return DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
}

static void
join_group(int32 subid)
{
	const BurrowSubscription *sub = burrow_subscription_load(subid);

	burrow_consumer_group_take(sub, true);
	burrow_ceilings_check_subscriptions(sub->owner);
	burrow_consumer_group_check_member(sub);
}

/* Burrow's tables change with every message, and mean nothing on a subscriber's side. */
static void
warn_of_publication(void)
{
	if (burrow_access_execute("SELECT pubname FROM pg_catalog.pg_publication WHERE puballtables"
							  " ORDER BY pubname LIMIT 1",
							  0, NULL, NULL, NULL, SPI_OK_SELECT) == 0)
		return;
	ereport(WARNING,
			(errmsg("publication \"%s\" publishes Burrow's own tables, too",
					SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1)),
			 errdetail("It is FOR ALL TABLES, and the table burrow.progress is written all the time."),
			 errhint("Publish the tables or schemas that are wanted instead.")));
}

/* With the options that are not the defaults. */
static void
write_audit(int32 subid, const char *name, Oid owner, const char *topic, const char *handler, const char *const *values)
{
	BurrowAudit audit;
	const char *defaults[BURROW_NOPTIONS];

	burrow_options_set_defaults(defaults);
	burrow_audit_begin(&audit);
	burrow_audit_add_text(&audit, "topic", topic);
	burrow_audit_add_text(&audit, "handler", handler);
	for (int i = 0; i < BURROW_NOPTIONS; i++)
	{
		if (values[i] != NULL && (defaults[i] == NULL || strcmp(values[i], defaults[i]) != 0))
			burrow_audit_add_text(&audit, burrow_options[i].name, burrow_call_shown_value(i, values));
	}
	burrow_audit_end(&audit, "subscribe", subid, name, owner);
}

Datum
burrow_sql_subscribe(PG_FUNCTION_ARGS)
{
	BurrowCall	call;
	BurrowCatalogAccess access;
	BurrowSubscription asked = {0};
	BurrowHandlerInfo handler;
	Oid			owner = GetUserId();
	const char *values[BURROW_NOPTIONS];
	char	   *topic;
	char	   *name;
	char	   *handler_name;
	int32		subid;

	burrow_call_begin(&call, fcinfo, "burrow.subscribe()");
	topic = burrow_call_required_text(&call, "topic");
	handler_name = burrow_call_required_text(&call, "handler");
	burrow_call_check_topic(topic);
	name = subscription_name(&call, topic);
	burrow_options_set_defaults(values);
	burrow_call_options(&call, values);
	burrow_call_check_dead_letter_topic(topic, values[BURROW_OPTION_DEAD_LETTER_TOPIC]);
	if (values[BURROW_OPTION_CONSUMER_GROUP] == NULL)
		values[BURROW_OPTION_CONSUMER_GROUP] =
			burrow_name_default_group(GetSystemIdentifier(), get_database_name(MyDatabaseId), name);
	burrow_other_nodes_check(values[BURROW_OPTION_DELIVERY]);
	burrow_server_options_check_use(owner, values[BURROW_OPTION_SERVER]);
	burrow_handler_lookup(handler_name, &handler);
	asked.name = name;
	asked.owner = owner;
	asked.handler = handler.signature;
	memcpy(asked.values, values, sizeof(values));
	burrow_call_check_owner(&asked);

	if (!burrow_access_begin(&access))
		elog(ERROR, "could not find extension \"%s\"", BURROW_EXTENSION);
	subid = insert_row(name, owner, topic, &handler, values);
	warn_of_publication();
	burrow_other_nodes_warn(values[BURROW_OPTION_DELIVERY]);
	burrow_access_end(&access);
	/* after the row: two of the same name are told that it is the name */
	join_group(subid);
	write_audit(subid, name, owner, topic, handler.signature, values);
	if (strcmp(values[BURROW_OPTION_ENABLED], "true") == 0)
	{
		burrow_call_check_slot(subid);
		burrow_call_warn_not_started(name);
	}

	burrow_registry_wake_at_commit();
	PG_RETURN_TEXT_P(cstring_to_text(name));
}
