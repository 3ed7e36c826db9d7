/*
 * peek.c
 *	  What stands at single offsets, seen by a client that is no member of the group.
 *
 * read_timestamps() asks for those of messages: is this still the log that it was?  look() asks
 * for whatever is there, errors as well: where does what cannot be read end, and is a partition
 * that could not be fetched fetched again?
 *
 * Before librdkafka 2.3 nothing tells the id of a topic (topic_id.c), so a topic that was deleted
 * and made anew under the same name is known by what is at an offset that was read before.
 * The partitions are assigned to a client that is no member of the group, at these
 * offsets, and the first thing that comes of each says what is there; then they are let
 * go.  All are fetched at the same time.
 *
 * Each partition has its queue, as the member's have (partition.c): librdkafka does not
 * fetch for a partition whose queue holds queued.min.messages, counts a queue that others
 * share as full for each of them, and looks again after a second.
 *
 * Runs in: the thread that asks for the consumer (asker.c).
 */
#include <stdlib.h>
#include <string.h>

#include "kafka/internal.h"

/* Between two looks at the other queue. */
#define LOOK_SLICE_MS	20

/* The timestamp of the message at this offset, if the event is that message; else there is none. */
static int64_t
timestamp_of(rd_kafka_event_t *event, int64_t offset)
{
	const rd_kafka_message_t *message = rd_kafka_event_type(event) == RD_KAFKA_EVENT_FETCH ?
	rd_kafka_event_message_next(event) : NULL;
	rd_kafka_timestamp_type_t type;
	int64_t		ms;

	if (message == NULL || message->err != RD_KAFKA_RESP_ERR_NO_ERROR || message->offset != offset)
		return BURROW_KAFKA_NO_TIME;
	ms = rd_kafka_message_timestamp(message, &type);
	return type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? BURROW_KAFKA_NO_TIME : ms;
}

/*
 * Is it about an earlier assignment?  librdkafka tells by a version, which this error alone has not: it
 * is made by another thread, and may come when the partition is assigned again.
 */
static bool
is_late(rd_kafka_event_t *event, int64_t offset)
{
	rd_kafka_topic_partition_t *where;
	bool		late;

	if (rd_kafka_event_type(event) != RD_KAFKA_EVENT_ERROR ||
		rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET)
		return false;
	where = rd_kafka_event_topic_partition(event);
	late = where != NULL && where->offset != offset;
	if (where != NULL)
		rd_kafka_topic_partition_destroy(where);
	return late;
}

/* The next event of this assignment's, or NULL. */
static rd_kafka_event_t *
poll_for(rd_kafka_queue_t *queue, int64_t offset, int timeout_ms)
{
	rd_kafka_event_t *event = rd_kafka_queue_poll(queue, timeout_ms);

	while (event != NULL && is_late(event, offset))
	{
		rd_kafka_event_destroy(event);
		event = rd_kafka_queue_poll(queue, timeout_ms);
	}
	return event;
}

/* Replaces each offset by what is heard first of its partition, until the time is over: those that
 * nothing was heard of have an error. */
static void
collect(rd_kafka_queue_t **queues, BurrowKafkaList *list, int64_t until)
{
	for (int i = 0; i < list->n; i++)
	{
		int64_t		left = until - burrow_kafka_now_ms();
		rd_kafka_event_t *event = poll_for(queues[i], list->items[i].offset, left > 0 ? (int) left : 0);

		if (event == NULL)
		{
			list->items[i].error = RD_KAFKA_RESP_ERR__TIMED_OUT;
			list->items[i].error_text = rd_kafka_err2str(RD_KAFKA_RESP_ERR__TIMED_OUT);
			list->items[i].offset = BURROW_KAFKA_NO_TIME;
			continue;
		}
		list->items[i].offset = timestamp_of(event, list->items[i].offset);
		rd_kafka_event_destroy(event);
	}
}

/* Each partition's queue, with nothing of an earlier assignment in it. */
static bool
split(BurrowKafkaClient *c, const BurrowKafkaList *list, rd_kafka_queue_t **queues)
{
	for (int i = 0; i < list->n; i++)
	{
		queues[i] = burrow_kafka_partition_queue(c, list->items[i].topic, list->items[i].partition);
		if (queues[i] == NULL)
			return false;
		burrow_kafka_empty(queues[i]);
	}
	return true;
}

/* What is left in a queue would pin a whole response of the broker's. */
static void
let_go(rd_kafka_queue_t **queues, int n)
{
	for (int i = 0; i < n && queues[i] != NULL; i++)
	{
		burrow_kafka_empty(queues[i]);
		rd_kafka_queue_destroy(queues[i]);
	}
}

