/*
 * sqlstates.c
 *	  SQLSTATEs as text, and lists of them and of their classes.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "catalog/sqlstates.h"

int
burrow_sqlstate_pack(const char *sqlstate)
{
	return MAKE_SQLSTATE(sqlstate[0], sqlstate[1], sqlstate[2], sqlstate[3], sqlstate[4]);
}

static bool
is_sqlstate(const char *text)
{
	size_t		length = strlen(text);

	return (length == 2 || length == 5) &&
		strspn(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == length &&
		strncmp(text, "00", 2) != 0;
}

char *
burrow_sqlstates_normalize(const BurrowOption *option, ArrayType *array)
{
	StringInfoData list;
	Datum	   *elements;
	bool	   *nulls;
	char	  **codes;
	int			n;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
	codes = palloc(sizeof(char *) * (n + 1));
	for (int i = 0; i < n; i++)
	{
		if (nulls[i])
			burrow_option_reject(option, "NULL", NULL);
		codes[i] = TextDatumGetCString(elements[i]);
		for (char *p = codes[i]; *p != '\0'; p++)
			*p = (char) pg_ascii_toupper((unsigned char) *p);
		if (!is_sqlstate(codes[i]))
			burrow_option_reject(option, TextDatumGetCString(elements[i]), NULL);
	}
	qsort(codes, n, sizeof(char *), pg_qsort_strcmp);

	initStringInfo(&list);
	appendStringInfoChar(&list, '{');
	for (int i = 0; i < n; i++)
	{
		if (i > 0 && strcmp(codes[i], codes[i - 1]) == 0)
			continue;
		appendStringInfo(&list, "%s%s", i > 0 ? "," : "", codes[i]);
	}
	appendStringInfoChar(&list, '}');
	return list.data;
}
