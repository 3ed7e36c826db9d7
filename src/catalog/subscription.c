/*
 * subscription.c
 *	  The catalog row of a subscription, read and halted.
 *
 * Runs in: backends, discovery workers and consumers; what users ask for is written
 * in api/.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"

#include "burrow.h"
#include "catalog/access.h"
#include "catalog/encoding.h"
#include "catalog/subscription.h"

const char *const burrow_status_names[] = {
	[BURROW_STATUS_ENABLED] = "enabled",
	[BURROW_STATUS_PAUSED] = "paused",
	[BURROW_STATUS_HALTED] = "halted",
	[BURROW_STATUS_DISABLED] = "disabled",
};

/* None of the columns can be NULL.  In the order that read_row() expects. */
#define SELECT_SUBSCRIPTION \
	"SELECT s.subid, s.name, burrow._role_oid(s.owner), s.owner::text, s.topic, s.handler, burrow._role_oid(s.handler_owner)," \
	" s.consumer_group, s.join_group, s.uuid::text, coalesce(s.cluster_id, ''), s.commits_untagged, s.system_identifier, s.dboid, s.status, s.options, s.xmin" \
	" FROM burrow.subscription s"

enum
{
	COLUMN_SUBID = 1,
	COLUMN_NAME,
	COLUMN_OWNER,
	COLUMN_OWNER_NAME,
	COLUMN_TOPIC,
	COLUMN_HANDLER,
	COLUMN_HANDLER_OWNER,
	COLUMN_CONSUMER_GROUP,
	COLUMN_JOIN_GROUP,
	COLUMN_UUID,
	COLUMN_CLUSTER_ID,
	COLUMN_COMMITS_UNTAGGED,
	COLUMN_SYSTEM_IDENTIFIER,
	COLUMN_DBOID,
	COLUMN_STATUS,
	COLUMN_OPTIONS,
	COLUMN_XMIN
};

static char *
column_text(uint64 row, int number)
{
	return TextDatumGetCString(burrow_access_column(row, number));
}

BurrowStatus
burrow_subscription_status(const char *text)
{
	for (int i = 0; i < lengthof(burrow_status_names); i++)
	{
		if (strcmp(burrow_status_names[i], text) == 0)
			return (BurrowStatus) i;
	}
	elog(ERROR, "unknown status \"%s\"", text);
}

static char *
options_text(const char *const *values)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < BURROW_NOPTIONS; i++)
	{
		if (values[i] != NULL && !burrow_options[i].own_column)
			appendStringInfo(&text, "%s=%s\n", burrow_options[i].name, values[i]);
	}
	return text.data;
}

static void *
read_row(uint64 row)
{
	BurrowSubscription *sub = palloc0(sizeof(BurrowSubscription));

	sub->subid = DatumGetInt32(burrow_access_column(row, COLUMN_SUBID));
	sub->name = column_text(row, COLUMN_NAME);
	sub->owner = DatumGetObjectId(burrow_access_column(row, COLUMN_OWNER));
	sub->owner_name = column_text(row, COLUMN_OWNER_NAME);
	sub->topic = column_text(row, COLUMN_TOPIC);
	sub->handler = column_text(row, COLUMN_HANDLER);
	sub->handler_owner = DatumGetObjectId(burrow_access_column(row, COLUMN_HANDLER_OWNER));
	sub->consumer_group = column_text(row, COLUMN_CONSUMER_GROUP);
	sub->join_group = DatumGetBool(burrow_access_column(row, COLUMN_JOIN_GROUP));
	strlcpy(sub->uuid, column_text(row, COLUMN_UUID), sizeof(sub->uuid));
	sub->cluster_id = column_text(row, COLUMN_CLUSTER_ID);
	sub->commits_untagged = DatumGetBool(burrow_access_column(row, COLUMN_COMMITS_UNTAGGED));
	sub->system_identifier = (uint64) DatumGetInt64(burrow_access_column(row, COLUMN_SYSTEM_IDENTIFIER));
	sub->dboid = DatumGetObjectId(burrow_access_column(row, COLUMN_DBOID));
	sub->status = burrow_subscription_status(column_text(row, COLUMN_STATUS));
	sub->changed_here =
		TransactionIdIsCurrentTransactionId(DatumGetTransactionId(burrow_access_column(row, COLUMN_XMIN)));

	burrow_options_from_array(DatumGetArrayTypePCopy(burrow_access_column(row, COLUMN_OPTIONS)), sub->values);
	/* Only their columns know. */
	sub->values[BURROW_OPTION_CONSUMER_GROUP] = NULL;
	sub->values[BURROW_OPTION_JOIN_GROUP] = NULL;
	sub->values[BURROW_OPTION_ENABLED] = NULL;
	burrow_options_decode(sub->values, &sub->options);
	sub->options_text = options_text(sub->values);
	return sub;
}

