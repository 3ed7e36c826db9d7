/*
 * client_test.c
 *	  Tests of src/kafka/ against librdkafka's mock cluster.  Output is TAP.  Those of
 *	  producers are in producer_test.c.
 *
 *	client_test [NAME ...]		all tests, or those whose names begin so
 *	client_test --speed			how long a take() takes
 *
 * Each test has topics and groups of its own in one cluster, except where it takes the
 * broker down.  Nothing sleeps to wait for something: pump() waits for the pipe, as the
 * consumer process does, until a condition holds or the time is up.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "harness.h"

#define MAX_PARTITIONS	8
#define MAX_OFFSETS		20000

/* as the protocol numbers them */
#define API_FETCH		1
#define API_HEARTBEAT	12

/* ---- a consumer, as small as it gets ---- */

typedef struct Part
{
	BurrowKafkaPartition *p;	/* NULL: not ours */
	char		topic[64];
	int32_t		partition;
	uint32_t	id;
	bool		paused;			/* left unread */
	bool		ready;			/* the pipe has told */
	int			wakes;
	int			n;				/* messages taken, in all its assignments */
	int64_t		last;
	int64_t		start;			/* where the next assignment begins */
	int64_t		end;			/* the END met last */
	int			broken;			/* the error met last */
	int64_t		broken_at;
	BurrowKafkaFault fault;
	char		broken_text[2 * BURROW_KAFKA_TEXT_MAX];
	unsigned char seen[MAX_OFFSETS];
} Part;

typedef struct Consumer
{
	BurrowKafkaClient *client;
	int			pipe[2];
	int			nparts;
	Part	   *parts[MAX_PARTITIONS];
	bool		split_late;		/* after the assign: messages stray */
	bool		no_answer;		/* leave a REVOKE as it is */
	int			assigns;
	int			revokes;
	int			lost;
	int			assigned;		/* partitions held now */
	int			committed;
	int			commit_error;
	int			fetched;
	char		fetched_metadata[256];
	size_t		fetched_len;
	int64_t		fetched_offset;
	uint64_t	fetched_tag;
	int			errors;
	int			down;
	int			refused;
	int			fatal;
	int			error;
	char		text[BURROW_KAFKA_TEXT_MAX];
	int			logs;
	const char *forbidden;		/* in no text whatever */
	int			leaks;
} Consumer;

static uint32_t next_id = 1;

static BurrowKafkaConf *
new_conf(const char *const *properties)
{
	BurrowKafkaConf *conf = kafka->conf_new();
	char		error[BURROW_KAFKA_TEXT_MAX];

	if (conf == NULL || !kafka->conf_set(conf, "bootstrap.servers", bootstrap, error))
		die("conf", "not made");
	for (; properties != NULL && *properties != NULL; properties += 2)
	{
		if (!kafka->conf_set(conf, properties[0], properties[1], error))
			die(properties[0], error);
	}
	return conf;
}

static Consumer *
open_consumer(const char *group, const char *topic, const char *const *properties)
{
	Consumer   *c = calloc(1, sizeof(Consumer));
	char		error[BURROW_KAFKA_TEXT_MAX];

	if (c == NULL || pipe2(c->pipe, O_NONBLOCK | O_CLOEXEC) != 0)
		die("consumer", "no pipe");
	c->client = kafka->open(new_conf(properties), group, c->pipe[1], error);
	if (c->client == NULL)
		die("open", error);
	if (topic != NULL && !kafka->subscribe(c->client, topic, error))
		die("subscribe", error);
	return c;
}

static Part *
part_of(Consumer *c, const char *topic, int32_t partition)
{
	Part	   *part;

	for (int i = 0; i < c->nparts; i++)
	{
		if (c->parts[i]->partition == partition && strcmp(c->parts[i]->topic, topic) == 0)
			return c->parts[i];
	}
	part = calloc(1, sizeof(Part));
	if (part == NULL || c->nparts == MAX_PARTITIONS)
		die("consumer", "too many partitions");
	snprintf(part->topic, sizeof(part->topic), "%s", topic);
	part->partition = partition;
	part->id = next_id++;
	part->last = part->end = part->broken_at = -1;
	c->parts[c->nparts++] = part;
	return part;
}

static void
split(Consumer *c, Part *part)
{
	char		error[BURROW_KAFKA_TEXT_MAX];

	part->p = kafka->open_queue(c->client, part->topic, part->partition, part->id, error);
	if (part->p == NULL)
		die("split", error);
	/* the pipe will tell */
	part->ready = false;
}

static void
on_assign(Consumer *c, const BurrowKafkaList *list)
{
	BurrowKafkaList *start = kafka->list_new(list->n);
	char		error[BURROW_KAFKA_TEXT_MAX];

	c->assigns++;
	for (int i = 0; i < list->n; i++)
	{
		Part	   *part = part_of(c, list->items[i].topic, list->items[i].partition);

		if (!c->split_late)
			split(c, part);
		(void) kafka->list_set(start, i, part->topic, part->partition, part->start, NULL, 0);
		c->assigned++;
	}
	if (!kafka->assign(c->client, start, error))
		die("assign", error);
	kafka->list_free(start);
}

static void
on_revoke(Consumer *c, const BurrowKafkaEvent *event)
{
	char		error[BURROW_KAFKA_TEXT_MAX];

	c->revokes++;
	c->lost += event->lost;
	if (c->no_answer)
		return;
	if (!kafka->unassign(c->client, &event->list, error))
		die("unassign", error);
	for (int i = 0; i < event->list.n; i++)
	{
		Part	   *part = part_of(c, event->list.items[i].topic, event->list.items[i].partition);

		if (part->p != NULL)
			kafka->close_queue(part->p);
		part->p = NULL;
		part->start = part->last + 1;
		c->assigned--;
	}
}

