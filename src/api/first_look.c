/*
 * first_look.c
 *	  burrow.peek(), burrow.topics() and burrow.check_connection()
 *
 * A look at a cluster before there is a subscription.  Who may subscribe may look: the role needs what the
 * owner of a subscription would need to connect.  A process of its own looks (first_look/first_look.c).
 *
 * Runs in: backends.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "api/asked.h"
#include "api/call.h"
#include "api/server_options.h"
#include "burrow.h"
#include "catalog/access.h"
#include "catalog/encoding.h"
#include "catalog/names.h"
#include "catalog/options.h"
#include "catalog/start_from.h"
#include "compat.h"
#include "core/kafka_time.h"
#include "first_look/look.h"
#include "guc.h"
#include "runtime/bgw.h"
#include "shmem/registry.h"

PG_FUNCTION_INFO_V1(burrow_sql_peek);
PG_FUNCTION_INFO_V1(burrow_sql_topics);
PG_FUNCTION_INFO_V1(burrow_sql_check_connection);

/* Columns of burrow.message. */
#define NCOLUMNS	8
#define HEADERS		5

/* ---- the process ---- */

/* As this role, which the caller may be. */
static void
look_at(FunctionCallInfo fcinfo, const char *function, Oid role, BurrowLook *look, BurrowAskedPut put, const void *arg)
{
	BurrowServerTrouble trouble;
	BurrowServer *server = burrow_server_find(role, look->server, &trouble);
	BurrowLookArgs args = {.dboid = MyDatabaseId, .role = role};
	BurrowAsked asked;
	BackgroundWorkerHandle *handle = NULL;
	StringInfoData request;
	bool		started;

	if (server == NULL)
		burrow_server_raise(&trouble);
	look->server = server->name;
	look->server_sum = burrow_look_server_sum(server);
	burrow_look_write(&request, look);
	InitMaterializedSRF(fcinfo, 0);
	burrow_asked_open(&asked, function, &request);
	args.segment = dsm_segment_handle(asked.segment);
	args.place = *asked.place;
	started = burrow_bgw_start_first_look(&args, &handle);
	burrow_asked_started(&asked, started, handle);
	burrow_asked_take(&asked, (ReturnSetInfo *) fcinfo->resultinfo, put, NULL, arg);
}

static void
begin(BurrowCall *call, FunctionCallInfo fcinfo, const char *function)
{
	burrow_registry_require();
	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("%s is not available during recovery", function),
				 errhint("Burrow works on the primary: call it there.")));
	burrow_call_begin_reading(call, fcinfo);
}

/* ---- burrow.peek() ---- */

static Datum
bytes_datum(StringInfo row, bool *isnull)
{
	int			len;
	char	   *bytes = burrow_asked_bytes(row, &len);

	*isnull = bytes == NULL;
	return bytes == NULL ? (Datum) 0 : burrow_encoding_bytea(bytes, len);
}

/* Names that are no text here are shown as burrow.dead_letters shows them: no message is refused. */
static Datum
headers_datum(StringInfo row, Oid array_type)
{
	Oid			type = get_element_type(array_type);
	TupleDesc	desc = lookup_rowtype_tupdesc(type, -1);
	int			n = (int) pq_getmsgint(row, 4);
	Datum	   *elements = palloc(sizeof(Datum) * Max(n, 1));

	for (int i = 0; i < n; i++)
	{
		Datum		values[2];
		bool		nulls[2] = {false};
		bool		same;
		int			len;
		char	   *name = burrow_asked_bytes(row, &len);

		values[0] = CStringGetTextDatum(burrow_encoding_from_utf8(name, len, &same));
		values[1] = bytes_datum(row, &nulls[1]);
		elements[i] = HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
	}
	ReleaseTupleDesc(desc);
	return PointerGetDatum(construct_array(elements, n, type, -1, false, TYPALIGN_DOUBLE));
}

