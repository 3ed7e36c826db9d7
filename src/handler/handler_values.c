/*
 * handler_values.c
 *	  A message's fields as datums.
 *
 * Runs in: workers, in a transaction.  Everything is made in the current memory
 * context, which the caller resets after the call.
 *
 * Kafka carries bytes.  A text argument says that they are text, and text in Kafka
 * is UTF-8: it is checked, and converted to the database's encoding.  Bytes that
 * are no UTF-8, a zero byte among them, and a value that is no JSON for a JSON
 * argument raise what PostgreSQL raises for such input (22021, 22P02, 22P05):
 * the message's error.  bytea arguments take everything.
 *
 * Headers for a jsonb argument are an array with an object for each header, in
 * their order: [{"name": "trace", "value": "4f1c"}, {"name": "flag", "value": null}].
 * An object with the names as keys would lose headers that are repeated, as Kafka
 * allows, or change the type of a value with their number.  A message without
 * headers has an empty array in both forms, not NULL.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "datatype/timestamp.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "port/pg_bswap.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "burrow.h"
#include "catalog/encoding.h"
#include "compat.h"
#include "core/kafka_time.h"
#include "handler/handler_values.h"

/* ---- bytes, text, JSON ---- */

const char *
burrow_handler_values_text(const char *data, size_t *len)
{
	const char *text = pg_any_to_server(data, (int) *len, PG_UTF8);

	if (text != data)
		*len = strlen(text);
	return text;
}

static Datum
text_datum(const char *data, size_t len)
{
	const char *text = burrow_handler_values_text(data, &len);

	return PointerGetDatum(cstring_to_text_with_len(text, (int) len));
}

/* The input functions of the JSON types want a terminated string, and only read it. */
static Datum
json_datum(const char *data, size_t len, bool terminated, PGFunction input)
{
	const char *text = burrow_handler_values_text(data, &len);

	if (text == data && !terminated)
		text = pnstrdup(text, len);
	return DirectFunctionCall1(input, CStringGetDatum(text));
}

/* terminated: a zero byte follows it. */
static Datum
value_datum(const char *data, size_t len, bool terminated, Oid type)
{
	switch (type)
	{
		case BYTEAOID:
			return burrow_encoding_bytea(data, len);
		case TEXTOID:
			return text_datum(data, len);
		case JSONOID:
			return json_datum(data, len, terminated, json_in);
		case JSONBOID:
			return json_datum(data, len, terminated, jsonb_in);
	}
	elog(ERROR, "unexpected type %u of a value", type);
}

/* ---- time ---- */

static Datum
timestamp_datum(int64 ms)
{
	TimestampTz us;

	if (!burrow_kafka_time_to_us(ms, &us))
		ereport(ERROR,
				errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				errmsg("message timestamp out of range: " INT64_FORMAT " ms", ms));
	return TimestampTzGetDatum(us);
}

/* ---- headers ---- */

static void
next_header(const char **p, const char *end, BurrowHeaderView *header)
{
	if (!burrow_frame_get_header(p, end, header))
		elog(ERROR, "malformed headers in a message from the consumer");
}

static Datum
headers_array(const BurrowMessageLayout *layout, const BurrowMessageView *message)
{
	uint32		n = message->header->nheaders;
	const char *p = message->headers;
	const char *end = p + message->header->headers_len;
	Datum	   *elements;

	if (n == 0)
		return PointerGetDatum(construct_empty_array(layout->types.header));

	elements = palloc(sizeof(Datum) * n);
	for (uint32 i = 0; i < n; i++)
	{
		BurrowHeaderView header;
		Datum		values[2];
		bool		nulls[2] = {false, false};

		next_header(&p, end, &header);
		values[0] = text_datum(header.name, header.name_len);
		nulls[1] = header.value == NULL;
		values[1] = nulls[1] ? (Datum) 0 : burrow_encoding_bytea(header.value, header.value_len);
		elements[i] = HeapTupleGetDatum(heap_form_tuple(layout->header, values, nulls));
	}
	return PointerGetDatum(construct_array(elements, n, layout->types.header, -1, false, TYPALIGN_DOUBLE));
}

static void
push_string(JsonbParseState **state, JsonbIteratorToken token, const char *data, size_t len)
{
	JsonbValue	value;

	value.type = jbvString;
	value.val.string.val = unconstify(char *, burrow_handler_values_text(data, &len));
	value.val.string.len = (int) len;
	pushJsonbValue(state, token, &value);
}

static Datum
headers_jsonb(const BurrowMessageView *message)
{
	const char *p = message->headers;
	const char *end = p + message->header->headers_len;
	JsonbParseState *state = NULL;
	JsonbValue *result;

	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (uint32 i = 0; i < message->header->nheaders; i++)
	{
		BurrowHeaderView header;
		JsonbValue	null = {.type = jbvNull};

		next_header(&p, end, &header);
		pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		push_string(&state, WJB_KEY, "name", 4);
		push_string(&state, WJB_VALUE, header.name, header.name_len);
		push_string(&state, WJB_KEY, "value", 5);
		if (header.value == NULL)
			pushJsonbValue(&state, WJB_VALUE, &null);
		else
			push_string(&state, WJB_VALUE, header.value, header.value_len);
		pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	}
	result = pushJsonbValue(&state, WJB_END_ARRAY, NULL);
	return PointerGetDatum(JsonbValueToJsonb(result));
}

/* ---- fields ---- */

