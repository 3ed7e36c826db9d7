/*
 * kafka_properties.c
 *	  The option kafka: who may set a property, and is its value one?
 *
 * librdkafka is asked, because names and limits differ between its versions.  It is
 * loaded into the backend only when properties are given.
 *
 * Runs in: backends.
 */
#include "postgres.h"

#include <limits.h>

#include "miscadmin.h"

#include "api/kafka_properties.h"
#include "catalog/encoding.h"
#include "catalog/kafka_properties.h"
#include "catalog/names.h"
#include "catalog/nearest.h"
#include "catalog/server.h"
#include "compat.h"
#include "guc.h"
#include "runtime/kafka_library.h"

/* Brokers let a client that calls itself so write to their own topics, where groups have their positions. */
#define ADMIN_CLIENT	"__admin_client"

/* Defaults of librdkafka's. */
#define FETCH_DEFAULT	INT64CONST(52428800)
#define MESSAGE_DEFAULT	INT64CONST(1000000)
#define RECEIVE_DEFAULT	100000000

static void pg_attribute_noreturn()
refuse_unknown(const BurrowKafkaFunctions *kafka, const char *name)
{
	BurrowNearest nearest;
	const char *candidate;

	burrow_nearest_init(&nearest, name);
	for (int i = 0; (candidate = kafka->property_name(i)) != NULL; i++)
		burrow_nearest_offer(&nearest, candidate);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized Kafka property \"%s\"", burrow_option_clip(name)),
			 errdetail("The properties are those of librdkafka %s.", kafka->version()),
			 nearest.best != NULL ? errhint("Perhaps you meant \"%s\".", nearest.best) : 0));
	pg_unreachable();
}

static void pg_attribute_noreturn()
refuse(const char *name, const char *why, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("Kafka property \"%s\" cannot be set for a subscription", name),
			 errdetail_internal("%s", why),
			 errhint("%s", hint)));
	pg_unreachable();
}

static void
check_name(const BurrowKafkaFunctions *kafka, const char *name)
{
	switch (kafka->classify(name))
	{
		case BURROW_KAFKA_PROPERTY_SUBSCRIPTION:
			return;
		case BURROW_KAFKA_PROPERTY_UNKNOWN:
			refuse_unknown(kafka, name);
		case BURROW_KAFKA_PROPERTY_SERVER:
			refuse(name, "It belongs to the connection with the Kafka cluster.",
				   psprintf("Use CREATE SERVER ... FOREIGN DATA WRAPPER burrow OPTIONS (%s ...), and name the server: server => '...'.",
							burrow_server_option_of(name)));
		case BURROW_KAFKA_PROPERTY_USER:
			refuse(name, "It belongs to the credentials for the Kafka cluster.",
				   psprintf("Use CREATE USER MAPPING ... SERVER ... OPTIONS (%s ...).", burrow_server_option_of(name)));
		case BURROW_KAFKA_PROPERTY_SUPERUSER:
			if (superuser())
				return;
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("permission denied to set Kafka property \"%s\"", name),
					 errdetail("Only superusers may set it: it can open files of the server or lower its security."),
					 errhint("Leave it out, or have a superuser set it.")));
			break;
		case BURROW_KAFKA_PROPERTY_NEVER:
			refuse(name, "Burrow sets it itself, or it is not safe inside a database server.", "Leave it out.");
	}
}

static void
check_value(const BurrowKafkaFunctions *kafka, BurrowKafkaConf *conf, const BurrowKafkaProperty *property)
{
	char		reason[BURROW_KAFKA_TEXT_MAX];
	const char *detail;

	/* before librdkafka gives it to the C library, inside this backend */
	if (strcmp(property->name, BURROW_PATTERN_LIST_PROPERTY) == 0 &&
		!burrow_name_is_pattern_list(property->value, &detail))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for Kafka property \"%s\": \"%s\"", property->name,
						burrow_option_clip(property->value)),
				 errdetail_internal("%s", detail),
				 errhint(BURROW_PATTERN_ALLOWED)));
	if (strcmp(property->name, "client.id") == 0 && strcmp(property->value, ADMIN_CLIENT) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for Kafka property \"%s\": \"%s\"", property->name, property->value),
				 errdetail("Brokers let clients of this name write to Kafka's own topics."),
				 errhint("Use another name.")));
	if (!kafka->conf_set(conf, property->name, property->value, reason))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 burrow_kafka_properties_is_secret(property->name) ?
				 errmsg("invalid value for Kafka property \"%s\"", property->name) :
				 errmsg("invalid value for Kafka property \"%s\": \"%s\"", property->name,
						burrow_option_clip(property->value)),
				 errdetail_internal("%s.", burrow_encoding_valid(reason))));
}

