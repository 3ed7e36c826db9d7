/*
 * dead_letter.c
 *	  Messages whose attempts are used up (burrow.dead_letter).
 *
 * A row must never be refused because of what the message is: it is there because
 * something is wrong with it.  So a header's name that is no text in the database's
 * encoding is written with its bytes in hexadecimal (raw_header_names has what a retry and the
 * dead-letter topic need), and a time that no timestamp can be is left out.
 *
 * Runs in: the consumer.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"

#include "catalog/access.h"
#include "catalog/dead_letter.h"
#include "catalog/encoding.h"
#include "catalog/subscription.h"
#include "compat.h"
#include "core/kafka_time.h"

#define NCOLUMNS	18

/* Rows whose keys are read at once. */
#define KEYS_AT_ONCE	10000

/* A statement's arguments under construction. */
typedef struct Arguments
{
	int			n;
	Oid			types[NCOLUMNS];
	Datum		values[NCOLUMNS];
	char		nulls[NCOLUMNS + 1];
} Arguments;

static void
add(Arguments *a, Oid type, Datum value, bool isnull)
{
	a->types[a->n] = type;
	a->values[a->n] = value;
	a->nulls[a->n] = isnull ? 'n' : ' ';
	a->n++;
}

static void
add_text(Arguments *a, const char *text)
{
	add(a, TEXTOID, text != NULL ? CStringGetTextDatum(text) : (Datum) 0, text == NULL);
}

static void
add_bytes(Arguments *a, const char *data, size_t len)
{
	add(a, BYTEAOID, data != NULL ? burrow_encoding_bytea(data, len) : (Datum) 0, data == NULL);
}

/*
 * Two arrays, names and values, which SQL puts together; and the names as the message has them, unless those of
 * the first array say as much.
 */
static void
add_headers(Arguments *a, const BurrowMessageView *message)
{
	uint32		n = message->header->nheaders;
	const char *p = message->headers;
	const char *end = p + message->header->headers_len;
	Datum	   *names = palloc(sizeof(Datum) * (n + 1));
	Datum	   *values = palloc(sizeof(Datum) * (n + 1));
	Datum	   *raw_names = palloc(sizeof(Datum) * (n + 1));
	bool		all_same = true;
	bool	   *nulls = palloc(sizeof(bool) * (n + 1));
	int			dims[] = {(int) n};
	int			lower[] = {1};

	for (uint32 i = 0; i < n; i++)
	{
		BurrowHeaderView header;
		bool		same;

		if (!burrow_frame_get_header(&p, end, &header))
			elog(ERROR, "malformed headers in a message");
		names[i] = CStringGetTextDatum(burrow_encoding_from_utf8(header.name, header.name_len, &same));
		raw_names[i] = burrow_encoding_bytea(header.name, header.name_len);
		all_same &= same;
		nulls[i] = header.value == NULL;
		values[i] = nulls[i] ? (Datum) 0 : burrow_encoding_bytea(header.value, header.value_len);
	}
	add(a, TEXTARRAYOID, PointerGetDatum(construct_array(names, (int) n, TEXTOID, -1, false, TYPALIGN_INT)), false);
	add(a, BYTEAARRAYOID,
		PointerGetDatum(construct_md_array(values, nulls, n > 0 ? 1 : 0, dims, lower, BYTEAOID, -1, false, TYPALIGN_INT)),
		false);
	add(a, BYTEAARRAYOID,
		PointerGetDatum(construct_array(raw_names, (int) n, BYTEAOID, -1, false, TYPALIGN_INT)), all_same);
}

static void
add_message_time(Arguments *a, const BurrowMessageHeader *header)
{
	TimestampTz us;
	bool		known = burrow_kafka_time_to_us(header->timestamp_ms, &us) &&
	(header->flags & BURROW_MESSAGE_HAS_TIME) != 0;

	add(a, TIMESTAMPTZOID, TimestampTzGetDatum(us), !known);
}

