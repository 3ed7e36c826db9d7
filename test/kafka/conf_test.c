/*
 * conf_test.c
 *	  Tests of properties: which are allowed, how they are combined, that none is told.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "consumer.h"

static void
check_class(const char *name, BurrowKafkaPropertyClass wanted)
{
	BurrowKafkaPropertyClass got = kafka->classify(name);

	check(got == wanted, "class of %s is %d (%d)", name, wanted, got);
}

void
test_classes(void)
{
	check_class("no.such.property", BURROW_KAFKA_PROPERTY_UNKNOWN);
	check_class("", BURROW_KAFKA_PROPERTY_UNKNOWN);
	check_class("client.id", BURROW_KAFKA_PROPERTY_SUBSCRIPTION);
	check_class("fetch.wait.max.ms", BURROW_KAFKA_PROPERTY_SUBSCRIPTION);
	check_class("queued.min.messages", BURROW_KAFKA_PROPERTY_SUBSCRIPTION);
	check_class("reconnect.backoff.ms", BURROW_KAFKA_PROPERTY_SUBSCRIPTION);
	check_class("retry.backoff.ms", BURROW_KAFKA_PROPERTY_SUBSCRIPTION);
	check_class("broker.address.family", BURROW_KAFKA_PROPERTY_SUBSCRIPTION);
	check_class("bootstrap.servers", BURROW_KAFKA_PROPERTY_SERVER);
	check_class("metadata.broker.list", BURROW_KAFKA_PROPERTY_SERVER);
	check_class("ssl.ca.pem", BURROW_KAFKA_PROPERTY_SERVER);
	check_class("sasl.password", BURROW_KAFKA_PROPERTY_USER);
	check_class("ssl.key.pem", BURROW_KAFKA_PROPERTY_USER);
	check_class("ssl.ca.location", BURROW_KAFKA_PROPERTY_SUPERUSER);
	check_class("ssl.keystore.password", BURROW_KAFKA_PROPERTY_SUPERUSER);
	check_class("debug", BURROW_KAFKA_PROPERTY_SUPERUSER);
	check_class("sasl.kerberos.principal", BURROW_KAFKA_PROPERTY_SUPERUSER);
	check_class("sasl.kerberos.kinit.cmd", BURROW_KAFKA_PROPERTY_NEVER);
	check_class("ssl.engine.location", BURROW_KAFKA_PROPERTY_NEVER);
	check_class("plugin.library.paths", BURROW_KAFKA_PROPERTY_NEVER);
	check_class("group.id", BURROW_KAFKA_PROPERTY_NEVER);
	check_class("enable.auto.commit", BURROW_KAFKA_PROPERTY_NEVER);
	check_class("auto.offset.reset", BURROW_KAFKA_PROPERTY_NEVER);
	check_class("offset.store.method", BURROW_KAFKA_PROPERTY_NEVER);
	check_class("enabled_events", BURROW_KAFKA_PROPERTY_NEVER);
	check_class("log.queue", BURROW_KAFKA_PROPERTY_NEVER);
	check_class("rebalance_cb", BURROW_KAFKA_PROPERTY_NEVER);
	check_class("linger.ms", BURROW_KAFKA_PROPERTY_NEVER);
	check_class("test.mock.num.brokers", BURROW_KAFKA_PROPERTY_NEVER);
}

/* librdkafka says no to these only when the client is made. */
static void
check_not_made(const char *const *properties)
{
	BurrowKafkaConf *conf = new_conf(properties);
	char		error[BURROW_KAFKA_TEXT_MAX] = "";
	BurrowKafkaClient *client = kafka->open(conf, "nobody", -1, error);

	check(client == NULL && error[0] != '\0', "no client with %s=%s: %s", properties[0], properties[1], error);
	kafka->conf_free(conf);
}

#define NOT_MADE(...) check_not_made((const char *const[]) {__VA_ARGS__, NULL})