/* The number that librdkafka reads there, which takes hexadecimal ones, too; otherwise if it is not given. */
static int64
number(const BurrowKafkaProperty *properties, int n, const char *name, int64 otherwise)
{
	for (int i = 0; i < n; i++)
	{
		if (strcmp(properties[i].name, name) == 0)
			return strtoll(properties[i].value, NULL, 0);
	}
	return otherwise;
}

/* As librdkafka adjusts it, and as the consumer limits its queues: see runtime/kafka_client.c. */
static int64
fetch_bytes(const BurrowKafkaProperty *properties, int n, int64 queue_memory)
{
	int64		queued = Min(number(properties, n, "queued.max.messages.kbytes", INT_MAX) * 1024, queue_memory);
	int64		fetch = number(properties, n, "fetch.max.bytes", -1);

	if (fetch >= 0)
		return fetch;
	return Max(Min(FETCH_DEFAULT, queued), number(properties, n, "message.max.bytes", MESSAGE_DEFAULT));
}

int64
burrow_kafka_properties_fetch_bytes(const char *json, int64 queue_memory)
{
	BurrowKafkaProperty *properties;
	int			n = burrow_kafka_properties_parse(json, &properties);

	return fetch_bytes(properties, n, queue_memory);
}

/* What each property allows may be fine, and what librdkafka makes of all of them not. */
static void
check_sizes(const BurrowKafkaProperty *properties, int n, int64 queue_memory)
{
	int64		fetch = fetch_bytes(properties, n, queue_memory);
	int64		given = number(properties, n, "receive.message.max.bytes", -1);
	int64		queued = number(properties, n, "queued.max.messages.kbytes", 0);

	if (queued * 1024 > queue_memory)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("Kafka property \"%s\" must not be greater than option \"%s\"",
						"queued.max.messages.kbytes", "queue_memory"),
				 errdetail("Its value is %lld kB, and all partitions share %lld kB.",
						   (long long) queued, (long long) queue_memory / 1024),
				 errhint("Leave it out, and set queue_memory.")));
	if (given > burrow_max_receive_message_bytes)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for Kafka property \"%s\": \"" INT64_FORMAT "\"", "receive.message.max.bytes", given),
				 errdetail("This server allows at most %d.", burrow_max_receive_message_bytes),
				 errhint("An administrator can raise burrow.max_receive_message_bytes.")));
	if (given < 0 && fetch + 512 > Max(burrow_max_receive_message_bytes, RECEIVE_DEFAULT))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid combination of Kafka properties: \"%s\" makes \"%s\" " INT64_FORMAT,
						number(properties, n, "fetch.max.bytes", -1) >= 0 ? "fetch.max.bytes" : "message.max.bytes",
						"receive.message.max.bytes", fetch + 512),
				 errdetail("This server allows at most %d.", burrow_max_receive_message_bytes),
				 errhint("An administrator can raise burrow.max_receive_message_bytes.")));
}

/* Runs with conf open, so that the caller can free it whatever happens. */
static void
check_properties(const BurrowKafkaFunctions *kafka, BurrowKafkaConf *conf,
				 const BurrowKafkaProperty *properties, int n, int64 queue_memory)
{
	char		reason[BURROW_KAFKA_TEXT_MAX];

	for (int i = 0; i < n; i++)
	{
		check_name(kafka, properties[i].name);
		check_value(kafka, conf, &properties[i]);
	}
	if (!kafka->conf_check(conf, reason))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid combination of Kafka properties: %s", reason)));
	check_sizes(properties, n, queue_memory);
}

void
burrow_kafka_properties_check(const char *json, int64 queue_memory)
{
	BurrowKafkaProperty *properties;
	int			n = burrow_kafka_properties_parse(json, &properties);
	const BurrowKafkaFunctions *kafka;
	BurrowKafkaConf *conf;

	if (n == 0)
		return;
	kafka = burrow_kafka_library();
	conf = kafka->conf_new();
	if (conf == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	PG_TRY();
	{
		check_properties(kafka, conf, properties, n, queue_memory);
	}
	PG_FINALLY();
	{
		kafka->conf_free(conf);
	}
	PG_END_TRY();
}
