/*
 * group_test.c
 *	  Tests of a group's member: commits, rebalances, the end.
 */
#include <poll.h>
#include <string.h>
#include <time.h>

#include "consumer.h"

/* as the protocol numbers it */
#define API_HEARTBEAT	12

void
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

	c->fetched_offset = c->fetched_len = 0;
	check(kafka->ask(c->client, BURROW_KAFKA_ASK_COMMITTED, kafka->list_copy(list), 5000, 44, error), "asked on the other way");
	check(pump(c, c->answered == 1) && c->fetched_offset == 7 && c->answered_tag == 44 && c->error == 0, "offset came back");
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

static const char *const impatient[] = {
	"session.timeout.ms", "4000", "heartbeat.interval.ms", "300",
	"max.poll.interval.ms", "4000", NULL
};

void
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

void
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
void
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

void
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

void
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
