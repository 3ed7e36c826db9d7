/*
 * option_values.c
 *	  Option values that are more than a word or a number, and their canonical texts.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/int.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#include "burrow.h"
#include "catalog/option_values.h"

/* ---------------------------------------------------------------- intervals */

static const struct
{
	const char *name;
	int64		us;
}			units[] =
{
	{"d", INT64CONST(86400000000)},
	{"h", INT64CONST(3600000000)},
	{"min", INT64CONST(60000000)},
	{"s", INT64CONST(1000000)},
	{"ms", INT64CONST(1000)},
	{"us", INT64CONST(1)},
};

bool
burrow_value_interval_us(const Interval *interval, int64 *us)
{
	int64		days;

	/* an infinite one has as many as there can be */
	if (interval->month != 0)
		return false;
	return !pg_mul_s64_overflow(interval->day, USECS_PER_DAY, &days) &&
		!pg_add_s64_overflow(days, interval->time, us);
}

char *
burrow_value_format_interval(int64 us)
{
	int			i = 0;

	while (i < lengthof(units) - 1 && us % units[i].us != 0)
		i++;
	return psprintf(INT64_FORMAT " %s", us / units[i].us, units[i].name);
}

int64
burrow_value_parse_interval(const char *text)
{
	char	   *unit;
	int64		number = strtoll(text, &unit, 10);

	if (*unit == ' ')
		unit++;
	for (int i = 0; i < lengthof(units); i++)
	{
		if (strcmp(unit, units[i].name) == 0)
			return number * units[i].us;
	}
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("invalid time \"%s\" in table \"%s.%s\"", text, BURROW_SCHEMA, "subscription")));
}

/* ---------------------------------------------------------------- SQLSTATEs */

static bool
is_sqlstate(const char *text)
{
	size_t		length = strlen(text);

	return (length == 2 || length == 5) &&
		strspn(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == length &&
		strncmp(text, "00", 2) != 0;
}

static int
compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

char *
burrow_value_normalize_sqlstates(const BurrowOption *option, ArrayType *array)
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
	qsort(codes, n, sizeof(char *), compare_texts);

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

/* ---------------------------------------------------------------- properties of Kafka's */

/* Words in the names of properties whose values are never shown. */
static const char *const secret_words[] = {
	"password", "passphrase", "secret", "key.pem", "sasl.oauthbearer.config",
};

bool
burrow_kafka_property_is_secret(const char *name)
{
	for (int i = 0; i < lengthof(secret_words); i++)
	{
		if (strstr(name, secret_words[i]) != NULL)
			return true;
	}
	return false;
}

/* The next name and value of an object; false at its end. */
static bool
next_property(JsonbIterator **it, char **name, JsonbValue *value)
{
	JsonbIteratorToken token;

	while ((token = JsonbIteratorNext(it, value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			*name = pnstrdup(value->val.string.val, value->val.string.len);
		else if (token == WJB_VALUE)
			return true;
	}
	return false;
}

/* NULL: not a string, number or boolean. */
static char *
property_value(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvString:
			return pnstrdup(value->val.string.val, value->val.string.len);
		case jbvNumeric:
			return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
		case jbvBool:
			return pstrdup(value->val.boolean ? "true" : "false");
		default:
			return NULL;
	}
}

char *
burrow_value_normalize_properties(const BurrowOption *option, Datum value)
{
	Jsonb	   *json = DatumGetJsonbP(value);
	JsonbIterator *it;
	JsonbValue	v;
	char	   *name = NULL;

	if (!JB_ROOT_IS_OBJECT(json))
		burrow_option_reject(option, JsonbToCString(NULL, &json->root, VARSIZE(json)), NULL);

	it = JsonbIteratorInit(&json->root);
	while (next_property(&it, &name, &v))
	{
		if (property_value(&v) == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid value for Kafka property \"%s\": %s", name,
							v.type == jbvNull ? "null" : "a JSON object or array"),
					 errdetail("Valid values are strings, numbers and booleans.")));
	}
	return JsonbToCString(NULL, &json->root, VARSIZE(json));
}

int
burrow_kafka_properties_parse(const char *text, BurrowKafkaProperty **properties)
{
	Jsonb	   *json = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
	JsonbIterator *it = JsonbIteratorInit(&json->root);
	JsonbValue	v;
	char	   *name = NULL;
	int			n = 0;

	*properties = palloc0(sizeof(BurrowKafkaProperty) * (JB_ROOT_COUNT(json) + 1));
	while (next_property(&it, &name, &v))
	{
		char	   *value = property_value(&v);

		if (value == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("invalid value for Kafka property \"%s\" in table \"%s.%s\"",
							name, BURROW_SCHEMA, "subscription")));
		(*properties)[n].name = name;
		(*properties)[n].value = value;
		n++;
	}
	return n;
}

char *
burrow_kafka_properties_mask(const char *text)
{
	BurrowKafkaProperty *properties;
	int			n = burrow_kafka_properties_parse(text, &properties);
	StringInfoData masked;
	bool		any = false;

	initStringInfo(&masked);
	appendStringInfoChar(&masked, '{');
	for (int i = 0; i < n; i++)
	{
		any |= burrow_kafka_property_is_secret(properties[i].name);
		if (i > 0)
			appendStringInfoString(&masked, ", ");
		escape_json(&masked, properties[i].name);
		appendStringInfoString(&masked, ": ");
		escape_json(&masked, burrow_kafka_property_is_secret(properties[i].name) ?
					"********" : properties[i].value);
	}
	appendStringInfoChar(&masked, '}');
	return any ? masked.data : pstrdup(text);
}