void
test_cannot_be_made(void)
{
	NOT_MADE("security.protocol", "sasl_plaintext", "sasl.mechanism", "PLAIN");
	NOT_MADE("security.protocol", "ssl", "ssl.ca.location", "/nowhere");
	NOT_MADE("session.timeout.ms", "3600000");
}

/* Properties that are valid one by one; together they are, or the text says why not. */
static void
check_set(const char *wanted, const char *const *properties)
{
	BurrowKafkaConf *conf = new_conf(properties);
	char		error[BURROW_KAFKA_TEXT_MAX] = "";
	bool		ok = kafka->conf_check(conf, error);

	if (wanted == NULL)
		check(ok, "%s=%s passes (%s)", properties[0], properties[1], error);
	else
		check(!ok && strstr(error, wanted) != NULL, "%s=%s is refused: %s",
			  properties[0], properties[1], error);
	kafka->conf_free(conf);
}

#define SET(wanted, ...) check_set(wanted, (const char *const[]) {__VA_ARGS__, NULL})

void
test_combinations(void)
{
	SET(NULL, "client.id", "burrow");
	SET("session.timeout.ms", "max.poll.interval.ms", "5000");
	SET("session.timeout.ms", "session.timeout.ms", "400000");
	SET("heartbeat.interval.ms", "heartbeat.interval.ms", "10000");
	SET(NULL, "session.timeout.ms", "30000", "heartbeat.interval.ms", "10000");
	SET("message.max.bytes", "fetch.max.bytes", "1000");
	SET(NULL, "fetch.max.bytes", "2000000");
	SET("receive.message.max.bytes", "receive.message.max.bytes", "2000");
	SET("receive.message.max.bytes", "fetch.max.bytes", "2000000",
		"receive.message.max.bytes", "2000511");
	SET(NULL, "fetch.max.bytes", "2000000", "receive.message.max.bytes", "2000512");
	SET("reconnect.backoff.max.ms", "reconnect.backoff.ms", "20000");
	SET("not a partition assignment strategy", "partition.assignment.strategy", "sticky");
	SET("must not mix", "partition.assignment.strategy", "range,cooperative-sticky");
	SET(NULL, "partition.assignment.strategy", "roundrobin , range");
	SET("sasl.mechanism", "security.protocol", "sasl_plaintext");
	SET("sasl.username", "security.protocol", "sasl_plaintext", "sasl.mechanism", "PLAIN");
	SET("sasl.password", "security.protocol", "sasl_ssl", "sasl.mechanism", "SCRAM-SHA-256",
		"sasl.username", "u");
	SET(NULL, "security.protocol", "sasl_ssl", "sasl.mechanism", "SCRAM-SHA-256",
		"sasl.username", "u", "sasl.password", "p");
	SET("oidc", "security.protocol", "sasl_ssl", "sasl.mechanism", "OAUTHBEARER");
	if (kafka->version_number() < 0x020a0000)
		SET("2.10", "partition.assignment.strategy", "cooperative-sticky");
	else
		SET(NULL, "partition.assignment.strategy", "cooperative-sticky");
	if (kafka->version_number() >= 0x020c0000)
	{
		SET(NULL, "group.protocol", "consumer");
		SET("session.timeout.ms", "group.protocol", "consumer", "session.timeout.ms", "10000");
	}
	else if (kafka->classify("group.protocol") != BURROW_KAFKA_PROPERTY_UNKNOWN)
		SET("2.12", "group.protocol", "consumer");
}