/* Another attempt has failed, of a letter that somebody wanted to be tried again. */
static void
update_row(int32 subid, const BurrowDeadLetter *letter)
{
	Arguments	a = {0};

	add(&a, INT4OID, Int32GetDatum(subid), false);
	add_text(&a, letter->topic);
	add(&a, INT4OID, Int32GetDatum(letter->partition), false);
	add(&a, INT8OID, Int64GetDatum(letter->message.header->offset), false);
	add(&a, INT4OID, Int32GetDatum((int32) letter->message.header->attempt), false);
	add_text(&a, letter->sqlstate);
	add_text(&a, letter->error);
	add_text(&a, letter->detail);
	add_text(&a, letter->hint);
	add_text(&a, letter->context);
	burrow_access_execute("UPDATE burrow.dead_letter"
						  " SET attempts = $5, sqlstate = $6, message = $7, detail = $8, hint = $9,"
						  " context = $10, last_failed_at = pg_catalog.now(), retry_asked_at = NULL"
						  " WHERE subid OPERATOR(pg_catalog.=) $1 AND topic OPERATOR(pg_catalog.=) $2"
						  " AND partition OPERATOR(pg_catalog.=) $3 AND \"offset\" OPERATOR(pg_catalog.=) $4",
						  a.n, a.types, a.values, a.nulls, SPI_OK_UPDATE);
}

/* The letters behind this one wait until somebody asks again. */
static void
hold_key(int32 subid, const BurrowDeadLetter *letter)
{
	Oid			types[] = {INT4OID, TEXTOID, INT4OID, INT8OID};
	Datum		values[] = {
		Int32GetDatum(subid), CStringGetTextDatum(letter->topic), Int32GetDatum(letter->partition),
		Int64GetDatum((int64) burrow_key_order(letter->message.key, letter->message.header->key_len))
	};

	burrow_access_execute("UPDATE burrow.dead_letter SET retry_asked_at = NULL"
						  " WHERE subid OPERATOR(pg_catalog.=) $1 AND topic OPERATOR(pg_catalog.=) $2"
						  " AND partition OPERATOR(pg_catalog.=) $3 AND key IS NOT NULL"
						  " AND burrow._key_order(key) OPERATOR(pg_catalog.=) $4 AND retry_asked_at IS NOT NULL",
						  4, types, values, NULL, SPI_OK_UPDATE);
}

static void
store(int32 subid, const BurrowDeadLetter *letter)
{
	const BurrowMessageHeader *header = letter->message.header;
	Arguments	a = {0};

	if (letter->is_retry)
	{
		update_row(subid, letter);
		if (letter->holds_key)
			hold_key(subid, letter);
		return;
	}

	add(&a, INT4OID, Int32GetDatum(subid), false);
	add_text(&a, letter->topic);
	add(&a, INT4OID, Int32GetDatum(letter->partition), false);
	add(&a, INT8OID, Int64GetDatum(header->offset), false);
	add_bytes(&a, letter->message.key, header->key_len);
	add_bytes(&a, letter->message.value, header->value_len);
	add_headers(&a, &letter->message);
	add_message_time(&a, header);
	add(&a, INT4OID, Int32GetDatum(letter->sqlstate == NULL ? 0 : (int32) header->attempt), false);
	add_text(&a, letter->sqlstate);
	add_text(&a, letter->error);
	add_text(&a, letter->detail);
	add_text(&a, letter->hint);
	add_text(&a, letter->context);
	add(&a, TIMESTAMPTZOID, TimestampTzGetDatum(letter->first_failed_at), false);
	add(&a, BOOLOID, BoolGetDatum(letter->retry_requested), false);
	Assert(a.n == NCOLUMNS);

	/*
	 * now() is the time of the last failure: the consumer writes at once.  A row may be there, of
	 * a message that is read again; its error is worth more than that it is parked behind itself.
	 */
	burrow_access_execute("INSERT INTO burrow.dead_letter AS d (subid, topic, partition, \"offset\", key, value,"
						  " headers, raw_header_names, \"timestamp\", attempts, sqlstate, message, detail, hint, context,"
						  " first_failed_at, last_failed_at, retry_asked_at)"
						  " SELECT $1, $2, $3, $4, $5, $6,"
						  " ARRAY(SELECT ROW(h.name, h.value)::burrow.header"
						  " FROM ROWS FROM (pg_catalog.unnest($7), pg_catalog.unnest($8))"
						  " WITH ORDINALITY AS h (name, value, n) ORDER BY h.n),"
						  " $9, $10, $11, $12, $13, $14, $15, $16, $17, pg_catalog.now(),"
						  " CASE WHEN $18 THEN pg_catalog.now() END"
						  " ON CONFLICT (subid, topic, partition, \"offset\") DO UPDATE"
						  " SET attempts = excluded.attempts, sqlstate = excluded.sqlstate,"
						  " message = excluded.message, detail = excluded.detail, hint = excluded.hint,"
						  " context = excluded.context, last_failed_at = excluded.last_failed_at,"
						  " retry_asked_at = NULL WHERE excluded.sqlstate IS NOT NULL",
						  a.n, a.types, a.values, a.nulls, SPI_OK_INSERT);
}

