/*
 * conf.c
 *	  Properties: who may set them, setting them, and Burrow's own.
 *
 * librdkafka has some 150 properties and gets more with each version.  A name that
 * is in none of the lists below is Burrow's business alone: what a new version adds
 * is closed to users until somebody has looked at it.
 *
 * Whether a property exists is asked from the library that runs, never taken from
 * its version: the lists may name what it has not, and distributions leave things out.
 *
 * Runs in: backends that check properties, and the consumer.  rd_kafka_conf_* start
 * no thread and open no file; rd_kafka_new() is not called here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kafka/certificate.h"
#include "kafka/internal.h"
#include "kafka/tls.h"

/*
 * Which class a name has; a "*" stands for any run of characters.  The level follows from the
 * class; for superusers' properties, which may be of the server or of its user, it is said.
 */
typedef struct Rule
{
	BurrowKafkaPropertyClass class;
	const char *pattern;
	BurrowKafkaLevel level;
} Rule;

/*
 * The first rule that matches decides.  So the superuser's patterns stand first:
 * whatever opens a file stays theirs, whichever family it belongs to.
 */
static const Rule rules[] = {
	{BURROW_KAFKA_PROPERTY_NEVER, "ssl.engine.*"},
	{BURROW_KAFKA_PROPERTY_NEVER, "plugin.library.paths"},
	{BURROW_KAFKA_PROPERTY_NEVER, "sasl.kerberos.kinit.cmd"},

	{BURROW_KAFKA_PROPERTY_SUPERUSER, "ssl.certificate.location", BURROW_KAFKA_LEVEL_USER},
	{BURROW_KAFKA_PROPERTY_SUPERUSER, "ssl.key.location", BURROW_KAFKA_LEVEL_USER},
	{BURROW_KAFKA_PROPERTY_SUPERUSER, "ssl.ca.location", BURROW_KAFKA_LEVEL_SERVER},
	{BURROW_KAFKA_PROPERTY_SUPERUSER, "ssl.crl.location", BURROW_KAFKA_LEVEL_SERVER},
	{BURROW_KAFKA_PROPERTY_SUPERUSER, "https.ca.location", BURROW_KAFKA_LEVEL_SERVER},
	{BURROW_KAFKA_PROPERTY_SUPERUSER, "ssl.keystore.location", BURROW_KAFKA_LEVEL_USER},
	{BURROW_KAFKA_PROPERTY_SUPERUSER, "ssl.keystore.password", BURROW_KAFKA_LEVEL_USER},
	{BURROW_KAFKA_PROPERTY_SUPERUSER, "*.location", BURROW_KAFKA_LEVEL_SERVER},
	{BURROW_KAFKA_PROPERTY_SUPERUSER, "*.file", BURROW_KAFKA_LEVEL_USER},
	{BURROW_KAFKA_PROPERTY_SUPERUSER, "ssl.keystore.*", BURROW_KAFKA_LEVEL_USER},
	{BURROW_KAFKA_PROPERTY_SUPERUSER, "debug", BURROW_KAFKA_LEVEL_SERVER},
	{BURROW_KAFKA_PROPERTY_SUPERUSER, "enable.ssl.certificate.verification", BURROW_KAFKA_LEVEL_SERVER},
	{BURROW_KAFKA_PROPERTY_SUPERUSER, "sasl.oauthbearer.token.endpoint.url", BURROW_KAFKA_LEVEL_SERVER},
	{BURROW_KAFKA_PROPERTY_SUPERUSER, "sasl.oauthbearer.metadata.authentication.type", BURROW_KAFKA_LEVEL_SERVER},
	{BURROW_KAFKA_PROPERTY_SUPERUSER, "sasl.kerberos.principal", BURROW_KAFKA_LEVEL_USER},
	{BURROW_KAFKA_PROPERTY_SUPERUSER, "sasl.kerberos.keytab", BURROW_KAFKA_LEVEL_USER},
	{BURROW_KAFKA_PROPERTY_SUPERUSER, "sasl.kerberos.service.name", BURROW_KAFKA_LEVEL_SERVER},
	{BURROW_KAFKA_PROPERTY_SUPERUSER, "sasl.kerberos.*", BURROW_KAFKA_LEVEL_SERVER},

	{BURROW_KAFKA_PROPERTY_USER, "sasl.username"},
	{BURROW_KAFKA_PROPERTY_USER, "sasl.password"},
	{BURROW_KAFKA_PROPERTY_USER, "ssl.certificate.pem"},
	{BURROW_KAFKA_PROPERTY_USER, "ssl.key.pem"},
	{BURROW_KAFKA_PROPERTY_USER, "ssl.key.password"},
	{BURROW_KAFKA_PROPERTY_USER, "sasl.oauthbearer.client.id"},
	{BURROW_KAFKA_PROPERTY_USER, "sasl.oauthbearer.client.secret"},
	{BURROW_KAFKA_PROPERTY_USER, "sasl.oauthbearer.client.credentials.client.id"},
	{BURROW_KAFKA_PROPERTY_USER, "sasl.oauthbearer.client.credentials.client.secret"},
	{BURROW_KAFKA_PROPERTY_USER, "sasl.oauthbearer.assertion.private.key.pem"},
	{BURROW_KAFKA_PROPERTY_USER, "sasl.oauthbearer.assertion.private.key.passphrase"},

	{BURROW_KAFKA_PROPERTY_SERVER, "bootstrap.servers"},
	{BURROW_KAFKA_PROPERTY_SERVER, "metadata.broker.list"},
	{BURROW_KAFKA_PROPERTY_SERVER, "security.protocol"},
	{BURROW_KAFKA_PROPERTY_SERVER, "sasl.mechanism"},
	{BURROW_KAFKA_PROPERTY_SERVER, "sasl.mechanisms"},
	{BURROW_KAFKA_PROPERTY_SERVER, "ssl.ca.pem"},
	{BURROW_KAFKA_PROPERTY_SERVER, "https.ca.pem"},
	{BURROW_KAFKA_PROPERTY_SERVER, "ssl.cipher.suites"},
	{BURROW_KAFKA_PROPERTY_SERVER, "ssl.curves.list"},
	{BURROW_KAFKA_PROPERTY_SERVER, "ssl.sigalgs.list"},
	{BURROW_KAFKA_PROPERTY_SERVER, "ssl.endpoint.identification.algorithm"},
	{BURROW_KAFKA_PROPERTY_SERVER, "sasl.oauthbearer.method"},
	{BURROW_KAFKA_PROPERTY_SERVER, "sasl.oauthbearer.grant.type"},
	{BURROW_KAFKA_PROPERTY_SERVER, "sasl.oauthbearer.scope"},
	{BURROW_KAFKA_PROPERTY_SERVER, "sasl.oauthbearer.extensions"},
	{BURROW_KAFKA_PROPERTY_SERVER, "sasl.oauthbearer.sub.claim.name"},
	{BURROW_KAFKA_PROPERTY_SERVER, "sasl.oauthbearer.assertion.algorithm"},
	{BURROW_KAFKA_PROPERTY_SERVER, "sasl.oauthbearer.assertion.claim.*"},

	{BURROW_KAFKA_PROPERTY_SUBSCRIPTION, "client.id"},
	{BURROW_KAFKA_PROPERTY_SUBSCRIPTION, "client.rack"},
	{BURROW_KAFKA_PROPERTY_SUBSCRIPTION, "client.dns.lookup"},
	{BURROW_KAFKA_PROPERTY_SUBSCRIPTION, "group.instance.id"},
	{BURROW_KAFKA_PROPERTY_SUBSCRIPTION, "group.protocol"},
	{BURROW_KAFKA_PROPERTY_SUBSCRIPTION, "group.remote.assignor"},
	{BURROW_KAFKA_PROPERTY_SUBSCRIPTION, "partition.assignment.strategy"},
	{BURROW_KAFKA_PROPERTY_SUBSCRIPTION, "session.timeout.ms"},
	{BURROW_KAFKA_PROPERTY_SUBSCRIPTION, "heartbeat.interval.ms"},
	{BURROW_KAFKA_PROPERTY_SUBSCRIPTION, "max.poll.interval.ms"},
	{BURROW_KAFKA_PROPERTY_SUBSCRIPTION, "isolation.level"},
	{BURROW_KAFKA_PROPERTY_SUBSCRIPTION, "check.crcs"},
	{BURROW_KAFKA_PROPERTY_SUBSCRIPTION, "fetch.*"},
	{BURROW_KAFKA_PROPERTY_SUBSCRIPTION, "max.partition.fetch.bytes"},
	{BURROW_KAFKA_PROPERTY_SUBSCRIPTION, "queued.*"},
	{BURROW_KAFKA_PROPERTY_SUBSCRIPTION, "message.max.bytes"},
	{BURROW_KAFKA_PROPERTY_SUBSCRIPTION, "receive.message.max.bytes"},
	{BURROW_KAFKA_PROPERTY_SUBSCRIPTION, "socket.timeout.ms"},
	{BURROW_KAFKA_PROPERTY_SUBSCRIPTION, "socket.connection.setup.timeout.ms"},
	{BURROW_KAFKA_PROPERTY_SUBSCRIPTION, "socket.keepalive.enable"},
	{BURROW_KAFKA_PROPERTY_SUBSCRIPTION, "socket.nagle.disable"},
	{BURROW_KAFKA_PROPERTY_SUBSCRIPTION, "connections.max.idle.ms"},
	{BURROW_KAFKA_PROPERTY_SUBSCRIPTION, "reconnect.*"},
	{BURROW_KAFKA_PROPERTY_SUBSCRIPTION, "retry.backoff*"},
	{BURROW_KAFKA_PROPERTY_SUBSCRIPTION, "topic.metadata.refresh.interval.ms"},
	{BURROW_KAFKA_PROPERTY_SUBSCRIPTION, "metadata.max.age.ms"},
	{BURROW_KAFKA_PROPERTY_SUBSCRIPTION, "metadata.recovery.*"},
	{BURROW_KAFKA_PROPERTY_SUBSCRIPTION, "topic.blacklist"},
	{BURROW_KAFKA_PROPERTY_SUBSCRIPTION, "broker.address.*"},
};

