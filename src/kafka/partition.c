/*
 * partition.c
 *	  Partition queues: split off, read message by message, let go.
 *
 * A partition's queue is split off the main queue (the consumer queue) so that it can
 * be left unread: that is all the backpressure Burrow needs, and the main queue, with the
 * rebalances in it, is served all the same.
 *
 * When the pipe says that a queue is no longer empty: librdkafka writes on the step from
 * empty to not empty, once until the queue is read again.  Three rules follow.
 * - A queue counts as read only when poll_queue() said EMPTY; until then nothing more is written.
 * - In open_queue() the pipe is set first and the queue emptied then.  The other way round,
 *   what arrives in between would leave a queue that is not empty and has not told.
 * - It has to be emptied: a queue outlives its assignment (librdkafka finds the same one
 *   again, with the marks that stopping left in it), and what is left over would keep it from
 *   ever being empty, so from telling.  What it holds belongs to no assignment of ours:
 *   messages of the old one are outdated by their version, but old errors have none.
 *
 * Forwarding a queue to NULL marks it as the application's, and assign() then leaves it
 * alone: so it is done before assign(), or the first messages run through the main queue.
 * close_queue() does not forward it back: an unassigned partition gets no messages.
 *
 * Messages are taken one by one, as events.  rd_kafka_consume_batch_queue() would cost less for each, but its source says
 * that it loses some: in 2.0.2, if librdkafka pauses the partition meanwhile, those that were taken before are thrown away and the
 * position stays behind them; from 2.1.0 to 2.13.1 the end of a partition in a batch moves the position one too far, and so
 * after a pause the next message is left out (findings/batch-with-an-end-loses-a-message.sh).
 *
 * Runs in: the consumer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kafka/internal.h"

#if defined(__GNUC__)
#define unlikely(x) __builtin_expect((x) != 0, 0)
#else
#define unlikely(x) ((x) != 0)
#endif

/* Lets go of the message taken last, of whichever partition. */
static inline void
let_go(BurrowKafkaClient *c)
{
	if (c->message_event != NULL)
	{
		rd_kafka_event_destroy(c->message_event);
		c->message_event = NULL;
		c->message = NULL;
		c->headers = NULL;
		c->message_of = NULL;
	}
}

/* Throws away what is in the queue, but not for ever, should it be filled meanwhile. */
void
burrow_kafka_empty(rd_kafka_queue_t *queue)
{
	for (size_t n = rd_kafka_queue_length(queue) + 1; n > 0; n--)
	{
		rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 0);

		if (event == NULL)
			return;
		rd_kafka_event_destroy(event);
	}
}

/* The partition's own queue, which is no longer part of the main queue; NULL: there is none. */
rd_kafka_queue_t *
burrow_kafka_partition_queue(BurrowKafkaClient *c, const char *topic, int32_t partition)
{
	rd_kafka_queue_t *queue = rd_kafka_queue_get_partition(c->rk, topic, partition);

	if (queue != NULL)
		rd_kafka_queue_forward(queue, NULL);
	return queue;
}

BurrowKafkaPartition *
burrow_kafka_open_queue(BurrowKafkaClient *c, const char *topic, int32_t partition,
						uint32_t id, char *error)
{
	size_t		len = strlen(topic) + 1;
	BurrowKafkaPartition *p = calloc(1, sizeof(BurrowKafkaPartition) + len);

	if (p == NULL)
	{
		snprintf(error, BURROW_KAFKA_TEXT_MAX, "out of memory");
		return NULL;
	}
	p->queue = burrow_kafka_partition_queue(c, topic, partition);
	if (p->queue == NULL)
	{
		snprintf(error, BURROW_KAFKA_TEXT_MAX, "there is no queue for partition %d", partition);
		free(p);
		return NULL;
	}

	p->client = c;
	p->id = id;
	p->last = -1;
	p->strays_tail = &p->strays;
	p->partition = partition;
	memcpy(p->topic, topic, len);
	p->next = c->partitions;
	if (p->next != NULL)
		p->next->prev = p;
	c->partitions = p;

	rd_kafka_queue_io_event_enable(p->queue, c->wake_fd, &p->id, sizeof(p->id));
	burrow_kafka_empty(p->queue);
	return p;
}

