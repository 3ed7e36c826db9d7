/*
 * seek.c
 *	  burrow.seek()
 *
 * It writes where to go on, and the consumer moves there when the transaction has
 * committed; catalog/seek.h says how.  A subscription that is halted goes on with it:
 * a seek is the answer to most halts that are about positions, and for the others it is
 * as good a decision as burrow.resume().
 *
 * Whether the topic holds the offset is for the consumer to find out, because nothing
 * waits for Kafka here.
 *
 * Runs in: backends, and workers whose handler calls them.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "api/call.h"
#include "api/server_options.h"
#include "catalog/audit.h"
#include "catalog/names.h"
#include "catalog/seek_request.h"
#include "core/kafka_time.h"

PG_FUNCTION_INFO_V1(burrow_sql_seek);
PG_FUNCTION_INFO_V1(burrow_sql_seek_time);

static BurrowSubscription *
begin(BurrowCall *call, FunctionCallInfo fcinfo)
{
	BurrowSubscription *sub;

	burrow_call_begin(call, fcinfo, "burrow.seek()");
	sub = burrow_call_subscription(burrow_call_required_text(call, "subscription"), true);
	if (sub->status == BURROW_STATUS_HALTED)
	{
		burrow_server_options_check_use(sub->owner, sub->options.server);
		burrow_call_check_owner(sub);
		burrow_call_check_slot(sub->subid);
	}
	return sub;
}

/* has_time: for all partitions, so that no position is left that belongs to a cluster. */
static void
finish(const BurrowSubscription *sub, bool has_time, TimestampTz time)
{
	Oid			types[] = {INT4OID, BOOLOID, TIMESTAMPTZOID};
	Datum		values[] = {Int32GetDatum(sub->subid), BoolGetDatum(has_time), TimestampTzGetDatum(time)};

	/* always written, so that this transaction is known to have changed the subscription */
	burrow_call_change_row(psprintf("UPDATE burrow.subscription SET"
									" seek_time = CASE WHEN $2 THEN $3 ELSE seek_time END,"
									" cluster_id = CASE WHEN $2 THEN NULL ELSE cluster_id END,"
									" commits_untagged = commits_untagged AND NOT $2%s"
									" WHERE subid OPERATOR(pg_catalog.=) $1",
									sub->status == BURROW_STATUS_HALTED ?
									", status = 'enabled'," BURROW_CALL_CLEAR_ERROR : ""),
						   lengthof(types), types, values);
}

static void
check_topic(const BurrowSubscription *sub, const char *topic)
{
	if (burrow_name_matches(sub->topic, topic))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("subscription \"%s\" does not consume topic \"%s\"", sub->name, burrow_option_clip(topic)),
			 sub->topic[0] == '^' ?
			 errdetail("It consumes the topics that match \"%s\".", sub->topic) :
			 errdetail("It consumes topic \"%s\".", sub->topic)));
}

static void
check_not_negative(const char *option, int64 value)
{
	if (value < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\": \"%lld\"", option, (long long) value),
				 errdetail("It must not be negative.")));
}

Datum
burrow_sql_seek(PG_FUNCTION_ARGS)
{
	BurrowCall	call;
	BurrowSubscription *sub = begin(&call, fcinfo);
	BurrowSeek	seek;
	BurrowAudit audit;

	seek.topic = burrow_call_required_text(&call, "topic");
	seek.partition = DatumGetInt32(burrow_call_required(&call, "partition"));
	seek.offset = DatumGetInt64(burrow_call_required(&call, "offset"));
	check_topic(sub, seek.topic);
	check_not_negative("partition", seek.partition);
	check_not_negative("offset", seek.offset);

	burrow_seek_request_ask(sub->subid, &seek);
	finish(sub, false, 0);
	burrow_audit_begin(&audit);
	burrow_audit_add_text(&audit, "topic", seek.topic);
	burrow_audit_add_number(&audit, "partition", seek.partition);
	burrow_audit_add_number(&audit, "offset", seek.offset);
	burrow_audit_end(&audit, "seek", sub->subid, sub->name, sub->owner);
	PG_RETURN_VOID();
}

Datum
burrow_sql_seek_time(PG_FUNCTION_ARGS)
{
	BurrowCall	call;
	BurrowSubscription *sub = begin(&call, fcinfo);
	BurrowAudit audit;
	TimestampTz time = DatumGetTimestampTz(burrow_call_required(&call, "time"));

	/* a message may have a time before that, but no question: below 0 it means something else */
	if (!TIMESTAMP_NOT_FINITE(time) && burrow_kafka_time_from_us(time) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\": \"%s\"", "time", timestamptz_to_str(time)),
				 errdetail("Kafka's times begin at 1970-01-01 00:00:00 UTC.")));

	/* this is the later wish, for each of them */
	burrow_seek_request_forget(sub->subid);
	finish(sub, true, time);
	burrow_audit_begin(&audit);
	burrow_audit_add_text(&audit, "time", timestamptz_to_str(time));
	burrow_audit_end(&audit, "seek", sub->subid, sub->name, sub->owner);
	PG_RETURN_VOID();
}