/* Names of properties whose values are never shown. */
static const char *const secret_names[] = {
	"*password*", "*secret*", "*passphrase*", "*.key.pem", "sasl.oauthbearer.config",
};

/* What Burrow sets, and when. */
typedef struct Fixed
{
	const char *name;
	const char *value;
	bool		optional;		/* not in every version */
} Fixed;

/* Burrow rests on these: set again before the client is made, whatever the caller set. */
static const Fixed fixed[] = {
	/* the tracker decides what is committed */
	{"enable.auto.commit", "false"},
	{"enable.auto.offset.store", "false"},
	/* positions are given, never guessed */
	{"auto.offset.reset", "error"},
	/* the end of a partition is not the last message + 1 if transactions wrote it */
	{"enable.partition.eof", "true"},
	{"log.queue", "true"},
	{"statistics.interval.ms", "0"},
	/* a misspelt topic must be an error, not a new topic */
	{"allow.auto.create.topics", "false"},

	/*
	 * librdkafka 2.12 and later do not believe for so long after the first use that a topic is
	 * gone (30 s by default), and read on in one that is made anew meanwhile
	 */
	{"topic.metadata.propagation.max.ms", "1000"},
	/* nothing is sent to the cluster's owner that the user did not ask for */
	{"enable.metrics.push", "false", true},
	/* srand() belongs to PostgreSQL */
	{"enable.random.seed", "false", true},
};

