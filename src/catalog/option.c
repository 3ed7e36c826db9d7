/*
 * option.c
 *	  One option of a subscription: its type, and what values are allowed.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "burrow.h"
#include "compat.h"
#include "catalog/interval_text.h"
#include "catalog/names.h"
#include "catalog/option.h"
#include "catalog/size_text.h"

/*
 * Integers are taken as bigint, so that a number that is far too large gets an answer
 * that names the option, and not "function does not exist".  For the same reason a size is
 * text to which numbers are cast: it is read when it is known which option it is of.
 */
const char *
burrow_option_sql_type(const BurrowOption *option)
{
	switch (option->kind)
	{
		case BURROW_KIND_BOOLEAN:
			return "boolean";
		case BURROW_KIND_INTEGER:
			return "bigint";
		case BURROW_KIND_BYTES:
			return BURROW_SCHEMA ".byte_size";
		case BURROW_KIND_INTERVAL:
			return "interval";
		case BURROW_KIND_SERVER:
			return "name";
		case BURROW_KIND_SQLSTATES:
			return "text[]";
		case BURROW_KIND_KAFKA:
			return "jsonb";
		case BURROW_KIND_CHOICE:
		case BURROW_KIND_SET:
		case BURROW_KIND_GROUP:
		case BURROW_KIND_START:
		case BURROW_KIND_TOPIC:
			break;
	}
	return "text";
}

static char *
list_choices(const BurrowOptionChoice *choices)
{
	StringInfoData text;

	initStringInfo(&text);
	for (const BurrowOptionChoice *c = choices; c->word != NULL; c++)
	{
		if (c != choices)
			appendStringInfoString(&text, c[1].word == NULL ? " and " : ", ");
		appendStringInfo(&text, "\"%s\"", c->word);
	}
	return text.data;
}

char *
burrow_option_allowed(const BurrowOption *option)
{
	switch (option->kind)
	{
		case BURROW_KIND_BOOLEAN:
			return pstrdup("true and false");
		case BURROW_KIND_INTEGER:
			return psprintf("integers from " INT64_FORMAT " to " INT64_FORMAT, option->min, option->max);
		case BURROW_KIND_BYTES:
			return psprintf("sizes from %s to %s",
							burrow_size_text_format(option->min),
							burrow_size_text_format(option->max));
		case BURROW_KIND_INTERVAL:
			return psprintf("intervals from %s to %s",
							burrow_interval_text_format(option->min),
							burrow_interval_text_format(option->max));
		case BURROW_KIND_CHOICE:
			return list_choices(option->choices);
		case BURROW_KIND_SET:
			return psprintf("lists of %s, with commas between them", list_choices(option->choices));
		case BURROW_KIND_SERVER:
			return pstrdup("names of foreign servers; \"\" for none");
		case BURROW_KIND_GROUP:
			return pstrdup("1 to 249 printable characters of ASCII, without spaces");
		case BURROW_KIND_START:
			return pstrdup("\"earliest\", \"latest\", a time since 1970, and a JSON object"
						   " of partitions and their offsets, such as {\"0\": 42}");
		case BURROW_KIND_TOPIC:
			return pstrdup(BURROW_TOPIC_ALLOWED "; \"\" for none");
		case BURROW_KIND_SQLSTATES:
			return pstrdup("arrays of SQLSTATEs, of five or, for a whole class, two characters");
		case BURROW_KIND_KAFKA:
			return pstrdup("JSON objects whose values are strings, numbers and booleans");
	}
	pg_unreachable();
}

/* So much of a value is repeated in an error. */
#define SHOWN_MAX	100

char *
burrow_option_clip(const char *value)
{
	int			length = (int) strlen(value);

	if (length <= SHOWN_MAX)
		return pstrdup(value);
	return psprintf("%.*s...", burrow_clip_length(value, length, SHOWN_MAX), value);
}

void
burrow_option_reject(const BurrowOption *option, const char *value, const char *nearest)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for option \"%s\": \"%s\"", option->name, burrow_option_clip(value)),
			 errdetail("Valid values are %s.", burrow_option_allowed(option)),
			 nearest != NULL ? errhint("Perhaps you meant \"%s\".", nearest) : 0));
	pg_unreachable();
}
