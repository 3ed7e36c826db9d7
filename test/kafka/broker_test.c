/*
 * broker_test.c
 *	  Tests of a broker that goes away and comes back; alone with the cluster.
 */
#include <string.h>

#include "consumer.h"

/* Alone with the cluster, since it takes the broker down. */
void
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
	char		error[BURROW_KAFKA_TEXT_MAX];

	create_topic("down", 1);
	produce("down", 0, 0, 10);
	c = joined("down", "down", properties);
	d = joined("down-2", "down", properties);
	check(pump(c, c->parts[0]->n == 10), "read");
	rd_kafka_mock_broker_set_down(cluster, 1);
	check(pump(c, c->down > 0), "told: %s", c->text);
	begun = now_ms();
	(void) kafka->list_set(list, 0, "down", 0, BURROW_KAFKA_NONE_OFFSET, NULL, 0);
	check(!kafka->list_bounds(c->client, list, 700, error), "bounds: %s", error);
	took = now_ms() - begun;
	check(took < 1500, "in %d ms", (int) took);
	(void) kafka->list_set(list, 0, "down", 0, BURROW_KAFKA_LATEST, NULL, 0);
	begun = now_ms();
	check(!kafka->list_offsets(c->client, list, 700, error), "resolve: %s", error);
	took = now_ms() - begun;
	check(took < 1500, "in %d ms", (int) took);
	begun = now_ms();
	check(count_partitions(c->client, "down", 700, error) == -1, "count: %s", error);
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
void
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
		check(count_partitions(c->client, "back", 700, error) == -1, "count: %s", error);
	rd_kafka_mock_broker_set_up(cluster, 1);
	check(pump(c, c->fetched == 1) && c->error == 0 && c->fetched_tag == 7, "answered when the broker is back: error %d, tag %d",
		  c->error, (int) c->fetched_tag);
	kafka->list_free(list);
	(void) close_consumer(c);
}

/*
 * A broker that is slow: a request that is not answered in time has librdkafka give up the connection, and with it the
 * question about what the group has committed, which is said to have timed out.  Nothing is wrong with the client then.
 */
void
test_slow_coordinator(void)
{
	static const char *const properties[] = {"socket.timeout.ms", "2000", NULL};
	BurrowKafkaList *list = kafka->list_new(1);
	Consumer   *c;
	char		error[BURROW_KAFKA_TEXT_MAX];

	create_topic("slow", 1);
	produce("slow", 0, 0, 1);
	c = joined("slow", "slow", properties);
	(void) kafka->list_set(list, 0, "slow", 0, BURROW_KAFKA_NONE_OFFSET, NULL, 0);
	check(kafka->fetch_committed(c->client, list, 1, error) && pump(c, c->fetched == 1) && c->error == 0, "the coordinator is known");
	rd_kafka_mock_broker_set_rtt(cluster, 1, 8000);
	check(kafka->fetch_committed(c->client, list, 2, error), "commits asked for, while others have been under way");
	check(pump(c, c->fetched == 2) && c->error != 0, "no answer");
	check(c->error == RD_KAFKA_RESP_ERR__TRANSPORT, "because the connection was lost, and not by a time-out of its own");
	rd_kafka_mock_broker_set_rtt(cluster, 1, 0);
	for (int i = 3; i < 100 && c->error != 0; i++)
		if (!kafka->fetch_committed(c->client, list, i, error) || !pump(c, c->fetched == i))
			break;
	check(c->error == 0, "asked for again, they are answered: error %d", c->error);
	kafka->list_free(list);
	(void) close_consumer(c);
}
