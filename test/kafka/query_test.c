/*
 * query_test.c
 *	  Tests of questions: offsets, partitions, single messages.
 */
#include <stdio.h>
#include <string.h>

#include "consumer.h"

/* More than are matched without a look at the interrupts. */
#define MANY_TOPICS		300

/* as the protocol numbers it */
#define API_FETCH		1

/* Ids of topics: of two, with an answer, or where librdkafka does not tell them, a refusal. */
static void
ask_for_ids(Consumer *c)
{
	const char *topics[] = {"questions", "no such topic"};
	char		error[BURROW_KAFKA_TEXT_MAX] = "";
	bool		told = kafka->tells_topic_ids();
	bool		ok = kafka->describe_topics(c->client, topics, 2, has_controller ? 5000 : 500, 77, error);

	check(told == (rd_kafka_version() >= 0x02030000), "ids are told since 2.3");
	check(ok == told, "asked for ids: %s", ok ? "yes" : error);
	check(!ok || pump(c, c->described == 1 && c->described_tag == 77), "there is an answer");
	if (has_controller)
		check(c->error == 0 && c->described_n == 2 && burrow_topic_id_is_known(&c->topic_id),
			  "with the id: %s (%d topics, error %d)", c->topic_id.text, c->described_n, c->error);
	else
		check(!ok || (c->error == RD_KAFKA_RESP_ERR__TIMED_OUT && c->described_n == 0),
			  "which ends without a controller: %d topics, error %d", c->described_n, c->error);
}

/* A pattern is matched with very many names: that can be given up, and another answer is not touched by it. */
static void
interrupt_matching(Consumer *c)
{
	static volatile sig_atomic_t flag = 0;
	static const volatile sig_atomic_t *const flags[] = {&flag, NULL};
	char		error[BURROW_KAFKA_TEXT_MAX] = "";
	char		topic[32];

	for (int i = 0; i < MANY_TOPICS; i++)
	{
		snprintf(topic, sizeof(topic), "many-%d", i);
		create_topic(topic, 1);
	}
	kafka->set_interrupts(flags);
	check(count_partitions(c->client, "^many-", PATIENCE_MS, error) == MANY_TOPICS, "many topics match %s", error);
	flag = 1;
	check(count_partitions(c->client, "^many-", PATIENCE_MS, error) == -1 && strcmp(error, "interrupted") == 0,
		  "matching is given up: %s", error);
	check(count_partitions(c->client, "questions", 5000, error) == 3, "nothing is matched for a name");
	flag = 0;
	check(count_partitions(c->client, "^many-", PATIENCE_MS, error) == MANY_TOPICS, "and goes on afterwards");
	kafka->set_interrupts(NULL);
}

void
test_questions(void)
{
	Consumer   *c;
	Part	   *part;
	BurrowKafkaList *list = kafka->list_new(3);
	BurrowKafkaList *found;
	char		error[BURROW_KAFKA_TEXT_MAX] = "";
	char	   *id;

	create_topic("questions", 3);
	create_topic("leaderless", 1);
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
	/* one that nobody fetches: the mock of later versions (2.8) would read its leader's id all the same */
	(void) rd_kafka_mock_partition_set_leader(cluster, "leaderless", 0, -1);
	(void) kafka->list_set(list, 0, "questions", 0, BURROW_KAFKA_LATEST, NULL, 0);
	(void) kafka->list_set(list, 1, "leaderless", 0, BURROW_KAFKA_EARLIEST, NULL, 0);
	(void) kafka->list_set(list, 2, "questions", 1, BURROW_KAFKA_LATEST, NULL, 0);
	check(kafka->list_offsets(c->client, list, 5000, error) && list->items[0].offset == 10 &&
		  list->items[2].offset == 20, "resolved with one without a leader %s", error);
	check(list->items[1].error == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, "which has its error: %s",
		  list->items[1].error_text != NULL ? list->items[1].error_text : "none");

	(void) kafka->list_set(list, 0, "questions", 0, BURROW_KAFKA_NONE_OFFSET, NULL, 0);
	(void) kafka->list_set(list, 1, "leaderless", 0, BURROW_KAFKA_NONE_OFFSET, NULL, 0);
	(void) kafka->list_set(list, 2, "questions", 1, BURROW_KAFKA_NONE_OFFSET, NULL, 0);
	check(kafka->list_bounds(c->client, list, 5000, error) && list->items[0].log_start == 0 &&
		  list->items[0].offset == 10 && list->items[2].log_start == 0 && list->items[2].offset == 20,
		  "bounds of two %s", error);
	check(list->items[1].error == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE && list->items[1].log_start < 0 &&
		  list->items[1].offset < 0, "and none of one without a leader");

	check(count_partitions(c->client, "questions", 5000, error) == 3, "three partitions");
	check(count_partitions(c->client, "^quest.*s$", 5000, error) == 3, "by a pattern");
	check(count_partitions(c->client, "^(", 5000, error) == -1, "bad pattern: %s", error);
	check(count_partitions(c->client, "^(que*)*", 5000, error) == -1, "one that the C library might take for ever for: %s",
		  error);
	check(count_partitions(c->client, "^zzz", 5000, error) == 0, "no match");
	found = kafka->list_partitions(c->client, "^quest.*s$", 5000, error);
	check(found != NULL && found->n == 3 && strcmp(found->items[2].topic, "questions") == 0 &&
		  found->items[2].partition == 2, "the three as a list");
	kafka->list_free(found);
	id = kafka->cluster_id(c->client, 5000);
	check(id != NULL && strncmp(id, "mockCluster", 11) == 0, "cluster is %s", id);
	kafka->free_text(id);
	ask_for_ids(c);
	interrupt_matching(c);
	kafka->list_free(list);
	(void) close_consumer(c);
}