Datum
burrow_handler_values_field(const BurrowMessageLayout *layout, const BurrowSource *source,
							const BurrowMessageView *message, BurrowField field, Oid type, bool *isnull)
{
	const BurrowMessageHeader *header = message->header;

	*isnull = false;
	switch (field)
	{
		case BURROW_FIELD_TOPIC:
			return text_datum(source->topic, source->topic_len);
		case BURROW_FIELD_PARTITION:
			return Int32GetDatum(source->partition);
		case BURROW_FIELD_OFFSET:
			return Int64GetDatum(header->offset);
		case BURROW_FIELD_KEY:
			if (message->key != NULL)
				return value_datum(message->key, header->key_len, false, type);
			break;
		case BURROW_FIELD_VALUE:
			if (message->value != NULL)
				return value_datum(message->value, header->value_len, true, type);
			break;
		case BURROW_FIELD_HEADERS:
			return type == JSONBOID ? headers_jsonb(message) : headers_array(layout, message);
		case BURROW_FIELD_TIMESTAMP:
			if (header->flags & BURROW_MESSAGE_HAS_TIME)
				return timestamp_datum(header->timestamp_ms);
			break;
		case BURROW_FIELD_ATTEMPT:
			return Int32GetDatum((int32) header->attempt);
	}
	*isnull = true;
	return (Datum) 0;
}

/* ---- a schema registry's framing ---- */

/* A zero byte and the schema's id. */
#define FRAMING_LEN		5

/*
 * Serializers that use a schema registry put a zero byte and the number of a schema before
 * what they write.  Text has no zero bytes, so the error is about that byte, which says
 * little to somebody who has never seen one.
 */
void
burrow_handler_values_hint(const BurrowMessageView *message, BurrowField field)
{
	bool		is_key = field == BURROW_FIELD_KEY;
	const char *data = is_key ? message->key : message->value;
	size_t		len = is_key ? message->header->key_len : message->header->value_len;
	const char *name = is_key ? "key" : "value";
	uint32		id;

	if (geterrcode() != ERRCODE_CHARACTER_NOT_IN_REPERTOIRE ||
		(!is_key && field != BURROW_FIELD_VALUE) || len <= FRAMING_LEN || data[0] != '\0')
		return;
	memcpy(&id, data + 1, sizeof(id));
	id = pg_ntoh32(id);
	if (strchr("{[\"", data[FRAMING_LEN]) != NULL && data[FRAMING_LEN] != '\0')
		errhint("The %s begins like one of a schema registry: a zero byte, schema id %u, and then what looks like JSON. "
				"Declare the argument as bytea, and take convert_from(substr(%s, %d), 'UTF8')::jsonb.",
				name, id, name, FRAMING_LEN + 1);
	else
		errhint("The %s begins like one of a schema registry: a zero byte, schema id %u, and then data that only that schema explains (Avro, Protobuf). "
				"Declare the argument as bytea, and decode what follows its first %d bytes, or have the producer write JSON.",
				name, id, FRAMING_LEN);
}

/* ---- the types ---- */

static Oid
column_type(BurrowField field, const BurrowMessageTypes *types)
{
	switch (field)
	{
		case BURROW_FIELD_TOPIC:
			return TEXTOID;
		case BURROW_FIELD_PARTITION:
		case BURROW_FIELD_ATTEMPT:
			return INT4OID;
		case BURROW_FIELD_OFFSET:
			return INT8OID;
		case BURROW_FIELD_KEY:
		case BURROW_FIELD_VALUE:
			return BYTEAOID;
		case BURROW_FIELD_HEADERS:
			return types->header_array;
		case BURROW_FIELD_TIMESTAMP:
			return TIMESTAMPTZOID;
	}
	return InvalidOid;
}

/*
 * The row type as this library knows it.  Another one may be met when the library
 * was replaced and the extension not yet updated; tuples made wrongly would crash
 * whoever reads them.
 */
static TupleDesc
row_type(Oid type, const Oid *columns, int ncolumns)
{
	TupleDesc	desc = lookup_rowtype_tupdesc_copy(type, -1);
	bool		same = desc->natts == ncolumns;

	for (int i = 0; same && i < ncolumns; i++)
		same = !TupleDescAttr(desc, i)->attisdropped && TupleDescAttr(desc, i)->atttypid == columns[i];
	if (!same)
		ereport(ERROR,
				errcode(ERRCODE_DATATYPE_MISMATCH),
				errmsg("type %s is not the one of this version of Burrow", format_type_be(type)),
				errhint("Run ALTER EXTENSION %s UPDATE in this database.", BURROW_EXTENSION));
	return desc;
}

/* What its header holds beside lengths and nulls is the server's own affair: one release has begun to stamp it. */
static HeapTupleHeader
some_row(TupleDesc desc)
{
	Datum		values[BURROW_NFIELDS] = {0};
	bool		nulls[BURROW_NFIELDS];

	memset(nulls, true, sizeof(nulls));
	return DatumGetHeapTupleHeader(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}

void
burrow_handler_values_layout(const BurrowMessageTypes *types, BurrowMessageLayout *layout)
{
	const Oid	header_columns[2] = {TEXTOID, BYTEAOID};
	Oid			message_columns[BURROW_NFIELDS];

	for (int field = 0; field < BURROW_NFIELDS; field++)
		message_columns[field] = column_type(field, types);
	layout->types = *types;
	layout->message = row_type(types->message, message_columns, BURROW_NFIELDS);
	layout->header = row_type(types->header, header_columns, 2);
	layout->row = some_row(layout->message);
}
