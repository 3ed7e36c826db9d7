/*
 * handler_message.c
 *	  Messages as burrow.message, and a chunk's as burrow.message[].
 *
 * Runs in: workers, and processes of burrow.dry_run(), in a transaction.
 *
 * A row is written where it stays, as heap_form_tuple() would write it: the bytes of the
 * message are copied once, and a whole chunk takes one piece of memory.  The columns are
 * those that burrow_handler_values_layout() has found the type to have; the row's header is
 * that of a row which heap_form_tuple() has made, but for its length and nulls.  Only headers of
 * messages, where there are any, are made as a datum before.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "compat.h"
#include "handler/array_builder.h"
#include "handler/handler_message.h"

/* What is the same for all rows. */
typedef struct RowMaker
{
	BurrowMessageSet *set;
	const char *topic;			/* in the database's encoding */
	size_t		topic_len;
	MemoryContext row_cxt;		/* NULL: no message has headers */
} RowMaker;

/* Nulls take one byte, which finds room before the columns. */
#define ROW_OVERHEAD	MAXALIGN(SizeofHeapTupleHeader + BITMAPLEN(BURROW_NFIELDS))

/* Columns of fixed length, headers of the others, and what is between. */
#define ROW_FIXED		(ROW_OVERHEAD + BURROW_NFIELDS * (sizeof(int64) + MAXIMUM_ALIGNOF))

/* The data of an array without elements. */
typedef struct EmptyArray
{
	int32		ndim;
	int32		dataoffset;
	Oid			elemtype;
} EmptyArray;

/* ---- columns ---- */

static inline char *
align(char *p, Size to)
{
	char	   *aligned = (char *) TYPEALIGN(to, p);

	while (p < aligned)
		*p++ = 0;
	return aligned;
}

static inline char *
put_int32(char *p, int32 value)
{
	p = align(p, ALIGNOF_INT);
	*(int32 *) p = value;
	return p + sizeof(value);
}

static inline char *
put_int64(char *p, int64 value)
{
	p = align(p, ALIGNOF_DOUBLE);
	*(int64 *) p = value;
	return p + sizeof(value);
}

/* Short ones have a header of one byte, and stand anywhere. */
static char *
put_varlena(char *p, const void *data, Size len, Size alignment)
{
	if (len + VARHDRSZ_SHORT <= VARATT_SHORT_MAX)
	{
		SET_VARSIZE_SHORT(p, len + VARHDRSZ_SHORT);
		p += VARHDRSZ_SHORT;
	}
	else
	{
		p = align(p, alignment);
		SET_VARSIZE(p, len + VARHDRSZ);
		p += VARHDRSZ;
	}
	memcpy(p, data, len);
	return p + len;
}

/* NULL: the message has none.  The datum is in row_cxt. */
static struct varlena *
make_headers(const RowMaker *maker, const BurrowMessageView *message)
{
	const BurrowMessageSet *set = maker->set;
	MemoryContext old;
	bool		isnull;
	Datum		headers;

	if (message->header->nheaders == 0)
		return NULL;
	old = MemoryContextSwitchTo(maker->row_cxt);
	headers = burrow_handler_values_field(set->layout, &set->source, message, BURROW_FIELD_HEADERS,
										  set->layout->types.header_array, &isnull);
	MemoryContextSwitchTo(old);
	return (struct varlena *) DatumGetPointer(headers);
}

static char *
put_headers(const RowMaker *maker, char *p, const struct varlena *headers)
{
	EmptyArray	empty = {.elemtype = maker->set->layout->types.header};

	if (headers == NULL)
		return put_varlena(p, &empty, sizeof(empty), ALIGNOF_DOUBLE);
	return put_varlena(p, VARDATA(headers), VARSIZE(headers) - VARHDRSZ, ALIGNOF_DOUBLE);
}

/* ---- rows ---- */

/* Most that a row takes, if its headers take so much. */
static Size
row_bound(const RowMaker *maker, const BurrowMessageHeader *header, Size headers_len)
{
	return ROW_FIXED + maker->topic_len + (Size) header->key_len + header->value_len + headers_len;
}

/* What headers take, or nearly. */
static Size
headers_estimate(const BurrowMessageHeader *header)
{
	return header->headers_len + (Size) header->nheaders * 2 * ROW_OVERHEAD + sizeof(EmptyArray);
}

