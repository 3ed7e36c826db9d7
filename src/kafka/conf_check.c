/*
 * conf_check.c
 *	  Do the properties make sense together?
 *
 * rd_kafka_new() refuses some combinations, but a backend must not call it: it starts
 * threads.  So the conditions are written down here a second time, from librdkafka's
 * rd_kafka_conf_finalize(), rd_kafka_assignors_init() and SASL set-up (2.0 to 2.14), with
 * a few that it does not check itself and only the broker would refuse, or nobody.
 *
 * Runs in: backends that check properties, and the consumer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kafka/internal.h"

#define VALUE_MAX	1024

static bool
refuse(char *error, const char *format, const char *a, const char *b)
{
	char		text[2 * BURROW_KAFKA_TEXT_MAX];

	snprintf(text, sizeof(text), format, a, b);
	burrow_kafka_text_copy(error, BURROW_KAFKA_TEXT_MAX, text);
	return false;
}

static long
number(const BurrowKafkaConf *conf, const char *name)
{
	char		value[64];

	return burrow_kafka_conf_get(conf, name, value, sizeof(value)) ? strtol(value, NULL, 10) : -1;
}

/* Has it a value?  A secret has one that is not shown. */
static bool
given(const BurrowKafkaConf *conf, const char *name)
{
	char		value[VALUE_MAX];

	return burrow_kafka_conf_get(conf, name, value, sizeof(value)) && value[0] != '\0';
}

static bool
equals(const BurrowKafkaConf *conf, const char *name, const char *wanted)
{
	char		value[VALUE_MAX];

	return burrow_kafka_conf_get(conf, name, value, sizeof(value)) &&
		strcasecmp(value, wanted) == 0;
}

static bool
set_by_caller(const BurrowKafkaConf *conf, const char *name)
{
	return burrow_kafka_text_has(&conf->names, name);
}

/* a must be at most b */
static bool
in_order(const BurrowKafkaConf *conf, const char *a, const char *b, char *error)
{
	if (number(conf, a) <= number(conf, b))
		return true;
	return refuse(error, "\"%s\" must not be greater than \"%s\"", a, b);
}

static bool
check_times(const BurrowKafkaConf *conf, char *error)
{
	if (!in_order(conf, "reconnect.backoff.ms", "reconnect.backoff.max.ms", error))
		return false;
	if (equals(conf, "group.protocol", "consumer"))
		return true;
	if (!in_order(conf, "session.timeout.ms", "max.poll.interval.ms", error))
		return false;
	/* librdkafka would let it pass, and the member would time out between two heartbeats */
	if (number(conf, "heartbeat.interval.ms") >= number(conf, "session.timeout.ms"))
		return refuse(error, "\"%s\" must be less than \"%s\"",
					  "heartbeat.interval.ms", "session.timeout.ms");
	return true;
}

static bool
check_sizes(const BurrowKafkaConf *conf, char *error)
{
	long		fetch = number(conf, "fetch.max.bytes");
	long		message = number(conf, "message.max.bytes");

	if (set_by_caller(conf, "fetch.max.bytes"))
	{
		if (fetch < message)
			return refuse(error, "\"%s\" must not be less than \"%s\"",
						  "fetch.max.bytes", "message.max.bytes");
	}
	else
	{
		/* as librdkafka adjusts what was not set */
		long		queued = number(conf, "queued.max.messages.kbytes") * 1024;

		if (queued < fetch)
			fetch = queued;
		if (message > fetch)
			fetch = message;
	}
	if (set_by_caller(conf, "receive.message.max.bytes") &&
		number(conf, "receive.message.max.bytes") < fetch + 512)
		return refuse(error, "\"%s\" must be at least \"%s\" + 512",
					  "receive.message.max.bytes", "fetch.max.bytes");
	return in_order(conf, "fetch.min.bytes", "fetch.max.bytes", error);
}

/* group.protocol=consumer: the broker decides what the client decided before */
static bool
check_next_protocol(const BurrowKafkaConf *conf, char *error)
{
	static const char *const theirs[] = {
		"session.timeout.ms", "heartbeat.interval.ms",
		"partition.assignment.strategy", "group.protocol.type",
	};

	if (rd_kafka_version() < VERSION_2_12)
		return refuse(error, "\"%s\" needs librdkafka 2.12 or later, this is %s",
					  "group.protocol=consumer", rd_kafka_version_str());
	for (size_t i = 0; i < sizeof(theirs) / sizeof(theirs[0]); i++)
	{
		if (set_by_caller(conf, theirs[i]))
			return refuse(error, "\"%s\" cannot be set with \"%s\": the broker decides it",
						  theirs[i], "group.protocol=consumer");
	}
	return true;
}

