/*
 * message_test.c
 *	  Tests of messages and what a partition tells instead of one.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "consumer.h"

/* as the protocol numbers it */
#define API_FETCH		1

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

void
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

/* Values of lengths around those at which their length takes more bytes. */
static const int lengths[] = {0, 1, 2, 63, 64, 65, 127, 128, 4095, 4096, 8190, 8191, 8192, 8193, 20000};

enum
{
	NLENGTHS = sizeof(lengths) / sizeof(lengths[0])
};

/* Message i has the length's number i / 3, and i % 3 headers; one in seven is all zeros. */
static void
produce_lengths(const char *topic, const char *codec)
{
	rd_kafka_topic_conf_t *conf = rd_kafka_topic_conf_new();
	rd_kafka_topic_t *to;
	static char value[20000];
	char		why[256];

	check(rd_kafka_topic_conf_set(conf, "compression.codec", codec, why, sizeof(why)) == RD_KAFKA_CONF_OK, "%s", codec);
	to = rd_kafka_topic_new(producer, topic, conf);
	for (int i = 0; i < 3 * NLENGTHS; i++)
	{
		rd_kafka_headers_t *headers = rd_kafka_headers_new(2);

		for (int n = 0; n < i % 3; n++)
			rd_kafka_header_add(headers, "name", -1, "", 0);
		memset(value, i % 7 == 0 ? 0 : i, sizeof(value));
		rd_kafka_producev(producer, RD_KAFKA_V_RKT(to), RD_KAFKA_V_PARTITION(0),
						  RD_KAFKA_V_VALUE(value, lengths[i / 3]), RD_KAFKA_V_HEADERS(headers),
						  RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
	}
	flush_producer();
	rd_kafka_topic_destroy(to);
}

/* How many headers a message has is known, whatever its length and the compression. */
void
test_headers(void)
{
	static const char *const codecs[] = {"none", "gzip", "snappy", "lz4", "zstd"};

	for (size_t k = 0; k < sizeof(codecs) / sizeof(codecs[0]); k++)
	{
		char		topic[32];
		Consumer   *c;
		Part	   *part;
		int			wrong = 0;

		snprintf(topic, sizeof(topic), "headers-%s", codecs[k]);
		create_topic(topic, 1);
		produce_lengths(topic, codecs[k]);
		c = joined(topic, topic, NULL);
		part = c->parts[0];
		part->paused = true;
		for (int i = 0; i < 3 * NLENGTHS; i++)
		{
			BurrowKafkaMessage m;

			if (take_next(c, part, &m) != BURROW_KAFKA_MESSAGE || m.offset != i ||
				m.value_len != (size_t) lengths[i / 3] || m.nheaders != (size_t) i % 3)
				wrong++;
		}
		check(wrong == 0, "%s: lengths and headers; %d are wrong", codecs[k], wrong);
		(void) close_consumer(c);
	}
}

/* A position that the partition does not have: told, with the offset, and nothing skipped. */
void
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
