/*
 * producer.c
 *	  An idempotent producer: records go in, an answer for each comes out.
 *
 * It is a client as the consumer is (handle.c): the same queues, the same pipe, the same
 * poll().  What librdkafka tries again by itself is none of the caller's business; what it
 * gives up is, and is_permanent() says whether the caller could do better later.
 *
 * Runs in: the consumer.
 * Owns: delivery reports that were read and not told yet; the answers to records that
 * librdkafka did not take.
 */
#include <stdlib.h>

#include "kafka/internal.h"

BurrowKafkaClient *
burrow_kafka_open_producer(BurrowKafkaConf *conf, int wake_fd, char *error)
{
	if (!burrow_kafka_conf_finish(conf, NULL, error))
		return NULL;
	return burrow_kafka_start(conf, RD_KAFKA_PRODUCER, wake_fd, error);
}

/* Would the same record be refused again, until somebody has changed something? */
static bool
is_permanent(rd_kafka_resp_err_t code)
{
	switch (code)
	{
		case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
		case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
		case RD_KAFKA_RESP_ERR__INVALID_ARG:
		case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
		case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
		case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
		case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
		case RD_KAFKA_RESP_ERR_INVALID_RECORD:
		case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
		case RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS:
		case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
		case RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
			return true;
		default:
			return burrow_kafka_is_refusal(code);
	}
}

/* The answer comes by poll(), as that of any other record. */
static bool
refuse(BurrowKafkaClient *c, uint64_t tag, rd_kafka_resp_err_t code, char *error)
{
	Refused    *refused = calloc(1, sizeof(Refused));

	if (refused == NULL)
		return burrow_kafka_no_memory(error);
	refused->tag = tag;
	refused->code = code;
	*c->refused_tail = refused;
	c->refused_tail = &refused->next;
	burrow_kafka_wake(c, 0);
	return true;
}

static rd_kafka_headers_t *
make_headers(const BurrowKafkaRecord *record)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new(record->nheaders);

	for (size_t i = 0; i < record->nheaders; i++)
	{
		const BurrowKafkaHeader *h = &record->headers[i];

		if (rd_kafka_header_add(headers, h->name, (ssize_t) h->name_len, h->value,
								(ssize_t) h->value_len) != RD_KAFKA_RESP_ERR_NO_ERROR)
		{
			rd_kafka_headers_destroy(headers);
			return NULL;
		}
	}
	return headers;
}

bool
burrow_kafka_produce(BurrowKafkaClient *c, const BurrowKafkaRecord *record, char *error)
{
	rd_kafka_headers_t *headers = make_headers(record);
	rd_kafka_resp_err_t code;

	if (headers == NULL)
		return burrow_kafka_no_memory(error);
	code = rd_kafka_producev(c->rk,
							 RD_KAFKA_V_TOPIC(record->topic),
							 RD_KAFKA_V_PARTITION(RD_KAFKA_PARTITION_UA),
							 RD_KAFKA_V_KEY((void *) record->key, record->key_len),
							 RD_KAFKA_V_VALUE((void *) record->value, record->value_len),
							 RD_KAFKA_V_HEADERS(headers),
							 RD_KAFKA_V_OPAQUE((void *) (uintptr_t) record->tag),
							 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
							 RD_KAFKA_V_END);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		return true;
	rd_kafka_headers_destroy(headers);	/* still ours */
	if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
		return burrow_kafka_fail(code, error);
	return refuse(c, record->tag, code, error);
}

static void
fill_report(BurrowKafkaClient *c, BurrowKafkaEvent *event, uint64_t tag, rd_kafka_resp_err_t code)
{
	event->type = BURROW_KAFKA_DELIVERED;
	event->tag = tag;
	burrow_kafka_fill_error(c, event, code, rd_kafka_err2str(code));
	event->permanent = is_permanent(code);
	event->timed_out = code == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT;
	event->authentication = burrow_kafka_is_refusal(code);
}

/* The next answer of those that were read already; false: there is none. */
bool
burrow_kafka_next_report(BurrowKafkaClient *c, BurrowKafkaEvent *event)
{
	const rd_kafka_message_t *message;
	Refused    *refused = c->refused;

	if (c->reports != NULL)
	{
		message = rd_kafka_event_message_next(c->reports);
		if (message != NULL)
		{
			fill_report(c, event, (uintptr_t) message->_private, message->err);
			return true;
		}
		rd_kafka_event_destroy(c->reports);
		c->reports = NULL;
	}
	if (refused == NULL)
		return false;
	c->refused = refused->next;
	if (c->refused == NULL)
		c->refused_tail = &c->refused;
	fill_report(c, event, refused->tag, refused->code);
	free(refused);
	return true;
}

void
burrow_kafka_drop_reports(BurrowKafkaClient *c)
{
	BurrowKafkaEvent event;

	while (burrow_kafka_next_report(c, &event))
		;
}