static void
put_message(ReturnSetInfo *rsinfo, StringInfo row, const void *arg)
{
	Datum		values[NCOLUMNS];
	bool		nulls[NCOLUMNS] = {false};
	int64		ms;
	TimestampTz time;

	values[0] = CStringGetTextDatum(burrow_asked_text(row));
	values[1] = Int32GetDatum((int32) pq_getmsgint(row, 4));
	values[2] = Int64GetDatum(pq_getmsgint64(row));
	ms = pq_getmsgint64(row);
	values[3] = bytes_datum(row, &nulls[3]);
	values[4] = bytes_datum(row, &nulls[4]);
	values[HEADERS] = headers_datum(row, TupleDescAttr(rsinfo->setDesc, HEADERS)->atttypid);
	/* one that PostgreSQL cannot hold is not shown */
	nulls[6] = ms == BURROW_KAFKA_NO_TIME || !burrow_kafka_time_to_us(ms, &time);
	values[6] = nulls[6] ? (Datum) 0 : TimestampTzGetDatum(time);
	values[7] = Int32GetDatum(1);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

static char *
server_name(const BurrowCall *call)
{
	Datum		value;

	return burrow_call_argument(call, "server", &value) ? pstrdup(NameStr(*DatumGetName(value))) : NULL;
}

Datum
burrow_sql_peek(PG_FUNCTION_ARGS)
{
	BurrowCall	call;
	BurrowLook	look = {.kind = BURROW_LOOK_PEEK};

	begin(&call, fcinfo, "burrow.peek()");
	look.topic = burrow_call_required_text(&call, "topic");
	burrow_call_check_topic(look.topic);
	look.n = burrow_call_required_count(&call, "n", BURROW_PEEK_MAX);
	look.start_from = burrow_start_from_normalize(&burrow_options[BURROW_OPTION_START_FROM],
												  burrow_call_required_text(&call, "start_from"));
	look.server = server_name(&call);
	look_at(fcinfo, "burrow.peek()", GetUserId(), &look, put_message, NULL);
	return (Datum) 0;
}

/* ---- burrow.topics() ---- */

typedef struct Consumer
{
	char	   *name;			/* of a subscription that the caller may see */
	char	   *topic;			/* or a pattern */
} Consumer;

typedef struct Consumers
{
	int			n;
	Consumer   *consumers;
} Consumers;

/*
 * Subscriptions to topics of this server, of those that the caller may see.  One that names no server has the
 * default, which may be another one in the session that asks.
 */
static void
load_consumers(const char *server, Consumers *result)
{
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(server != NULL ? server : burrow_default_server)};
	MemoryContext cxt = CurrentMemoryContext;

	if (SPI_connect() != SPI_OK_CONNECT ||
		SPI_execute_with_args("SELECT s.subscription, s.topic FROM burrow.subscriptions s"
							  " WHERE coalesce(s.server::pg_catalog.text, pg_catalog.current_setting('burrow.default_server'))"
							  " OPERATOR(pg_catalog.=) $1 ORDER BY 1",
							  lengthof(types), types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the subscriptions");
	result->n = (int) SPI_processed;
	result->consumers = MemoryContextAlloc(cxt, sizeof(Consumer) * Max(result->n, 1));
	for (int i = 0; i < result->n; i++)
	{
		Consumer   *consumer = &result->consumers[i];

		consumer->name = MemoryContextStrdup(cxt, SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1));
		consumer->topic = MemoryContextStrdup(cxt, SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2));
	}
	SPI_finish();
}

static Datum
consumers_datum(const Consumers *consumers, const char *topic)
{
	Datum	   *names = palloc(sizeof(Datum) * Max(consumers->n, 1));
	int			n = 0;

	for (int i = 0; i < consumers->n; i++)
	{
		/* each match may be one of a regular expression */
		CHECK_FOR_INTERRUPTS();
		if (burrow_name_matches(consumers->consumers[i].topic, topic))
			names[n++] = CStringGetTextDatum(consumers->consumers[i].name);
	}
	return PointerGetDatum(construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT));
}

static void
put_topic(ReturnSetInfo *rsinfo, StringInfo row, const void *arg)
{
	Datum		values[5];
	bool		nulls[5] = {false};
	char	   *topic = burrow_asked_text(row);
	int64		messages;
	char	   *type;

	values[0] = CStringGetTextDatum(topic);
	values[1] = Int32GetDatum((int32) pq_getmsgint(row, 4));
	messages = pq_getmsgint64(row);
	nulls[2] = messages < 0;
	values[2] = Int64GetDatum(messages);
	type = burrow_asked_text(row);
	nulls[3] = type == NULL;
	values[3] = type != NULL ? CStringGetTextDatum(type) : (Datum) 0;
	values[4] = consumers_datum(arg, topic);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

Datum
burrow_sql_topics(PG_FUNCTION_ARGS)
{
	BurrowCall	call;
	BurrowLook	look = {.kind = BURROW_LOOK_TOPICS};
	Consumers	consumers;

	begin(&call, fcinfo, "burrow.topics()");
	look.server = server_name(&call);
	load_consumers(look.server, &consumers);
	look_at(fcinfo, "burrow.topics()", GetUserId(), &look, put_topic, &consumers);
	return (Datum) 0;
}

/* ---- burrow.check_connection() ---- */

static void
put_step(ReturnSetInfo *rsinfo, StringInfo row, const void *arg)
{
	Datum		values[5];
	bool		nulls[5] = {false};

	for (int i = 0; i < 5; i++)
	{
		/* ok stands between texts */
		char	   *text = i == 2 ? NULL : burrow_asked_text(row);

		if (i == 2)
			values[i] = BoolGetDatum(pq_getmsgbyte(row) == 1);
		else
			values[i] = text != NULL ? CStringGetTextDatum(burrow_encoding_valid(text)) : (Datum) 0;
		nulls[i] = i != 2 && text == NULL;
	}
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* The subscription, whose owner connects to its server; NULL: none is asked about. */
static const BurrowSubscription *
find_subscription(const BurrowCall *call, const char *server)
{
	char	   *name = burrow_call_text(call, "subscription");
	const BurrowSubscription *sub;

	if (name == NULL)
		return NULL;
	if (server != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("options \"%s\" and \"%s\" cannot be used together", "server", "subscription"),
				 errhint("A subscription has its own server.")));
	sub = burrow_call_subscription(name, false);
	if (sub->changed_here)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot check subscription \"%s\" in the transaction that changed it", sub->name),
				 errdetail("The change takes effect when the transaction commits.")));
	return sub;
}

Datum
burrow_sql_check_connection(PG_FUNCTION_ARGS)
{
	BurrowCall	call;
	BurrowLook	look = {.kind = BURROW_LOOK_CHECK};
	const BurrowSubscription *sub;

	begin(&call, fcinfo, "burrow.check_connection()");
	look.server = server_name(&call);
	sub = find_subscription(&call, look.server);
	if (sub != NULL)
	{
		look.server = sub->options.server;
		look.subid = sub->subid;
	}
	look_at(fcinfo, "burrow.check_connection()", sub != NULL ? sub->owner : GetUserId(), &look, put_step, NULL);
	return (Datum) 0;
}