bool
burrow_kafka_read_timestamps(BurrowKafkaClient *c, BurrowKafkaList *list, int timeout_ms, char *error)
{
	int64_t		until = burrow_kafka_now_ms() + timeout_ms;
	rd_kafka_topic_partition_list_t *rd;
	rd_kafka_queue_t **queues;
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__FAIL;

	if (list->n == 0)
		return true;
	rd = burrow_kafka_list_to_rd(list);
	queues = calloc(list->n, sizeof(rd_kafka_queue_t *));
	if (rd != NULL && queues != NULL && split(c, list, queues))
		code = rd_kafka_assign(c->rk, rd);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
	{
		collect(queues, list, until);
		(void) rd_kafka_assign(c->rk, NULL);
	}
	if (queues != NULL)
		let_go(queues, list->n);
	free(queues);
	if (rd != NULL)
		rd_kafka_topic_partition_list_destroy(rd);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR || burrow_kafka_fail(code, error);
}

/* Has a connection been lost because an answer was too large?  That is no partition's event. */
static bool
was_too_large(BurrowKafkaClient *c, BurrowKafkaMessage *m)
{
	rd_kafka_event_t *event;
	bool		was = false;

	while (!was && (event = rd_kafka_queue_poll(c->main, 0)) != NULL)
	{
		const char *text = rd_kafka_event_error_string(event);

		was = rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR &&
			burrow_kafka_is_too_large(rd_kafka_event_error(event), text);
		if (was)
		{
			m->offset = BURROW_KAFKA_NONE_OFFSET;
			m->error = rd_kafka_event_error(event);
			m->error_name = rd_kafka_err2name(rd_kafka_event_error(event));
			m->fault = BURROW_KAFKA_FAULT_SIZE;
			burrow_kafka_redact(&c->conf->secrets, text, m->text, sizeof(m->text));
		}
		rd_kafka_event_destroy(event);
	}
	return was;
}

/* The first thing that comes. */
static BurrowKafkaTake
look_at_queue(BurrowKafkaClient *c, rd_kafka_queue_t *queue, int64_t offset, int64_t until, BurrowKafkaMessage *m)
{
	for (;;)
	{
		int64_t		left = until - burrow_kafka_now_ms();
		rd_kafka_event_t *event = poll_for(queue, offset, left > LOOK_SLICE_MS ? LOOK_SLICE_MS : left > 0 ? (int) left : 0);
		const rd_kafka_message_t *message = NULL;
		rd_kafka_timestamp_type_t type;
		BurrowKafkaTake what = BURROW_KAFKA_MESSAGE;

		if (event == NULL)
		{
			if (was_too_large(c, m))
				return BURROW_KAFKA_BROKEN;
			if (left <= 0)
				return BURROW_KAFKA_EMPTY;
			continue;
		}
		if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_FETCH)
			message = rd_kafka_event_message_next(event);
		if (message == NULL)
			what = burrow_kafka_not_a_message(c, event, m);
		else if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
			what = burrow_kafka_message_error(c, message, m);
		else
		{
			m->offset = message->offset;
			m->timestamp_ms = rd_kafka_message_timestamp(message, &type);
		}
		rd_kafka_event_destroy(event);
		if (what != BURROW_KAFKA_EMPTY)
			return what;
	}
}

BurrowKafkaTake
burrow_kafka_look(BurrowKafkaClient *c, const char *topic, int32_t partition, int64_t offset,
				  int timeout_ms, BurrowKafkaMessage *m)
{
	int64_t		until = burrow_kafka_now_ms() + timeout_ms;
	rd_kafka_topic_partition_list_t *rd = rd_kafka_topic_partition_list_new(1);
	rd_kafka_queue_t *queue = burrow_kafka_partition_queue(c, topic, partition);
	BurrowKafkaTake what = BURROW_KAFKA_EMPTY;

	memset(m, 0, offsetof(BurrowKafkaMessage, text));
	rd_kafka_topic_partition_list_add(rd, topic, partition)->offset = offset;
	if (queue != NULL)
	{
		burrow_kafka_empty(queue);
		burrow_kafka_empty(c->main);
		if (rd_kafka_assign(c->rk, rd) == RD_KAFKA_RESP_ERR_NO_ERROR)
		{
			what = look_at_queue(c, queue, offset, until, m);
			(void) rd_kafka_assign(c->rk, NULL);
		}
		let_go(&queue, 1);
	}
	rd_kafka_topic_partition_list_destroy(rd);
	return what;
}