static void
look_for_leak(Consumer *c, const char *text)
{
	if (c->forbidden != NULL && strstr(text, c->forbidden) != NULL)
	{
		c->leaks++;
		note("leaked: %s", text);
	}
}

static void
on_event(Consumer *c, const BurrowKafkaEvent *event)
{
	look_for_leak(c, event->text);
	switch (event->type)
	{
		case BURROW_KAFKA_ASSIGN:
			on_assign(c, &event->list);
			break;
		case BURROW_KAFKA_REVOKE:
			on_revoke(c, event);
			break;
		case BURROW_KAFKA_COMMITTED:
			c->committed++;
			c->commit_error = event->error;
			for (int i = 0; i < event->list.n; i++)
			{
				if (event->list.items[i].error != 0)
					c->commit_error = event->list.items[i].error;
			}
			break;
		case BURROW_KAFKA_FETCHED:
			c->fetched++;
			c->fetched_tag = event->tag;
			c->error = event->error;
			if (event->list.n > 0)
			{
				const BurrowKafkaTopicPartition *item = &event->list.items[0];

				c->fetched_offset = item->offset;
				c->fetched_len = item->metadata_len;
				if (item->metadata != NULL && item->metadata_len < sizeof(c->fetched_metadata))
					memcpy(c->fetched_metadata, item->metadata, item->metadata_len);
			}
			break;
		case BURROW_KAFKA_ERROR:
			c->errors++;
			c->down += event->all_brokers_down;
			c->refused += event->authentication;
			c->fatal += event->fatal;
			c->error = event->error;
			snprintf(c->text, sizeof(c->text), "%s", event->text);
			break;
		case BURROW_KAFKA_LOG:
			c->logs++;
			break;
		case BURROW_KAFKA_DELIVERED:
		case BURROW_KAFKA_NOTHING:
			check(false, "an event has a type, and a consumer's");
			break;
	}
}

static void
take_all(Consumer *c, Part *part, int most)
{
	static BurrowKafkaMessage m;

	while (most-- > 0)
	{
		switch (kafka->poll_queue(part->p, &m))
		{
			case BURROW_KAFKA_EMPTY:
				part->ready = false;
				return;
			case BURROW_KAFKA_MESSAGE:
				part->n++;
				part->last = m.offset;
				if (m.offset < MAX_OFFSETS)
					part->seen[m.offset]++;
				break;
			case BURROW_KAFKA_END:
				part->end = m.offset;
				break;
			case BURROW_KAFKA_BROKEN:
				part->broken = m.error;
				part->broken_at = m.offset;
				part->fault = m.fault;
				snprintf(part->broken_text, sizeof(part->broken_text), "%s: %s",
						 m.error_name, m.text);
				look_for_leak(c, m.text);
				break;
		}
	}
}

/* Reads the pipe; true if there was something. */
static bool
read_pipe(Consumer *c)
{
	uint32_t	ids[1024];
	ssize_t		len = read(c->pipe[0], ids, sizeof(ids));

	if (len <= 0)
		return false;
	for (size_t i = 0; i < (size_t) len / sizeof(ids[0]); i++)
	{
		for (int j = 0; j < c->nparts; j++)
		{
			if (c->parts[j]->id == ids[i])
			{
				c->parts[j]->ready = true;
				c->parts[j]->wakes++;
			}
		}
	}
	return true;
}

/* One round: sleep on the pipe, serve the events, take what is there. */
static void
pump_once(Consumer *c, int ms)
{
	struct pollfd fd = {.fd = c->pipe[0], .events = POLLIN};
	BurrowKafkaEvent event;

	(void) poll(&fd, 1, ms);
	(void) read_pipe(c);
	while (kafka->poll(c->client, &event))
	{
		on_event(c, &event);
		/* what comes next may be the messages, before they are meant to be read */
		if (c->split_late && event.type == BURROW_KAFKA_ASSIGN)
			return;
	}
	for (int i = 0; i < c->nparts; i++)
	{
		if (c->parts[i]->p != NULL && c->parts[i]->ready && !c->parts[i]->paused)
			take_all(c, c->parts[i], 100000);
	}
}

/* Until a condition holds; false: the time is up. */
#define pump(c, condition) pump_two(c, NULL, condition)
#define pump_two(c, d, condition) \
({ \
	int64_t until_ = now_ms() + PATIENCE_MS; \
	Consumer *d_ = (d); \
	bool holds_; \
	while (!(holds_ = (condition)) && now_ms() < until_) \
	{ \
		pump_once((c), 50); \
		if (d_ != NULL) \
			pump_once(d_, 50); \
	} \
	holds_; \
})

/* How many offsets below n were not taken exactly once? */
static int
wrong_counts(const Part *part, int n)
{
	int			wrong = 0;

	for (int i = 0; i < n; i++)
		wrong += part->seen[i] != 1;
	return wrong;
}

static void
free_consumer(Consumer *c)
{
	kafka->destroy(c->client);
	for (int i = 0; i < c->nparts; i++)
		free(c->parts[i]);
	/* only now: librdkafka knows the number */
	close(c->pipe[0]);
	close(c->pipe[1]);
	free(c);
}

static void
join_all(Consumer *c)
{
	for (int i = 0; i < c->nparts; i++)
	{
		if (c->parts[i]->p != NULL)
			kafka->close_queue(c->parts[i]->p);
		c->parts[i]->p = NULL;
	}
}

