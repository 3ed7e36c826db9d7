/*
 * peek.c
 *	  The timestamps of single messages: is this still the log that it was?
 *
 * Before librdkafka 2.3 nothing tells the id of a topic, so a topic that was deleted and
 * made anew under the same name is known by what is at an offset that was read before.
 * The partitions are assigned to a client that is no member of the group, at these
 * offsets, and the first thing that comes of each says what is there; then they are let
 * go.  All are fetched at the same time.
 *
 * Runs in: the consumer.
 */
#include <stdlib.h>
#include <string.h>

#include "kafka/internal.h"

static BurrowKafkaTopicPartition *
find(BurrowKafkaList *list, const char *topic, int32_t partition)
{
	for (int i = 0; i < list->n; i++)
		if (list->items[i].partition == partition && strcmp(list->items[i].topic, topic) == 0)
			return &list->items[i];
	return NULL;
}

/* A message came.  True: it is the first of its partition. */
static bool
take_message(BurrowKafkaList *list, bool *known, rd_kafka_event_t *event)
{
	const rd_kafka_message_t *message = rd_kafka_event_message_next(event);
	BurrowKafkaTopicPartition *item;
	rd_kafka_timestamp_type_t type;
	int64_t		ms;

	if (message == NULL)
		return false;
	item = find(list, rd_kafka_topic_name(message->rkt), message->partition);
	if (item == NULL || known[item - list->items])
		return false;
	ms = rd_kafka_message_timestamp(message, &type);
	item->offset = message->err == RD_KAFKA_RESP_ERR_NO_ERROR && message->offset == item->offset &&
		type != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? ms : BURROW_KAFKA_NONE_OFFSET;
	return known[item - list->items] = true;
}

/* The end of a partition, or an error of it: there is no message.  True: it is the first
 * that is heard of it. */
static bool
take_error(BurrowKafkaList *list, bool *known, rd_kafka_event_t *event)
{
	rd_kafka_topic_partition_t *where = rd_kafka_event_topic_partition(event);
	BurrowKafkaTopicPartition *item;

	if (where == NULL)
		return false;
	item = find(list, where->topic, where->partition);
	rd_kafka_topic_partition_destroy(where);
	if (item == NULL || known[item - list->items])
		return false;
	item->offset = BURROW_KAFKA_NONE_OFFSET;
	return known[item - list->items] = true;
}

/* Serves the queue until each partition was heard of, or the time is over. */
static bool
collect(BurrowKafkaClient *c, BurrowKafkaList *list, int64_t until)
{
	bool	   *known = calloc(list->n, sizeof(bool));
	int			missing = list->n;

	while (known != NULL && missing > 0)
	{
		int64_t		left = until - burrow_kafka_now_ms();
		rd_kafka_event_t *event = left > 0 ? rd_kafka_queue_poll(c->main, (int) left) : NULL;

		if (event == NULL && left <= 0)
			break;
		if (event == NULL)
			continue;
		if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_FETCH)
			missing -= take_message(list, known, event) ? 1 : 0;
		else if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR)
			missing -= take_error(list, known, event) ? 1 : 0;
		rd_kafka_event_destroy(event);
	}
	free(known);
	return missing == 0;
}

bool
burrow_kafka_peek(BurrowKafkaClient *c, BurrowKafkaList *list, int timeout_ms, char *error)
{
	int64_t		until = burrow_kafka_now_ms() + timeout_ms;
	rd_kafka_topic_partition_list_t *rd;
	rd_kafka_resp_err_t code;
	bool		ok;

	if (list->n == 0)
		return true;
	rd = burrow_kafka_list_to_rd(list);
	if (rd == NULL)
		return burrow_kafka_fail(RD_KAFKA_RESP_ERR__FAIL, error);
	code = rd_kafka_assign(c->rk, rd);
	rd_kafka_topic_partition_list_destroy(rd);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return burrow_kafka_fail(code, error);
	ok = collect(c, list, until);
	(void) rd_kafka_assign(c->rk, NULL);
	return ok || burrow_kafka_fail(RD_KAFKA_RESP_ERR__TIMED_OUT, error);
}
