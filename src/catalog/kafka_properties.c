/*
 * kafka_properties.c
 *	  The option kafka: properties of librdkafka, as a JSON object.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#include "burrow.h"
#include "catalog/kafka_properties.h"
#include "compat.h"

/* Words in the names of properties whose values are never shown. */
static const char *const secret_words[] = {
	"password", "passphrase", "secret", "key.pem", "sasl.oauthbearer.config",
};

bool
burrow_kafka_properties_is_secret(const char *name)
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
burrow_kafka_properties_normalize(const BurrowOption *option, Datum value)
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
					 errmsg("invalid value for Kafka property \"%s\": %s", burrow_option_clip(name),
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
		any |= burrow_kafka_properties_is_secret(properties[i].name);
		if (i > 0)
			appendStringInfoString(&masked, ", ");
		escape_json(&masked, properties[i].name);
		appendStringInfoString(&masked, ": ");
		escape_json(&masked, burrow_kafka_properties_is_secret(properties[i].name) ?
					"********" : properties[i].value);
	}
	appendStringInfoChar(&masked, '}');
	return any ? masked.data : pstrdup(text);
}