void
burrow_dead_letter_lock(int32 subid, const char *uuid, const char *topic, int32 partition,
						const int64 *offsets, int noffsets, const uint64 *key_orders, int nkeys)
{
	BurrowCatalogAccess access;
	Oid			types[] = {INT4OID, TEXTOID, INT4OID, INT8ARRAYOID, INT8ARRAYOID};
	Datum		values[lengthof(types)];
	Datum	   *given = palloc(sizeof(Datum) * (noffsets + nkeys + 1));

	for (int i = 0; i < noffsets; i++)
		given[i] = Int64GetDatum(offsets[i]);
	for (int i = 0; i < nkeys; i++)
		given[noffsets + i] = Int64GetDatum((int64) key_orders[i]);
	values[0] = Int32GetDatum(subid);
	values[1] = CStringGetTextDatum(topic);
	values[2] = Int32GetDatum(partition);
	values[3] = PointerGetDatum(construct_array(given, noffsets, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	values[4] = PointerGetDatum(construct_array(given + noffsets, nkeys, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));

	if (!burrow_access_begin(&access))
		return;
	if (burrow_subscription_hold(subid, uuid))
		burrow_access_execute("SELECT FROM burrow.dead_letter"
							  " WHERE subid OPERATOR(pg_catalog.=) $1 AND topic OPERATOR(pg_catalog.=) $2"
							  " AND partition OPERATOR(pg_catalog.=) $3"
							  " AND (\"offset\" OPERATOR(pg_catalog.=) ANY ($4) OR (key IS NOT NULL AND retry_asked_at IS NOT NULL"
							  " AND burrow._key_order(key) OPERATOR(pg_catalog.=) ANY ($5)))"
							  " ORDER BY \"offset\" FOR UPDATE",
							  lengthof(types), types, values, NULL, SPI_OK_SELECT);
	burrow_access_end(&access);
}

void
burrow_dead_letter_store(int32 subid, const char *uuid, const BurrowDeadLetter *letter)
{
	BurrowCatalogAccess access;

	if (!burrow_access_begin(&access))
		return;
	/* others may follow in the transaction */
	if (burrow_subscription_hold(subid, uuid))
		store(subid, letter);
	burrow_access_end(&access);
}

/* ---- reading ---- */

static Datum
column(int row, int n, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, n, isnull);
}

static bytea *
bytes_column(int row, int n)
{
	bool		isnull;
	Datum		value = column(row, n, &isnull);

	return isnull ? NULL : DatumGetByteaPP(value);
}

static const char *
text_column(int row, int n)
{
	bool		isnull;
	Datum		value = column(row, n, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static void
read_row(int i, BurrowDeadLetterRow *row)
{
	bool		isnull;
	bool	   *name_nulls;
	Datum		value;
	int			n;

	row->topic = TextDatumGetCString(column(i, 1, &isnull));
	row->partition = DatumGetInt32(column(i, 2, &isnull));
	row->offset = DatumGetInt64(column(i, 3, &isnull));
	row->key = bytes_column(i, 4);
	row->value = bytes_column(i, 5);
	deconstruct_array(DatumGetArrayTypeP(column(i, 6, &isnull)), TEXTOID, -1, false, TYPALIGN_INT,
					  &row->header_names, &name_nulls, &row->nheaders);
	deconstruct_array(DatumGetArrayTypeP(column(i, 7, &isnull)), BYTEAOID, -1, false, TYPALIGN_INT,
					  &row->header_values, &row->header_nulls, &n);
	value = column(i, 16, &isnull);
	row->raw_header_names = NULL;
	if (!isnull)
		deconstruct_array(DatumGetArrayTypeP(value), BYTEAOID, -1, false, TYPALIGN_INT,
						  &row->raw_header_names, &name_nulls, &n);
	if (row->raw_header_names != NULL && n != row->nheaders)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("dead letter of topic \"%s\" partition %d offset %lld has %d headers, but %d names of headers",
						row->topic, row->partition, (long long) row->offset, row->nheaders, n)));
	row->time = DatumGetTimestampTz(column(i, 8, &isnull));
	row->has_time = !isnull;
	row->attempts = DatumGetInt32(column(i, 9, &isnull));
	row->sqlstate = text_column(i, 10);
	row->message = text_column(i, 11);
	row->detail = text_column(i, 12);
	row->hint = text_column(i, 13);
	row->context = text_column(i, 14);
}

/* The sizes are looked at before the values are read. */
#define SELECT_LETTERS(total, condition) \
	"SELECT d.topic, d.partition, d.\"offset\", d.key, d.value," \
	" ARRAY(SELECT h.name FROM pg_catalog.unnest(d.headers) WITH ORDINALITY h (name, value, n) ORDER BY h.n)," \
	" ARRAY(SELECT h.value FROM pg_catalog.unnest(d.headers) WITH ORDINALITY h (name, value, n) ORDER BY h.n)," \
	" d.\"timestamp\", d.attempts, d.sqlstate, d.message, d.detail, d.hint, d.context, s.total, d.raw_header_names" \
	" FROM (SELECT a.subid, a.topic, a.partition, a.\"offset\"," \
	" pg_catalog.row_number() OVER w AS n, " total " AS total," \
	" pg_catalog.sum(pg_catalog.octet_length(a.value)) OVER w AS bytes" \
	" FROM burrow.dead_letter a" \
	" WHERE a.subid OPERATOR(pg_catalog.=) $1 AND " condition \
	" WINDOW w AS (ORDER BY a.topic, a.partition, a.\"offset\")" \
	" ORDER BY a.topic, a.partition, a.\"offset\" LIMIT $2) s" \
	" JOIN burrow.dead_letter d USING (subid, topic, partition, \"offset\")" \
	" WHERE s.n OPERATOR(pg_catalog.=) 1 OR coalesce(s.bytes, 0) OPERATOR(pg_catalog.<=) $3" \
	" ORDER BY d.topic, d.partition, d.\"offset\""

static const char *const selects[] = {
	[BURROW_LETTERS_ASKED] = SELECT_LETTERS("pg_catalog.count(*) OVER ()", "a.retry_asked_at IS NOT NULL"),
	[BURROW_LETTERS_UNPRODUCED] = SELECT_LETTERS("pg_catalog.row_number() OVER w",
												 "a.produced_at IS NULL AND a.sqlstate IS NOT NULL AND a.retry_asked_at IS NULL"),
};

uint64
burrow_dead_letter_each(int32 subid, BurrowDeadLetterChoice choice, int limit, int64 bytes,
						void (*found) (void *arg, const BurrowDeadLetterRow *row), void *arg)
{
	BurrowCatalogAccess access;
	Oid			types[] = {INT4OID, INT4OID, INT8OID};
	Datum		values[] = {Int32GetDatum(subid), Int32GetDatum(limit), Int64GetDatum(bytes)};
	uint64		total = 0;
	uint64		n;
	bool		isnull;

	if (!burrow_access_begin(&access))
		return 0;
	n = burrow_access_execute(selects[choice], 3, types, values, NULL, SPI_OK_SELECT);
	for (uint64 i = 0; i < n; i++)
	{
		BurrowDeadLetterRow row;

		read_row((int) i, &row);
		total = (uint64) DatumGetInt64(column((int) i, 15, &isnull));
		found(arg, &row);
	}
	burrow_access_end(&access);
	return total;
}

/* A row of topic, partition and order. */
static void
give_key(int i, BurrowDeadLetterKey found, void *arg)
{
	bool		isnull;

	found(arg, TextDatumGetCString(column(i, 1, &isnull)), DatumGetInt32(column(i, 2, &isnull)),
		  (uint64) DatumGetInt64(column(i, 3, &isnull)));
}

uint64
burrow_dead_letter_count(int32 subid)
{
	BurrowCatalogAccess access;
	Oid			types[] = {INT4OID};
	Datum		values[] = {Int32GetDatum(subid)};
	uint64		n;

	if (!burrow_access_begin(&access))
		return 0;
	burrow_access_execute("SELECT pg_catalog.count(*) FROM burrow.dead_letter WHERE subid OPERATOR(pg_catalog.=) $1",
						  1, types, values, NULL, SPI_OK_SELECT);
	n = (uint64) DatumGetInt64(burrow_access_column(0, 1));
	burrow_access_end(&access);
	return n;
}

/* Some rows at a time, so that it does not matter how many there are. */
void
burrow_dead_letter_each_key(int32 subid, BurrowDeadLetterKey found, void *arg)
{
	BurrowCatalogAccess access;
	Oid			types[] = {INT4OID, TEXTOID, INT4OID, INT8OID, INT4OID};
	Datum		values[] = {
		Int32GetDatum(subid), CStringGetTextDatum(""), Int32GetDatum(-1), Int64GetDatum(-1), Int32GetDatum(KEYS_AT_ONCE)
	};
	uint64		n;

	if (!burrow_access_begin(&access))
		return;
	do
	{
		bool		isnull;

		n = burrow_access_execute("SELECT topic, partition, burrow._key_order(key), \"offset\" FROM burrow.dead_letter"
								  " WHERE subid OPERATOR(pg_catalog.=) $1 AND key IS NOT NULL AND"
								  " (topic, partition, \"offset\") OPERATOR(pg_catalog.>) ($2, $3, $4)"
								  " ORDER BY topic, partition, \"offset\" LIMIT $5",
								  5, types, values, NULL, SPI_OK_SELECT);
		for (uint64 i = 0; i < n; i++)
			give_key((int) i, found, arg);
		if (n > 0)
		{
			values[1] = datumCopy(column((int) n - 1, 1, &isnull), false, -1);
			values[2] = column((int) n - 1, 2, &isnull);
			values[3] = column((int) n - 1, 4, &isnull);
		}
		SPI_freetuptable(SPI_tuptable);
	} while (n == KEYS_AT_ONCE);
	burrow_access_end(&access);
}

/* One statement, and so one snapshot for the keys and for their rows. */
void
burrow_dead_letter_ask_keys(int32 subid, BurrowDeadLetterKey found, void *arg)
{
	BurrowCatalogAccess access;
	Oid			types[] = {INT4OID};
	Datum		values[] = {Int32GetDatum(subid)};
	uint64		n;

	if (!burrow_access_begin(&access))
		return;
	n = burrow_access_execute("WITH k AS MATERIALIZED (SELECT topic, partition, burrow._key_order(key) AS key_order,"
							  " pg_catalog.min(retry_asked_at) AS asked_at FROM burrow.dead_letter"
							  " WHERE subid OPERATOR(pg_catalog.=) $1 AND retry_asked_at IS NOT NULL AND key IS NOT NULL"
							  " GROUP BY 1, 2, 3),"
							  " l AS (SELECT d.topic, d.partition, d.\"offset\", k.asked_at FROM burrow.dead_letter d, k"
							  " WHERE d.subid OPERATOR(pg_catalog.=) $1 AND d.topic OPERATOR(pg_catalog.=) k.topic"
							  " AND d.partition OPERATOR(pg_catalog.=) k.partition AND d.key IS NOT NULL"
							  " AND burrow._key_order(d.key) OPERATOR(pg_catalog.=) k.key_order"
							  " AND d.retry_asked_at IS NULL ORDER BY 1, 2, 3 FOR UPDATE OF d),"
							  " u AS (UPDATE burrow.dead_letter d SET retry_asked_at = l.asked_at FROM l"
							  " WHERE d.subid OPERATOR(pg_catalog.=) $1 AND d.topic OPERATOR(pg_catalog.=) l.topic"
							  " AND d.partition OPERATOR(pg_catalog.=) l.partition"
							  " AND d.\"offset\" OPERATOR(pg_catalog.=) l.\"offset\")"
							  " SELECT topic, partition, key_order FROM k",
							  1, types, values, NULL, SPI_OK_SELECT);
	for (uint64 i = 0; i < n; i++)
		give_key((int) i, found, arg);
	burrow_access_end(&access);
}

const char *
burrow_dead_letter_header_name(const BurrowDeadLetterRow *row, int i, size_t *len)
{
	const char *utf8;

	if (row->raw_header_names != NULL)
	{
		bytea	   *raw = DatumGetByteaPP(row->raw_header_names[i]);

		*len = VARSIZE_ANY_EXHDR(raw);
		return VARDATA_ANY(raw);
	}
	utf8 = burrow_encoding_to_utf8(TextDatumGetCString(row->header_names[i]));
	*len = strlen(utf8);
	return utf8;
}

int64
burrow_dead_letter_time_ms(const BurrowDeadLetterRow *row)
{
	return row->has_time ? burrow_kafka_time_from_us(row->time) : BURROW_KAFKA_NO_TIME;
}

/* ---- marking ---- */

/* Which are meant: $2 to $4 are arrays beside each other. */
#define GIVEN \
	" burrow.dead_letter l JOIN ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4))" \
	" AS g (topic, partition, \"offset\") USING (topic, partition, \"offset\")" \
	" WHERE l.subid OPERATOR(pg_catalog.=) $1 AND l.produced_at IS NULL"

uint64
burrow_dead_letter_mark_produced(int32 subid, const BurrowDeadLetterId *letters, int n)
{
	BurrowCatalogAccess access;
	Datum	   *topics = palloc(sizeof(Datum) * n);
	Datum	   *partitions = palloc(sizeof(Datum) * n);
	Datum	   *offsets = palloc(sizeof(Datum) * n);
	Oid			types[] = {INT4OID, TEXTARRAYOID, INT4ARRAYOID, INT8ARRAYOID};
	Datum		values[4];
	bool		isnull;
	uint64		left;

	for (int i = 0; i < n; i++)
	{
		topics[i] = CStringGetTextDatum(letters[i].topic);
		partitions[i] = Int32GetDatum(letters[i].partition);
		offsets[i] = Int64GetDatum(letters[i].offset);
	}
	values[0] = Int32GetDatum(subid);
	values[1] = PointerGetDatum(construct_array(topics, n, TEXTOID, -1, false, TYPALIGN_INT));
	values[2] = PointerGetDatum(construct_array(partitions, n, INT4OID, sizeof(int32), true, TYPALIGN_INT));
	values[3] = PointerGetDatum(construct_array(offsets, n, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));

	if (!burrow_access_begin(&access))
		return 0;
	burrow_access_execute("UPDATE burrow.dead_letter d SET produced_at = pg_catalog.now()"
						  " FROM (SELECT l.topic, l.partition, l.\"offset\" FROM" GIVEN
						  " FOR UPDATE OF l SKIP LOCKED) m"
						  " WHERE d.subid OPERATOR(pg_catalog.=) $1 AND d.topic OPERATOR(pg_catalog.=) m.topic"
						  " AND d.partition OPERATOR(pg_catalog.=) m.partition"
						  " AND d.\"offset\" OPERATOR(pg_catalog.=) m.\"offset\"",
						  4, types, values, NULL, SPI_OK_UPDATE);
	burrow_access_execute("SELECT pg_catalog.count(*) FROM" GIVEN, 4, types, values, NULL, SPI_OK_SELECT);
	left = (uint64) DatumGetInt64(column(0, 1, &isnull));
	burrow_access_end(&access);
	return left;
}

/* ---- trying again ---- */

bool
burrow_dead_letter_take(int32 subid, const char *topic, int32 partition, int64 offset)
{
	BurrowCatalogAccess access;
	Oid			types[] = {INT4OID, TEXTOID, INT4OID, INT8OID};
	Datum		values[] = {
		Int32GetDatum(subid), CStringGetTextDatum(topic), Int32GetDatum(partition), Int64GetDatum(offset)
	};
	bool		taken;

	if (!burrow_access_begin(&access))
		return false;
	taken = burrow_access_execute("DELETE FROM burrow.dead_letter"
								  " WHERE subid OPERATOR(pg_catalog.=) $1 AND topic OPERATOR(pg_catalog.=) $2"
								  " AND partition OPERATOR(pg_catalog.=) $3 AND \"offset\" OPERATOR(pg_catalog.=) $4",
								  4, types, values, NULL, SPI_OK_DELETE) > 0;
	burrow_access_end(&access);
	return taken;
}