/* What conf_check() lets through, rd_kafka_new() must take, and the other way round. */
void
test_conf(void)
{
	BurrowKafkaConf *conf = kafka->conf_new();
	char		error[BURROW_KAFKA_TEXT_MAX] = "";
	char		value[64];
	int			fds[2];

	check(!kafka->conf_set(conf, "no.such", "1", error) && strstr(error, "no.such") != NULL,
		  "unknown property: %s", error);
	check(!kafka->conf_set(conf, "fetch.wait.max.ms", "abc", error), "not a number: %s", error);
	check(!kafka->conf_set(conf, "fetch.wait.max.ms", "-5", error), "out of range: %s", error);
	check(!kafka->conf_set(conf, "isolation.level", "serializable", error),
		  "not a choice: %s", error);
	check(!kafka->conf_set(conf, "plugin.library.paths", "/tmp/x.so", error),
		  "plugins are not loaded: %s", error);

	check(kafka->conf_set(conf, "sasl.password", "hunter2-secret", error), "password set");
	check(!kafka->conf_set(conf, "isolation.level", "hunter2-secret", error) &&
		  strstr(error, "hunter2") == NULL && strstr(error, "***") != NULL,
		  "secret taken out: %s", error);
	check(kafka->conf_get(conf, "sasl.password", value, sizeof(value)) &&
		  strcmp(value, "***") == 0, "secret not shown: %s", value);
	check(kafka->conf_set(conf, "ssl.key.password", "x", error) &&
		  !kafka->conf_set(conf, "isolation.level", "maximum x", error) &&
		  strstr(error, "maximum ***") != NULL, "a short secret is a word: %s", error);

	check(kafka->conf_get(conf, "session.timeout.ms", value, sizeof(value)) &&
		  strcmp(value, "10000") == 0, "session timeout is %s", value);
	check(kafka->conf_get(conf, "enable.auto.commit", value, sizeof(value)) &&
		  strcmp(value, "false") == 0, "no automatic commit");
	check(kafka->conf_get(conf, "auto.offset.reset", value, sizeof(value)) &&
		  strcmp(value, "error") == 0, "no automatic reset");
	check(kafka->conf_get(conf, "isolation.level", value, sizeof(value)) &&
		  strcmp(value, "read_committed") == 0, "read committed");
	check(kafka->conf_get(conf, "check.crcs", value, sizeof(value)) &&
		  strcmp(value, "true") == 0, "checksums are checked");
	check(kafka->conf_set(conf, "check.crcs", "false", error) &&
		  kafka->conf_get(conf, "check.crcs", value, sizeof(value)) && strcmp(value, "false") == 0,
		  "unless somebody turns it off");
	check(kafka->conf_get(conf, "client.rack", value, sizeof(value)) && value[0] == '\0',
		  "a property without a value");
	check(kafka->conf_get(conf, "ssl.ca.pem", value, sizeof(value)) && value[0] == '\0',
		  "another, that has no default either");
	check(!kafka->conf_get(conf, "no.such", value, sizeof(value)), "no such property");
	check(kafka->conf_get(conf, "client.id", value, 3) && strlen(value) == 2, "short of room");

	(void) !pipe(fds);
	check(kafka->open(conf, "g", fds[1], error) == NULL && strstr(error, "bootstrap") != NULL,
		  "open without servers: %s", error);
	kafka->conf_free(conf);

	conf = new_conf((const char *const[]) {"fetch.max.bytes", "1000", NULL});
	check(kafka->open(conf, "g", fds[1], error) == NULL, "open refused: %s", error);
	kafka->conf_free(conf);
	kafka->conf_free(NULL);
	close(fds[0]);
	close(fds[1]);
}

void
test_secrets(void)
{
	static const char *const properties[] = {
		"security.protocol", "sasl_plaintext", "sasl.mechanism", "PLAIN",
		"sasl.username", "burrow", "sasl.password", "hunter2-secret",
		"debug", "all", NULL
	};
	Consumer   *c = open_consumer("secrets", "secrets", properties);
	bool		enough;

	c->forbidden = "hunter2";
	/* the mock speaks no SASL: it fails, loudly */
	enough = pump(c, c->logs > 50 && c->errors > 0);
	check(enough, "%d log lines, last error: %s", c->logs, c->text);
	check(c->leaks == 0, "no secret in any of them");
	(void) close_consumer(c);
}
