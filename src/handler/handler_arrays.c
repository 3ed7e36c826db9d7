/*
 * handler_arrays.c
 *	  Fields of a chunk's messages as arrays.
 *
 * Runs in: workers, in a transaction.
 *
 * Each array is written where it stays, element by element: no datum is made of a message's
 * field but of JSON, and nothing is copied twice.  How large an array of text or bytea will be
 * is known before; one of JSON is begun with a guess, and grows.  What an element leaves behind
 * (the JSON parser does) is freed before the next, which finds that memory in the cache.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "compat.h"
#include "handler/array_builder.h"
#include "handler/handler_arrays.h"

/* ---- fields ---- */

static bool
is_missing(const BurrowMessageView *message, BurrowField field)
{
	switch (field)
	{
		case BURROW_FIELD_KEY:
			return message->key == NULL;
		case BURROW_FIELD_VALUE:
			return message->value == NULL;
		case BURROW_FIELD_TIMESTAMP:
			return (message->header->flags & BURROW_MESSAGE_HAS_TIME) == 0;
		default:
			return false;
	}
}

/* The field's bytes in the message; of a topic, and headers, what they will be, or nearly. */
static Size
length(const BurrowMessageSet *set, const BurrowMessageView *message, BurrowField field)
{
	switch (field)
	{
		case BURROW_FIELD_TOPIC:
			return set->source.topic_len;
		case BURROW_FIELD_KEY:
			return message->header->key_len;
		case BURROW_FIELD_VALUE:
			return message->header->value_len;
		default:
			return message->header->headers_len;
	}
}

/* Each element takes so many bytes. */
static Datum
fixed(BurrowMessageSet *set, BurrowField field, Oid type, bool any_null, int width)
{
	BurrowArrayBuilder b;

	burrow_array_builder_begin(&b, type, set->n, any_null, (Size) set->n * width);
	for (int i = 0; i < set->n; i++)
	{
		bool		isnull;
		Datum		value;
		char	   *p;

		*set->current = i;
		value = burrow_handler_values_field(set->layout, &set->source, &set->messages[i], field, type, &isnull);
		if (isnull)
			continue;
		burrow_array_builder_set_not_null(&b, i);
		p = burrow_array_builder_add(&b, width);
		if (width == sizeof(int32))
			*(int32 *) p = DatumGetInt32(value);
		else
			*(int64 *) p = DatumGetInt64(value);
	}
	return burrow_array_builder_finish(&b);
}

/* Their bytes as they are, or text. */
static Datum
bytes(BurrowMessageSet *set, BurrowField field, Oid type, bool any_null)
{
	Size		total = 0;
	BurrowArrayBuilder b;

	for (int i = 0; i < set->n; i++)
	{
		if (!is_missing(&set->messages[i], field))
			total += INTALIGN(VARHDRSZ + length(set, &set->messages[i], field));
	}
	burrow_array_builder_begin(&b, type, set->n, any_null, total);
	for (int i = 0; i < set->n; i++)
	{
		const BurrowMessageView *message = &set->messages[i];
		size_t		len = length(set, message, field);
		const char *data = field == BURROW_FIELD_KEY ? message->key :
		field == BURROW_FIELD_VALUE ? message->value : set->source.topic;

		*set->current = i;
		if (is_missing(message, field))
			continue;
		CHECK_FOR_INTERRUPTS();
		burrow_array_builder_set_not_null(&b, i);
		if (type == TEXTOID)
		{
			const char *text = burrow_handler_values_text(data, &len);

			burrow_array_builder_add_varlena(&b, text, len);
			if (text != data)
				pfree(unconstify(char *, text));
		}
		else
			burrow_array_builder_add_varlena(&b, data, len);
	}
	return burrow_array_builder_finish(&b);
}

/* What has to be parsed.  JSON text stays as long as it is, and jsonb is a little longer, as a rule. */
static Datum
json(BurrowMessageSet *set, BurrowField field, Oid type, bool any_null)
{
	MemoryContext array_cxt = CurrentMemoryContext;
	MemoryContext element_cxt = AllocSetContextCreate(array_cxt, "burrow array element", ALLOCSET_DEFAULT_SIZES);
	Size		total = 0;
	BurrowArrayBuilder b;

	for (int i = 0; i < set->n; i++)
	{
		Size		len = length(set, &set->messages[i], field);

		total += INTALIGN(VARHDRSZ + len + (type == JSONBOID ? len / 2 + 8 : 0));
	}
	burrow_array_builder_begin(&b, type, set->n, any_null, Min(total, MaxAllocSize / 2));
	for (int i = 0; i < set->n; i++)
	{
		bool		isnull;
		Datum		value;

		*set->current = i;
		if (is_missing(&set->messages[i], field))
			continue;
		CHECK_FOR_INTERRUPTS();
		burrow_array_builder_set_not_null(&b, i);
		MemoryContextSwitchTo(element_cxt);
		value = burrow_handler_values_field(set->layout, &set->source, &set->messages[i], field, type, &isnull);
		MemoryContextSwitchTo(array_cxt);
		burrow_array_builder_add_varlena(&b, VARDATA(DatumGetPointer(value)), VARSIZE(DatumGetPointer(value)) - VARHDRSZ);
		MemoryContextReset(element_cxt);
	}
	MemoryContextDelete(element_cxt);
	return burrow_array_builder_finish(&b);
}

Datum
burrow_handler_arrays_field(BurrowMessageSet *set, BurrowField field, Oid type)
{
	bool		any_null = false;

	for (int i = 0; i < set->n && !any_null; i++)
		any_null = is_missing(&set->messages[i], field);
	switch (type)
	{
		case INT4OID:
			return fixed(set, field, type, any_null, sizeof(int32));
		case INT8OID:
		case TIMESTAMPTZOID:
			return fixed(set, field, type, any_null, sizeof(int64));
		case TEXTOID:
		case BYTEAOID:
			return bytes(set, field, type, any_null);
		case JSONOID:
		case JSONBOID:
			return json(set, field, type, any_null);
	}
	elog(ERROR, "unexpected type %u of a field", type);
}