/* The same of a producer. */
static const Fixed producer_fixed[] = {
	/* a retry of librdkafka's own neither repeats a record nor changes their order */
	{"enable.idempotence", "true"},
	{"log.queue", "true"},
	{"statistics.interval.ms", "0"},
	/* the broker and the topic decide what is too large */
	{"message.max.bytes", "1000000000"},

	/*
	 * but for one that is as large by itself, no batch is: if the topic takes less, a record
	 * would be refused for the sake of its neighbours
	 */
	{"batch.size", "16384"},
	/* then it is told, and the caller decides */
	{"message.timeout.ms", "30000"},
	/* one that was made just now */
	{"topic.metadata.propagation.max.ms", "10000"},
	/* a key goes where Java's producers would put it */
	{"partitioner", "murmur2_random"},
	{"enable.metrics.push", "false", true},
	{"enable.random.seed", "false", true},
};

/* Properties of class SUBSCRIPTION that are not for a producer, or not its user's to set:
 * librdkafka would warn of each. */
static const char *const consumer_names[] = {
	"group.*", "partition.assignment.strategy", "session.timeout.ms", "heartbeat.interval.ms",
	"max.poll.interval.ms", "isolation.level", "check.crcs", "fetch.*", "max.partition.fetch.bytes",
	"queued.*", "message.max.bytes", "receive.message.max.bytes", "client.rack",
};

