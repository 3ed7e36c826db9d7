/*
 * start_from.c
 *	  The option start_from: where a partition without any progress begins.
 *
 * What is stored is a normal form that means the same in every process: a time is
 * read with the session's TimeZone and DateStyle once, when it is given.
 *
 * Runs in: backends (subscribe, alter) and the consumer.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "catalog/nearest.h"
#include "catalog/start_from.h"
#include "core/kafka_time.h"

/* As large as Kafka's own types. */
static bool
parse_number(const char *text, int64 max, int64 *number)
{
	size_t		length = strlen(text);
	char	   *end;

	if (length == 0 || strspn(text, "0123456789") != length)
		return false;
	errno = 0;
	*number = strtoll(text, &end, 10);
	return errno == 0 && *number <= max;
}

/*
 * The input function's result; false if it does not like the text.  What it raises
 * is caught without a subtransaction, because the caller goes on to raise another
 * error: only the words change.
 */
static bool
call_input(PGFunction function, const char *text, Datum *result)
{
	MemoryContext caller = CurrentMemoryContext;
	volatile bool ok = true;

	PG_TRY();
	{
		*result = DirectFunctionCall3(function, CStringGetDatum(text),
									  ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		if (ERRCODE_TO_CATEGORY(geterrcode()) != ERRCODE_DATA_EXCEPTION)
			PG_RE_THROW();
		FlushErrorState();
		ok = false;
	}
	PG_END_TRY();
	return ok;
}

static bool
parse_offsets(Jsonb *json, BurrowStartFrom *start)
{
	JsonbIterator *it = JsonbIteratorInit(&json->root);
	JsonbIteratorToken token;
	JsonbValue	v;
	int			room = (int) JB_ROOT_COUNT(json);

	if (!JB_ROOT_IS_OBJECT(json) || room == 0)
		return false;
	start->kind = BURROW_START_OFFSETS;
	start->partitions = palloc(sizeof(int32) * room);
	start->offsets = palloc(sizeof(int64) * room);

	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		int64		number;

		if (token == WJB_KEY)
		{
			if (!parse_number(pnstrdup(v.val.string.val, v.val.string.len), PG_INT32_MAX, &number))
				return false;
			start->partitions[start->noffsets] = (int32) number;
		}
		else if (token == WJB_VALUE)
		{
			if (v.type != jbvNumeric ||
				!parse_number(DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(v.val.numeric))),
							  PG_INT64_MAX, &number))
				return false;
			start->offsets[start->noffsets++] = number;
		}
	}
	return true;
}

/* False: it is none of the forms. */
static bool
parse(const char *text, BurrowStartFrom *start, Datum *parsed)
{
	TimestampTz at;

	memset(start, 0, sizeof(BurrowStartFrom));
	if (strcmp(text, "earliest") == 0)
		start->kind = BURROW_START_EARLIEST;
	else if (strcmp(text, "latest") == 0)
		start->kind = BURROW_START_LATEST;
	else if (text[strspn(text, " \t\r\n")] == '{')
		return call_input(jsonb_in, text, parsed) &&
			parse_offsets(DatumGetJsonbP(*parsed), start);
	else
	{
		if (!call_input(timestamptz_in, text, parsed))
			return false;
		at = DatumGetTimestampTz(*parsed);
		/* below 0 Kafka's requests mean something else */
		if (TIMESTAMP_NOT_FINITE(at) || burrow_kafka_time_from_us(at) < 0)
			return false;
		start->kind = BURROW_START_TIME;
		start->time_ms = burrow_kafka_time_from_us(at);
	}
	return true;
}

static void
parse_or_raise(const BurrowOption *option, const char *text, BurrowStartFrom *start, Datum *parsed)
{
	BurrowNearest nearest;

	if (parse(text, start, parsed))
		return;
	burrow_nearest_init(&nearest, text);
	burrow_nearest_offer(&nearest, "earliest");
	burrow_nearest_offer(&nearest, "latest");
	burrow_option_reject(option, text, nearest.best);
}

void
burrow_start_from_parse(const BurrowOption *option, const char *text, BurrowStartFrom *start)
{
	Datum		parsed;

	parse_or_raise(option, text, start, &parsed);
}

/* ISO 8601 in UTC: read alike under every TimeZone and DateStyle. */
static char *
utc_text(TimestampTz at)
{
	struct pg_tm tm;
	fsec_t		fsec;
	char		text[MAXDATELEN + 1];

	if (timestamp2tm(at, NULL, &tm, &fsec, NULL, NULL) != 0)
		elog(ERROR, "could not convert a timestamp");
	tm.tm_isdst = 0;			/* below 0 no zone would be written */
	EncodeDateTime(&tm, fsec, true, 0, "UTC", USE_ISO_DATES, text);
	return pstrdup(text);
}

char *
burrow_start_from_normalize(const BurrowOption *option, const char *text)
{
	BurrowStartFrom start;
	Datum		parsed = 0;

	parse_or_raise(option, text, &start, &parsed);
	switch (start.kind)
	{
		case BURROW_START_EARLIEST:
		case BURROW_START_LATEST:
			break;
		case BURROW_START_TIME:
			return utc_text(DatumGetTimestampTz(parsed));
		case BURROW_START_OFFSETS:
			return DatumGetCString(DirectFunctionCall1(jsonb_out, parsed));
	}
	return pstrdup(text);
}