/* Leaves in order; how long it took. */
static int64_t
close_consumer(Consumer *c)
{
	int64_t		begun = now_ms();
	char		error[BURROW_KAFKA_TEXT_MAX];

	join_all(c);
	if (!kafka->close_begin(c->client, error))
		die("close", error);
	(void) pump(c, kafka->closed(c->client));
	free_consumer(c);
	return now_ms() - begun;
}

/* A consumer that has its partitions. */
static Consumer *
joined(const char *group, const char *topic, const char *const *properties)
{
	Consumer   *c = open_consumer(group, topic, properties);

	if (!pump(c, c->assigns > 0))
		die("join", "time is up");
	return c;
}

/* ---- properties ---- */

static void
check_class(const char *name, BurrowKafkaPropertyClass wanted)
{
	BurrowKafkaPropertyClass got = kafka->classify(name);

	check(got == wanted, "class of %s is %d (%d)", name, wanted, got);
}

static void
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

static void
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
static void
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

/* ---- messages ---- */

static void
produce_special(const char *topic)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new(3);

	rd_kafka_header_add(headers, "trace", -1, "abc", 3);
	rd_kafka_header_add(headers, "nothing", -1, NULL, 0);
	rd_kafka_header_add(headers, "bytes", -1, "a\0b", 3);
	rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0),
					  RD_KAFKA_V_KEY("k\0y", 3), RD_KAFKA_V_VALUE("value", 5),
					  RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_TIMESTAMP(1700000000123),
					  RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
	/* a tombstone */
	rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0),
					  RD_KAFKA_V_KEY("gone", 4), RD_KAFKA_V_VALUE(NULL, 0), RD_KAFKA_V_END);
	/* no key, and a value that is empty but there */
	rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0),
					  RD_KAFKA_V_KEY(NULL, 0), RD_KAFKA_V_VALUE("", 0),
					  RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
	flush_producer();
}

/* take(), until it is not EMPTY */
static BurrowKafkaTake
take_next(Consumer *c, Part *part, BurrowKafkaMessage *m)
{
	BurrowKafkaTake what = BURROW_KAFKA_EMPTY;

	(void) pump(c, (what = kafka->poll_queue(part->p, m)) != BURROW_KAFKA_EMPTY);
	return what;
}

static void
check_headers(Part *part, const BurrowKafkaMessage *m)
{
	const char *name = NULL;
	const void *value = NULL;
	size_t		len = 0;

	check(m->nheaders == 3, "three headers");
	check(kafka->header(part->p, 0, &name, &value, &len) && strcmp(name, "trace") == 0 &&
		  len == 3 && memcmp(value, "abc", 3) == 0, "first header");
	check(kafka->header(part->p, 1, &name, &value, &len) && strcmp(name, "nothing") == 0 &&
		  value == NULL && len == 0, "second header is NULL");
	check(kafka->header(part->p, 2, &name, &value, &len) && strcmp(name, "bytes") == 0 &&
		  len == 3 && memcmp(value, "a\0b", 3) == 0, "third header");
	check(!kafka->header(part->p, 3, &name, &value, &len), "no fourth header");
}

static void
test_messages(void)
{
	Consumer   *c;
	Part	   *part;
	BurrowKafkaMessage m;
	const char *name;
	const void *value;
	size_t		len;

	create_topic("messages", 1);
	produce_special("messages");
	c = joined("messages", "messages", NULL);
	part = c->parts[0];
	part->paused = true;
	check(c->assigned == 1, "one partition assigned");

	check(take_next(c, part, &m) == BURROW_KAFKA_MESSAGE && m.offset == 0, "first message");
	check(m.key_len == 3 && memcmp(m.key, "k\0y", 3) == 0, "its key");
	check(m.value_len == 5 && memcmp(m.value, "value", 5) == 0, "its value");
	check(m.timestamp_ms == 1700000000123, "its time");
	check(m.error == 0, "no error");
	check_headers(part, &m);

	check(take_next(c, part, &m) == BURROW_KAFKA_MESSAGE && m.offset == 1, "second message");
	check(m.value == NULL && m.key_len == 4, "a tombstone");
	check(m.nheaders == 0 && !kafka->header(part->p, 0, &name, &value, &len), "no headers");
	check(take_next(c, part, &m) == BURROW_KAFKA_MESSAGE && m.offset == 2, "third message");
	check(m.key == NULL && m.value != NULL && m.value_len == 0, "no key, an empty value");
	check(take_next(c, part, &m) == BURROW_KAFKA_END && m.offset == 3, "end at 3");

	produce_special("messages");
	check(take_next(c, part, &m) == BURROW_KAFKA_MESSAGE && m.offset == 3, "more after the end");
	kafka->discard(part->p);
	kafka->discard(part->p);
	note("closed in %d ms", (int) close_consumer(c));
}