/* Writes the columns; returns where they end.  *bits: which are not NULL. */
static char *
put_columns(const RowMaker *maker, char *p, const BurrowMessageView *message, const struct varlena *headers, bits8 * bits)
{
	const BurrowMessageSet *set = maker->set;
	const BurrowMessageHeader *header = message->header;
	bool		no_time;
	Datum		time = burrow_handler_values_field(set->layout, &set->source, message, BURROW_FIELD_TIMESTAMP,
												   TIMESTAMPTZOID, &no_time);

	*bits = (1 << BURROW_NFIELDS) - 1;
	p = put_varlena(p, maker->topic, maker->topic_len, ALIGNOF_INT);
	p = put_int32(p, set->source.partition);
	p = put_int64(p, header->offset);
	if (message->key != NULL)
		p = put_varlena(p, message->key, header->key_len, ALIGNOF_INT);
	else
		*bits &= ~(1 << BURROW_FIELD_KEY);
	if (message->value != NULL)
		p = put_varlena(p, message->value, header->value_len, ALIGNOF_INT);
	else
		*bits &= ~(1 << BURROW_FIELD_VALUE);
	p = put_headers(maker, p, headers);
	if (!no_time)
		p = put_int64(p, DatumGetInt64(time));
	else
		*bits &= ~(1 << BURROW_FIELD_TIMESTAMP);
	return put_int32(p, (int32) header->attempt);
}

/* Writes a row at p, which is aligned; returns where it ends. */
static char *
put_row(const RowMaker *maker, char *p, const BurrowMessageView *message, const struct varlena *headers)
{
	HeapTupleHeader row = (HeapTupleHeader) p;
	bits8		bits;
	char	   *end;

	memcpy(row, maker->set->layout->row, SizeofHeapTupleHeader);
	memset(row->t_bits, 0, ROW_OVERHEAD - SizeofHeapTupleHeader);
	end = put_columns(maker, p + ROW_OVERHEAD, message, headers, &bits);
	row->t_hoff = ROW_OVERHEAD;
	row->t_infomask = (row->t_infomask & ~HEAP_HASNULL) | HEAP_HASVARWIDTH;
	if (bits != (1 << BURROW_NFIELDS) - 1)
	{
		row->t_infomask |= HEAP_HASNULL;
		row->t_bits[0] = bits;
	}
	HeapTupleHeaderSetDatumLength(row, end - p);
	return end;
}

static void
begin_rows(RowMaker *maker, BurrowMessageSet *set)
{
	maker->set = set;
	maker->topic_len = set->source.topic_len;
	maker->topic = burrow_handler_values_text(set->source.topic, &maker->topic_len);
	maker->row_cxt = NULL;
	for (int i = 0; i < set->n && maker->row_cxt == NULL; i++)
	{
		if (set->messages[i].header->nheaders > 0)
			maker->row_cxt = AllocSetContextCreate(CurrentMemoryContext, "burrow headers", ALLOCSET_DEFAULT_SIZES);
	}
}

static void
end_rows(RowMaker *maker)
{
	if (maker->row_cxt != NULL)
		MemoryContextDelete(maker->row_cxt);
}

Datum
burrow_handler_message_row(BurrowMessageSet *set)
{
	RowMaker	maker;
	const BurrowMessageView *message = &set->messages[0];
	struct varlena *headers;
	char	   *row;

	begin_rows(&maker, set);
	headers = make_headers(&maker, message);
	row = palloc(row_bound(&maker, message->header, headers != NULL ? VARSIZE(headers) : sizeof(EmptyArray)));
	(void) put_row(&maker, row, message, headers);
	end_rows(&maker);
	return PointerGetDatum(row);
}

Datum
burrow_handler_message_array(BurrowMessageSet *set)
{
	RowMaker	maker;
	BurrowArrayBuilder b;
	Size		total = 0;

	begin_rows(&maker, set);
	for (int i = 0; i < set->n; i++)
		total += row_bound(&maker, set->messages[i].header, headers_estimate(set->messages[i].header));
	burrow_array_builder_begin(&b, set->layout->types.message, set->n, false, Min(total, MaxAllocSize / 2));
	for (int i = 0; i < set->n; i++)
	{
		const BurrowMessageView *message = &set->messages[i];
		struct varlena *headers;
		char	   *row;

		*set->current = i;
		CHECK_FOR_INTERRUPTS();
		headers = make_headers(&maker, message);
		row = burrow_array_builder_reserve(&b, row_bound(&maker, message->header,
														 headers != NULL ? VARSIZE(headers) : sizeof(EmptyArray)));
		burrow_array_builder_end(&b, put_row(&maker, row, message, headers), ALIGNOF_DOUBLE);
		if (headers != NULL)
			MemoryContextReset(maker.row_cxt);
	}
	end_rows(&maker);
	return burrow_array_builder_finish(&b);
}