/* Better defaults than librdkafka's, which a user may change. */
static const Fixed defaults[] = {
	/* after a queue was full, look again at once, not after a second */
	{"fetch.queue.backoff.ms", "10", true},
	/* a damaged record must not be taken for a good one; on in Kafka's own client, too */
	{"check.crcs", "true"},
};

/*
 * A crashed consumer's partitions come back after this.  Not among the defaults,
 * because group.protocol=consumer refuses the property, however it was set.
 */
#define SESSION_TIMEOUT_NAME	"session.timeout.ms"
#define SESSION_TIMEOUT_VALUE	"10000"

static bool
matches(const char *pattern, const char *name)
{
	while (*pattern != '\0')
	{
		if (*pattern == '*')
		{
			do
			{
				if (matches(pattern + 1, name))
					return true;
			} while (*name++ != '\0');
			return false;
		}
		if (*pattern++ != *name++)
			return false;
	}
	return *name == '\0';
}

static bool
matches_any(const char *const *patterns, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
	{
		if (matches(patterns[i], name))
			return true;
	}
	return false;
}

static bool
is_secret(const char *name)
{
	return matches_any(secret_names, sizeof(secret_names) / sizeof(secret_names[0]), name);
}

static bool
is_for_consumers(const char *name)
{
	return matches_any(consumer_names, sizeof(consumer_names) / sizeof(consumer_names[0]), name);
}

/*
 * Does the library that runs have such a property, for clients or for topics?  Asked by
 * setting it to its default: rd_kafka_conf_get() calls a property without a value unknown.
 */
static bool
exists(const char *name)
{
	/* kept, since making one sets all the properties there are */
	static rd_kafka_conf_t *scratch;

	if (scratch == NULL)
		scratch = rd_kafka_conf_new();
	return rd_kafka_conf_set(scratch, name, NULL, NULL, 0) != RD_KAFKA_CONF_UNKNOWN;
}

/* NULL: none has the name. */
static const Rule *
find_rule(const char *name)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
	{
		if (matches(rules[i].pattern, name))
			return &rules[i];
	}
	return NULL;
}

static BurrowKafkaLevel
level_of(const Rule *rule)
{
	switch (rule->class)
	{
		case BURROW_KAFKA_PROPERTY_SUBSCRIPTION:
			return BURROW_KAFKA_LEVEL_SUBSCRIPTION;
		case BURROW_KAFKA_PROPERTY_SERVER:
			return BURROW_KAFKA_LEVEL_SERVER;
		case BURROW_KAFKA_PROPERTY_USER:
			return BURROW_KAFKA_LEVEL_USER;
		default:
			return rule->level;
	}
}