/* A position that the partition does not have: told, with the offset, and nothing skipped. */
static void
test_broken(void)
{
	static const struct
	{
		rd_kafka_resp_err_t code;
		BurrowKafkaFault fault;
	}			answers[] = {
		{RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, BURROW_KAFKA_FAULT_REFUSED},
		{RD_KAFKA_RESP_ERR_UNKNOWN, BURROW_KAFKA_FAULT_PASSING},
		{RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, BURROW_KAFKA_FAULT_SIZE},
		{RD_KAFKA_RESP_ERR_INVALID_MSG, BURROW_KAFKA_FAULT_DATA},
	};
	Consumer   *c;
	Part	   *part;

	create_topic("broken", 2);
	produce("broken", 0, 0, 10);
	c = open_consumer("broken", "broken", NULL);
	part = part_of(c, "broken", 0);
	part->start = 5000;
	check(pump(c, part->broken != 0), "told: %s", part->broken_text);
	check(part->broken == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET && part->broken_at == 5000,
		  "where: %d", (int) part->broken_at);
	check(part->fault == BURROW_KAFKA_FAULT_GAP, "a gap");
	check(part->n == 0, "nothing read");

	/* what the broker says of a fetch comes with an offset, and is not about what is stored there */
	part = part_of(c, "broken", 1);
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
	{
		rd_kafka_mock_push_request_errors(cluster, API_FETCH, 1, answers[i].code);
		part->broken = 0;
		check(pump(c, part->broken != 0), "told: %s", part->broken_text);
		check(part->broken == answers[i].code && part->fault == answers[i].fault && part->broken_at == 0,
			  "%s is %d", rd_kafka_err2name(answers[i].code), (int) answers[i].fault);
	}
	(void) close_consumer(c);

	/* without this the mock would make it */
	rd_kafka_mock_topic_set_error(cluster, "no-such-topic",
								  RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
	c = open_consumer("broken-2", "no-such-topic", NULL);
	check(pump(c, c->errors > 0) && strstr(c->text, "no-such-topic") != NULL,
		  "unknown topic: %s", c->text);
	(void) close_consumer(c);
}

/* ---- commits ---- */

static void
test_commit(void)
{
	static const char metadata[] = "1 exactly_once 0f8b:AAEC/w==";
	Consumer   *c;
	BurrowKafkaList *list = kafka->list_new(1);
	BurrowKafkaList *none = kafka->list_new(0);
	char		error[BURROW_KAFKA_TEXT_MAX];

	create_topic("commit", 2);
	produce("commit", 0, 0, 10);
	c = joined("commit", "commit", NULL);

	(void) kafka->list_set(list, 0, "commit", 0, BURROW_KAFKA_NONE_OFFSET, NULL, 0);
	check(kafka->fetch_committed(c->client, list, 41, error), "asked for commits");
	check(pump(c, c->fetched == 1) && c->error == 0 && c->fetched_tag == 41, "answered");
	check(c->fetched_offset == BURROW_KAFKA_NONE_OFFSET, "none yet");

	(void) kafka->list_set(list, 0, "commit", 0, 7, metadata, strlen(metadata));
	check(kafka->commit(c->client, list, error), "committed");
	check(pump(c, c->committed == 1) && c->commit_error == 0, "acknowledged");
	(void) kafka->list_set(list, 0, "commit", 0, 0, NULL, 0);
	check(kafka->fetch_committed(c->client, list, 42, error), "asked again");
	check(pump(c, c->fetched == 2) && c->fetched_offset == 7 && c->fetched_tag == 42, "offset came back");
	check(c->fetched_len == strlen(metadata) &&
		  memcmp(c->fetched_metadata, metadata, c->fetched_len) == 0, "metadata came back");

	check(kafka->commit(c->client, none, error) &&
		  kafka->fetch_committed(c->client, none, 43, error), "empty requests");
	check(pump(c, c->committed == 2 && c->fetched == 3) && c->fetched_tag == 43, "empty answers");
	kafka->list_free(none);
	kafka->list_free(list);
	kafka->list_free(NULL);
	(void) close_consumer(c);
}

/* ---- questions ---- */

static void
test_questions(void)
{
	Consumer   *c;
	Part	   *part;
	BurrowKafkaList *list = kafka->list_new(3);
	BurrowKafkaList *found;
	int64_t		low = -9;
	int64_t		end = -9;
	char		error[BURROW_KAFKA_TEXT_MAX] = "";
	char	   *id;

	create_topic("questions", 3);
	produce("questions", 0, 0, 10);
	produce("questions", 1, 0, 20);
	c = joined("questions", "questions", NULL);
	part = part_of(c, "questions", 1);
	check(pump(c, part->n == 20), "all read");

	check(kafka->high_watermark(c->client, "questions", 1) == 20, "the high watermark that the fetch has brought");
	check(kafka->high_watermark(c->client, "no questions", 0) == -1, "none of what is not there");

	(void) kafka->list_set(list, 0, "questions", 0, BURROW_KAFKA_LATEST, NULL, 0);
	(void) kafka->list_set(list, 1, "questions", 1, BURROW_KAFKA_EARLIEST, NULL, 0);
	(void) kafka->list_set(list, 2, "questions", 2, now_ms(), NULL, 0);
	check(kafka->list_offsets(c->client, list, 5000, error), "resolved %s", error);
	check(list->items[0].offset == 10 && list->items[1].offset == 0 && list->items[2].offset == 0,
		  "latest 10, earliest 0, end of an empty partition 0");
	(void) kafka->list_set(list, 0, "questions", 0, INT64_C(4102444800000), NULL, 0);
	(void) kafka->list_set(list, 1, "questions", 1, INT64_C(4102444800000), NULL, 0);
	check(kafka->list_offsets(c->client, list, 5000, error) && list->items[0].offset == 10 &&
		  list->items[1].offset == 20, "a time to come is the end");

	/* decided by partition: one that is not there, and one without a leader */
	(void) kafka->list_set(list, 0, "questions", 0, BURROW_KAFKA_LATEST, NULL, 0);
	(void) kafka->list_set(list, 1, "questions", 7, BURROW_KAFKA_EARLIEST, NULL, 0);
	(void) kafka->list_set(list, 2, "questions", 1, BURROW_KAFKA_LATEST, NULL, 0);
	check(kafka->list_offsets(c->client, list, 5000, error) && list->items[0].offset == 10 &&
		  list->items[2].offset == 20, "resolved with one that is not there %s", error);
	check(list->items[1].error != 0 && list->items[1].offset == BURROW_KAFKA_NONE_OFFSET,
		  "which has its error: %s", list->items[1].error_text);
	(void) rd_kafka_mock_partition_set_leader(cluster, "questions", 2, -1);
	(void) kafka->list_set(list, 0, "questions", 0, BURROW_KAFKA_LATEST, NULL, 0);
	(void) kafka->list_set(list, 1, "questions", 2, BURROW_KAFKA_EARLIEST, NULL, 0);
	(void) kafka->list_set(list, 2, "questions", 1, BURROW_KAFKA_LATEST, NULL, 0);
	check(kafka->list_offsets(c->client, list, 5000, error) && list->items[0].offset == 10 &&
		  list->items[2].offset == 20, "resolved with one without a leader %s", error);
	check(list->items[1].error == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, "which has its error: %s",
		  list->items[1].error_text != NULL ? list->items[1].error_text : "none");

	check(kafka->query_bounds(c->client, "questions", 1, 5000, &low, &end, error) &&
		  low == 0 && end == 20, "asked bounds 0 and 20");

	check(kafka->count_partitions(c->client, "questions", 5000, error) == 3, "three partitions");
	check(kafka->count_partitions(c->client, "^quest.*s$", 5000, error) == 3, "by a pattern");
	check(kafka->count_partitions(c->client, "^(", 5000, error) == -1, "bad pattern: %s", error);
	check(kafka->count_partitions(c->client, "^zzz", 5000, error) == 0, "no match");
	found = kafka->list_partitions(c->client, "^quest.*s$", 5000, error);
	check(found != NULL && found->n == 3 && strcmp(found->items[2].topic, "questions") == 0 &&
		  found->items[2].partition == 2, "the three as a list");
	kafka->list_free(found);
	id = kafka->cluster_id(c->client, 5000);
	check(id != NULL && strncmp(id, "mockCluster", 11) == 0, "cluster is %s", id);
	kafka->free_text(id);
	kafka->list_free(list);
	(void) close_consumer(c);
}

/*
 * The timestamps of single messages, of a client that is no member.  One message is all
 * that it keeps of a partition, and one of another must not be in its way: librdkafka
 * looks again at a queue that was full after a second.
 */
static void
test_peek(void)
{
	static const char *const properties[] = {
		"queued.min.messages", "10", "message.max.bytes", "1000", "fetch.max.bytes", "1000", NULL
	};
	Consumer   *c;
	BurrowKafkaList *list = kafka->list_new(4);
	BurrowKafkaList *many = kafka->list_new(32);
	int64_t		before = 0;
	char		error[BURROW_KAFKA_TEXT_MAX] = "";

	create_topic("peek", 4);
	create_topic("peek many", 32);
	for (int i = 0; i < 32; i++)
		produce("peek many", i, 0, 100);
	produce("peek", 0, 0, 10);
	produce("peek", 1, 0, 20);
	produce("peek", 3, 0, 5);
	c = open_consumer("peek", NULL, NULL);
	for (int i = 0; i < 2; i++)
	{
		(void) kafka->list_set(list, 0, "peek", 0, 9, NULL, 0);
		(void) kafka->list_set(list, 1, "peek", 1, 0, NULL, 0);
		(void) kafka->list_set(list, 2, "peek", 2, 0, NULL, 0);
		(void) kafka->list_set(list, 3, "peek", 3, 5000, NULL, 0);
		check(kafka->read_timestamps(c->client, list, 10000, error), "peeked %s", error);
		check(list->items[0].offset > 0 && list->items[1].offset > 0, "two timestamps");
		check(list->items[2].offset == BURROW_KAFKA_NO_TIME &&
			  list->items[3].offset == BURROW_KAFKA_NO_TIME, "none at the end, none beyond it");
		check(before == 0 || before == list->items[0].offset, "the same when it is asked again");
		before = list->items[0].offset;
	}
	(void) close_consumer(c);

	c = open_consumer("peek", NULL, properties);
	for (int i = 0; i < 32; i++)
		(void) kafka->list_set(many, i, "peek many", i, 0, NULL, 0);
	check(kafka->read_timestamps(c->client, many, 10000, error), "peeked many %s", error);
	for (int i = 0; i < 32; i++)
		check(many->items[i].offset > 0, "timestamp %d", i);
	(void) close_consumer(c);
	kafka->list_free(many);
	kafka->list_free(list);
}

/* What is at single offsets, one after the other. */
static void
test_look(void)
{
	Consumer   *c;
	BurrowKafkaMessage m;

	create_topic("look", 2);
	produce("look", 0, 0, 10);
	c = open_consumer("look", NULL, NULL);
	for (int i = 0; i < 2; i++)
	{
		check(kafka->look(c->client, "look", 0, 7, PATIENCE_MS, &m) == BURROW_KAFKA_MESSAGE && m.offset == 7 &&
			  m.timestamp_ms > 0, "a message");
		check(kafka->look(c->client, "look", 0, 10, PATIENCE_MS, &m) == BURROW_KAFKA_END && m.offset == 10, "the end");
		check(kafka->look(c->client, "look", 0, 5000, PATIENCE_MS, &m) == BURROW_KAFKA_BROKEN &&
			  m.fault == BURROW_KAFKA_FAULT_GAP && m.offset == 5000, "beyond it: %s", m.text);
		check(kafka->look(c->client, "look", 1, 0, PATIENCE_MS, &m) == BURROW_KAFKA_END && m.offset == 0, "nothing");
	}
	rd_kafka_mock_push_request_errors(cluster, API_FETCH, 1, RD_KAFKA_RESP_ERR_UNKNOWN);
	check(kafka->look(c->client, "look", 0, 3, PATIENCE_MS, &m) == BURROW_KAFKA_BROKEN &&
		  m.fault == BURROW_KAFKA_FAULT_PASSING, "an error: %s", m.text);
	check(kafka->look(c->client, "look", 0, 3, PATIENCE_MS, &m) == BURROW_KAFKA_MESSAGE && m.offset == 3, "no more");
	(void) close_consumer(c);
}

/* ---- the pipe ---- */

static void
test_wake(void)
{
	Consumer   *c;
	Part	   *a;
	Part	   *b;

	create_topic("wake", 2);
	c = joined("wake", "wake", NULL);
	a = part_of(c, "wake", 0);
	b = part_of(c, "wake", 1);
	check(pump(c, a->end == 0 && b->end == 0), "both at their end");

	a->wakes = b->wakes = 0;
	produce("wake", 0, 0, 1);
	check(pump(c, a->wakes > 0), "partition 0 told");
	check(pump(c, a->end == 1) && b->wakes == 0, "partition 1 did not");

	/* unread: told once, and not again */
	b->paused = true;
	produce("wake", 1, 0, 5);
	check(pump(c, b->wakes == 1), "partition 1 told");
	produce("wake", 1, 5, 5);
	produce("wake", 0, 1, 1);
	check(pump(c, a->end == 2) && b->wakes == 1 && b->n == 0, "unread, it does not tell again");
	b->paused = false;
	check(pump(c, b->end == 10) && b->n == 10, "all there once it is read");

	/* half read is not read */
	b->paused = true;
	produce("wake", 1, 10, 10);
	check(pump(c, b->wakes > 1), "told after it was empty");
	take_all(c, b, 3);
	check(b->n == 13 && b->ready, "some read, the rest left");
	b->paused = false;
	check(pump(c, b->end == 20) && b->n == 20 && wrong_counts(b, 20) == 0, "all read once");
	(void) close_consumer(c);
}

/* One partition is left unread while the others go on; then it is read in pieces. */
static void
test_backpressure(void)
{
	enum
	{
		N = 5000
	};
	static const char *const small[] = {
		"queued.min.messages", "500", "fetch.message.max.bytes", "20000", NULL
	};
	Consumer   *c;
	Part	   *a;
	Part	   *b;
	int64_t		until;

	create_topic("pressure", 2);
	produce("pressure", 0, 0, N);
	c = joined("pressure", "pressure", small);
	a = part_of(c, "pressure", 0);
	b = part_of(c, "pressure", 1);
	a->paused = true;
	for (int i = 0; i < 10; i++)
		produce("pressure", 1, i * 100, 100);
	check(pump(c, b->n == 1000) && a->n <= 500, "the other partition goes on");

	until = now_ms() + 3 * PATIENCE_MS;
	while (a->n < N && now_ms() < until)
	{
		pump_once(c, 20);
		take_all(c, a, 300);
	}
	check(a->n == N && wrong_counts(a, N) == 0, "each message once, %d", a->n);
	check(wrong_counts(b, 1000) == 0 && c->revokes == 0, "and of the other");
	(void) close_consumer(c);
}

/* ---- groups ---- */

static const char *const impatient[] = {
	"session.timeout.ms", "4000", "heartbeat.interval.ms", "300",
	"max.poll.interval.ms", "4000", NULL
};

static void
test_membership(void)
{
	Consumer   *c;
	Part	   *part;
	BurrowKafkaEvent event;
	int64_t		until;

	create_topic("membership", 1);
	produce("membership", 0, 0, 10);
	c = joined("membership", "membership", impatient);
	part = c->parts[0];
	part->paused = true;
	until = now_ms() + 9000;
	while (now_ms() < until)
	{
		struct timespec nap = {0, 500 * 1000000};

		(void) nanosleep(&nap, NULL);
		while (kafka->poll(c->client, &event))
			on_event(c, &event);
	}
	check(c->revokes == 0 && c->errors == 0, "poll() alone keeps the membership");
	part->paused = false;
	check(pump(c, part->n == 10), "and the messages are there");

	/* to see that the test would see it */
	until = now_ms() + 6000;
	while (now_ms() < until)
		(void) poll(NULL, 0, 100);
	check(pump(c, c->errors > 0) && c->error == RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED,
		  "without it: %s", c->text);
	check(pump(c, c->revokes > 0) && c->lost == 1, "the assignment is lost");
	check(pump(c, c->assigns == 2), "and comes back");
	produce("membership", 0, 10, 10);
	check(pump(c, part->n == 20) && wrong_counts(part, 20) == 0, "where it was");
	(void) close_consumer(c);
}

static void
test_rebalance(void)
{
	Consumer   *c;
	Consumer   *d;
	Part	   *parts[4];
	int			n = 0;

	create_topic("rebalance", 2);
	c = joined("rebalance", "rebalance", impatient);
	check(c->assigned == 2, "the first has both");
	for (int i = 0; i < 2; i++)
		produce("rebalance", i, 0, 50);
	check(pump(c, part_of(c, "rebalance", 0)->n == 50 && part_of(c, "rebalance", 1)->n == 50),
		  "it reads both");

	d = open_consumer("rebalance", "rebalance", impatient);
	part_of(d, "rebalance", 0)->start = part_of(d, "rebalance", 1)->start = 50;
	/* the group may need a second round if one is late for the first */
	check(pump_two(c, d, c->revokes >= 1 && c->assigned == 1 && d->assigned == 1),
		  "the second gets one");
	check(c->lost == 0, "nothing is lost");
	for (int i = 0; i < 2; i++)
		produce("rebalance", i, 50, 50);
	parts[0] = part_of(c, "rebalance", 0);
	parts[1] = part_of(c, "rebalance", 1);
	parts[2] = part_of(d, "rebalance", 0);
	parts[3] = part_of(d, "rebalance", 1);
	check(pump_two(c, d, parts[0]->n + parts[1]->n + parts[2]->n + parts[3]->n == 200),
		  "all read, also from a partition split a second time");
	for (int i = 0; i < 2; i++)
		for (int j = 0; j < 100; j++)
			n += parts[i]->seen[j] + parts[i + 2]->seen[j] != 1;
	check(n == 0, "each once");

	/* what the second had comes back to the first */
	for (int i = 0; i < 2; i++)
		parts[i]->start = 100;
	join_all(d);
	{
		char		error[BURROW_KAFKA_TEXT_MAX];

		check(kafka->close_begin(d->client, error), "the second leaves");
	}
	check(pump_two(c, d, kafka->closed(d->client) && c->assigned == 2), "the first has both again");
	free_consumer(d);
	for (int i = 0; i < 2; i++)
		produce("rebalance", i, 100, 50);
	check(pump(c, parts[0]->last == 149 && parts[1]->last == 149), "and reads both");
	(void) close_consumer(c);
}

/* Split after the assign: what came through the main queue by then is not lost. */
static void
test_strays(void)
{
	Consumer   *c;
	Part	   *part;

	create_topic("strays", 1);
	produce("strays", 0, 0, 20);
	c = open_consumer("strays", "strays", NULL);
	c->split_late = true;
	/* the messages of a partition that is not split off are told, not swallowed */
	check(pump(c, c->errors > 0) && c->error == RD_KAFKA_RESP_ERR__STATE, "told: %s", c->text);
	(void) close_consumer(c);

	c = open_consumer("strays-2", "strays", NULL);
	c->split_late = true;
	if (!pump(c, c->assigns > 0))
		die("join", "time is up");
	part = c->parts[0];
	/* let them all arrive on the main queue, which nobody reads meanwhile */
	for (int i = 0; i < 20 && read_pipe(c) == false; i++)
		(void) poll(NULL, 0, 100);
	(void) poll(NULL, 0, 500);
	split(c, part);
	check(pump(c, part->end == 20) && part->n == 20 && wrong_counts(part, 20) == 0,
		  "strays reach their partition, and the end does");
	check(part->wakes > 0 && c->errors == 0, "and the pipe told of them");
	(void) close_consumer(c);
}

static void
test_fatal(void)
{
	static const char *const member[] = {
		"group.instance.id", "server-1", "heartbeat.interval.ms", "300", NULL
	};
	Consumer   *c;
	int64_t		took;

	create_topic("fatal", 1);
	c = joined("fatal", "fatal", member);
	rd_kafka_mock_push_request_errors(cluster, API_HEARTBEAT, 1,
									  RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID);
	check(pump(c, c->fatal > 0) && c->error == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID,
		  "fenced: %s", c->text);
	took = close_consumer(c);
	check(took < 5000, "closed in %d ms", (int) took);
}

/* ---- endings ---- */

static void
test_close(void)
{
	Consumer   *c;
	int64_t		took;
	int64_t		begun;

	create_topic("close", 2);
	produce("close", 0, 0, 1000);
	c = joined("close", "close", NULL);
	c->parts[0]->paused = true;
	took = close_consumer(c);
	check(took < 3000, "closed with messages unread in %d ms", (int) took);

	/* nothing in order: no close, partitions split off, a message in hand */
	c = joined("close-2", "close", NULL);
	check(pump(c, part_of(c, "close", 0)->n == 1000), "read");
	begun = now_ms();
	free_consumer(c);
	took = now_ms() - begun;
	check(took < 3000, "destroyed without closing in %d ms", (int) took);

	/* a close that nobody answers */
	c = joined("close-3", "close", NULL);
	c->no_answer = true;
	{
		char		error[BURROW_KAFKA_TEXT_MAX];

		join_all(c);
		check(kafka->close_begin(c->client, error) && kafka->close_begin(c->client, error),
			  "close begun, twice");
	}
	check(pump(c, c->revokes == 1) && !kafka->closed(c->client), "asked to revoke");
	begun = now_ms();
	free_consumer(c);
	took = now_ms() - begun;
	check(took < 3000, "destroyed without an answer in %d ms", (int) took);

	/* never in a group at all */
	c = open_consumer("close-4", NULL, NULL);
	took = close_consumer(c);
	check(took < 3000, "closed without a subscription in %d ms", (int) took);
}

/* ---- trouble ---- */

static void
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

/* Alone with the cluster, since it takes the broker down. */
static void
test_broker_down(void)
{
	static const char *const properties[] = {
		"session.timeout.ms", "6000", "socket.timeout.ms", "30000", NULL
	};
	Consumer   *c;
	Consumer   *d;
	BurrowKafkaList *list = kafka->list_new(1);
	int64_t		begun;
	int64_t		took;
	int64_t		low;
	int64_t		end;
	char		error[BURROW_KAFKA_TEXT_MAX];

	create_topic("down", 1);
	produce("down", 0, 0, 10);
	c = joined("down", "down", properties);
	d = joined("down-2", "down", properties);
	check(pump(c, c->parts[0]->n == 10), "read");
	rd_kafka_mock_broker_set_down(cluster, 1);
	check(pump(c, c->down > 0), "told: %s", c->text);
	begun = now_ms();
	check(!kafka->query_bounds(c->client, "down", 0, 700, &low, &end, error), "bounds: %s", error);
	took = now_ms() - begun;
	check(took < 1500, "in %d ms", (int) took);
	(void) kafka->list_set(list, 0, "down", 0, BURROW_KAFKA_LATEST, NULL, 0);
	begun = now_ms();
	check(!kafka->list_offsets(c->client, list, 700, error), "resolve: %s", error);
	took = now_ms() - begun;
	check(took < 1500, "in %d ms", (int) took);
	begun = now_ms();
	check(kafka->count_partitions(c->client, "down", 700, error) == -1, "count: %s", error);
	took = now_ms() - begun;
	check(took < 1500, "in %d ms", (int) took);

	check(kafka->fetch_committed(c->client, list, 1, error), "commits asked for, and closed without an answer");
	(void) kafka->list_set(list, 0, "down", 0, 5, "x", 1);
	check(kafka->commit(c->client, list, error) && kafka->commit(d->client, list, error),
		  "commits sent");
	kafka->list_free(list);

	took = close_consumer(c);
	check(took < 8000, "closed in %d ms, with a commit outstanding", (int) took);

	/* the deadline passes: close is given up */
	begun = now_ms();
	join_all(d);
	check(kafka->close_begin(d->client, error), "close begun");
	pump_once(d, 100);
	free_consumer(d);
	took = now_ms() - begun;
	/* until librdkafka gives up the commit: the caller's deadline may well be shorter */
	check(took < 8000, "given up in %d ms", (int) took);
	rd_kafka_mock_broker_set_up(cluster, 1);
}

/*
 * What a group has committed is answered when its coordinator is back, however long that takes: were
 * there a time-out of librdkafka's, it would abort then.
 */
static void
test_coordinator_back(void)
{
	static const char *const properties[] = {"session.timeout.ms", "6000", NULL};
	BurrowKafkaList *list = kafka->list_new(1);
	Consumer   *c;
	char		error[BURROW_KAFKA_TEXT_MAX];

	create_topic("back", 1);
	produce("back", 0, 0, 1);
	c = joined("back", "back", properties);
	(void) kafka->list_set(list, 0, "back", 0, BURROW_KAFKA_NONE_OFFSET, NULL, 0);
	rd_kafka_mock_broker_set_down(cluster, 1);
	check(pump(c, c->down > 0), "told: %s", c->text);
	check(kafka->fetch_committed(c->client, list, 7, error), "commits asked for while nobody is there");
	/* each takes its time in vain */
	for (int i = 0; i < 3; i++)
		check(kafka->count_partitions(c->client, "back", 700, error) == -1, "count: %s", error);
	rd_kafka_mock_broker_set_up(cluster, 1);
	check(pump(c, c->fetched == 1) && c->error == 0 && c->fetched_tag == 7, "answered when the broker is back: error %d, tag %d",
		  c->error, (int) c->fetched_tag);
	kafka->list_free(list);
	(void) close_consumer(c);
}

/* ---- speed ---- */

static void
measure(const char *name)
{
	enum
	{
		N = 40000
	};
	Consumer   *c = open_consumer(name, "speed", NULL);
	Part	   *part;
	BurrowKafkaMessage m;
	int64_t		begun;
	int64_t		took;
	int			n = 0;
	uint64_t	sum = 0;

	part = part_of(c, "speed", 0);
	part->paused = true;
	if (!pump(c, c->assigns > 0))
		die("join", "time is up");
	/* all of it is in the queue before the clock starts */
	(void) poll(NULL, 0, 3000);
	begun = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	while (kafka->poll_queue(part->p, &m) == BURROW_KAFKA_MESSAGE)
	{
		n++;
		sum += m.value_len + m.key_len;
	}
	took = clock_ns(CLOCK_THREAD_CPUTIME_ID) - begun;
	note("%s: %d messages, %.1f ns of CPU each (%llu bytes)", name, n, (double) took / n,
		 (unsigned long long) sum);
	(void) close_consumer(c);
}

static void
speed(void)
{
	create_topic("speed", 1);
	produce("speed", 0, 0, 40000);
	for (int i = 0; i < 3; i++)
		measure("taken");
}

/* ---- */

static const struct
{
	const char *name;
	void		(*run) (void);
}			tests[] =
{
	{"classes", test_classes},
	{"combinations", test_combinations},
	{"conf", test_conf},
	{"messages", test_messages},
	{"broken", test_broken},
	{"commit", test_commit},
	{"questions", test_questions},
	{"peek", test_peek},
	{"look", test_look},
	{"wake", test_wake},
	{"backpressure", test_backpressure},
	{"membership", test_membership},
	{"rebalance", test_rebalance},
	{"strays", test_strays},
	{"fatal", test_fatal},
	{"close", test_close},
	{"secrets", test_secrets},
	{"broker_down", test_broker_down},
	{"coordinator_back", test_coordinator_back},
	{"producer_properties", test_producer_properties},
	{"producer_answers", test_producer_answers},
	{"producer_refusals", test_producer_refusals},
	{"producer_broker_down", test_producer_broker_down},
};

int
main(int argc, char **argv)
{
	kafka = burrow_kafka_functions();
	if (kafka->abi != BURROW_KAFKA_ABI)
		die("abi", "differs");
	note("librdkafka %s", kafka->version());
	start_cluster();

	if (argc > 1 && strcmp(argv[1], "--speed") == 0)
		speed();
	else
	{
		for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		{
			bool		wanted = argc == 1;

			for (int j = 1; j < argc; j++)
				wanted |= strncmp(tests[i].name, argv[j], strlen(argv[j])) == 0;
			if (!wanted)
				continue;
			note("%s", tests[i].name);
			tests[i].run();
		}
		printf("1..%d\n", tests_run);
	}

	stop_cluster();
	return tests_failed == 0 ? 0 : 1;
}