/* Asks for what is at these offsets, and has it in their place. */
static bool
read_timestamps(Consumer *c, BurrowKafkaList *list)
{
	BurrowKafkaList *asked = kafka->list_new(list->n);
	char		error[BURROW_KAFKA_TEXT_MAX];
	int			before = c->answered;

	for (int i = 0; i < list->n; i++)
		(void) kafka->list_set(asked, i, list->items[i].topic, list->items[i].partition, list->items[i].offset, NULL, 0);
	c->answer = list;
	if (!kafka->ask(c->client, BURROW_KAFKA_ASK_TIMESTAMPS, asked, 10000, 1, error) || !pump(c, c->answered > before))
		return false;
	c->answer = NULL;
	return c->error == 0;
}

/* What is at this offset. */
static BurrowKafkaTake
look(Consumer *c, int32_t partition, int64_t offset, BurrowKafkaMessage *m)
{
	BurrowKafkaList *asked = kafka->list_new(1);
	char		error[BURROW_KAFKA_TEXT_MAX];
	int			before = c->answered;

	(void) kafka->list_set(asked, 0, "look", partition, offset, NULL, 0);
	c->found = m;
	check(kafka->ask(c->client, BURROW_KAFKA_ASK_LOOK, asked, PATIENCE_MS, 1, error) && pump(c, c->answered > before),
		  "looked");
	c->found = NULL;
	return c->took;
}

/*
 * The timestamps of single messages, of a client that is no member.  One message is all
 * that it keeps of a partition, and one of another must not be in its way: librdkafka
 * looks again at a queue that was full after a second.
 */
void
test_peek(void)
{
	static const char *const properties[] = {
		"queued.min.messages", "10", "message.max.bytes", "1000", "fetch.max.bytes", "1000", NULL
	};
	Consumer   *c;
	BurrowKafkaList *list = kafka->list_new(4);
	BurrowKafkaList *many = kafka->list_new(32);
	int64_t		before = 0;

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
		check(read_timestamps(c, list), "peeked %s", c->text);
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
	check(read_timestamps(c, many), "peeked many %s", c->text);
	for (int i = 0; i < 32; i++)
		check(many->items[i].offset > 0, "timestamp %d", i);
	(void) close_consumer(c);
	kafka->list_free(many);
	kafka->list_free(list);
}

/* What is at single offsets, one after the other. */
void
test_look(void)
{
	Consumer   *c;
	BurrowKafkaMessage m;

	create_topic("look", 2);
	produce("look", 0, 0, 10);
	c = open_consumer("look", NULL, NULL);
	for (int i = 0; i < 2; i++)
	{
		check(look(c, 0, 7, &m) == BURROW_KAFKA_MESSAGE && m.offset == 7 &&
			  m.timestamp_ms > 0, "a message");
		check(look(c, 0, 10, &m) == BURROW_KAFKA_END && m.offset == 10, "the end");
		check(look(c, 0, 5000, &m) == BURROW_KAFKA_BROKEN &&
			  m.fault == BURROW_KAFKA_FAULT_GAP && m.offset == 5000, "beyond it: %s", m.text);
		check(look(c, 1, 0, &m) == BURROW_KAFKA_END && m.offset == 0, "nothing");
	}
	/* a fetch for an earlier look may still be on its way to the broker, and takes an error, too */
	for (int i = 0; i < 100; i++)
		rd_kafka_mock_push_request_errors(cluster, API_FETCH, 1, RD_KAFKA_RESP_ERR_UNKNOWN);
	check(look(c, 0, 3, &m) == BURROW_KAFKA_BROKEN &&
		  m.fault == BURROW_KAFKA_FAULT_PASSING, "an error: %s", m.text);
	rd_kafka_mock_clear_request_errors(cluster, API_FETCH);
	check(look(c, 0, 3, &m) == BURROW_KAFKA_MESSAGE && m.offset == 3, "no more");
	(void) close_consumer(c);
}