BurrowKafkaPropertyClass
burrow_kafka_classify(const char *name)
{
	const Rule *rule;

	if (!exists(name))
		return BURROW_KAFKA_PROPERTY_UNKNOWN;
	rule = find_rule(name);
	return rule != NULL ? rule->class : BURROW_KAFKA_PROPERTY_NEVER;
}

BurrowKafkaLevel
burrow_kafka_level(const char *name)
{
	const Rule *rule = find_rule(name);

	return rule != NULL ? level_of(rule) : BURROW_KAFKA_LEVEL_NONE;
}

/* Name i, from 0, of those that the lists have of this level and the library that runs has; NULL after the last. */
const char *
burrow_kafka_level_name(BurrowKafkaLevel level, int i)
{
	for (size_t rule = 0; rule < sizeof(rules) / sizeof(rules[0]); rule++)
	{
		if (level_of(&rules[rule]) == level && strchr(rules[rule].pattern, '*') == NULL &&
			exists(rules[rule].pattern) && i-- == 0)
			return rules[rule].pattern;
	}
	return NULL;
}

/* False: a property that every version must have was refused. */
static bool
apply(rd_kafka_conf_t *rk, const Fixed *list, size_t n, char *error, size_t room)
{
	for (size_t i = 0; i < n; i++)
	{
		size_t		size = 0;

		if (list[i].optional &&
			rd_kafka_conf_get(rk, list[i].name, NULL, &size) == RD_KAFKA_CONF_UNKNOWN)
			continue;
		if (rd_kafka_conf_set(rk, list[i].name, list[i].value, error, room) != RD_KAFKA_CONF_OK)
			return false;
	}
	return true;
}

/*
 * librdkafka's logs come through the log queue; what it still has to say when there
 * is no queue yet, or no longer, would be written to stderr, PostgreSQL's log, in a
 * form of its own.
 */
static void
ignore_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
}

static BurrowKafkaConf *
new_conf(bool producer, int events, const Fixed *list, size_t n)
{
	BurrowKafkaConf *conf = calloc(1, sizeof(BurrowKafkaConf));
	char		error[BURROW_KAFKA_TEXT_MAX];

	if (conf == NULL)
		return NULL;
	conf->producer = producer;
	conf->rk = rd_kafka_conf_new();
	rd_kafka_conf_set_log_cb(conf->rk, ignore_log);
	burrow_kafka_watch_certificates(conf->rk);
	rd_kafka_conf_set_events(conf->rk, events | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG);
	if (!apply(conf->rk, list, n, error, sizeof(error)))
	{
		burrow_kafka_conf_free(conf);
		return NULL;
	}
	return conf;
}

BurrowKafkaConf *
burrow_kafka_conf_new(void)
{
	BurrowKafkaConf *conf = new_conf(false,
									 RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_FETCH | RD_KAFKA_EVENT_OFFSET_COMMIT,
									 fixed, sizeof(fixed) / sizeof(fixed[0]));
	char		error[BURROW_KAFKA_TEXT_MAX];

	if (conf != NULL && !apply(conf->rk, defaults, sizeof(defaults) / sizeof(defaults[0]), error, sizeof(error)))
	{
		burrow_kafka_conf_free(conf);
		return NULL;
	}
	return conf;
}

BurrowKafkaConf *
burrow_kafka_producer_conf_new(void)
{
	return new_conf(true, RD_KAFKA_EVENT_DR, producer_fixed, sizeof(producer_fixed) / sizeof(producer_fixed[0]));
}

void
burrow_kafka_conf_free(BurrowKafkaConf *conf)
{
	if (conf == NULL)
		return;
	if (conf->rk != NULL)
		rd_kafka_conf_destroy(conf->rk);
	burrow_kafka_text_clear(&conf->names);
	burrow_kafka_text_clear(&conf->secrets);
	free(conf);
}

