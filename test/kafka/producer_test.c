/*
 * producer_test.c
 *	  Tests of producers (src/kafka/producer.c).  That records arrive byte for byte is shown
 *	  on a real broker: test/t/306_dead_letter_topic.pl.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"

#define API_PRODUCE		0
#define MAX_TAGS		5000

typedef struct Producer
{
	BurrowKafkaClient *client;
	int			pipe[2];
	int			answers;
	int			delivered;
	int			twice;			/* answers to what was answered before */
	int			wakes;
	int			logs;
	int			fatal;
	BurrowKafkaEvent last;		/* answer that was an error */
	bool		answered[MAX_TAGS];
} Producer;

static Producer *
open_producer(const char *const *properties)
{
	Producer   *p = calloc(1, sizeof(Producer));
	BurrowKafkaConf *conf = kafka->producer_conf_new();
	char		error[BURROW_KAFKA_TEXT_MAX];

	if (p == NULL || conf == NULL || pipe2(p->pipe, O_NONBLOCK | O_CLOEXEC) != 0)
		die("producer", "not made");
	if (!kafka->conf_set(conf, "bootstrap.servers", bootstrap, error))
		die("bootstrap.servers", error);
	for (; properties != NULL && *properties != NULL; properties += 2)
	{
		if (!kafka->conf_set(conf, properties[0], properties[1], error))
			die(properties[0], error);
	}
	p->client = kafka->open_producer(conf, p->pipe[1], error);
	if (p->client == NULL)
		die("open_producer", error);
	return p;
}

/* Returns how long it took, ms. */
static int64_t
close_producer(Producer *p)
{
	int64_t		begun = now_ms();

	kafka->destroy(p->client);
	begun = now_ms() - begun;
	close(p->pipe[0]);
	close(p->pipe[1]);
	free(p);
	return begun;
}

static void
serve(Producer *p)
{
	BurrowKafkaEvent event;

	while (kafka->poll(p->client, &event))
	{
		p->logs += event.type == BURROW_KAFKA_LOG;
		p->fatal += event.fatal;
		if (event.type != BURROW_KAFKA_DELIVERED)
			continue;
		p->answers++;
		p->twice += event.tag >= MAX_TAGS || p->answered[event.tag];
		if (event.tag < MAX_TAGS)
			p->answered[event.tag] = true;
		if (event.error == 0)
			p->delivered++;
		else
			p->last = event;
	}
}

/* Waits for the pipe, and for nothing else, until there are so many answers. */
static bool
wait_answers(Producer *p, int n)
{
	int64_t		until = now_ms() + PATIENCE_MS;
	char		ids[4096];

	serve(p);
	while (p->answers < n && now_ms() < until)
	{
		struct pollfd fd = {.fd = p->pipe[0], .events = POLLIN};

		if (poll(&fd, 1, 1000) <= 0)
			continue;
		p->wakes++;
		while (read(p->pipe[0], ids, sizeof(ids)) > 0)
			;
		serve(p);
	}
	return p->answers == n;
}

static void
send_record(Producer *p, const char *topic, int tag)
{
	BurrowKafkaHeader headers[] = {{"name", 4, "value", 5}, {"none", 4, NULL, 0}};
	BurrowKafkaRecord record = {
		.topic = topic, .key = "key", .key_len = 3, .value = "value", .value_len = 5,
		.nheaders = 2, .headers = headers, .tag = (uint64_t) tag
	};
	char		error[BURROW_KAFKA_TEXT_MAX];

	if (!kafka->produce(p->client, &record, error))
		die("produce", error);
}

/* A user's properties are those of a consumer; the producer takes what is for both. */
void
test_producer_properties(void)
{
	static const char *const properties[] = {
		"session.timeout.ms", "6000", "isolation.level", "read_uncommitted", "fetch.max.bytes", "100000",
		"message.max.bytes", "50000", "group.instance.id", "me", "socket.timeout.ms", "7000", NULL
	};
	BurrowKafkaConf *conf = kafka->producer_conf_new();
	Producer   *p = open_producer(properties);
	char		value[64];
	char		error[BURROW_KAFKA_TEXT_MAX];

	check(conf != NULL && kafka->conf_set(conf, "message.max.bytes", "50000", error) &&
		  kafka->conf_get(conf, "message.max.bytes", value, sizeof(value)) && strcmp(value, "1000000000") == 0,
		  "a consumer's limit is not the producer's: %s", value);
	check(kafka->conf_set(conf, "socket.timeout.ms", "7000", error) &&
		  kafka->conf_get(conf, "socket.timeout.ms", value, sizeof(value)) && strcmp(value, "7000") == 0,
		  "a property of the connection is: %s", value);
	check(!kafka->conf_set(conf, "socket.timeout.ms", "soon", error), "a value that is none: %s", error);
	check(kafka->open_producer(conf, p->pipe[1], error) == NULL, "no address: %s", error);
	kafka->conf_free(conf);

	create_topic("producer-properties", 1);
	send_record(p, "producer-properties", 0);
	check(wait_answers(p, 1) && p->delivered == 1, "delivered");
	check(p->logs == 0, "librdkafka has nothing to say about them");
	(void) close_producer(p);
}