/*
 * Begins to read the table.  A DROP EXTENSION that is on its way is waited for before the
 * extension is looked for, not between that and the statement, which would find no table: with
 * the lock come the changes of whoever had it.  (A consumer that is woken by the drop looks
 * while that one still has its locks, and from 18 on the cache in which extensions are looked up
 * does not know of it before.)
 */
static bool
begin_reading(BurrowCatalogAccess *access)
{
	Oid			relid = burrow_access_table("subscription");

	if (OidIsValid(relid))
		LockRelationOid(relid, AccessShareLock);
	return burrow_access_begin(access);
}

BurrowSubscription *
burrow_subscription_load(int32 subid)
{
	MemoryContext caller = CurrentMemoryContext;
	BurrowCatalogAccess access;
	List	   *found;
	Oid			types[] = {INT4OID};
	Datum		values[] = {Int32GetDatum(subid)};

	if (!begin_reading(&access))
		return NULL;
	found = burrow_access_rows(burrow_access_execute(SELECT_SUBSCRIPTION " WHERE s.subid OPERATOR(pg_catalog.=) $1",
													 1, types, values, NULL, SPI_OK_SELECT),
							   read_row, caller);
	burrow_access_end(&access);
	return found != NIL ? linitial(found) : NULL;
}

BurrowSubscription *
burrow_subscription_find(const char *name, bool lock)
{
	return burrow_access_find_subscription(SELECT_SUBSCRIPTION, name, lock, read_row);
}

bool
burrow_subscription_find_server(BurrowSubscription *sub)
{
	sub->server = burrow_server_find(sub->owner, sub->options.server, &sub->server_trouble);
	return sub->server != NULL;
}

List *
burrow_subscription_list_group(const char *group)
{
	MemoryContext caller = CurrentMemoryContext;
	BurrowCatalogAccess access;
	List	   *list;
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(group)};

	if (!begin_reading(&access))
		return NIL;
	list = burrow_access_rows(burrow_access_execute(SELECT_SUBSCRIPTION
													" WHERE s.consumer_group OPERATOR(pg_catalog.=) $1 ORDER BY s.subid",
													1, types, values, NULL, SPI_OK_SELECT),
							  read_row, caller);
	burrow_access_end(&access);
	return list;
}

bool
burrow_subscription_at_home(const BurrowSubscription *sub)
{
	return sub->system_identifier == GetSystemIdentifier() && sub->dboid == MyDatabaseId;
}

void
burrow_subscription_keep_cluster(int32 subid, const char *uuid, const char *cluster_id)
{
	BurrowCatalogAccess access;
	Oid			types[] = {INT4OID, UUIDOID, TEXTOID};
	Datum		values[] = {
		Int32GetDatum(subid),
		DirectFunctionCall1(uuid_in, CStringGetDatum(uuid)),
		CStringGetTextDatum(cluster_id)
	};

	if (!burrow_access_begin(&access))
		return;
	burrow_access_execute("UPDATE burrow.subscription SET cluster_id = $3"
						  " WHERE subid OPERATOR(pg_catalog.=) $1"
						  " AND uuid OPERATOR(pg_catalog.=) $2"
						  " AND cluster_id IS NULL",
						  3, types, values, NULL, SPI_OK_UPDATE);
	burrow_access_end(&access);
}

bool
burrow_subscription_hold(int32 subid, const char *uuid)
{
	Oid			types[] = {INT4OID, UUIDOID};
	Datum		values[] = {
		Int32GetDatum(subid),
		DirectFunctionCall1(uuid_in, CStringGetDatum(uuid))
	};

	return burrow_access_execute("SELECT FROM burrow.subscription"
								 " WHERE subid OPERATOR(pg_catalog.=) $1"
								 " AND uuid OPERATOR(pg_catalog.=) $2"
								 " FOR KEY SHARE",
								 2, types, values, NULL, SPI_OK_SELECT) > 0;
}