bool
burrow_kafka_conf_set(BurrowKafkaConf *conf, const char *name, const char *value, char *error)
{
	char		why[BURROW_KAFKA_TEXT_MAX];

	/* Setting it is enough to load the libraries, as the server's user. */
	if (strcmp(name, "plugin.library.paths") == 0)
	{
		snprintf(error, BURROW_KAFKA_TEXT_MAX, "property \"%s\" cannot be set", name);
		return false;
	}

	if (conf->producer && is_for_consumers(name))
		return true;
	if (is_secret(name) && value != NULL && !burrow_kafka_secret_add(&conf->secrets, value))
	{
		snprintf(error, BURROW_KAFKA_TEXT_MAX, "out of memory");
		return false;
	}
	if (rd_kafka_conf_set(conf->rk, name, value, why, sizeof(why)) != RD_KAFKA_CONF_OK)
	{
		burrow_kafka_redact(&conf->secrets, why, error, BURROW_KAFKA_TEXT_MAX);
		return false;
	}
	/* otherwise found out only when a client is made */
	if (value != NULL && strncmp(name, "ssl.", 4) == 0 && !burrow_kafka_tls_has(name, value))
	{
		snprintf(error, BURROW_KAFKA_TEXT_MAX, "OpenSSL knows none of these");
		return false;
	}
	if (!burrow_kafka_text_has(&conf->names, name) &&
		!burrow_kafka_text_add(&conf->names, name, strlen(name)))
	{
		snprintf(error, BURROW_KAFKA_TEXT_MAX, "out of memory");
		return false;
	}
	return true;
}

/* Is the session's timeout Burrow's to choose? */
static bool
session_timeout_is_ours(const BurrowKafkaConf *conf)
{
	char		protocol[32] = "";
	size_t		room = sizeof(protocol);

	if (burrow_kafka_text_has(&conf->names, SESSION_TIMEOUT_NAME))
		return false;
	/* a version without the property knows the classic protocol only */
	(void) rd_kafka_conf_get(conf->rk, "group.protocol", protocol, &room);
	return strcmp(protocol, "consumer") != 0;
}

bool
burrow_kafka_conf_get(const BurrowKafkaConf *conf, const char *name, char *value, size_t room)
{
	size_t		size = room;

	if (room == 0)
		return false;
	value[0] = '\0';

	if (strcmp(name, SESSION_TIMEOUT_NAME) == 0 && session_timeout_is_ours(conf))
	{
		burrow_kafka_text_copy(value, room, SESSION_TIMEOUT_VALUE);
		return true;
	}

	if (rd_kafka_conf_get(conf->rk, name, value, &size) != RD_KAFKA_CONF_OK)
	{
		/* it might be there without a value */
		value[0] = '\0';
		return exists(name);
	}
	if (value[0] != '\0' && is_secret(name))
		burrow_kafka_text_copy(value, room, "***");
	return true;
}

/* The last touch before a client is made of it; group NULL: a producer, or a consumer without one. */
bool
burrow_kafka_conf_finish(BurrowKafkaConf *conf, const char *group, char *error)
{
	char		servers[8];

	if (!burrow_kafka_conf_get(conf, "bootstrap.servers", servers, sizeof(servers)) ||
		servers[0] == '\0')
	{
		snprintf(error, BURROW_KAFKA_TEXT_MAX, "\"bootstrap.servers\" is not set");
		return false;
	}
	if (conf->producer)
		return apply(conf->rk, producer_fixed, sizeof(producer_fixed) / sizeof(producer_fixed[0]),
					 error, BURROW_KAFKA_TEXT_MAX);
	if (!apply(conf->rk, fixed, sizeof(fixed) / sizeof(fixed[0]), error, BURROW_KAFKA_TEXT_MAX))
		return false;
	if (session_timeout_is_ours(conf) &&
		rd_kafka_conf_set(conf->rk, SESSION_TIMEOUT_NAME, SESSION_TIMEOUT_VALUE,
						  error, BURROW_KAFKA_TEXT_MAX) != RD_KAFKA_CONF_OK)
		return false;
	return group == NULL ||
		rd_kafka_conf_set(conf->rk, "group.id", group, error, BURROW_KAFKA_TEXT_MAX) == RD_KAFKA_CONF_OK;
}
