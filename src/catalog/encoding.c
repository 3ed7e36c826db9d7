/*
 * encoding.c
 *	  Texts of messages and of other libraries in the database's encoding, and back.
 *
 * Runs in: any process that is connected to a database.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#include "catalog/encoding.h"
#include "compat.h"

Datum
burrow_encoding_bytea(const char *bytes, size_t len)
{
	bytea	   *result = palloc(VARHDRSZ + len);

	SET_VARSIZE(result, VARHDRSZ + len);
	memcpy(VARDATA(result), bytes, len);
	return PointerGetDatum(result);
}

static bool
is_ascii(const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
	{
		if (IS_HIGHBIT_SET(bytes[i]) || bytes[i] == '\0')
			return false;
	}
	return true;
}

/* What is the same in all encodings. */
static char *
in_hexadecimal(const char *bytes, size_t len)
{
	StringInfoData text;

	initStringInfo(&text);
	for (size_t i = 0; i < len; i++)
	{
		if (bytes[i] != '\0' && !IS_HIGHBIT_SET(bytes[i]))
			appendStringInfoChar(&text, bytes[i]);
		else
			appendStringInfo(&text, "\\x%02x", (unsigned char) bytes[i]);
	}
	return text.data;
}

/* NULL: it cannot be done.  The bytes hold no zero. */
static char *
convert(const char *bytes, size_t len, int from, int to)
{
	Size		size = (Size) len * MAX_CONVERSION_GROWTH + 1;
	Oid			proc;
	char	   *result;

	if (from == to || to == PG_SQL_ASCII || from == PG_SQL_ASCII)
		return pg_verify_mbstr(from == PG_SQL_ASCII ? to : from, bytes, (int) len, true) ? pnstrdup(bytes, len) : NULL;
	proc = FindDefaultConversionProc(from, to);
	if (!OidIsValid(proc) || size > MaxAllocSize)
		return NULL;
	result = palloc(size);
	if (pg_do_encoding_conversion_buf(proc, from, to, (unsigned char *) bytes, (int) len, (unsigned char *) result,
									  (int) size, true) == (int) len)
		return result;
	pfree(result);
	return NULL;
}

char *
burrow_encoding_from_utf8(const char *bytes, size_t len, bool *same)
{
	char	   *text = NULL;

	*same = is_ascii(bytes, len);
	if (*same)
		return pnstrdup(bytes, len);
	if (memchr(bytes, '\0', len) == NULL)
		text = convert(bytes, len, PG_UTF8, GetDatabaseEncoding());
	/* another encoding's way back may be another one */
	*same = text != NULL && GetDatabaseEncoding() == PG_UTF8;
	return text != NULL ? text : in_hexadecimal(bytes, len);
}

char *
burrow_encoding_to_utf8(const char *text)
{
	size_t		len = strlen(text);
	char	   *utf8 = is_ascii(text, len) ? pstrdup(text) : convert(text, len, GetDatabaseEncoding(), PG_UTF8);

	return utf8 != NULL ? utf8 : in_hexadecimal(text, len);
}

const char *
burrow_encoding_valid(const char *text)
{
	char	   *copy;

	if (pg_verify_mbstr(GetDatabaseEncoding(), text, (int) strlen(text), true))
		return text;
	copy = pstrdup(text);
	for (char *p = copy; *p != '\0'; p++)
	{
		if (IS_HIGHBIT_SET(*p))
			*p = '?';
	}
	return copy;
}
