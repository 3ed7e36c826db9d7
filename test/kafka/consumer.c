/*
 * consumer.c
 *	  A consumer, as small as it gets, for the tests of src/kafka/.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "consumer.h"

static uint32_t next_id = 1;

BurrowKafkaConf *
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

Consumer *
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

Part *
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

void
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
	c->lost += event->assignment_lost;
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

/* The first of the offsets that a group has committed. */
static void
take_fetched(Consumer *c, const BurrowKafkaList *list)
{
	const BurrowKafkaTopicPartition *item = &list->items[0];

	if (list->n == 0)
		return;
	c->fetched_offset = item->offset;
	c->fetched_len = item->metadata_len;
	if (item->metadata != NULL && item->metadata_len < sizeof(c->fetched_metadata))
		memcpy(c->fetched_metadata, item->metadata, item->metadata_len);
}

void
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
			take_fetched(c, &event->list);
			break;
		case BURROW_KAFKA_ANSWERED:
			c->answered++;
			c->before_tag = c->answered_tag;
			c->before_offset = c->answered_offset;
			c->answered_tag = event->tag;
			c->answered_n = event->list.n;
			c->error = event->error;
			snprintf(c->text, sizeof(c->text), "%s", event->text);
			for (int i = 0; c->answer != NULL && i < event->list.n; i++)
				c->answer->items[i].offset = event->list.items[i].offset;
			c->took = event->took;
			if (c->found != NULL && event->found != NULL)
				*c->found = *event->found;
			c->answered_start = event->list.n > 0 ? event->list.items[0].log_start : -1;
			c->answered_offset = event->list.n > 0 ? event->list.items[0].offset : -1;
			take_fetched(c, &event->list);
			break;
		case BURROW_KAFKA_DESCRIBED:
			c->described++;
			c->described_tag = event->tag;
			c->described_n = event->list.n;
			c->error = event->error;
			if (event->list.n > 0)
				c->topic_id = event->list.items[0].topic_id;
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

void
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
bool
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
void
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

/* How many offsets below n were not taken exactly once? */
int
wrong_counts(const Part *part, int n)
{
	int			wrong = 0;

	for (int i = 0; i < n; i++)
		wrong += part->seen[i] != 1;
	return wrong;
}

void
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

void
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
int64_t
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
Consumer *
joined(const char *group, const char *topic, const char *const *properties)
{
	Consumer   *c = open_consumer(group, topic, properties);

	if (!pump(c, c->assigns > 0))
		die("join", "time is up");
	return c;
}

int
count_partitions(BurrowKafkaClient *client, const char *topic, int timeout_ms, char *error)
{
	BurrowKafkaList *list = kafka->list_partitions(client, topic, timeout_ms, error);
	int			n = list != NULL ? list->n : -1;

	kafka->list_free(list);
	return n;
}