static bool
check_strategies(const BurrowKafkaConf *conf, char *error)
{
	char		value[VALUE_MAX];
	bool		eager = false;
	bool		cooperative = false;
	char	   *state = NULL;

	(void) burrow_kafka_conf_get(conf, "partition.assignment.strategy", value, sizeof(value));
	for (char *name = strtok_r(value, ",", &state); name != NULL;
		 name = strtok_r(NULL, ",", &state))
	{
		name += strspn(name, " ");
		name[strcspn(name, " ")] = '\0';
		if (strcmp(name, "range") == 0 || strcmp(name, "roundrobin") == 0)
			eager = true;
		else if (strcmp(name, "cooperative-sticky") == 0)
			cooperative = true;
		else
			return refuse(error, "\"%s\" is not a partition assignment strategy%s", name,
						  " (range, roundrobin, cooperative-sticky)");
	}
	if (!eager && !cooperative)
		return refuse(error, "\"%s\" must not be empty%s", "partition.assignment.strategy", "");
	if (eager && cooperative)
		return refuse(error, "\"%s\" must not mix \"%s\" with others",
					  "partition.assignment.strategy", "cooperative-sticky");
	if (cooperative && rd_kafka_version() < VERSION_2_10)
		return refuse(error, "\"%s\" needs librdkafka 2.10 or later, this is %s",
					  "cooperative-sticky", rd_kafka_version_str());
	return true;
}

static bool
check_group(const BurrowKafkaConf *conf, char *error)
{
	if (equals(conf, "group.protocol", "consumer"))
		return check_next_protocol(conf, error);
	if (set_by_caller(conf, "group.remote.assignor"))
		return refuse(error, "\"%s\" can only be set with \"%s\"",
					  "group.remote.assignor", "group.protocol=consumer");
	return check_strategies(conf, error);
}

static bool
check_oauth(const BurrowKafkaConf *conf, char *error)
{
	/* Without OIDC somebody must call back for a token, and nobody does. */
	if (!equals(conf, "sasl.oauthbearer.method", "oidc"))
		return refuse(error, "\"%s\" needs \"%s\"",
					  "sasl.mechanism=OAUTHBEARER", "sasl.oauthbearer.method=oidc");

	/* Later versions have other grants and other sources of a token. */
	if (given(conf, "sasl.oauthbearer.grant.type") &&
		!equals(conf, "sasl.oauthbearer.grant.type", "client_credentials"))
		return true;
	if (given(conf, "sasl.oauthbearer.metadata.authentication.type") &&
		!equals(conf, "sasl.oauthbearer.metadata.authentication.type", "none"))
		return true;

	if (!given(conf, "sasl.oauthbearer.client.id"))
		return refuse(error, "\"%s\" needs \"%s\"", "sasl.mechanism=OAUTHBEARER",
					  "sasl.oauthbearer.client.id");
	if (!given(conf, "sasl.oauthbearer.client.secret"))
		return refuse(error, "\"%s\" needs \"%s\"", "sasl.mechanism=OAUTHBEARER",
					  "sasl.oauthbearer.client.secret");
	if (!given(conf, "sasl.oauthbearer.token.endpoint.url"))
		return refuse(error, "\"%s\" needs \"%s\"", "sasl.mechanism=OAUTHBEARER",
					  "sasl.oauthbearer.token.endpoint.url");
	return true;
}

static bool
check_security(const BurrowKafkaConf *conf, char *error)
{
	char		mechanism[64] = "";

	if (given(conf, "ssl.keystore.location") && !given(conf, "ssl.keystore.password"))
		return refuse(error, "\"%s\" needs \"%s\"",
					  "ssl.keystore.location", "ssl.keystore.password");

	if (!equals(conf, "security.protocol", "sasl_plaintext") &&
		!equals(conf, "security.protocol", "sasl_ssl"))
		return true;

	/* librdkafka's default is Kerberos, which nobody means who says nothing */
	if (!set_by_caller(conf, "sasl.mechanism") && !set_by_caller(conf, "sasl.mechanisms"))
		return refuse(error, "\"%s\" needs \"%s\"", "security.protocol", "sasl.mechanism");
	(void) burrow_kafka_conf_get(conf, "sasl.mechanism", mechanism, sizeof(mechanism));
	if (strcasecmp(mechanism, "OAUTHBEARER") == 0)
		return check_oauth(conf, error);
	if (strcasecmp(mechanism, "PLAIN") == 0 || strncasecmp(mechanism, "SCRAM-", 6) == 0)
	{
		if (!given(conf, "sasl.username") || !given(conf, "sasl.password"))
			return refuse(error, "mechanism %s needs \"sasl.username\" and \"sasl.password\"%s",
						  mechanism, "");
	}
	return true;
}

bool
burrow_kafka_conf_check(const BurrowKafkaConf *conf, char *error)
{
	return check_times(conf, error) && check_sizes(conf, error) &&
		check_group(conf, error) && check_security(conf, error);
}