void
burrow_subscription_keep_untagged(int32 subid, const char *uuid)
{
	BurrowCatalogAccess access;
	Oid			types[] = {INT4OID, UUIDOID};
	Datum		values[] = {
		Int32GetDatum(subid),
		DirectFunctionCall1(uuid_in, CStringGetDatum(uuid))
	};

	if (!burrow_access_begin(&access))
		return;
	burrow_access_execute("UPDATE burrow.subscription SET commits_untagged = true"
						  " WHERE subid OPERATOR(pg_catalog.=) $1"
						  " AND uuid OPERATOR(pg_catalog.=) $2",
						  2, types, values, NULL, SPI_OK_UPDATE);
	burrow_access_end(&access);
}

/* For format(): the subscription's name, the halt's topic and partition, seek_to, a group that it could have, and
 * seeks. */
static const char *const remedies[] = {
	[BURROW_REMEDY_RESUME] = "SELECT burrow.resume(%1$L);",
	[BURROW_REMEDY_SEEK] = "SELECT burrow.seek(%1$L, %2$L, %3$s, %4$s);",
	[BURROW_REMEDY_SEEK_SOME] = "SELECT burrow.seek(%1$L, %2$L, p, o) FROM (VALUES %6$s) AS w (p, o);",
	[BURROW_REMEDY_SEEK_BEGINNING] = "SELECT burrow.seek(%1$L, '-infinity');",
	[BURROW_REMEDY_GROUP] = "SELECT burrow.alter(%1$L, consumer_group => %5$L), burrow.resume(%1$L);",
	[BURROW_REMEDY_DEAD_LETTER] = "SELECT burrow.alter(%1$L, on_failure => 'dead_letter'), burrow.resume(%1$L);",
};

/* One that was disabled meanwhile stays so: it does not run, whatever went wrong. */
void
burrow_subscription_halt(int32 subid, const BurrowHalt *halt)
{
	BurrowCatalogAccess access;
	const char *texts[] = {
		halt->topic, halt->sqlstate, halt->message, halt->detail, halt->hint, halt->context,
		remedies[halt->remedy], halt->public_message, halt->seeks
	};
	Oid			types[13];
	Datum		values[13];
	char		nulls[13 + 1];

	Assert(halt->remedy != BURROW_REMEDY_SEEK ||
		   (halt->topic != NULL && halt->partition >= 0 && halt->seek_to >= 0));
	for (int i = 0; i < lengthof(texts); i++)
	{
		types[i] = TEXTOID;
		nulls[i] = texts[i] != NULL ? ' ' : 'n';
		values[i] = texts[i] != NULL ? CStringGetTextDatum(burrow_encoding_valid(texts[i])) : (Datum) 0;
	}
	types[9] = INT4OID;
	values[9] = Int32GetDatum(halt->partition);
	nulls[9] = halt->partition >= 0 ? ' ' : 'n';
	types[10] = INT8OID;
	values[10] = Int64GetDatum(halt->offset);
	nulls[10] = halt->offset >= 0 ? ' ' : 'n';
	types[11] = INT8OID;
	values[11] = Int64GetDatum(halt->seek_to);
	nulls[11] = ' ';
	types[12] = INT4OID;
	values[12] = Int32GetDatum(subid);
	nulls[12] = ' ';
	nulls[13] = '\0';

	if (!burrow_access_begin(&access))
		return;
	burrow_access_execute("UPDATE burrow.subscription SET status = 'halted',"
						  " error_topic = $1, error_sqlstate = $2, error_message = $3,"
						  " error_detail = $4, error_hint = $5, error_context = $6,"
						  " error_next_statement = pg_catalog.format($7, name, $1, $10, $12,"
						  " pg_catalog.concat(pg_catalog.left(consumer_group, 200), '-', uuid), $9),"
						  " error_public_message = $8, error_partition = $10, error_offset = $11,"
						  " error_at = pg_catalog.clock_timestamp()"
						  " WHERE subid OPERATOR(pg_catalog.=) $13"
						  " AND status OPERATOR(pg_catalog.<>) 'disabled'",
						  lengthof(types), types, values, nulls, SPI_OK_UPDATE);
	burrow_access_end(&access);
}