void
burrow_kafka_close_queue(BurrowKafkaPartition *p)
{
	BurrowKafkaClient *c = p->client;

	if (c->message_of == p)
		let_go(c);
	while (p->strays != NULL)
	{
		Stray	   *stray = p->strays;

		p->strays = stray->next;
		rd_kafka_event_destroy(stray->event);
		free(stray);
	}

	/* the mark outlives the assignment */
	if (p->paused)
		(void) burrow_kafka_pause(p, false);

	/*
	 * Disabled before the handle goes: librdkafka keeps the queue, and the number of the file
	 * descriptor with it.
	 */
	rd_kafka_queue_io_event_enable(p->queue, -1, NULL, 0);
	/* Each message left pins a whole response of the broker's. */
	burrow_kafka_empty(p->queue);
	rd_kafka_queue_destroy(p->queue);

	if (p->next != NULL)
		p->next->prev = p->prev;
	if (p->prev != NULL)
		p->prev->next = p->next;
	else
		c->partitions = p->next;
	free(p);
}

size_t
burrow_kafka_queue_length(BurrowKafkaPartition *p)
{
	return rd_kafka_queue_length(p->queue);
}

bool
burrow_kafka_pause(BurrowKafkaPartition *p, bool on)
{
	rd_kafka_topic_partition_list_t *rd = rd_kafka_topic_partition_list_new(1);
	rd_kafka_resp_err_t code;

	rd_kafka_topic_partition_list_add(rd, p->topic, p->partition);
	code = on ? rd_kafka_pause_partitions(p->client->rk, rd) : rd_kafka_resume_partitions(p->client->rk, rd);
	rd_kafka_topic_partition_list_destroy(rd);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		p->paused = on;
	return code == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* NULL: not split off.  A list is enough: asked for strays, and now and then for bounds. */
BurrowKafkaPartition *
burrow_kafka_find_partition(const BurrowKafkaClient *c, const char *topic, int32_t partition)
{
	for (BurrowKafkaPartition *p = c->partitions; p != NULL; p = p->next)
	{
		if (p->partition == partition && strcmp(p->topic, topic) == 0)
			return p;
	}
	return NULL;
}

/*
 * Keeps an event of this partition that came through the main queue; poll_queue() returns
 * strays first, and the pipe is told here, since librdkafka has not done it for this queue.
 * Takes the event over, unless there is no memory.  message: an event gives its message
 * once, and whoever looked where it belongs has had it.
 */
bool
burrow_kafka_add_stray(BurrowKafkaPartition *p, rd_kafka_event_t *event,
					   const rd_kafka_message_t *message)
{
	Stray	   *stray = malloc(sizeof(Stray));

	if (stray == NULL)
		return false;
	stray->next = NULL;
	stray->event = event;
	stray->message = message;
	*p->strays_tail = stray;
	p->strays_tail = &stray->next;
	burrow_kafka_wake(p->client, p->id);
	return true;
}

static rd_kafka_event_t *
next_stray(BurrowKafkaPartition *p, const rd_kafka_message_t **message)
{
	Stray	   *stray = p->strays;
	rd_kafka_event_t *event = stray->event;

	*message = stray->message;
	p->strays = stray->next;
	if (p->strays == NULL)
		p->strays_tail = &p->strays;
	free(stray);
	return event;
}

/*
 * An error belongs to one of these kinds, and whether it has an offset does not say to which: a
 * broker that refuses a fetch for a moment is told with the position, too.
 *
 * What librdkafka cannot read (a checksum, a compression, a format) it skips, or fetches for ever; a
 * broker says INVALID_MSG of what it cannot read itself.  All else is tried again by librdkafka.
 */
static BurrowKafkaFault
fault_of(rd_kafka_resp_err_t code, int64_t offset)
{
	switch (code)
	{
		case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
		case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
			return BURROW_KAFKA_FAULT_GAP;
		case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
		case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
		case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
			return BURROW_KAFKA_FAULT_GONE;
		case RD_KAFKA_RESP_ERR__BAD_MSG:
		case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
		case RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED:
		case RD_KAFKA_RESP_ERR_INVALID_MSG:
			return offset >= 0 ? BURROW_KAFKA_FAULT_DATA : BURROW_KAFKA_FAULT_PASSING;
		case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
			return BURROW_KAFKA_FAULT_SIZE;
		default:
			return burrow_kafka_is_refusal(code) ? BURROW_KAFKA_FAULT_REFUSED : BURROW_KAFKA_FAULT_PASSING;
	}
}

static BurrowKafkaTake
broken(BurrowKafkaClient *c, BurrowKafkaMessage *m, rd_kafka_resp_err_t code, const char *text)
{
	m->error = code;
	m->error_name = rd_kafka_err2name(code);
	m->fault = fault_of(code, m->offset);
	/* "unknown" comes from the metadata, without an offset: 0 means nothing there */
	if (m->offset < 0 || (m->offset == 0 && m->fault == BURROW_KAFKA_FAULT_GONE))
		m->offset = BURROW_KAFKA_NONE_OFFSET;
	burrow_kafka_redact(&c->conf->secrets, text, m->text, sizeof(m->text));
	return BURROW_KAFKA_BROKEN;
}

/*
 * What poll_queue() makes of an event that is not a message; BURROW_KAFKA_EMPTY if it is
 * nothing to tell.
 */
BurrowKafkaTake
burrow_kafka_not_a_message(BurrowKafkaClient *c, rd_kafka_event_t *event, BurrowKafkaMessage *m)
{
	rd_kafka_resp_err_t code = rd_kafka_event_error(event);
	rd_kafka_topic_partition_t *where;

	if (rd_kafka_event_type(event) != RD_KAFKA_EVENT_ERROR)
		return BURROW_KAFKA_EMPTY;

	m->offset = BURROW_KAFKA_NONE_OFFSET;
	where = rd_kafka_event_topic_partition(event);
	if (where != NULL)
	{
		m->offset = where->offset;
		rd_kafka_topic_partition_destroy(where);
	}
	if (code == RD_KAFKA_RESP_ERR__PARTITION_EOF)
		return BURROW_KAFKA_END;
	return broken(c, m, code, rd_kafka_event_error_string(event));
}

/* A message that is an error itself; later versions might send it. */
BurrowKafkaTake
burrow_kafka_message_error(BurrowKafkaClient *c, const rd_kafka_message_t *message, BurrowKafkaMessage *m)
{
	m->offset = message->offset;
	if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
		return BURROW_KAFKA_END;
	return broken(c, m, message->err, rd_kafka_message_errstr(message));
}

static inline void
fill(BurrowKafkaClient *c, const rd_kafka_message_t *message, BurrowKafkaMessage *m)
{
	rd_kafka_timestamp_type_t type;

	m->offset = message->offset;
	m->timestamp_ms = rd_kafka_message_timestamp(message, &type);
	if (unlikely(type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE))
		m->timestamp_ms = BURROW_KAFKA_NO_TIME;
	m->key = message->key;
	m->key_len = message->key_len;
	m->value = message->payload;
	m->value_len = message->len;
	m->nheaders = 0;
	m->error = 0;
	m->error_name = NULL;
	m->text[0] = '\0';

	/*
	 * Counting them means parsing them: 65 ns, also where there are none, to 110 of all the rest.
	 * Their number stands behind the value in librdkafka's buffer, but nothing of the API says
	 * so, and headers that are overlooked are lost.
	 */
	if (rd_kafka_message_headers(message, &c->headers) == RD_KAFKA_RESP_ERR_NO_ERROR)
		m->nheaders = rd_kafka_header_cnt(c->headers);
}

/* The hot path: called once for each message that Burrow handles. */
BurrowKafkaTake
burrow_kafka_poll_queue(BurrowKafkaPartition *p, BurrowKafkaMessage *m)
{
	BurrowKafkaClient *c = p->client;

	let_go(c);
	for (;;)
	{
		rd_kafka_event_t *event;
		const rd_kafka_message_t *message = NULL;
		BurrowKafkaTake what;

		if (unlikely(p->strays != NULL))
			event = next_stray(p, &message);
		else
		{
			event = rd_kafka_queue_poll(p->queue, 0);
			if (event == NULL)
				return BURROW_KAFKA_EMPTY;
			if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_FETCH)
				message = rd_kafka_event_message_next(event);
		}

		if (unlikely(message == NULL || message->err != RD_KAFKA_RESP_ERR_NO_ERROR))
		{
			what = message == NULL ? burrow_kafka_not_a_message(c, event, m) :
				burrow_kafka_message_error(c, message, m);
			rd_kafka_event_destroy(event);
			if (what == BURROW_KAFKA_EMPTY)
				continue;
			return what;
		}

		/* A pause inside librdkafka, as at a rebalance, may fetch what we have had already. */
		if (unlikely(message->offset <= p->last))
		{
			rd_kafka_event_destroy(event);
			continue;
		}

		p->last = message->offset;
		c->message_event = event;
		c->message = message;
		c->message_of = p;
		fill(c, message, m);
		return BURROW_KAFKA_MESSAGE;
	}
}

bool
burrow_kafka_header(BurrowKafkaPartition *p, size_t i, const char **name,
					const void **value, size_t *value_len)
{
	BurrowKafkaClient *c = p->client;

	if (c->message_of != p || c->headers == NULL)
		return false;
	return rd_kafka_header_get_all(c->headers, i, name, value, value_len) ==
		RD_KAFKA_RESP_ERR_NO_ERROR;
}

void
burrow_kafka_discard(BurrowKafkaPartition *p)
{
	if (p->client->message_of == p)
		let_go(p->client);
}