void
test_producer_answers(void)
{
	Producer   *p = open_producer(NULL);
	int64_t		took;

	create_topic("producer-answers", 4);
	for (int i = 0; i < MAX_TAGS; i++)
		send_record(p, "producer-answers", i);
	check(wait_answers(p, MAX_TAGS), "%d answers", MAX_TAGS);
	check(p->delivered == MAX_TAGS && p->twice == 0, "each is delivered, and told once");
	check(p->wakes < MAX_TAGS, "the pipe tells of many at once: %d times", p->wakes);

	/* what librdkafka tries again by itself is not told */
	rd_kafka_mock_push_request_errors(cluster, API_PRODUCE, 2,
									  RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
									  RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS);
	memset(p->answered, 0, sizeof(p->answered));
	p->answers = p->delivered = 0;
	send_record(p, "producer-answers", 0);
	check(wait_answers(p, 1) && p->delivered == 1, "an error that passes");
	took = close_producer(p);
	check(took < 1000, "closed in %d ms", (int) took);
}

static void
refuse_once(Producer *p, int tag, rd_kafka_resp_err_t code)
{
	rd_kafka_mock_push_request_errors(cluster, API_PRODUCE, 1, code);
	send_record(p, "producer-refusals", tag);
	check(wait_answers(p, tag + 1) && p->last.tag == (uint64_t) tag && p->last.error == code && p->last.permanent,
		  "refused for good: %s", p->last.text);
}

void
test_producer_refusals(void)
{
	Producer   *p = open_producer(NULL);
	BurrowKafkaRecord record = {.topic = "producer-nowhere", .tag = 4};
	char		error[BURROW_KAFKA_TEXT_MAX];

	create_topic("producer-refusals", 1);
	refuse_once(p, 0, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
	check(!p->last.authentication, "that is no question of rights");
	refuse_once(p, 1, RD_KAFKA_RESP_ERR_INVALID_RECORD);
	/* the last one: librdkafka 2.0 forgets the topic's partitions over it */
	refuse_once(p, 2, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
	check(p->last.authentication, "that is");

	rd_kafka_mock_topic_set_error(cluster, "producer-nowhere", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
	send_record(p, "producer-nowhere", 3);
	check(wait_answers(p, 4) && p->last.tag == 3 && p->last.permanent, "no such topic: %s", p->last.text);
	/* now it is known, and produce() itself refuses; the answer comes as any other */
	check(kafka->produce(p->client, &record, error), "taken");
	check(p->answers == 4 && wait_answers(p, 5) && p->last.tag == 4 && p->last.permanent,
		  "refused at once: %s", p->last.text);
	check(p->fatal == 0 && p->twice == 0, "and nothing else");
	(void) close_producer(p);
}

/* Alone with the cluster, since it takes the broker down. */
void
test_producer_broker_down(void)
{
	Producer   *p = open_producer(NULL);
	int64_t		took;

	create_topic("producer-down", 1);
	send_record(p, "producer-down", 0);
	check(wait_answers(p, 1) && p->delivered == 1, "delivered");
	rd_kafka_mock_broker_set_down(cluster, 1);
	for (int i = 1; i < 100; i++)
		send_record(p, "producer-down", i);
	(void) poll(NULL, 0, 100);
	serve(p);
	check(p->answers == 1, "what cannot be sent waits");
	rd_kafka_mock_broker_set_up(cluster, 1);
	check(wait_answers(p, 100) && p->delivered == 100 && p->twice == 0, "until the broker is back");

	rd_kafka_mock_broker_set_down(cluster, 1);
	for (int i = 100; i < 200; i++)
		send_record(p, "producer-down", i);
	took = close_producer(p);
	check(took < 2000, "closed in %d ms with the broker away", (int) took);
	rd_kafka_mock_broker_set_up(cluster, 1);
}