static BurrowKafkaList *
one(const char *topic, int64_t offset)
{
	BurrowKafkaList *list = kafka->list_new(1);

	(void) kafka->list_set(list, 0, topic, 0, offset, NULL, 0);
	return list;
}

static bool
ask(Consumer *c, int64_t offset, int timeout_ms, uint64_t tag)
{
	char		error[BURROW_KAFKA_TEXT_MAX];

	return kafka->ask(c->client, BURROW_KAFKA_ASK_OFFSETS, one("ask", offset), timeout_ms, tag, error);
}

/* Nobody waits for an answer that is asked for: not when there is none, and not at the end. */
void
test_ask(void)
{
	Consumer   *c;
	int64_t		begun;
	int64_t		took;
	char		error[BURROW_KAFKA_TEXT_MAX];

	create_topic("ask", 3);
	produce("ask", 0, 0, 10);
	c = open_consumer("ask", NULL, NULL);
	check(ask(c, BURROW_KAFKA_LATEST, PATIENCE_MS, 11), "asked for an end");
	check(pump(c, c->answered == 1) && c->error == 0 && c->answered_tag == 11 && c->answered_offset == 10,
		  "answered, with the tag and the end");
	check(ask(c, BURROW_KAFKA_LATEST, PATIENCE_MS, 12) && ask(c, BURROW_KAFKA_EARLIEST, PATIENCE_MS, 13), "two at once");
	/* one pumping may bring both */
	check(pump(c, c->answered == 3) && c->before_tag == 12 && c->before_offset == 10, "answered in their order");
	check(c->answered_tag == 13 && c->answered_offset == 0, "and the second");
	check(kafka->ask(c->client, BURROW_KAFKA_ASK_BOUNDS, one("ask", BURROW_KAFKA_NONE_OFFSET), PATIENCE_MS, 17, error) &&
		  pump(c, c->answered_tag == 17) && c->answered_start == 0 && c->answered_offset == 10, "bounds");
	check(kafka->ask(c->client, BURROW_KAFKA_ASK_PARTITIONS, one("ask", BURROW_KAFKA_NONE_OFFSET), PATIENCE_MS, 18, error) &&
		  pump(c, c->answered_tag == 18) && c->answered_n == 3, "partitions");
	check(kafka->ask(c->client, BURROW_KAFKA_ASK_CONTACT, one("ask", BURROW_KAFKA_NONE_OFFSET), PATIENCE_MS, 19, error) &&
		  pump(c, c->answered_tag == 19) && c->error == 0, "a broker is there");

	rd_kafka_mock_broker_set_down(cluster, 1);
	check(pump(c, c->down > 0), "the broker is away: %s", c->text);
	begun = now_ms();
	check(ask(c, BURROW_KAFKA_LATEST, 2000, 14), "asked");
	took = now_ms() - begun;
	check(took < 500, "nobody waits, %d ms", (int) took);
	check(pump(c, c->answered == 7) && c->error != 0 && c->answered_tag == 14, "no answer: %s", c->text);
	took = now_ms() - begun;
	check(took > 500 && took < 6000, "in its time, %d ms", (int) took);
	check(kafka->ask(c->client, BURROW_KAFKA_ASK_CONTACT, one("ask", BURROW_KAFKA_NONE_OFFSET), 500, 20, error) &&
		  pump(c, c->answered_tag == 20) && c->error != 0, "no broker is there: %s", c->text);

	/* closed with one under way, and one that waits for it */
	(void) ask(c, BURROW_KAFKA_LATEST, 1000, 15);
	(void) ask(c, BURROW_KAFKA_LATEST, PATIENCE_MS, 16);
	took = close_consumer(c);
	check(took < 8000, "closed in %d ms", (int) took);
	rd_kafka_mock_broker_set_up(cluster, 1);
}
